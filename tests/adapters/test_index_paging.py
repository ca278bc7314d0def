"""Pages while others write, statements however large a search, includes that go on."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.index_entries import (
    add_vaults,
    date,
    found,
    ground,
    has_text,
    has_token,
    named,
    own,
    points_at,
    refers,
    sees,
    slot,
    text,
    token,
)
from simdes.fhir.search.conditions import (
    All,
    AnyOf,
    Chain,
    Condition,
    Has,
    Include,
    Kind,
    Listed,
    Not,
    Query,
    Sort,
)
from simdes.index import entries, pages, predicates
from simdes.index import search as searching
from simdes.index.database import Database
from simdes.index.search import Hit, count, include, search

DATE = slot("Observation.date", Kind.DATE)
SUBJECT = slot("Observation.subject", Kind.REFERENCE)
ORDERS = [(), (Sort(DATE),), (Sort(DATE, descending=True),), (Sort(None, "id"),)]


@pytest.fixture(params=[2000, 1], ids=["sorted", "walked"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Whether pages are sorted, or an index is walked."""
    for module in (predicates, pages, searching):
        monkeypatch.setattr(module, "MANY", request.param)
    return int(request.param)


@pytest.mark.parametrize("sorts", ORDERS, ids=["none", "date", "newest", "id"])
def test_pages_give_what_stays_once_while_others_write(
    database: Database, sorts: tuple[Sort, ...], many: int
) -> None:
    """Between pages entries are added, changed and removed before and behind where a page ends."""
    with database.transaction() as tx:
        add_vaults(tx, 1)
        for at in range(12):
            values = [date(DATE.name, at // 3)] if at % 4 else []
            own(tx, f"Observation/o{at:02}", *values)
    query = Query(types=("Observation",), sorts=sorts)
    seen: list[str] = []
    last: Hit | None = None
    for turn in range(20):
        with database.read() as tx:
            page = search(tx, sees(), query, limit=2, after=last)
            seen += named(tx, [hit.id for hit in page])
        if not page:
            break
        last = page[-1]
        with database.transaction() as tx:
            if turn < 5:
                own(tx, f"Observation/new{turn}", date(DATE.name, turn % 3))
                # A change that keeps the sort values keeps the place.
                values = [date(DATE.name, 1)]
                own(tx, "Observation/o05", *values, token("x", f"{turn}"), content=f"{turn}")
            if turn == 1:
                gone = tx.one("SELECT id FROM entry WHERE logical_id = 'o07'")
                assert gone is not None
                entries.drop(tx, [gone[0]])
    stayed = [f"Observation/o{at:02}" for at in range(12) if at != 7]
    assert len(seen) == len(set(seen))
    assert set(stayed) <= set(seen)
    if not sorts:
        assert set(seen) - set(stayed) <= {"Observation/o07"}


QUESTIONS: list[Condition] = [
    All(()),
    has_token("Observation.code", "c"),
    All((points_at(SUBJECT.name, "p"), has_token("Observation.code", "c"), Listed("l"))),
    Chain(SUBJECT, ("Patient",), All((has_text("Patient.family", "a"), Not(has_token("x", "1"))))),
    AnyOf((Has("List", slot("List.item", Kind.REFERENCE), All(())), has_token("x", "1"))),
]


@pytest.mark.parametrize("size", [1, 40])
def test_a_search_takes_three_statements_however_much_it_finds(
    database: Database, size: int, many: int
) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        own(tx, "Patient/p", text("Patient.family", "Adams"))
        for at in range(size):
            subject = refers(SUBJECT.name, "Patient/p", subject=True)
            own(
                tx,
                f"Observation/o{at}",
                token("Observation.code", "c"),
                subject,
                date(DATE.name, at),
            )
        own(tx, "List/l", *(refers("List.item", f"Observation/o{at}") for at in range(size)))
    visible = sees(ground(1, 99), ground(1, handle=b"\5" * 32))
    for where in QUESTIONS:
        for sorts in ORDERS:
            query = Query(types=("Observation",), where=where, sorts=sorts)
            with database.read() as tx:
                hits = search(tx, visible, query, limit=50)
                assert tx.statements <= 3
                before = tx.statements
                assert count(tx, visible, query) == len(hits)
                assert tx.statements <= before + 2
                before = tx.statements
                asked = [
                    Include("Observation", (SUBJECT,)),
                    Include("List", (SUBJECT,), reverse=True),
                ]
                include(tx, visible, asked, [hit.id for hit in hits], limit=9)
                assert tx.statements <= before + 1


def test_the_text_of_a_statement_depends_on_the_search_s_shape_alone(database: Database) -> None:
    """So each is translated and prepared once, and no value is ever part of it."""
    texts: list[str] = []

    class Listening:
        def __init__(self, tx: Any) -> None:
            self.tx, self.unled, self.dialect = tx, tx.unled, tx.dialect

        def all(self, sql: str, /, **params: Any) -> Any:
            texts.append(sql)
            return self.tx.all(sql, **params)

        def one(self, sql: str, /, **params: Any) -> Any:
            texts.append(sql)
            return self.tx.one(sql, **params)

    hostile = [
        "'; DROP TABLE entry; --",
        "%",
        ":p0",
        "\\",
        "\0",
        "a" * 9000,
        "?",
        "%(p0)s",
        "\U0010ffff",
    ]
    with database.read() as tx:
        for value in hostile:
            where = All(
                (
                    has_token("Observation.code", value, value),
                    points_at(SUBJECT.name, "x"),
                    has_text("Observation.x", value[:9]),
                )
            )
            query = Query(types=("Observation",), where=where, sorts=(Sort(DATE),))
            found_ = search(Listening(tx), sees(), query, limit=5, after=Hit(7, (5,)))  # type: ignore[arg-type]
            assert found_ == []
    ends = [one for one in set(texts) if "DROP" in one or "aaaa" in one]
    assert ends == []
    assert len(set(texts)) <= 4  # a text that nothing follows has one test fewer


def test_includes_iterate_until_nothing_is_new_and_stop_at_their_limit(database: Database) -> None:
    part = slot("Organization.partof", Kind.REFERENCE)
    with database.transaction() as tx:
        add_vaults(tx, 1)
        rows = [
            own(tx, f"Organization/o{at}", refers(part.name, f"Organization/o{(at + 1) % 5}"))
            for at in range(5)
        ]
        once, ever = (
            Include("Organization", (part,)),
            Include("Organization", (part,), iterate=True),
        )
        assert include(tx, sees(), [once], rows[:1], limit=9) == [rows[1]]
        assert include(tx, sees(), [ever], rows[:1], limit=9) == rows[1:]
        assert include(tx, sees(), [ever], rows[:1], limit=2) == rows[1:3]
        back = Include("Organization", (part,), reverse=True, iterate=True)
        assert include(tx, sees(), [back], rows[:1], limit=9) == rows[:0:-1]
        assert include(tx, sees(), [ever], [], limit=9) == []
        assert include(tx, sees(), [], rows, limit=9) == []
        narrow = sees(types=("Patient",))
        assert include(tx, narrow, [once], rows[:1], limit=9) == []
        assert found(tx, sees(), Query(types=())) == [
            f"Organization/o{at}" for at in (4, 3, 2, 1, 0)
        ]
