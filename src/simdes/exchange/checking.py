"""What can be told of a message before the database is asked: valid, whose, said when.

Everything that speaks against a message here or later is a refusal with a code, a reason without
patient data, and advice; the message itself goes to quarantine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simdes.errors import SimdesError
from simdes.exchange.patients import Merge, Part, Parts, parts_of
from simdes.exchange.precedence import Moment, moment_of
from simdes.fhir.validate import validate
from simdes.index.vaults import ORGANISATION, Identifier
from simdes.mapper import Mapped, Mapping, Quarantined

REPLAY = "Correct the message, or the mapping, and replay it."


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that passed every check that needs no database.

    ``kind`` is the format it came in, ``moment`` when its sender said it.
    """

    name: str
    kind: str
    message: Mapped
    parts: tuple[Part, ...]
    merges: tuple[Merge, ...]
    moment: Moment

    @property
    def resources(self) -> int:
        """How many resources it has, for all its patients."""
        return sum(len(part.resources) for part in self.parts)


def check_message(mapping: Mapping, message: Mapped) -> Ready | Quarantined:
    """Validate a message's Bundle and take it apart by its patients."""
    errors = [problem for problem in validate(message.bundle) if problem.severity == "error"]
    if errors:
        where = "; ".join(f"{one.expression}: {one.message}" for one in errors[:3])
        return refusal(message, "not-valid-r4", f"{len(errors)} errors, first {where}")
    try:
        found = parts_of(message.bundle, message.patient_identifiers, facility=message.facility)
    except SimdesError as error:
        return refusal(message, "unusable", error.message, error.advice)
    if not message.is_nobodys and any(one.is_reserved for one in _identifiers(found)):
        return refusal(
            message,
            "reserved-identifier",
            "The message gives a patient an identifier that only organisations have.",
            f"Find out who sends identifiers of the system {ORGANISATION}.",
        )
    if not all(part.identifiers for part in found.parts):
        return refusal(
            message,
            "no-patient-identifier",
            "The message names no patient by an identifier.",
            "Send the patient's identifier (PID-3, or Patient.identifier) and replay it.",
        )
    return Ready(
        mapping.name, mapping.kind, message, found.parts, found.merges, moment_of(message.bundle)
    )


def _identifiers(found: Parts) -> Iterator[Identifier]:
    for part in found.parts:
        yield from part.identifiers
    for merge in found.merges:
        yield from (*merge.survivor, *merge.prior)


def refusal(message: Mapped, code: str, reason: str, advice: str = REPLAY) -> Quarantined:
    """Why a message is kept in quarantine."""
    return Quarantined(
        index=message.index, reason_code=code, reason=reason, advice=advice, source=message.source
    )
