"""Nobody learns of an entry that they may not see, by whatever part of a search names it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.index_entries import (
    CONSENT,
    EVERYTHING,
    HOME,
    TYPES,
    add_vaults,
    copied,
    date,
    found,
    ground,
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
from adapters.index_rows import id32
from simdes.errors import Unsupported
from simdes.fhir.search.conditions import (
    All,
    Chain,
    Exists,
    Has,
    Ids,
    Include,
    Kind,
    Listed,
    Not,
    Query,
    Sort,
)
from simdes.index import entries
from simdes.index.database import Database
from simdes.index.histories import LAST, During
from simdes.index.histories import versions as listed
from simdes.index.search import count, get, include, search
from simdes.index.transaction import Transaction
from simdes.index.visible import OWN, Scope, Visible

SUBJECT = slot("Observation.subject", Kind.REFERENCE)
PERFORMER = slot("Observation.performer", Kind.REFERENCE)
CLOSED = 1
"""A label, and the category 9, that nobody here may see."""

HIDDEN = ["another vault", "a category", "a label", "another type", "a copy", "a scope"]


@dataclass(frozen=True)
class Secret:
    """How one entry is hidden from a caller who sees everything else."""

    vault: int
    category: int
    labels: int
    visible: Visible
    copy: bool


def secret(how: str, type_: str) -> Secret:
    """An entry of a type that is hidden this way."""
    open_ = ground(1, HOME, categories=EVERYTHING & ~(1 << 9), labels=EVERYTHING & ~CLOSED)
    types = [one for one in TYPES if how != "another type" or one != type_]
    where = {type_: has_token("x.scoped", "no")} if how == "a scope" else None
    return Secret(
        vault=2 if how == "another vault" else 1,
        category=9 if how == "a category" else 3,
        labels=CLOSED if how == "a label" else 0,
        visible=sees(open_, types=types, where=where),
        copy=how == "a copy",
    )


def put(tx: Transaction, one: Secret, name: str, *values: object, hidden: bool = True) -> int:
    """Put an entry, hidden or not."""
    if not hidden:
        return own(tx, name, *values)  # type: ignore[arg-type]
    if one.copy:
        return copied(tx, name, *values)  # type: ignore[arg-type]
    return own(  # type: ignore[arg-type]
        tx, name, *values, vault=one.vault, category=one.category, labels=one.labels
    )


@pytest.mark.parametrize("how", HIDDEN)
def test_what_is_hidden_is_neither_found_nor_counted_nor_read(database: Database, how: str) -> None:
    one = secret(how, "Observation")
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        put(tx, one, "Observation/secret", token("Observation.code", "1"))
        for where in (All(()), has_token("Observation.code", "1"), Ids(("secret",)), Not(Ids(()))):
            for sorts in ((), (Sort(slot("Observation.code")),), (Sort(None, "updated"),)):
                query = Query(types=("Observation",), where=where, sorts=sorts)
                assert search(tx, one.visible, query, limit=10) == []
                assert count(tx, one.visible, query) == 0
        assert get(tx, one.visible, "Observation", "secret") == []
        assert versions(tx, one.visible, types=("Observation",), logical_id="secret") == []
        assert versions(tx, one.visible) == []


@pytest.mark.parametrize("how", HIDDEN)
def test_chains_do_not_go_through_what_is_hidden(database: Database, how: str) -> None:
    one = secret(how, "Patient")
    chain = Chain(SUBJECT, ("Patient",), has_text("Patient.family", "adams"))
    missing = Chain(SUBJECT, ("Patient",), Not(has_text("Patient.family", "zorn")))
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        put(tx, one, "Patient/p", text("Patient.family", "Adams"))
        own(tx, "Observation/o", refers(SUBJECT.name, "Patient/p", subject=True))
        own(tx, "Observation/l", refers(SUBJECT.name, "Patient/p"))
        for where in (chain, missing, Chain(SUBJECT, ("Patient",), All(()))):
            query = Query(types=("Observation",), where=where)
            assert found(tx, one.visible, query) == []
            assert count(tx, one.visible, query) == 0
            none = Query(types=("Observation",), where=Not(where))
            assert len(found(tx, one.visible, none)) == 2
        assert (
            found(
                tx,
                sees(ground(), ground(1, handle=CONSENT)),
                Query(types=("Observation",), where=chain),
            )
            != []
        )


@pytest.mark.parametrize("how", HIDDEN)
def test_chains_do_not_begin_at_what_is_hidden(database: Database, how: str) -> None:
    """Among many entries of a vault a chain is followed from its end, where the few values are."""
    one = secret(how, "Patient")
    chain = Chain(SUBJECT, ("Patient",), has_text("Patient.family", "adams"))
    query = Query(types=("Observation",), where=chain)
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        put(tx, one, "Patient/p", text("Patient.family", "Adams"))
        for number in range(20):
            own(tx, f"Observation/o{number}", refers(SUBJECT.name, "Patient/p", subject=True))
        own(tx, "Observation/l", refers(SUBJECT.name, "Patient/p"))
        assert found(tx, one.visible, query) == []
        assert count(tx, one.visible, query) == 0
        open_ = sees(ground(), ground(1, handle=CONSENT))
        assert found(tx, open_, query) != []


@pytest.mark.parametrize("how", HIDDEN)
def test_the_second_step_of_a_chain_is_hidden_too(database: Database, how: str) -> None:
    one = secret(how, "Organization")
    works = slot("Practitioner.organization", Kind.REFERENCE)
    chain = Chain(
        PERFORMER,
        ("Practitioner",),
        Chain(works, ("Organization",), has_text("Organization.name", "acme")),
    )
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        put(tx, one, "Organization/a", text("Organization.name", "Acme"))
        own(tx, "Practitioner/d", refers(works.name, "Organization/a"))
        own(tx, "Observation/o", refers(PERFORMER.name, "Practitioner/d"))
        assert found(tx, one.visible, Query(types=("Observation",), where=chain)) == []


@pytest.mark.parametrize("how", HIDDEN)
def test_has_does_not_look_through_what_is_hidden(database: Database, how: str) -> None:
    one = secret(how, "Observation")
    code = has_token("Observation.code", "hiv")
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        own(tx, "Patient/p")
        own(tx, "Practitioner/d")
        values = (
            token("Observation.code", "hiv"),
            refers(SUBJECT.name, "Patient/p", subject=True),
            refers(PERFORMER.name, "Practitioner/d"),
            refers(PERFORMER.name, "Patient/p"),
        )
        put(tx, one, "Observation/secret", *values)
        for type_, by in (
            ("Patient", SUBJECT),
            ("Practitioner", PERFORMER),
            ("Patient", PERFORMER),
        ):
            for where in (code, All(()), Ids(("secret",))):
                query = Query(types=(type_,), where=Has("Observation", by, where))
                assert found(tx, one.visible, query) == []
                assert count(tx, one.visible, query) == 0
                none = Query(types=(type_,), where=Not(Has("Observation", by, where)))
                assert len(found(tx, one.visible, none)) == 1


@pytest.mark.parametrize("how", HIDDEN)
def test_a_hidden_list_lists_nothing(database: Database, how: str) -> None:
    one = secret(how, "List")
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        own(tx, "Observation/o")
        put(tx, one, "List/l", refers("List.item", "Observation/o"))
        query = Query(types=("Observation",), where=Listed("l"))
        assert found(tx, one.visible, query) == []
        assert found(tx, one.visible, replace(query, where=Not(Listed("l")))) == ["Observation/o"]


@pytest.mark.parametrize("how", HIDDEN)
def test_a_hidden_patient_s_id_leads_to_no_vault(database: Database, how: str) -> None:
    """Else a search by an id from elsewhere would tell whose it is."""
    one = secret(how, "Patient")
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        put(tx, one, "Patient/elsewhere")
        own(tx, "Patient/here")
        own(tx, "Observation/o", refers(SUBJECT.name, "Patient/here", subject=True), vault=1)
        for where in (points_at(SUBJECT.name, "elsewhere"), Not(Exists((slot("x"),)))):
            query = Query(types=("Observation",), where=where)
            names = found(tx, one.visible, query)
            assert names == (
                [] if where == points_at(SUBJECT.name, "elsewhere") else ["Observation/o"]
            )


@pytest.mark.parametrize("how", HIDDEN)
def test_nothing_hidden_is_included(database: Database, how: str) -> None:
    one = secret(how, "Patient")
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        put(tx, one, "Patient/p")
        row = own(tx, "Observation/o", refers(SUBJECT.name, "Patient/p", subject=True))
        for target in ("Patient", ""):
            for iterate in (False, True):
                asked = Include("Observation", (SUBJECT,), target=target, iterate=iterate)
                assert include(tx, one.visible, [asked], [row], limit=10) == []


@pytest.mark.parametrize("how", HIDDEN)
def test_nothing_hidden_is_included_backwards(database: Database, how: str) -> None:
    one = secret(how, "Observation")
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        row = own(tx, "Patient/p")
        put(tx, one, "Observation/secret", refers(SUBJECT.name, "Patient/p", subject=True))
        asked = Include("Observation", (SUBJECT,), reverse=True)
        assert include(tx, one.visible, [asked], [row], limit=10) == []
        assert include(tx, one.visible, [replace(asked, iterate=True)], [row], limit=10) == []


@pytest.mark.parametrize("how", HIDDEN)
def test_hidden_values_do_not_order_what_is_seen(database: Database, how: str) -> None:
    """A page is ordered by what its entries say themselves."""
    one = secret(how, "Observation")
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        put(tx, one, "Observation/secret", date("Observation.date", 5))
        if how != "another type":
            seen = [
                own(
                    tx,
                    f"Observation/o{at}",
                    date("Observation.date", at),
                    token("x.scoped", "no"),
                )
                for at in range(3)
            ]
            sort = Sort(slot("Observation.date", Kind.DATE), descending=True)
            hits = search(tx, one.visible, Query(types=("Observation",), sorts=(sort,)), limit=10)
            assert [(hit.id, hit.keys) for hit in hits] == [
                (seen[2], (2,)), (seen[1], (1,)), (seen[0], (0,))
            ]  # fmt: skip


# What is one to a client ---------------------------------------------------------------------


def test_of_what_is_nobody_s_the_newest_that_is_seen_is_found(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1, 2, 3)
        for number, name in ((1, "Old"), (3, "Hidden"), (2, "New")):
            own(
                tx,
                "Practitioner/d",
                text("Practitioner.family", name),
                vault=number,
                updated_ms={1: 10, 2: 20, 3: 30}[number],
            )
        own(tx, "Observation/o", refers(PERFORMER.name, "Practitioner/d"), vault=1)
        visible = sees(ground(1, 2))
        query = Query(types=("Practitioner",))
        assert found(tx, visible, query) == ["Practitioner/d"]
        assert count(tx, visible, query) == 1
        new, old, hidden = (has_text("Practitioner.family", one) for one in ("new", "old", "hid"))
        assert found(tx, visible, replace(query, where=new)) == ["Practitioner/d"]
        assert found(tx, visible, replace(query, where=old)) == []
        assert found(tx, visible, replace(query, where=hidden)) == []
        for where, expected in ((new, 1), (old, 0), (hidden, 0)):
            chain = Chain(PERFORMER, ("Practitioner",), where)
            chained = Query(types=("Observation",), where=chain)
            assert len(found(tx, visible, chained)) == expected
        assert [one.updated_ms for one in get(tx, visible, "Practitioner", "d")] == [20, 10]
        [row] = [hit.id for hit in search(tx, visible, Query(types=("Observation",)), limit=5)]
        asked = Include("Observation", (PERFORMER,))
        [included] = entries.get_many(tx, include(tx, visible, [asked], [row], limit=5))
        assert included.updated_ms == 20


def test_own_comes_before_copies_of_the_same_id_and_the_newest_copy_counts(
    database: Database,
) -> None:
    other = id32("another consent")
    with database.transaction() as tx:
        add_vaults(tx, 1)
        own(tx, "Observation/a", token("x", "own"))
        copied(tx, "Observation/a", token("x", "copy"), updated_ms=99)
        copied(tx, "Observation/b", token("x", "old"), record="1", updated_ms=5)
        copied(tx, "Observation/b", token("x", "new"), record="2", updated_ms=6, handle=other)
        all_ = sees(ground(), ground(1, handle=CONSENT), ground(1, handle=other))
        codes = [
            code
            for code in ("own", "copy", "old", "new")
            if found(tx, all_, Query(types=("Observation",), where=has_token("x", code)))
        ]
        assert codes == ["own", "new"]
        assert count(tx, all_, Query(types=("Observation",))) == 2
        assert found(tx, sees(ground(1, handle=CONSENT)), Query(types=("Observation",))) == [
            "Observation/b", "Observation/a"
        ]  # fmt: skip
        assert [one.handle for one in get(tx, all_, "Observation", "a")] == [OWN, CONSENT]


def test_a_handle_opens_the_vault_it_is_of_alone(database: Database) -> None:
    """A patient who gave a consent the handle of another patient's opens nothing of theirs."""
    with database.transaction() as tx:
        add_vaults(tx, *range(1, 12))
        for number in range(1, 12):
            copied(tx, f"Observation/o{number}", vault=number, record=f"{number}")
        few = sees(ground(1, handle=CONSENT), ground(2, handle=id32("x")))
        assert found(tx, few, Query(types=("Observation",))) == ["Observation/o1"]
        many = sees(ground(3, handle=CONSENT), *(ground(at, handle=id32(at)) for at in range(9)))
        assert found(tx, many, Query(types=("Observation",))) == ["Observation/o3"]


