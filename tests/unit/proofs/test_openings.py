"""Openings: whole ones are believed, whatever is changed in one is noticed."""

from __future__ import annotations

import msgspec
import pytest

from simdes.errors import Invalid, Tampered
from simdes.proofs.openings import Opening, Secret, decode, encode, octets
from simdes.proofs.trees import BATCH_DEPTH, Tree

SECRET = Secret(77)


def opening() -> Opening:
    made = Opening(
        chain=1,
        contract=bytes(20),
        issuer=bytes(32),
        request="MedicationRequest/1",
        essence=b"e" * 32,
        nonce=b"n" * 32,
        key=octets(SECRET.key),
        total=90,
        per_fill=30,
        interval=0,
        first_day=1,
        last_day=9,
        bound=bytes(32),
        controlled=False,
        unit="1",
        batch_root=bytes(32),
        place=0,
        siblings=(),
    )
    tree = Tree(BATCH_DEPTH, [5, 6, made.prescription.leaf, 7])
    return msgspec.structs.replace(
        made,
        batch_root=octets(tree.root),
        place=2,
        siblings=tuple(octets(one) for one in tree.siblings(2)),
    )


def test_an_opening_comes_back_whole() -> None:
    one = opening()
    assert decode(encode(one)) == one
    one.require_whole()


@pytest.mark.parametrize(
    "changed",
    [
        {"essence": b"f" * 32},
        {"nonce": b"m" * 32},
        {"key": octets(5)},
        {"total": 91},
        {"last_day": 10},
        {"controlled": True},
        {"place": 3},
        {"place": 2 + (1 << BATCH_DEPTH)},
        {"siblings": ()},
        {"batch_root": octets(1)},
    ],
    ids=lambda one: next(iter(one)),
)
def test_whatever_is_changed_is_noticed(changed: dict[str, object]) -> None:
    with pytest.raises(Tampered):
        msgspec.structs.replace(opening(), **changed).require_whole()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"x" * 9_000,
        encode(msgspec.structs.replace(opening(), v=2)),
        encode(msgspec.structs.replace(opening(), key=b"short")),
        msgspec.msgpack.encode({"v": 1}),
    ],
    ids=["empty", "number", "large", "version", "short", "incomplete"],
)
def test_anything_else_is_no_opening(content: bytes) -> None:
    with pytest.raises(Invalid):
        decode(content)
