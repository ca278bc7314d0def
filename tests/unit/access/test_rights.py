"""The decision by itself: who may see and do what, for every role, type, interaction and state."""

from __future__ import annotations

import pytest

from simdes.access.categories import CATEGORY_OF_TYPE, Category, Purpose, Role, mask
from simdes.access.rights import (
    EVERY_CATEGORY,
    OWNED,
    PURPOSES,
    Allowed,
    Facts,
    Interaction,
    Rights,
    Scopes,
    decide,
    owner_value,
)
from simdes.access.write_roles import PUBLIC_TYPES, SYSTEM_TYPES, deletes, writes
from simdes.errors import Forbidden
from simdes.fhir.search.match import matches
from simdes.index.visible import OWN, PATIENT, Ground

HOME, MINE, OTHER = b"h" * 32, b"m" * 32, b"o" * 32
OPENED = Ground(
    handle=b"c" * 32, vaults=(OTHER,), categories=mask([Category.OBSERVATIONS]), labels=0
)
ROLES = [role for role in Role if role is not Role.NONE]
WRITES = (Interaction.CREATE, Interaction.UPDATE, Interaction.DELETE)


def rights(role: Role, **others: object) -> Rights:
    facts: dict[str, object] = {"role": role, "purpose": PURPOSES[role][0], "home": HOME}
    if role is Role.PATIENT:
        facts["vaults"] = (MINE,)
    return decide(Facts(**(facts | others)))  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_has_a_purpose_and_types_it_may_write(role: Role) -> None:
    assert PURPOSES[role]
    assert writes(role) <= frozenset(CATEGORY_OF_TYPE)
    assert not writes(role) & SYSTEM_TYPES
    assert deletes(role) <= writes(role)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_writes_what_its_table_says_and_nothing_else(role: Role) -> None:
    decided = rights(role)
    for interaction in WRITES:
        table = deletes(role) if interaction is Interaction.DELETE else writes(role)
        for type_ in CATEGORY_OF_TYPE:
            if type_ in table:
                decided.require(interaction, type_)
            else:
                with pytest.raises(Forbidden):
                    decided.require(interaction, type_)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_patients_and_researchers_write_into_their_own_vaults_alone(role: Role) -> None:
    into = {Role.PATIENT: (MINE,), Role.RESEARCHER: (HOME,)}
    assert rights(role).vaults == into.get(role)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_role_may_ask_for_a_purpose_outside_its_table(role: Role) -> None:
    for purpose in Purpose:
        if purpose in PURPOSES[role]:
            rights(role, purpose=purpose)
        else:
            with pytest.raises(Forbidden):
                rights(role, purpose=purpose)


def own_grounds(decided: Rights) -> list[Ground]:
    return [one for one in decided.searching.grounds if one.handle == OWN]


@pytest.mark.parametrize(
    "role", [Role.DOCTOR, Role.NURSE, Role.PHARMACIST, Role.INSURER, Role.AGENT]
)
def test_staff_see_what_their_organisation_wrote_of_everybody(role: Role) -> None:
    assert Ground(handle=OWN, vaults=None, categories=EVERY_CATEGORY) in own_grounds(rights(role))


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.ADMINISTRATOR])
def test_researchers_and_administrators_see_no_patient_without_consent(role: Role) -> None:
    assert {one.vaults for one in rights(role).searching.grounds} == {(HOME,)}


def test_research_does_not_open_what_the_organisation_wrote_for_treatment() -> None:
    decided = rights(Role.AGENT, purpose=Purpose.HRESCH)
    assert {one.vaults for one in own_grounds(decided)} == {(HOME,)}


def test_an_emergency_opens_what_the_emergency_opened_and_no_own_record_besides() -> None:
    decided = rights(Role.DOCTOR, purpose=Purpose.ETREAT, opened=(OPENED,))
    assert OPENED in decided.searching.grounds
    assert all(one.vaults is not None for one in decided.searching.grounds)


def test_a_patient_sees_their_own_vault_and_the_directory_alone() -> None:
    decided = rights(Role.PATIENT)
    places = {(one.handle, one.vaults, one.types) for one in decided.searching.grounds}
    assert places == {
        (OWN, (MINE,), None),
        (PATIENT, (MINE,), None),
        (OWN, (HOME,), PUBLIC_TYPES),
        (OWN, (HOME,), OWNED),
    }
    assert decided.vaults == (MINE,)


def test_a_patient_without_a_vault_sees_the_directory_alone() -> None:
    decided = rights(Role.PATIENT, vaults=())
    assert {one.types for one in decided.searching.grounds} == {PUBLIC_TYPES, OWNED}


def test_what_is_its_authors_alone_is_narrowed_to_account_and_app_in_every_set() -> None:
    mine = owner_value(b"\1" * 32, "app")
    decided = rights(Role.DOCTOR, account=b"\1" * 32, client="app")
    sets = [decided.reading, decided.unscoped("Subscription")]
    sets += [decided.visible(one) for one in Interaction if one is not Interaction.READ]
    for visible in sets:
        for scope in visible.scopes["Subscription"]:
            found = {
                (account, client): matches(
                    scope.where,
                    type="Subscription",
                    id="s",
                    updated_ms=0,
                    values=(owner_value(account, client),),
                )
                for account in (b"\1" * 32, b"\2" * 32)
                for client in ("app", "other")
            }
            assert [name for name, met in found.items() if met] == [(b"\1" * 32, "app")]
            assert matches(scope.where, type="Subscription", id="s", updated_ms=0, values=(mine,))
            assert not matches(scope.where, type="Subscription", id="s", updated_ms=0, values=())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_a_consent_opened_is_seen_and_never_changed(role: Role) -> None:
    decided = rights(role, opened=(OPENED,))
    assert OPENED in decided.searching.grounds
    for interaction in WRITES:
        assert OPENED not in decided.visible(interaction).grounds
        assert all(one.handle == OWN for one in decided.visible(interaction).grounds)


def test_a_type_without_a_scope_is_in_no_set_of_visible_types() -> None:
    only = {"Observation": (Allowed(interactions=frozenset({Interaction.READ})),)}
    decided = rights(Role.DOCTOR, scopes=Scopes(only))
    assert set(decided.reading.scopes) == {"Observation"}
    assert set(decided.searching.scopes) == set()
    with pytest.raises(Forbidden):
        decided.require(Interaction.SEARCH, "Observation")
    with pytest.raises(Forbidden):
        decided.require(Interaction.READ, "Condition")


def test_a_scope_never_widens_what_the_role_may() -> None:
    everything = {
        type_: (Allowed(interactions=frozenset(Interaction)),) for type_ in CATEGORY_OF_TYPE
    }
    assert rights(Role.PATIENT, scopes=Scopes(everything)) == rights(Role.PATIENT)


def test_a_scope_for_a_launch_patient_keeps_its_vault_on_every_interaction() -> None:
    its = Allowed(interactions=frozenset(Interaction), vaults=(MINE,))
    decided = rights(Role.DOCTOR, scopes=Scopes({"Observation": (its,)}))
    for interaction in Interaction:
        scopes = decided.visible(interaction).scopes["Observation"]
        assert [one.vaults for one in scopes] == [(MINE,)]