def test_a_ground_without_categories_opens_nothing_and_with_all_of_them_everything(
    database: Database,
) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        for category in (0, 1, 62):
            own(tx, f"Observation/c{category}", category=category, labels=category)
        for mask, labels, expected in (
            (0, EVERYTHING, []),
            (EVERYTHING, EVERYTHING, ["c62", "c1", "c0"]),
            (EVERYTHING, 0, ["c0"]),
            (EVERYTHING, 1, ["c1", "c0"]),
            (1 << 62, EVERYTHING, ["c62"]),
            (3, EVERYTHING, ["c1", "c0"]),
        ):
            visible = sees(ground(categories=mask, labels=labels))
            assert found(tx, visible, Query(types=("Observation",))) == [
                f"Observation/{name}" for name in expected
            ]


def test_grounds_of_some_types_open_those_alone(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        own(tx, "Practitioner/d", vault=HOME)
        own(tx, "Observation/o", vault=HOME)
        visible = sees(ground(HOME, types=("Practitioner",)))
        assert found(tx, visible, Query(types=TYPES)) == ["Practitioner/d"]
        assert found(tx, visible, Query(types=("Observation",))) == []


def test_scopes_may_name_vaults_and_conditions_side_by_side(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        for number in (1, 2):
            for kind in ("lab", "vital"):
                own(tx, f"Observation/{kind}{number}", token("c", kind), vault=number)
        scopes = (
            Scope(vaults=(id32("vault", 1),), where=has_token("c", "lab")),
            Scope(where=has_token("c", "vital")),
        )
        visible = Visible(grounds=(ground(),), scopes={"Observation": scopes})
        assert found(tx, visible, Query(types=("Observation",))) == [
            "Observation/vital2", "Observation/vital1", "Observation/lab1"
        ]  # fmt: skip
        nothing = Visible(grounds=(ground(),), scopes={"Observation": (Scope(vaults=()),)})
        assert found(tx, nothing, Query(types=("Observation",))) == []
        none = Visible(grounds=(ground(),), scopes={"Observation": ()})
        assert found(tx, none, Query(types=("Observation",))) == []


def test_a_scope_that_looks_elsewhere_is_refused(database: Database) -> None:
    chain = Chain(SUBJECT, ("Patient",), has_text("Patient.family", "x"))
    for where in (chain, Not(chain), All((Has("Observation", SUBJECT, All(())),)), Listed("l")):
        visible = sees(types=("Observation", "Patient"), where={"Observation": where})
        with database.read() as tx, pytest.raises(Unsupported):
            search(tx, visible, Query(types=("Observation",)), limit=1)


def test_a_patient_s_scope_that_names_a_patient_ends(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        own(tx, "Patient/p", refers("Patient.link", "Patient/q", subject=True))
        visible = sees(where={"Patient": points_at("Patient.link", "q")})
        assert found(tx, visible, Query(types=("Patient",))) == ["Patient/p"]


# References ------------------------------------------------------------------------------------


LEADS = [
    ("Encounter/e", 1, 1, True),
    ("Encounter/e", 1, 2, False),
    ("Encounter/e", HOME, 2, True),
    ("Encounter/e", 1, HOME, True),
    ("Patient/p", 1, 2, True),
    ("Practitioner/d", 1, 2, True),
]


@pytest.mark.parametrize(("name", "source", "target", "leads"), LEADS)
def test_references_lead_out_of_a_vault_only_to_who_is_known_everywhere(
    database: Database, name: str, source: int, target: int, leads: bool
) -> None:
    type_ = name.partition("/")[0]
    by = slot("Condition.by", Kind.REFERENCE)
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        pointing = own(tx, "Condition/c", refers(by.name, name), vault=source)
        there = own(tx, name, token("x", "1"), vault=target)
        chain = Query(types=("Condition",), where=Chain(by, (type_,), has_token("x", "1")))
        assert bool(found(tx, sees(), chain)) is leads
        has = Query(types=(type_,), where=Has("Condition", by, All(())))
        assert bool(found(tx, sees(), has)) is leads
        forth, back = Include("Condition", (by,)), Include("Condition", (by,), reverse=True)
        assert include(tx, sees(), [forth], [pointing], limit=9) == ([there] if leads else [])
        assert include(tx, sees(), [back], [there], limit=9) == ([pointing] if leads else [])


def test_a_subject_leads_to_whoever_is_the_patient_of_its_vault(database: Database) -> None:
    """Two organisations know one patient under two ids; another one shares an id by chance."""
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        own(tx, "Patient/ours", text("Patient.family", "Adams"))
        copied(tx, "Patient/theirs", text("Patient.family", "Adam"))
        own(tx, "Patient/theirs", text("Patient.family", "Chance"), vault=2)
        own(tx, "Observation/ours", refers(SUBJECT.name, "Patient/ours", subject=True))
        copied(tx, "Observation/theirs", refers(SUBJECT.name, "Patient/theirs", subject=True))
        all_ = sees(ground(), ground(1, handle=CONSENT))
        both = ["Observation/theirs", "Observation/ours"]
        for id_ in ("ours", "theirs"):
            query = Query(types=("Observation",), where=points_at(SUBJECT.name, id_))
            assert found(tx, all_, query) == both
        chain = Chain(SUBJECT, ("Patient",), has_text("Patient.family", "chance"))
        assert found(tx, all_, Query(types=("Observation",), where=chain)) == []
        chain = replace(chain, where=has_text("Patient.family", "adams"))
        assert found(tx, all_, Query(types=("Observation",), where=chain)) == both
        patients = Query(types=("Patient",), where=Has("Observation", SUBJECT, All(())))
        assert found(tx, all_, patients) == ["Patient/theirs", "Patient/ours"]


# History ---------------------------------------------------------------------------------------


def versions(tx: Transaction, visible: Visible, **asked: Any) -> list[tuple[str, int]]:
    found_ = listed(tx, visible, **({"types": TYPES, "before": LAST, "limit": 99} | asked))
    return [(f"{one.type}/{one.logical_id}", one.version) for one in found_]


def test_each_version_is_seen_by_its_own_category_and_labels(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        own(tx, "Observation/o", labels=CLOSED, updated_ms=1)
        own(tx, "Observation/o", content="2", updated_ms=2)
        own(tx, "Observation/o", content="3", category=9, updated_ms=3)
        own(tx, "Observation/o", content="4", deleted=1, updated_ms=4)
        own(tx, "Patient/p", vault=2, updated_ms=5)
        copied(tx, "Observation/copy")
        all_ = [("Patient/p", 1)] + [("Observation/o", at) for at in (4, 3, 2, 1)]
        assert versions(tx, sees()) == all_
        narrow = sees(ground(categories=EVERYTHING & ~(1 << 9), labels=EVERYTHING & ~CLOSED))
        assert versions(tx, narrow, types=("Observation",), logical_id="o") == [
            ("Observation/o", 4), ("Observation/o", 2)
        ]  # fmt: skip
        assert versions(tx, narrow, types=("Observation",), logical_id="o", version=3) == []
        assert versions(tx, sees(), types=("Observation",), logical_id="o", version=3) == all_[2:3]
        assert versions(tx, sees(ground(2))) == [("Patient/p", 1)]
        assert versions(tx, sees(), during=During(since_ms=3)) == all_[:3]
        assert versions(tx, sees(), limit=2) == all_[:2]
        last = listed(tx, sees(), types=TYPES, before=LAST, limit=2)[-1].id
        assert versions(tx, sees(), before=last) == all_[2:]
        assert versions(tx, sees(types=("Patient",))) == all_[:1]
        assert versions(tx, sees(ground(1, handle=CONSENT))) == []


def test_a_scope_s_condition_is_asked_of_what_stands_now(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        own(tx, "Observation/o", token("c", "psych"))
        own(tx, "Observation/p", token("c", "lab"))
        own(tx, "Observation/p", token("c", "psych"), content="2")
        visible = sees(where={"Observation": has_token("c", "lab")})
        assert versions(tx, visible) == []


def test_what_a_merge_took_away_has_no_history_there(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        own(tx, "Observation/o", vault=1)
        entries.drop_own(tx, id32("vault", 1))
        own(tx, "Observation/o", vault=2)
        found_ = listed(tx, sees(), types=TYPES, logical_id="o", before=LAST, limit=9)
        assert [one.vault for one in found_] == [id32("vault", 2)]
