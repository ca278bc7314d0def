"""What is signed: every field counts, and no statement passes for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simdes.crypto.digest import sha256
from simdes.crypto.statement import Subject, dealer_digest, record_digest
from simdes.errors import Invalid

SUBJECT = Subject(
    record_id=b"r" * 32,
    vault=b"v" * 32,
    category=3,
    labels=2,
    epoch=7,
    organisation=b"o" * 32,
    commitment=b"c" * 32,
)
OTHERS = {
    "record_id": b"R" * 32,
    "vault": b"V" * 32,
    "category": 4,
    "labels": 2**63,
    "epoch": 8,
    "organisation": b"O" * 32,
    "commitment": b"C" * 32,
}
REST = {"m": 2, "n": 3, "roster": b"l" * 32, "content_digest": b"d" * 32}
OTHER_REST = {"m": 3, "n": 4, "roster": b"L" * 32, "content_digest": b"D" * 32}
DEALT = {
    "old_epoch": 7,
    "epoch": 8,
    "m": 2,
    "n": 3,
    "dealer": 1,
    "organisation": b"o" * 32,
    "commitments": (b"0" * 32, b"1" * 32),
}
OTHER_DEALT = {
    "old_epoch": 6,
    "epoch": 9,
    "m": 3,
    "n": 4,
    "dealer": 2,
    "organisation": b"O" * 32,
    "commitments": (b"1" * 32, b"0" * 32),
}


def test_a_record_statement_is_its_tag_and_fields_hashed() -> None:
    assert record_digest(SUBJECT, **REST) == sha256(
        b"simdes/record-statement/v1\0"
        + b"r" * 32
        + b"v" * 32
        + bytes.fromhex("03000000000000000200000007")
        + b"o" * 32
        + b"c" * 32
        + b"\2\3"
        + b"l" * 32
        + b"d" * 32
    )


def test_every_field_changes_what_is_signed() -> None:
    made = {
        record_digest(SUBJECT, **REST),
        dealer_digest(SUBJECT, **DEALT),
        *(record_digest(replace(SUBJECT, **{k: v}), **REST) for k, v in OTHERS.items()),
        *(dealer_digest(replace(SUBJECT, **{k: v}), **DEALT) for k, v in OTHERS.items()),
        *(record_digest(SUBJECT, **(REST | {k: v})) for k, v in OTHER_REST.items()),
        *(dealer_digest(SUBJECT, **(DEALT | {k: v})) for k, v in OTHER_DEALT.items()),
    }
    assert len(made) == 2 + 2 * len(OTHERS) + len(OTHER_REST) + len(OTHER_DEALT)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("record_id", b"short"),
        ("vault", b"v" * 33),
        ("organisation", b""),
        ("commitment", b""),
        ("category", 64),
        ("category", -1),
        ("labels", 2**64),
        ("labels", -1),
        ("epoch", 0),
        ("epoch", 2**32),
    ],
)
def test_a_field_out_of_range_is_not_signed(field: str, value: object) -> None:
    with pytest.raises(Invalid):
        replace(SUBJECT, **{field: value}).packed()
