"""Recursive length prefix: published examples, an independent reader, and what is not canonical."""

from __future__ import annotations

from typing import Any

import pytest
import rlp as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid
from simdes.ledger import rlp

# https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/#examples
EXAMPLES: list[tuple[Any, str]] = [
    (b"dog", "83646f67"),
    ([b"cat", b"dog"], "c88363617483646f67"),
    (b"", "80"),
    ([], "c0"),
    (b"\x00", "00"),
    (b"\x0f", "0f"),
    (b"\x04\x00", "820400"),
    ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
    (
        b"Lorem ipsum dolor sit amet, consectetur adipisicing elit",
        "b8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572"
        "206164697069736963696e6720656c6974",
    ),
]

items = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=8
)


@pytest.mark.parametrize(("item", "expected"), EXAMPLES)
def test_published_examples(item: Any, expected: str) -> None:
    assert rlp.encode(item).hex() == expected
    assert rlp.decode(bytes.fromhex(expected)) == item


@settings(derandomize=True, max_examples=200)
@given(items)
def test_it_writes_what_an_independent_library_writes(item: Any) -> None:
    assert rlp.encode(item) == reference.encode(item)


@settings(derandomize=True, max_examples=300)
@given(st.binary(max_size=80))
def test_rubbish_is_refused_or_is_the_one_form_of_what_it_says(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except Invalid:
        return
    assert rlp.encode(item) == data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "8100",  # a byte below 0x80 stands for itself
        "b800",  # a long form of a short length
        "b90001ff",  # a length with a leading zero
        "83646f",  # too short
        "83646f6700",  # too long
        "c483646f67ff",
        "c28364",
        "bfffffffffffffffff",  # a length of exabytes
        "ffffffffffffffffff",
        "c1" * 20 + "c0",  # nested beyond what any transaction needs
    ],
)
def test_what_is_not_canonical_is_refused(data: str) -> None:
    with pytest.raises(Invalid):
        rlp.decode(bytes.fromhex(data))


def test_integers_have_one_form() -> None:
    assert rlp.encode_int(0) == b""
    assert rlp.decode_int(rlp.encode_int(1 << 255)) == 1 << 255
    for wrong in (b"\0", b"\0\1", b"\1" * 33, [b"\1"]):
        with pytest.raises(Invalid):
            rlp.decode_int(wrong)
    with pytest.raises(Invalid):
        rlp.decode_int(b"\1" * 9, octets=8)
