"""SQL against the decision in memory: random resources, random searches, both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count as counting

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.index_entries import add_vaults, own, sees
from simdes.fhir.search.conditions import (
    All,
    AnyOf,
    Condition,
    Exists,
    Ids,
    Kind,
    Match,
    Not,
    Number,
    NumberTest,
    Quantity,
    QuantityTest,
    Query,
    Reference,
    ReferenceTest,
    Slot,
    Sort,
    Span,
    SpanTest,
    Text,
    TextTest,
    Together,
    Token,
    TokenTest,
    Updated,
    Uri,
    UriTest,
    Valued,
)
from simdes.fhir.search.match import matches
from simdes.index import entries, pages, predicates
from simdes.index import search as searching
from simdes.index.database import Database
from simdes.index.search import Hit, count, search
from simdes.index.transaction import Transaction
from simdes.index.values import WIDE_MS

WORDS = st.text(st.sampled_from("ab é%_!'\\\0\ud7ff\U0010ffff"), max_size=4) | st.sampled_from(
    ["a" * 70, "a" * 70 + "b", "b" * 401, "b" * 400 + "c", ""]
)
FOLDED = WORDS.map(lambda text: text.replace("\0", "\ufffd"))
URIS = st.sampled_from(
    ["http://x", "http://x/", "http://x/a", "http://x/a/b", "http://x/ab", "urn:a", ""]
)
IDS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 1e300])
TIMES = st.builds(int.__mul__, st.integers(-3, 6), st.sampled_from([1, 1, WIDE_MS // 2]))
PREFIXES = st.sampled_from(["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    low = draw(TIMES) if draw(st.booleans()) else -(1 << 62)
    longer = draw(st.integers(1, 5)) * draw(st.sampled_from([1, 1, WIDE_MS // 2]))
    return low, low + longer if draw(st.booleans()) else 1 << 62


@st.composite
def ranges(draw: st.DrawFn) -> tuple[float, float, float]:
    low, value, high = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    return draw(st.sampled_from([(value, value, value), (low, low, high), (high, low, high)]))


VALUES = {
    Kind.TOKEN: st.builds(Token, st.sampled_from(["", "s", "t"]), FOLDED),
    Kind.STRING: st.builds(Text, FOLDED, FOLDED),
    Kind.DATE: spans().map(lambda ends: Span(*ends)),
    Kind.NUMBER: ranges().map(lambda ends: Number(*ends)),
    Kind.QUANTITY: st.builds(
        lambda ends, system, code, unit: Quantity(*ends, system, code, unit),
        ranges(),
        st.sampled_from(["", "u"]),
        st.sampled_from(["g", "mg"]),
        st.sampled_from(["g", "G"]),
    ),
    Kind.REFERENCE: st.builds(
        Reference,
        st.sampled_from(["Patient/a", "Patient/b", "Group/a", "http://x/Patient/a", "urn:uuid:a"]),
        st.sampled_from(["", "1"]),
    ),
    Kind.URI: st.builds(Uri, URIS),
}  # fmt: skip


@st.composite
def numbers(draw: st.DrawFn) -> NumberTest:
    low, value, high = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    return NumberTest(draw(PREFIXES), value, low, high)


SPAN_TESTS = st.builds(lambda prefix, ends: SpanTest(prefix, *ends), PREFIXES, spans())
TESTS = {
    Kind.TOKEN: st.builds(
        TokenTest, st.none() | st.sampled_from(["", "s", "t"]), st.none() | FOLDED
    ),
    Kind.STRING: st.builds(TextTest, FOLDED, st.sampled_from(["starts", "contains", "exact"])),
    Kind.DATE: SPAN_TESTS,
    Kind.NUMBER: numbers(),
    Kind.QUANTITY: st.builds(
        QuantityTest,
        numbers(),
        st.none() | st.sampled_from(["", "u"]),
        st.none() | st.sampled_from(["g", "G", "mg"]),
    ),
    Kind.REFERENCE: st.builds(
        ReferenceTest,
        st.sampled_from(["", "Group", "Patient"]),
        st.sampled_from(["a", "b", "http://x/Patient/a", "urn:uuid:a", "Patient/a"]),
        st.sampled_from(["", "1"]),
    ),
    Kind.URI: st.builds(UriTest, URIS, st.sampled_from(["exact", "below", "above"])),
}
SLOTS = st.builds(
    lambda kind, number: Slot(f"Basic.{kind}{number}", kind),
    st.sampled_from(list(Kind)),
    st.sampled_from([0, 1]),
)


@st.composite
def valued(draw: st.DrawFn) -> Valued:
    slot = draw(SLOTS)
    return Valued(slot, draw(VALUES[slot.kind]), draw(st.integers(0, 2)))


@st.composite
def match(draw: st.DrawFn) -> Match:
    slot = draw(SLOTS)
    return Match(slot, tuple(draw(st.lists(TESTS[slot.kind], min_size=1, max_size=3))))


LEAVES = st.one_of(
    match(),
    match(),
    st.builds(Together, st.lists(match(), min_size=2, max_size=3).map(tuple)),
    st.builds(Exists, st.lists(SLOTS, max_size=2).map(tuple)),
    st.builds(Ids, st.lists(IDS, max_size=2).map(tuple)),
    st.builds(Updated, st.lists(SPAN_TESTS, min_size=1, max_size=2).map(tuple)),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=4,
)
WARDS = st.lists(st.lists(valued(), max_size=8), min_size=1, max_size=4)
SORTS = st.lists(
    st.one_of(
        st.builds(lambda slot, down: Sort(slot, "value", down), SLOTS, st.booleans()),
        st.builds(
            lambda by, down: Sort(None, by, down), st.sampled_from(["id", "updated"]), st.booleans()
        ),
    ),
    max_size=2,
).map(tuple)
_NAMES = counting()


class _Undone(Exception):
    pass


@contextmanager
def undone(database: Database) -> Iterator[Transaction]:
    """A transaction that leaves nothing."""
    try:
        with database.transaction() as tx:
            yield tx
            raise _Undone
    except _Undone:
        pass


@pytest.fixture(params=[2000, 1], autouse=True)
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """With 1, values that anything has are walked instead of led by."""
    for module in (predicates, pages, searching):
        monkeypatch.setattr(module, "MANY", request.param)
    return int(request.param)


HARD = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@HARD
@given(ward=WARDS, asked=st.lists(CONDITIONS, min_size=4, max_size=4))
def test_sql_finds_what_the_decision_in_memory_finds(
    database: Database, ward: list[list[Valued]], asked: list[Condition]
) -> None:
    with undone(database) as tx:
        add_vaults(tx, 1)
        named = {
            own(tx, f"Basic/{name}", *values, updated_ms=at): (name, at, values)
            for at, (name, values) in enumerate(zip("abcd", ward, strict=False))
        }
        for where in asked:
            expected = [
                row
                for row, (name, at, values) in sorted(named.items(), reverse=True)
                if matches(where, type="Basic", id=name, updated_ms=at, values=values)
            ]
            query = Query(types=("Basic",), where=where)
            visible = sees(types=("Basic",))
            assert [hit.id for hit in search(tx, visible, query, limit=9)] == expected, where
            assert count(tx, visible, query) == len(expected)


COLUMN = {
    Kind.TOKEN: lambda value: value.code,
    Kind.STRING: lambda value: value.folded,
    Kind.DATE: lambda value: value.low_ms,
    Kind.NUMBER: lambda value: value.value,
    Kind.QUANTITY: lambda value: value.value,
    Kind.REFERENCE: lambda value: value.target,
    Kind.URI: lambda value: value.text,
}


@HARD
@given(ward=st.lists(st.lists(valued(), max_size=8), min_size=3, max_size=6), sorts=SORTS)
def test_pages_together_are_the_whole_in_its_order(
    database: Database, ward: list[list[Valued]], sorts: tuple[Sort, ...]
) -> None:
    with undone(database) as tx:
        add_vaults(tx, 1)
        for at, values in enumerate(ward):
            own(tx, f"Basic/r{at % 4}{at}", *values, updated_ms=at % 3)
        query = Query(types=("Basic",), sorts=sorts)
        whole = search(tx, sees(types=("Basic",)), query, limit=99)
        assert len(whole) == len(ward)
        pages: list[Hit] = []
        while page := search(
            tx, sees(types=("Basic",)), query, limit=2, after=pages[-1] if pages else None
        ):
            pages += page
        assert pages == whole
        for number, sort in enumerate(sorts[:1]):
            keys = [hit.keys[number] for hit in whole]
            there = [key for key in keys if key is not None]
            assert keys[len(there) :] == [None] * (len(keys) - len(there))
            assert there == sorted(there, reverse=sort.descending)  # type: ignore[type-var]
            if sort.slot is not None:
                for hit, entry in zip(
                    whole, entries.get_many(tx, [one.id for one in whole]), strict=True
                ):
                    its = ward[int(entry.logical_id[2:])]
                    values = [
                        COLUMN[one.slot.kind](one.value) for one in its if one.slot == sort.slot
                    ]
                    best = (max if sort.descending else min)(values) if values else None
                    if sort.slot.kind not in (Kind.REFERENCE, Kind.STRING, Kind.TOKEN):
                        assert hit.keys[number] == best
