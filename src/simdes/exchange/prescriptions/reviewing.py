"""The record that a pharmacist sees beside a prescription, and what the checks find in it.

Allergies, conditions, medication in use: what the consent opens, whoever wrote it. What could not
be looked through is said; nothing found means that nothing was found in what was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from simdes.access.rights import Interaction
from simdes.exchange.interactions.search import MOST, find
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.rights import Asking
from simdes.fhir.checks import Finding, check
from simdes.fhir.json import loads
from simdes.fhir.search.conditions import Query

Json = dict[str, Any]

TYPES: Final = (
    "Patient",
    "AllergyIntolerance",
    "Condition",
    "Medication",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
)


@dataclass(frozen=True, slots=True)
class Review:
    """The record as far as it may be seen, what was found in it, what was not looked through."""

    record: tuple[Json, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def review(node: Node, asking: Asking, held: Held) -> Review:
    """Check a prescription against the record of its patient."""
    types = tuple(one for one in TYPES if asking.rights.scopes(Interaction.SEARCH, one))
    asking, unreached = holding.reached(node, asking, (held.vault,))
    page = find(
        node,
        asking,
        Query(types=types, count=MOST, used=(("review", held.opening.request),)),
        vaults=(held.vault,),
    )
    record = tuple(loads(one.content) for one in page.matches)
    others = [one for one in record if not _is_of(one, held)]
    today = holding.day(holding.today_of(node))
    warnings = tuple(dict.fromkeys((*unreached, *page.warnings)))
    if page.next:
        warnings = (*warnings, "The record is longer than what was looked through.")
    return Review(record, check(held.request, others, today=today), warnings)


def _is_of(resource: Json, held: Held) -> bool:
    """Whether it is this prescription itself, or what was dispensed of it."""
    name = f"{resource['resourceType']}/{resource.get('id')}"
    authorised = resource.get("authorizingPrescription") or ()
    return name == held.opening.request or any(
        one.get("reference") == held.opening.request for one in authorised
    )
