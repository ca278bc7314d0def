"""Tests of single values as SQL on one row of a search table.

What `simdes.fhir.search.compare` and `match` say in memory, said to a database; a test compares
the two on resources and searches made up at random.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from simdes.fhir.search.conditions import (
    FIRST_MS,
    Kind,
    Match,
    NumberTest,
    Prefix,
    QuantityTest,
    ReferenceTest,
    SpanTest,
    TextTest,
    TokenTest,
    UriTest,
)
from simdes.index.bound import Bound
from simdes.index.values import HEAD, KEY, WIDE_MS, clean, key, literal, real, system_number

_SPAN: Mapping[Prefix, str] = {
    "eq": "{low} >= {start} AND {low} < {end} AND {high} <= {end}",
    "ne": "({low} < {start} OR {high} > {end})",
    "gt": "{high} > {end}",
    "lt": "{low} < {start}",
    "ge": "({high} > {end} OR {low} >= {start} AND {high} <= {end})",
    "le": "{low} < {end} AND ({low} < {start} OR {high} <= {end})",
    "sa": "{low} >= {end}",
    "eb": "{low} < {start} AND {high} <= {start}",
    "ap": "{low} < {end} AND {high} > {start}",
}
_NUMBER: Mapping[Prefix, str] = {
    # The value lies between its ends: said once more, because it leads the index.
    "eq": "{r}.value >= {low} AND {r}.value <= {high} AND {r}.low >= {low} AND {r}.high < {high}",
    "ne": "NOT ({r}.low >= {low} AND {r}.high < {high})",
    "gt": "{r}.high > {value}",
    "lt": "{r}.low < {value}",
    "ge": "{r}.high >= {value}",
    "le": "{r}.low <= {value}",
    "sa": "{r}.low > {value}",
    "eb": "{r}.high < {value}",
    "ap": "{r}.low <= {high} AND {r}.high >= {low}",
}
_ENDING = frozenset(("ap", "ge", "gt"))
"""Prefixes that look at where a span ends, and nothing of where it begins."""
_LAST_CHARACTER = 0x10FFFF


def row_tests(match: Match, row: str, bound: Bound) -> list[str]:
    """Conditions on a row of the slot's table, of which one must hold; each can use an index."""
    return list(_BY_KIND[match.slot.kind](match.tests, row, bound))


def span_test(test: SpanTest, low: str, high: str, bound: Bound) -> str:
    """The condition that the span between two columns meets a test."""
    marks = {name: bound(at) for name, at in (("start", test.low_ms), ("end", test.high_ms))}
    return _SPAN[test.prefix].format(low=low, high=high, **marks)


def follower(text: str) -> str | None:
    """The least text behind every text that begins with this one; None: there is none."""
    for at in range(len(text) - 1, -1, -1):
        code = ord(text[at])
        if code < _LAST_CHARACTER:
            # Surrogates are no characters of UTF-8.
            return text[:at] + chr(0xE000 if code == 0xD7FF else code + 1)
    return None


def _tokens(tests: Sequence[TokenTest], row: str, bound: Bound) -> Iterator[str]:
    codes: defaultdict[str | None, set[str]] = defaultdict(set)
    for test in tests:
        if test.code is not None:
            codes[test.system].add(key(test.code))
        elif test.system is not None:
            yield f"{row}.system = {bound(system_number(test.system))}"
        else:
            yield "1 = 1"
    for system, its in codes.items():
        one = bound.among(f"{row}.code", its)
        yield one if system is None else f"{one} AND {row}.system = {bound(system_number(system))}"


def _texts(tests: Sequence[TextTest], row: str, bound: Bound) -> Iterator[str]:
    return (_TEXT[test.how](clean(test.text), row, bound) for test in tests)


def _starts(text: str, row: str, bound: Bound) -> str:
    head = text[:HEAD]
    behind = follower(head)
    found = f"{row}.head >= {bound(head)}"
    if behind is not None:
        found += f" AND {row}.head < {bound(behind)}"
    if len(text) > HEAD:
        found += f" AND substr({row}.folded, 1, {bound(len(text))}) = {bound(text)}"
    return found


def _contains(text: str, row: str, bound: Bound) -> str:
    pattern = "%" + text.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
    # GLOB and LIKE fold ASCII differently; what is compared has no case, so LIKE does on both.
    return f"coalesce({row}.folded, {row}.head) LIKE {bound(pattern)} ESCAPE '!'"


