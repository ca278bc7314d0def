"""How a prefix compares ranges: the one place that says it; SQL mirrors these tables.

https://hl7.org/fhir/R4/search.html#prefix. Both what is asked for and what a resource has are
ranges. With *search* for the range of what is asked for and *target* for the resource's:

======  ====================================================================================
eq      search fully contains target
ne      search does not fully contain target
gt      the range above search overlaps target
lt      the range below search overlaps target
ge      as gt, or search fully contains target
le      as lt, or search fully contains target
sa      search doesn't overlap target, and the range above search contains target
eb      search doesn't overlap target, and the range below search contains target
ap      search, made wider, overlaps target
======  ====================================================================================

Times are half open (``low <= t < high``), the search by its precision, the target by its own.

Numbers differ: for all prefixes but eq, ne and ap "the implicit precision of the number is
ignored", so the search is the point ``value``; and a resource's number is a point too
(``low == high``), but for a Range or a comparator. So a search's range is half open, a target's
closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simdes.fhir.search.conditions import NumberTest, Prefix, SpanTest

SpanRule = Callable[[SpanTest, int, int], bool]
NumberRule = Callable[[NumberTest, float, float], bool]


def _holds_span(test: SpanTest, low: int, high: int) -> bool:
    return test.low_ms <= low and high <= test.high_ms


SPAN_RULES: Mapping[Prefix, SpanRule] = {
    "eq": _holds_span,
    "ne": lambda test, low, high: not _holds_span(test, low, high),
    "gt": lambda test, low, high: high > test.high_ms,
    "lt": lambda test, low, high: low < test.low_ms,
    "ge": lambda test, low, high: high > test.high_ms or _holds_span(test, low, high),
    "le": lambda test, low, high: low < test.low_ms or _holds_span(test, low, high),
    "sa": lambda test, low, high: low >= test.high_ms,
    "eb": lambda test, low, high: high <= test.low_ms,
    "ap": lambda test, low, high: low < test.high_ms and high > test.low_ms,
}
"""By prefix: whether a span of a resource, from ``low`` up to ``high``, meets the test."""


def _holds_number(test: NumberTest, low: float, high: float) -> bool:
    return test.low <= low and high < test.high


NUMBER_RULES: Mapping[Prefix, NumberRule] = {
    "eq": _holds_number,
    "ne": lambda test, low, high: not _holds_number(test, low, high),
    "gt": lambda test, low, high: high > test.value,
    "lt": lambda test, low, high: low < test.value,
    "ge": lambda test, low, high: high >= test.value,
    "le": lambda test, low, high: low <= test.value,
    "sa": lambda test, low, high: low > test.value,
    "eb": lambda test, low, high: high < test.value,
    "ap": lambda test, low, high: low <= test.high and high >= test.low,
}
"""By prefix: whether a number of a resource, from ``low`` to ``high``, meets the test."""
