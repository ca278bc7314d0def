"""The policy, whole: every role, purpose, state of consent and resource type, carried out by SQL.

Expected is what docs/security/policy-matrix.md and `support.policy` say; asked are the decision and
the statements that every path of every face makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.index_entries import CONSENT, add_vaults, copied, own
from adapters.index_rows import id32
from simdes.access.categories import CATEGORY_OF_TYPE, CLINICIANS, Category, Label, Purpose, Role
from simdes.access.consent import Consent
from simdes.access.policy import Actor, Held
from simdes.access.rights import Facts, Interaction, Rights, decide
from simdes.errors import Forbidden
from simdes.exchange import standing
from simdes.fhir.definitions import resource_types
from simdes.fhir.search.conditions import Query
from simdes.index import search
from simdes.index.database import Database, open_database
from simdes.index.transaction import Transaction
from simdes.index.visible import PATIENT, Ground
from simdes.ledger.consents import ConsentState
from simdes.ledger.terms import ZERO32, GranteeKind, Terms
from support import policy
from support.policy import State

STRANGER, MINE, ELSEWHERE, HOME = 1, 2, 3, 99
ROWS = policy.rows()
NOW = 1_000
HIV = 1 << Label.HIV
CASES = [(role, Purpose[one]) for role in policy.ROLES for one in policy.PURPOSES[role].split()]
STATUS = {
    "granted": ConsentState.GRANTED,
    "revoked": ConsentState.REVOKED,
    "emergency": ConsentState.EMERGENCY,
}

Seen = tuple[str, str]
"""A place and a resource type."""


def test_every_resource_type_role_and_interaction_has_a_cell() -> None:
    assert set(ROWS) == set(CATEGORY_OF_TYPE) >= resource_types()
    assert set(policy.PURPOSES) == set(policy.ROLES)
    for type_, row in ROWS.items():
        assert Category(CATEGORY_OF_TYPE[type_]).label == row.category, type_
        assert set(row.roles) == set(policy.ROLES)
        assert all(set(cell) <= set("cudk") for cell in row.roles.values()), type_


@pytest.mark.parametrize(("role", "purpose"), CASES)
def test_every_write_is_allowed_where_the_table_says_so_and_nowhere_else(
    role: Role, purpose: Purpose
) -> None:
    decided = decided_for(role, purpose, ())
    letters = {"c": Interaction.CREATE, "u": Interaction.UPDATE, "d": Interaction.DELETE}
    for type_, row in ROWS.items():
        for letter, interaction in letters.items():
            try:
                decided.require(interaction, type_)
                allowed = True
            except Forbidden:
                allowed = False
            assert allowed == (letter in row.roles[role]), (type_, letter)


@pytest.mark.parametrize("role", policy.ROLES)
def test_no_other_purpose_than_those_of_the_table_may_be_asked_for(role: Role) -> None:
    for purpose in Purpose:
        if purpose.name not in policy.PURPOSES[role].split():
            with pytest.raises(Forbidden):
                decided_for(role, purpose, ())


# What is seen ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """Entries of every type in every place, by row id."""

    database: Database
    entries: dict[int, Seen]


@pytest.fixture(scope="module")
def world(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path = tmp_path_factory.mktemp("policy") / "index.db"
    copyfile(migrated_sqlite, path)
    database = open_database(f"sqlite:{path}")
    yield World(database, database.write(_seeded))
    database.close()


def _seeded(tx: Transaction) -> dict[int, Seen]:
    add_vaults(tx, STRANGER, MINE, ELSEWHERE)
    found: dict[int, Seen] = {}
    for at, (type_, category) in enumerate(sorted(CATEGORY_OF_TYPE.items())):
        kind = int(category)
        for place, vault in (("stranger", STRANGER), ("mine", MINE), ("home", HOME)):
            row = own(tx, f"{type_}/{place}-{at}", vault=vault, category=kind, labels=HIV)
            found[row] = (place, type_)
        name = f"{type_}/mine-elsewhere-{at}"
        row = copied(tx, name, vault=MINE, handle=PATIENT, category=kind, labels=HIV)
        found[row] = ("mine elsewhere", type_)
        for place, labels in (("opened", 0), ("opened, labelled", HIV)):
            name = f"{type_}/{'labelled' if labels else 'plain'}-{at}"
            row = copied(tx, name, vault=ELSEWHERE, category=kind, labels=labels)
            found[row] = (place, type_)
    return found


@pytest.mark.parametrize("state", policy.STATES)
@pytest.mark.parametrize(("role", "purpose"), CASES)
def test_every_role_sees_in_every_state_what_the_table_says_and_nothing_else(
    world: World, role: Role, purpose: Purpose, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = policy.STATES[state]
    decided = decided_for(role, purpose, opened(role, purpose, consent, monkeypatch))
    assert decided.reading.grounds == decided.searching.grounds
    query = Query(types=tuple(CATEGORY_OF_TYPE))
    with world.database.read() as tx:
        hits = search.search(tx, decided.searching, query, limit=100_000)
        total = search.count(tx, decided.searching, query)
    seen = {world.entries[hit.id] for hit in hits}
    assert seen == expected(role, purpose, consent)
    assert total == len(hits) == len(seen)


def test_a_ground_too_many_would_be_seen(world: World) -> None:
    everything = Ground(handle=CONSENT, vaults=(id32("vault", ELSEWHERE),), categories=-1)
    decided = decided_for(Role.NURSE, Purpose.TREAT, (everything,))
    with world.database.read() as tx:
        hits = search.search(tx, decided.searching, Query(types=("Condition",)), limit=100)
    seen = {world.entries[hit.id] for hit in hits}
    assert seen > {
        one for one in expected(Role.NURSE, Purpose.TREAT, State()) if one[1] == "Condition"
    }


def decided_for(role: Role, purpose: Purpose, grounds: tuple[Ground, ...]) -> Rights:
    vaults = (id32("vault", MINE),) if role is Role.PATIENT else ()
    home = id32("vault", HOME)
    return decide(Facts(role=role, purpose=purpose, home=home, vaults=vaults, opened=grounds))


def expected(role: Role, purpose: Purpose, state: State) -> set[Seen]:
    """What the design says, in its own words."""
    name, types = role.name.lower(), [one for one in ROWS if one not in policy.OWNED]
    seen = {("home", one) for one in types if ROWS[one].public or "k" in ROWS[one].roles[role]}
    if name in policy.WORKS_WITH_OWN and purpose.name in policy.FOR_OWN:
        seen |= {(place, one) for place in ("stranger", "mine", "home") for one in types}
    if name == "patient":
        seen |= {(place, one) for place in ("mine", "mine elsewhere") for one in types}
    elif state.status != "emergency" or (role in CLINICIANS and purpose is Purpose.ETREAT):
        open_ = [one for one in types if CATEGORY_OF_TYPE[one] in state.opens]
        seen |= {("opened", one) for one in open_}
        if Label.HIV in state.labels:
            seen |= {("opened, labelled", one) for one in open_}
    return seen


# Consents as they stand -----------------------------------------------------------------------


def opened(
    role: Role, purpose: Purpose, state: State, monkeypatch: pytest.MonkeyPatch
) -> tuple[Ground, ...]:
    """What a consent in a state opens for somebody, by the code that asks the chain's events."""
    if state.status == "none":
        return ()
    organisation, account = id32("organisation"), id32("account")
    actor: Any = SimpleNamespace(
        account=account, address=b"a" * 20, organisation=organisation, role=int(role)
    )
    consent = Consent(
        vault=id32("vault", ELSEWHERE),
        handle=CONSENT,
        terms=_terms(role, purpose, state, organisation),
        salt=b"s" * 32,
    )
    chain = _Chain(
        Actor(account, organisation, int(role), 2, 2, frozen=False),
        Held(
            status=STATUS[state.status],
            generation=state.generation,
            commitment=consent.commitment,
            account=account,
            opened_seconds=0,
            until_seconds=2 * NOW,
        ),
    )
    view: Any = chain
    if state.status == "emergency":
        if role not in CLINICIANS or purpose is not Purpose.ETREAT:
            return ()  # the contract opens none for them
        monkeypatch.setattr(standing, "ChainView", lambda *_: chain)
        row = SimpleNamespace(state=standing.chain_consents.EMERGENCY)
        monkeypatch.setattr(standing.chain_consents, "get", lambda *_: row)
        found = standing.emergency(view, view, actor, consent.vault, CONSENT, now_seconds=NOW)
    elif consent.terms.grantee not in standing._names(actor):
        return ()
    else:
        found = standing._ground(view, consent, actor, purpose, NOW)
    return () if found is None else (found,)


