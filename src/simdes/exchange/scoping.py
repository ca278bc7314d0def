"""What an app's scopes allow, in the terms of the decision: by type, vault and condition.

``patient/…`` reaches the vault of the patient whom the app was launched for, ``user/…`` and
``system/…`` whatever the account itself may. A constraint is a search, so it becomes a condition
(http://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html). ``fhirUser`` lets an app read
the one resource that the signed-in person is.
"""

from __future__ import annotations

from functools import lru_cache

from simdes.access import scopes as smart
from simdes.access.categories import CATEGORY_OF_TYPE
from simdes.access.rights import Allowed, Interaction, Scopes
from simdes.errors import Invalid
from simdes.fhir.search.conditions import ALWAYS, Condition, Ids
from simdes.fhir.search.parse import parse


@lru_cache(maxsize=1024)
def allowed(scope: str, vaults: tuple[bytes, ...], person: str = "") -> Scopes:
    """What a scope string allows by type.

    ``vaults`` are the launch patient's, () for none; ``person`` is the reference (``Type/id``) to
    whoever signed in where the app was let know it, else "".
    """
    found: dict[str, list[Allowed]] = {}
    for one in smart.parse(scope).resources:
        if one.context == "patient" and not vaults:
            continue
        types = CATEGORY_OF_TYPE if one.type == smart.EVERY_TYPE else (one.type,)
        for type_ in types:
            condition = _condition(type_, one.constraint)
            if condition is None:
                continue
            found.setdefault(type_, []).append(
                Allowed(
                    interactions=frozenset(Interaction(letter) for letter in one.interactions),
                    vaults=vaults if one.context == "patient" else None,
                    where=condition,
                )
            )
    if person:
        type_, _, logical_id = person.partition("/")
        themselves = Allowed(interactions=frozenset((Interaction.READ,)), where=Ids((logical_id,)))
        found.setdefault(type_, []).append(themselves)
    return Scopes({type_: tuple(its) for type_, its in found.items()})


def _condition(type_: str, constraint: tuple[tuple[str, str], ...]) -> Condition | None:
    """None where the constraint makes no sense for the type: then nothing is allowed of it."""
    if not constraint:
        return ALWAYS
    try:
        return parse((type_,), constraint, now_ms=0).where
    except Invalid:
        return None
