"""What times a date stands for (https://hl7.org/fhir/R4/search.html#date)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simdes.fhir.search.spans import span_ms


def ms(text: str) -> int:
    """Return the unix milliseconds of an ISO time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2013", "2013-01-01", "2014-01-01"),
        ("2012-02", "2012-02-01", "2012-03-01"),
        ("2013-12", "2013-12-01", "2014-01-01"),
        ("2012-02-29", "2012-02-29", "2012-03-01"),
        ("2013-01-14T10:00", "2013-01-14T10:00", "2013-01-14T10:01"),
        ("2013-01-14T10:00Z", "2013-01-14T10:00", "2013-01-14T10:01"),
        ("2013-01-14T10:00:59", "2013-01-14T10:00:59", "2013-01-14T10:01"),
        ("2013-01-14T10:00:59+02:30", "2013-01-14T07:30:59", "2013-01-14T07:31"),
        ("2013-01-14T23:00:00-02:00", "2013-01-15T01:00", "2013-01-15T01:00:01"),
        ("2013-01-14T10:00:00.5Z", "2013-01-14T10:00:00.500", "2013-01-14T10:00:00.600"),
        ("2013-01-14T10:00:00.25Z", "2013-01-14T10:00:00.250", "2013-01-14T10:00:00.260"),
        ("2013-01-14T10:00:00.123Z", "2013-01-14T10:00:00.123", "2013-01-14T10:00:00.124"),
        ("2013-01-14T10:00:00.123456Z", "2013-01-14T10:00:00.123", "2013-01-14T10:00:00.124"),
        ("2016-12-31T23:59:60Z", "2017-01-01", "2017-01-01T00:00:01"),
        ("0001", "0001-01-01", "0002-01-01"),
    ],
)
def test_a_date_covers_its_precision(text: str, low: str, high: str) -> None:
    assert span_ms(text) == (ms(low), ms(high))


def test_the_last_year_ends() -> None:
    day = 86_400_000
    assert span_ms("9999")[1] == span_ms("9999-12-31")[1] == ms("9999-12-31") + day


@pytest.mark.parametrize(
    "text",
    [
        *("", "0000", "13", "2013-13", "2013-00", "2013-02-29", "2013-1-1", "2013-01-14T", "now"),
        *("2013-01-14T24:00", "2013-01-14T10", "2013-01-14T10:60", "2013-01-14T10:00:61"),
        *("2013-01-14T10:00:00+15:00", "2013-01-14T10:00:00+02:60", "2013-01-14T10:00:00.Z"),
        *("２０１３", "2013\n", "2013-01-14T10:00:00.1234567890Z"),
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        span_ms(text)
