"""What a doctor or nurse may do with a record here, and why not what they may not."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.exchange.prescriptions.stating import prescribes
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.languages import mark as _

NO_PRESCRIBING = _("Nurses don't prescribe at this hospital; ask a doctor.")
NO_ISSUING = _("This organisation issues no prescriptions; only hospitals do.")


@dataclass(frozen=True, slots=True)
class Limits:
    """Whether somebody prescribes here; ``why_not`` says in words why not, "" where they do."""

    prescribes: bool
    why_not: str = ""


def limits(asked: Asked) -> Limits:
    """The limits of the signed-in person."""
    if prescribes(asked.node, asked.visit.session.actor.role):
        return Limits(prescribes=True)
    issues = asked.node.rules.issues
    return Limits(prescribes=False, why_not=NO_PRESCRIBING if issues else NO_ISSUING)
