"""Whether one resource meets a condition, decided in memory.

For subscriptions, SMART scopes on what is written, conditional interactions and resources that are
made when read; and the second opinion of what `simdes.index.search` does in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simdes.errors import Unsupported
from simdes.fhir.search.compare import NUMBER_RULES, SPAN_RULES
from simdes.fhir.search.conditions import (
    All,
    AnyOf,
    Authors,
    Chain,
    Condition,
    Exists,
    Has,
    Ids,
    Listed,
    Match,
    Not,
    NumberTest,
    QuantityTest,
    ReferenceTest,
    SpanTest,
    States,
    TextTest,
    Together,
    TokenTest,
    Updated,
    UriTest,
    Valued,
)

Resolver = Callable[[Chain | Has | Listed], bool]
"""Says whether the resource meets a condition that other resources decide."""


def matches(
    condition: Condition,
    *,
    type: str,
    id: str,
    updated_ms: int,
    values: Iterable[Valued],
    resolver: Resolver | None = None,
) -> bool:
    """Return whether the resource ``type``/``id`` with these ``values`` meets ``condition``.

    ``values`` are those of `extract`. Raises ``Unsupported`` for a condition that other resources
    decide (a chain, ``_has``, ``_list``) where there is no ``resolver``.
    """
    by_slot: dict[str, list[Valued]] = {}
    for valued in values:
        by_slot.setdefault(valued.slot.name, []).append(valued)
    return _Resource(type, id, updated_ms, by_slot, resolver or _refuse).meets(condition)


def _refuse(condition: Condition) -> bool:
    raise Unsupported("a condition that the resource alone does not decide can't be decided here")


@dataclass(frozen=True, slots=True)
class _Resource:
    type: str
    id: str
    updated_ms: int
    by_slot: Mapping[str, list[Valued]]
    resolver: Resolver

    def meets(self, condition: Condition) -> bool:
        return _CONDITIONS[condition.__class__](self, condition)

    def match(self, condition: Match) -> bool:
        return any(_meets_some(v, condition) for v in self.by_slot.get(condition.slot.name, ()))

    def exists(self, condition: Exists) -> bool:
        return any(slot.name in self.by_slot for slot in condition.slots)

    def together(self, condition: Together) -> bool:
        parts: set[int] | None = None
        for match in condition.matches:
            values = self.by_slot.get(match.slot.name, ())
            found = {v.part for v in values if _meets_some(v, match)}
            parts = found if parts is None else parts & found
        return bool(parts)

    def updated(self, condition: Updated) -> bool:
        low, high = self.updated_ms, self.updated_ms + 1
        return any(SPAN_RULES[t.prefix](t, low, high) for t in condition.tests)


_CONDITIONS: Mapping[type, Callable[[_Resource, Any], bool]] = {
    All: lambda resource, c: all(map(resource.meets, c.of)),
    AnyOf: lambda resource, c: any(map(resource.meets, c.of)),
    Not: lambda resource, c: not resource.meets(c.what),
    Match: _Resource.match,
    Exists: _Resource.exists,
    Together: _Resource.together,
    Ids: lambda resource, c: resource.id in c.ids,
    Updated: _Resource.updated,
    Chain: lambda resource, c: resource.resolver(c),
    Has: lambda resource, c: resource.resolver(c),
    Listed: lambda resource, c: resource.resolver(c),
    # A resource as it is served says these itself: what is asked for is a match there.
    Authors: lambda resource, c: _refuse(c),
    States: lambda resource, c: _refuse(c),
}


def _meets_some(valued: Valued, match: Match) -> bool:
    return any(_TESTS[test.__class__](test, valued.value) for test in match.tests)


def _token(test: TokenTest, value: Any) -> bool:
    return test.system in (None, value.system) and test.code in (None, value.code)


_TEXT: Mapping[str, Callable[[str, Any], bool]] = {
    "starts": lambda text, value: value.folded.startswith(text),
    "contains": lambda text, value: text in value.folded,
    "exact": lambda text, value: text == value.exact,
}


def _quantity(test: QuantityTest, value: Any) -> bool:
    if test.system not in (None, value.system):
        return False
    if test.code not in (None, value.code, value.unit):
        return False
    return NUMBER_RULES[test.number.prefix](test.number, value.low, value.high)


def _reference(test: ReferenceTest, value: Any) -> bool:
    if test.version not in ("", value.version):
        return False
    if test.type:
        return bool(value.target == f"{test.type}/{test.target}")
    if "/" in test.target or ":" in test.target:
        return bool(value.target == test.target)
    type_, _, id_ = value.target.partition("/")
    return bool(id_ == test.target and type_.isalpha())


_URI: Mapping[str, Callable[[str, str], bool]] = {
    "exact": lambda text, value: text == value,
    "below": lambda text, value: value == text or value.startswith(text.rstrip("/") + "/"),
    "above": lambda text, value: value == text or text.startswith(value + "/"),
}

_TESTS: Mapping[type, Callable[[Any, Any], bool]] = {
    TokenTest: _token,
    TextTest: lambda test, value: _TEXT[test.how](test.text, value),
    SpanTest: lambda test, value: SPAN_RULES[test.prefix](test, value.low_ms, value.high_ms),
    NumberTest: lambda test, value: NUMBER_RULES[test.prefix](test, value.low, value.high),
    QuantityTest: _quantity,
    ReferenceTest: _reference,
    UriTest: lambda test, value: _URI[test.how](test.text, value.text),
}
"""By test: whether a value of the slot's kind meets it."""
