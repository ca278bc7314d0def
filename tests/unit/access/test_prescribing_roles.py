"""Who prescribes: doctors, and nurses where their organisation says so; nobody else."""

from __future__ import annotations

import pytest

from simdes.access.categories import Role
from simdes.access.rights import PURPOSES, Facts, Interaction, decide
from simdes.access.write_roles import PRESCRIBING, writes
from simdes.errors import Forbidden

WRITES = (Interaction.CREATE, Interaction.UPDATE, Interaction.DELETE)


def allowed(role: Role, *, nurses_prescribe: bool) -> set[str]:
    facts = Facts(
        role=role, purpose=PURPOSES[role][0], home=bytes(32), nurses_prescribe=nurses_prescribe
    )
    rights = decide(facts)
    found = set()
    for type_ in PRESCRIBING:
        for interaction in WRITES:
            try:
                rights.require(interaction, type_)
            except Forbidden:
                continue
            found.add(type_)
    return found


def test_nurses_prescribe_where_their_organisation_lets_them() -> None:
    assert allowed(Role.NURSE, nurses_prescribe=False) == set()
    assert allowed(Role.NURSE, nurses_prescribe=True) == PRESCRIBING


@pytest.mark.parametrize("role", sorted(set(PURPOSES) - {Role.NURSE}), ids=lambda one: one.name)
def test_the_setting_changes_nothing_for_anybody_else(role: Role) -> None:
    assert allowed(role, nurses_prescribe=True) == writes(role) & PRESCRIBING
