"""v2 text to FHIR primitives."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from simdes.errors import Invalid
from simdes.mapper import primitives


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970", "1970"),
        ("197001", "1970-01"),
        ("19700131", "1970-01-31"),
        ("2024010203", "2024-01-02T03:00:00Z"),
        ("202401020304", "2024-01-02T03:04:00Z"),
        ("20240102030405", "2024-01-02T03:04:05Z"),
        ("20240102030405.6789", "2024-01-02T03:04:05.6789Z"),
        ("20240102030405-0500", "2024-01-02T03:04:05-05:00"),
        ("201203141259-0215", "2012-03-14T12:59:00-02:15"),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04", "2024-01-02T03:04:00Z"),
        ("20240229", "2024-02-29"),
        ("20230229", None),
        ("19000229", None),
        ("20241301", None),
        ("20240132", None),
        ("202401022500", None),
        ("00000000", None),
        ("0000", None),
        ("20240102+9900", None),
        ("04/24/2007", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_date_time(text: str, expected: str | None) -> None:
    assert primitives.date_time(text) == expected


def test_times_without_a_zone_are_the_sites() -> None:
    assert primitives.date_time("202401020304", "+05:30") == "2024-01-02T03:04:00+05:30"
    zone = primitives.zone("America/New_York")
    assert isinstance(zone, ZoneInfo)
    assert primitives.date_time("202401020304", zone) == "2024-01-02T03:04:00-05:00"
    assert primitives.date_time("202407020304", zone) == "2024-07-02T03:04:00-04:00"
    assert primitives.date_time("20240102", zone) == "2024-01-02"


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(Invalid):
        primitives.zone("Mars/Olympus")


def test_a_date_drops_the_time_and_an_instant_needs_one() -> None:
    assert primitives.date("19701031030405.6789") == "1970-10-31"
    assert primitives.instant("19701031") is None
    assert primitives.instant("197010310304") == "1970-10-31T03:04:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4.00", "4.00"),
        ("-0.5", "-0.5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("007", "7"),
        ("1769.859285", "1769.859285"),
        ("", None),
        (".", None),
        ("-", None),
        ("1,5", None),
        ("1e5", None),
        ("NaN", None),
        ("Infinity", None),
        (">100", None),
        ("1" * 40, None),
    ],
)
def test_decimals_keep_their_precision(text: str, expected: str | None) -> None:
    value = primitives.decimal(text)
    assert value == (None if expected is None else Decimal(expected))
    assert expected is None or str(value) == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("integer", "3", 3),
        ("integer", "3.5", None),
        ("integer", "99999999999", None),
        ("positiveInt", "0", None),
        ("unsignedInt", "0", 0),
        ("unsignedInt", "-1", None),
        ("boolean", "Y", True),
        ("boolean", "N", False),
        ("boolean", "maybe", None),
        ("code", " A ", "A"),
        ("code", "two words", "two words"),
        ("code", "two  blanks", None),
        ("uri", "urn:oid:1.2", "urn:oid:1.2"),
        ("uri", "not a uri", None),
        ("time", "1130", "11:30:00"),
        ("time", "11:30:05", "11:30:05"),
        ("time", "2561", None),
        ("string", "  ", None),
        ("string", "a\x00b\x07c", "abc"),
        ("string", "two\nlines", "two\nlines"),
        ("base64Binary", "QUJD\nREVG", "QUJDREVG"),
        ("base64Binary", "not base64", None),
    ],
)
def test_other_primitives(kind: str, text: str, expected: object) -> None:
    assert primitives.CONVERSIONS[kind](text, "Z") == expected


def test_a_string_longer_than_fhir_allows_is_none() -> None:
    assert primitives.string("x" * primitives.MAX_STRING) is not None
    assert primitives.string("x" * (primitives.MAX_STRING + 1)) is None
