"""The pharmacist's checks of a prescription (paper: Fig. 4), pure: an order and a record in,
findings out.

What is checked and what is not: docs/prescriptions/checks.md. The checks help a person who knows
the patient; finding nothing means that these rules found nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.checks import knowledge
from simdes.fhir.checks.allergies import check_allergies
from simdes.fhir.checks.combining import check_duplicates, check_interactions
from simdes.fhir.checks.doses import check_doses
from simdes.fhir.checks.finding import (
    CHECK_SYSTEM,
    Finding,
    Kind,
    Override,
    Severity,
    Text,
    detected_issue,
    not_checked,
    ordered,
)
from simdes.fhir.checks.knowledge import Drug, Interactions, Known
from simdes.fhir.checks.record import Record, gather
from simdes.fhir.checks.states import check_states

__all__ = [
    "CHECK_SYSTEM",
    "Drug",
    "Finding",
    "Interactions",
    "Kind",
    "Known",
    "Override",
    "Severity",
    "Text",
    "check",
    "detected_issue",
]

Resource = dict[str, Any]


def check(
    order: Resource,
    record: Iterable[Resource],
    *,
    today: date,
    together: Iterable[Resource] = (),
    interactions: Interactions | None = None,
) -> tuple[Finding, ...]:
    """What to look at before ``order``, a MedicationRequest, is signed or dispensed.

    ``record`` is all that is known of its patient, in any order: allergies, problems, drugs,
    observations, the Patient, Medications that others refer to; odd resources count as far as they
    can be read. ``together`` are other orders of the same moment, whatever their status.
    ``interactions`` is the source to ask; the shipped table without one. Gravest first, then what
    was not checked. Raises `Invalid` for an order that is no MedicationRequest.
    """
    if not isinstance(order, dict) or order.get("resourceType") != "MedicationRequest":
        raise Invalid("The order is no MedicationRequest.")
    tables = knowledge.tables()
    also = [one | {"status": "active"} for one in together if isinstance(one, dict)]
    gathered = gather(tables, order, [*record, *also], today=today)
    source = knowledge.interactions() if interactions is None else interactions
    found = [
        *_unknown(gathered),
        *check_allergies(tables, gathered),
        *check_duplicates(tables, gathered),
        *check_interactions(source, gathered),
        *check_states(tables, gathered, today=today),
        *check_doses(tables, order, gathered, today=today),
    ]
    return ordered(found)


def _unknown(record: Record) -> Iterator[Finding]:
    """Say it first where the ordered drug itself is not known."""
    drug = record.ordered
    if not drug.is_known:
        yield not_checked(
            "drug",
            f"This drug is not known here; compared by code and name alone: {drug.name[:50]}",
            f"Médicament inconnu ici ; comparé par code et nom seulement : {drug.name[:50]}",
            grave=True,
        )
    elif not drug.is_whole:
        yield not_checked(
            "drug-in-part",
            f"Not every ingredient is known here, the others were not checked: {drug.name[:50]}",
            f"Certains composants sont inconnus ici et non vérifiés : {drug.name[:50]}",
            grave=True,
        )
