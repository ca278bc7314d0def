"""Each primitive accepts what the standard allows and nothing else."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from simdes.fhir.definitions import definition, type_names
from simdes.fhir.primitives import PRIMITIVES, is_absolute

UUID = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"

GOOD: dict[str, list[Any]] = {
    "base64Binary": ["QQ==", "QUI=", "QUJD", "QUJD\r\nQUJD", " QUJD "],
    "boolean": [True, False],
    "canonical": ["http://example.org/p|1.0", "urn:oid:1.2", UUID, "#p"],
    "code": ["a", "a b", "text/plain; charset=UTF-8", "é"],
    "date": ["2020", "2020-02", "2020-02-29", "0001-01-01", "9999-12-31", "2000-02-29"],
    "dateTime": [
        "2020",
        "2020-02",
        "2020-02-29",
        "2020-02-29T00:00:00Z",
        "2020-02-29T23:59:60+14:00",
        "2020-02-29T12:00:00.123456789-13:59",
    ],
    "decimal": [0, -1, Decimal("4.00"), Decimal("1E-7"), 12345678901234567890],
    "id": ["a", "A-1.b", "x" * 64],
    "instant": ["2020-02-29T00:00:00Z", "2020-02-29T00:00:00.1+01:00"],
    "integer": [0, -(2**31), 2**31 - 1, Decimal("-0")],
    "markdown": ["# a\n\n*b*"],
    "oid": ["urn:oid:1.2.3", "urn:oid:2.16.840.1.113883"],
    "positiveInt": [1, 2**31 - 1],
    "string": ["a", " a ", "a\tb\r\nc", "\u00a0", "𐀀", " "],
    "time": ["00:00:00", "23:59:60", "12:00:00.5"],
    "unsignedInt": [0, 2**31 - 1],
    "uri": ["a", "http://example.org/a?b=c#d", "urn:oid:1.2.3", UUID, "../a"],
    "url": ["http://example.org", "mailto:a@example.org"],
    "uuid": [UUID],
    "xhtml": ["<div/>"],
}

BAD: dict[str, list[Any]] = {
    "base64Binary": ["", "Q", "QQ=", "Q=Q=", "QQ==QQ==", "%%%2@()()", "QUJ_", 1],
    "boolean": ["true", 1, 0, None],
    "canonical": ["Patient", "a/b", "", "http://a b"],
    "code": ["", " a", "a ", "a  b", "a\tb", "a\nb", 1],
    "date": [
        "",
        "20",
        "2020-1",
        "2020-13",
        "2020-00",
        "2020-02-30",
        "2021-02-29",
        "1900-02-29",
        "2020-04-31",
        "0000",
        "0000-01-01",
        "2020-01-01T00:00:00Z",
        "2020-01-01 ",
        "２０２０",
        2020,
    ],
    "dateTime": [
        "2020-02-30",
        "2020-01-01T00:00:00",
        "2020-01-01T00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T00:00:00+14:30",
        "2020-01-01T00:00:00.Z",
        "2020-01T00:00:00Z",
        "2021-02-29T00:00:00Z",
        "2020-01-01 00:00:00Z",
        "2020-01-01T00:00:00z",
        None,
    ],
    "decimal": ["1.0", True, None, 1.5, Decimal("NaN"), Decimal("Infinity")],
    "id": ["", "a_b", "a b", "x" * 65, "é", "a/b", 1],
    "instant": ["2020", "2020-01-01", "2020-01-01T00:00:00", "2020-02-30T00:00:00Z"],
    "integer": [Decimal("1.0"), "1", True, 2**31, -(2**31) - 1, 1.0, None],
    "markdown": ["", 1],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", "urn:oid:1..2"],
    "positiveInt": [0, -1, 2**31, "1", True],
    "string": ["", "a\x00b", "\x0b", "\x1f", "\ud800", 1, None, ["a"]],
    "time": ["24:00:00", "12:00", "12:00:00Z", "12:60:00", "1:00:00"],
    "unsignedInt": [-1, 2**31, Decimal("-1")],
    "uri": [
        "",
        "a b",
        "a\n",
        UUID.upper().replace("URN:UUID", "urn:uuid"),
        "urn:uuid:1",
        "urn:oid:x",
    ],
    "url": ["", "a b", "urn:oid:1"],
    "uuid": [UUID.upper(), "c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:x"],
    "xhtml": [""],
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_what_the_standard_allows_is_accepted(name: str) -> None:
    assert {repr(v): PRIMITIVES[name](v) for v in GOOD[name] if PRIMITIVES[name](v)} == {}


@pytest.mark.parametrize("name", sorted(BAD))
def test_what_the_standard_forbids_is_refused_with_a_reason(name: str) -> None:
    assert [v for v in BAD[name] if not PRIMITIVES[name](v)] == []


@pytest.mark.parametrize("name", sorted(BAD))
def test_the_reason_repeats_nothing_of_the_value(name: str) -> None:
    message = PRIMITIVES[name]("  Smith\x01 born 1950-01-01  ")
    assert message is None or "Smith" not in message


def test_every_primitive_of_the_standard_is_here() -> None:
    named = {n for n in type_names() if definition(n).kind == "primitive-type"}
    assert named == set(PRIMITIVES) == set(GOOD) == set(BAD)


def test_strings_are_limited_to_one_mebibyte() -> None:
    assert PRIMITIVES["string"]("x" * 1024 * 1024) is None
    assert PRIMITIVES["string"]("x" * (1024 * 1024 + 1))


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_no_value_takes_longer_than_its_length_explains(name: str) -> None:
    started = time.process_time()
    for text in (
        "a" * 10**6 + "\n",
        "1." * 10**6,
        "ab " * 10**6 + " ",
        " " * 10**6,
        "QQ==" * 10**6,
    ):
        PRIMITIVES[name](text)
        PRIMITIVES[name]("urn:oid:1." + text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://a", True),
        ("urn:x:y", True),
        ("Patient/1", False),
        ("#a", False),
        ("1a:b", False),
        ("", False),
    ],
)
def test_an_absolute_uri_begins_with_a_scheme(uri: str, expected: bool) -> None:
    assert is_absolute(uri) is expected