def _exact(text: str, row: str, bound: Bound) -> str:
    return f"{row}.exact = {bound(text)}"


_TEXT: Mapping[str, Callable[[str, str, Bound], str]] = {
    "starts": _starts,
    "contains": _contains,
    "exact": _exact,
}


def _spans(tests: Sequence[SpanTest], row: str, bound: Bound) -> Iterator[str]:
    """An index leads to where spans begin. What ends late enough begins late enough, unless it is
    wide, which few are; and those have an index of their own.
    """
    for test in tests:
        found = span_test(test, f"{row}.low_ms", f"{row}.high_ms", bound)
        if test.prefix not in _ENDING:
            yield found
            continue
        least = max(FIRST_MS, min(test.low_ms, test.high_ms - WIDE_MS))
        if test.prefix == "ap":
            least = max(FIRST_MS, test.low_ms - WIDE_MS)
        end = bound(test.low_ms if test.prefix == "ap" else test.high_ms)
        yield f"{row}.low_ms >= {bound(least)} AND {found}"
        yield f"{row}.high_ms > {row}.low_ms + {WIDE_MS} AND {row}.high_ms > {end} AND {found}"


def _number(test: NumberTest, row: str, bound: Bound) -> str:
    sql = _NUMBER[test.prefix]
    names = [name for name in ("value", "low", "high") if "{" + name + "}" in sql]
    return sql.format(r=row, **{name: bound(real(getattr(test, name))) for name in names})


def _numbers(tests: Sequence[NumberTest], row: str, bound: Bound) -> Iterator[str]:
    return (_number(test, row, bound) for test in tests)


def _quantities(tests: Sequence[QuantityTest], row: str, bound: Bound) -> Iterator[str]:
    for test in tests:
        found = _number(test.number, row, bound)
        if test.system is not None:
            found += f" AND {row}.system = {bound(system_number(test.system))}"
        if test.code is not None:
            unit = key(test.code)
            found += f" AND ({row}.code = {bound(unit)} OR {row}.unit = {bound(unit)})"
        yield found


def reference_test(test: ReferenceTest, row: str, bound: Bound) -> str:
    """The condition that a row names what is asked for, literally."""
    plain = is_id(test) or bool(test.type)
    type_, target = (test.type, key(test.target)) if plain else literal(test.target)
    found = f"{row}.target = {bound(target)}"
    if type_ or not plain:
        found += f" AND {row}.type = {bound(type_)}"
    else:
        found += f" AND {row}.type <> ''"
    if test.version:
        found += f" AND {row}.version = {bound(key(test.version))}"
    return found


def is_id(test: ReferenceTest) -> bool:
    """Whether the target is a logical id; all others are URLs."""
    return ":" not in test.target and "/" not in test.target


def _references(tests: Sequence[ReferenceTest], row: str, bound: Bound) -> Iterator[str]:
    return (reference_test(test, row, bound) for test in tests)


def _uris(tests: Sequence[UriTest], row: str, bound: Bound) -> Iterator[str]:
    return (_URI[test.how](test.text, row, bound) for test in tests)


def _same(text: str, row: str, bound: Bound) -> str:
    return f"{row}.text = {bound(key(text))}"


def _below(text: str, row: str, bound: Bound) -> str:
    stem = clean(text).rstrip("/")[:KEY] + "/"
    behind = follower(stem)
    under = f"{row}.text >= {bound(stem)} AND {row}.text < {bound(behind or stem)}"
    return f"({_same(text, row, bound)} OR {under})"


def _above(text: str, row: str, bound: Bound) -> str:
    parts = clean(text).split("/")
    parents = ["/".join(parts[:count]) for count in range(1, len(parts))]
    return bound.among(f"{row}.text", {key(one) for one in (text, *parents) if one})


_URI: Mapping[str, Callable[[str, str, Bound], str]] = {
    "exact": _same,
    "below": _below,
    "above": _above,
}

_BY_KIND: Mapping[Kind, Callable[[Any, str, Bound], Iterator[str]]] = {
    Kind.DATE: _spans,
    Kind.NUMBER: _numbers,
    Kind.QUANTITY: _quantities,
    Kind.REFERENCE: _references,
    Kind.STRING: _texts,
    Kind.TOKEN: _tokens,
    Kind.URI: _uris,
}
