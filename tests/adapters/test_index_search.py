"""Searches on both databases: what is found, in which order, and by whom."""

from __future__ import annotations

from adapters.index_entries import (
    HOME,
    add_vaults,
    date,
    found,
    has_text,
    has_token,
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
    Exists,
    Has,
    Ids,
    Kind,
    Listed,
    Not,
    Query,
    SpanTest,
    Together,
    Updated,
)
from simdes.index.database import Database
from simdes.index.search import count
from simdes.index.transaction import Transaction

SUBJECT = slot("Observation.subject", Kind.REFERENCE)
GENERAL = slot("Patient.general-practitioner", Kind.REFERENCE)
DATE = slot("Observation.date", Kind.DATE)


def a_ward(tx: Transaction) -> None:
    """Two patients with observations, and what is nobody's."""
    add_vaults(tx, 1, 2)
    for number, name in ((1, "Adams"), (2, "Brown")):
        own(
            tx,
            f"Patient/p{number}",
            text("Patient.family", name),
            refers("Patient.general-practitioner", "Practitioner/d1"),
            vault=number,
            category=0,
        )
        own(
            tx,
            f"Practitioner/d{number}",
            text("Practitioner.family", f"Doc{number}"),
            vault=number,
            category=13,
        )
        for at in range(3):
            own(
                tx,
                f"Observation/o{number}{at}",
                token("Observation.code", f"c{at}"),
                date("Observation.date", 1000 * at + number),
                refers("Observation.subject", f"Patient/p{number}", subject=True),
                refers("Observation.performer", f"Practitioner/d{number}"),
                vault=number,
                labels=int(at == 2),
            )
    own(
        tx,
        "List/l1",
        refers("List.item", "Observation/o10"),
        refers("List.item", "Observation/o21"),
        vault=HOME,
        category=15,
    )


CASES: list[tuple[Condition, tuple[str, ...]]] = [
    (All(()), ("o22", "o21", "o20", "o12", "o11", "o10")),
    (AnyOf(()), ()),
    (has_token("Observation.code", "c1"), ("o21", "o11")),
    (has_token("Observation.code", "c1", "s"), ("o21", "o11")),
    (has_token("Observation.code", "c1", "other"), ()),
    (has_token("Observation.code", "c1", ""), ()),
    (Not(has_token("Observation.code", "c1")), ("o22", "o20", "o12", "o10")),
    (points_at("Observation.subject", "p1"), ("o12", "o11", "o10")),
    (points_at("Observation.subject", "p1", "Patient"), ("o12", "o11", "o10")),
    (points_at("Observation.subject", "p1", "Group"), ()),
    (points_at("Observation.subject", "p3"), ()),
    (
        All((points_at("Observation.subject", "p2"), has_token("Observation.code", "c0"))),
        ("o20",),
    ),
    (Chain(SUBJECT, ("Patient",), has_text("Patient.family", "bro")), ("o22", "o21", "o20")),
    (Chain(SUBJECT, ("Group", "Patient"), has_text("Patient.family", "z")), ()),
    (
        Chain(
            SUBJECT,
            ("Patient",),
            Chain(GENERAL, ("Practitioner",), has_text("Practitioner.family", "doc1")),
        ),
        ("o22", "o21", "o20", "o12", "o11", "o10"),
    ),
    (Listed("l1"), ("o21", "o10")),
    (Listed("l2"), ()),
    (Ids(("o10", "o21", "x")), ("o21", "o10")),
    (Ids(()), ()),
    (Exists((slot("Observation.code"),)), ("o22", "o21", "o20", "o12", "o11", "o10")),
    (Not(Exists((slot("Observation.code"), DATE))), ()),
    (Updated((SpanTest("eq", 0, 2),)), ("o22", "o21", "o20", "o12", "o11", "o10")),
    (Updated((SpanTest("gt", 0, 2),)), ()),
    (AnyOf((Ids(("o10",)), has_token("Observation.code", "c2"))), ("o22", "o12", "o10")),
]


def test_every_condition_finds_what_meets_it(database: Database) -> None:
    with database.transaction() as tx:
        a_ward(tx)
        for where, expected in CASES:
            query = Query(types=("Observation",), where=where)
            names = tuple(one.removeprefix("Observation/") for one in found(tx, sees(), query))
            assert names == expected, where
            assert count(tx, sees(), query) == len(expected), where


def test_patients_are_found_by_what_refers_to_them(database: Database) -> None:
    with database.transaction() as tx:
        a_ward(tx)
        has = Has("Observation", SUBJECT, All((has_token("Observation.code", "c1"), Ids(("o11",)))))
        assert found(tx, sees(), Query(types=("Patient",), where=has)) == ["Patient/p1"]
        both = All((has, has_text("Patient.family", "brown")))
        assert found(tx, sees(), Query(types=("Patient",), where=both)) == []


def test_components_of_a_composite_belong_together(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        own(tx, "Observation/a", token("x#0", "1", part=0), token("x#1", "2", part=0))
        own(tx, "Observation/b", token("x#0", "1", part=0), token("x#1", "2", part=1))
        where = Together((has_token("x#0", "1"), has_token("x#1", "2")))
        assert found(tx, sees(), Query(types=("Observation",), where=where)) == ["Observation/a"]
        chained = Query(types=("Observation",), where=Not(where))
        assert found(tx, sees(), chained) == ["Observation/b"]
