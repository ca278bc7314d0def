"""RFC 8949: the values of appendix A that the formats use, and what section 4.2 forbids."""

from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import cbor
from simdes.errors import Invalid, Unsupported

# https://www.rfc-editor.org/rfc/rfc8949#appendix-A
APPENDIX_A = [
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("a", "6161"),
    ("IETF", "6449455446"),
    ('"\\', "62225c"),
    ("\u00fc", "62c3bc"),
    ("\u6c34", "63e6b0b4"),
    ("\U00010151", "64f0908591"),
    ([], "80"),
    ([1, 2, 3], "83010203"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    (list(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
    ({}, "a0"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (["a", {"b": "c"}], "826161a161626163"),
    (
        {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"},
        "a56161614161626142616361436164614461656145",
    ),
]


@pytest.mark.parametrize(("value", "encoded"), APPENDIX_A)
def test_the_values_of_the_rfc_are_written_and_read(value: cbor.Value, encoded: str) -> None:
    assert cbor.encode(value).hex() == encoded
    assert cbor.decode(bytes.fromhex(encoded)) == value


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        ("", "nothing"),
        ("1817", "23 in two bytes"),
        ("190018", "24 in three bytes"),
        ("1a0000ffff", "a number in five bytes instead of three"),
        ("1b00000000ffffffff", "a number in nine bytes instead of five"),
        ("5801aa", "a length in two bytes instead of one"),
        ("1c", "a reserved length"),
        ("5f42010243030405ff", "bytes of indefinite length"),
        ("7f657374726561646d696e67ff", "text of indefinite length"),
        ("9f01ff", "an array of indefinite length"),
        ("bf616101ff", "a map of indefinite length"),
        ("20", "a negative number"),
        ("f4", "false"),
        ("f6", "null"),
        ("f90000", "a float"),
        ("c074323031332d30332d32315432303a30343a30305a", "a tag"),
        ("c249010000000000000000", "a bignum"),
        ("a26162016161 02".replace(" ", ""), "map keys out of order"),
        ("a2616101616102", "a map key twice"),
        ("a2626161016162 02".replace(" ", ""), "a longer map key first"),
        ("a10102", "a map key that is a number"),
        ("62c328", "text that is not UTF-8"),
        ("4401", "bytes that end too early"),
        ("82", "an array that ends too early"),
        ("9bffffffffffffffff", "an array longer than memory"),
        ("0000", "something after the end"),
        ("8181818181818181", "too deep"),
    ],
)
def test_what_is_not_deterministic_or_not_in_the_formats_is_refused(encoded: str, why: str) -> None:
    with pytest.raises(Invalid):
        cbor.decode(bytes.fromhex(encoded))


VALUES = st.recursive(
    st.integers(0, 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None, database=None)
@given(VALUES)
def test_what_is_written_is_read_back(value: cbor.Value) -> None:
    encoded = cbor.encode(value)
    try:
        assert cbor.decode(encoded) == value
    except Invalid as refusal:
        assert "deeply" in refusal.message
    assert cbor2.loads(encoded) == value


@settings(derandomize=True, deadline=None, database=None)
@given(st.dictionaries(st.text(max_size=300), st.integers(0, 9) | st.lists(st.binary())))
def test_a_header_is_written_as_any_other_map(fields: dict[str, cbor.Value]) -> None:
    assert cbor.encode_header(fields) == cbor.encode(fields)


@settings(derandomize=True, deadline=None, database=None)
@given(st.binary(max_size=60))
def test_bytes_are_refused_or_are_the_only_encoding_of_what_they_mean(data: bytes) -> None:
    try:
        value, end = cbor.decode_first(data)
    except Invalid:
        return
    assert cbor.encode(value) == data[:end]


@settings(derandomize=True, deadline=None, database=None)
@given(VALUES, st.data())
def test_an_altered_encoding_is_refused_or_means_something_else(
    value: cbor.Value, data: st.DataObject
) -> None:
    encoded = bytearray(cbor.encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(Invalid):
        assert cbor.decode(bytes(encoded)) != value


@pytest.mark.parametrize(
    "argument", [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1]
)
def test_heads_are_the_shortest(argument: int) -> None:
    assert cbor.head(0, argument) == cbor2.dumps(argument)


def test_a_number_over_64_bits_has_no_head() -> None:
    with pytest.raises(Invalid):
        cbor.head(0, 2**64)


KNOWN = frozenset(("type", "v", "suite", "name"))


def test_extensions_are_ignored_and_other_unknown_fields_refused() -> None:
    good = {"type": "note", "v": 1, "suite": 1, "_remark": "ignored"}
    cbor.Fields(good, kind="note", known=KNOWN).suite()
    for bad, error in (
        (good | {"remark": "critical"}, Unsupported),
        (good | {"v": 2}, Unsupported),
        (good | {"type": "letter"}, Invalid),
        ([], Invalid),
    ):
        with pytest.raises(error):
            cbor.Fields(bad, kind="note", known=KNOWN)
    for bad in (good | {"suite": 2}, {"type": "note", "v": 1}):
        with pytest.raises(Unsupported):
            cbor.Fields(bad, kind="note", known=KNOWN).suite()


def test_fields_of_the_wrong_type_size_or_range_are_refused() -> None:
    fields = cbor.Fields({"type": "note", "v": 1, "name": b"12"}, kind="note", known=KNOWN)
    for read in (
        lambda: fields.fixed("name", 3),
        lambda: fields.uint("name", 9),
        lambda: fields.uint("v", 0),
        lambda: fields.array("name", least=0, most=9),
        lambda: fields.fixed("absent", 0),
        lambda: cbor.as_text(b"12", "name"),
    ):
        with pytest.raises(Invalid):
            read()
    assert fields.fixed("name", 2) == b"12"


def test_a_reader_refuses_another_type_than_asked_for() -> None:
    encoded = cbor.encode([b"12", 7, "text"])
    reader = cbor.Reader(encoded)
    for read in (
        lambda: cbor.Reader(encoded).array(2),
        lambda: cbor.Reader(encoded).uint(9),
        lambda: cbor.Reader(b"").uint(9),
        reader.text,
    ):
        with pytest.raises(Invalid):
            read()
    reader.array(3)
    assert reader.fixed(2) == b"12"
    with pytest.raises(Invalid):
        reader.uint(6)
    reader = cbor.Reader(encoded, reader.at)
    assert (reader.text()) == "text"
    reader.end()