def _terms(role: Role, purpose: Purpose, state: State, organisation: bytes) -> Terms:
    changes = dict(state.terms)
    if "grantee_role" in changes:
        other = Role.DOCTOR if role is Role.PHARMACIST else Role.PHARMACIST
        changes |= {"grantee_role": int(other), "grantee_kind": GranteeKind.ROLE_IN_ORGANISATION}
    if "purposes" in changes and purpose is Purpose.HRESCH:
        changes["purposes"] = 1 << Purpose.TREAT
    usual: dict[str, Any] = {
        "grantee_kind": GranteeKind.ORGANISATION,
        "grantee": organisation,
        "grantee_role": 0,
        "categories": 1,
        "labels": 0,
        "purposes": 1 << purpose,
        "not_before": 0,
        "expiry": 2 * NOW,
    }
    return Terms(**(usual | changes))


@dataclass(frozen=True, slots=True)
class _Chain:
    """The state of a consent as a decision reads it."""

    who: Actor
    what: Held

    def actor(self, address: bytes) -> Actor:
        return self.who

    def vault(self, tag: bytes) -> tuple[bytes, int]:
        return ZERO32, 0

    def held(self, tag: bytes, handle: bytes) -> Held:
        return self.what

    def is_open(self, condition: bytes, condition_id: bytes) -> bool:
        return False
