"""A prescriber's order, checked against the record before it is signed (paper, Fig. 4).

The checks are the pharmacist's. What they find gravely needs a reason, which is written beside the
order as the mitigation of a DetectedIssue; so the pharmacist reads that it was thought of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simdes.errors import Forbidden, Invalid
from simdes.exchange import charting
from simdes.exchange.attempting import Trying, attempting
from simdes.exchange.interactions.search import MOST, find
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding
from simdes.exchange.prescriptions.reviewing import TYPES
from simdes.exchange.prescriptions.stating import prescribes
from simdes.exchange.rights import Asking
from simdes.fhir.checks import Finding, Override, check, detected_issue
from simdes.fhir.json import loads
from simdes.fhir.prescribing import terms_of
from simdes.fhir.search.conditions import Query
from simdes.ledger.consents import Reason

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks found in an order, gravest first, and what could not be looked through."""

    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]

    @property
    def needs_reason(self) -> bool:
        """Whether nobody signs it without saying why."""
        return any(one.needs_reason for one in self.findings)


def checked(node: Node, asking: Asking, order: Json, *, vault: bytes) -> Checked:
    """Check an order against what its prescriber may see of the record.

    Raises Forbidden for who does not prescribe here, Invalid for what can't be dispensed from.
    """
    _require_prescriber(node, asking, order)
    today = holding.day(holding.today_of(node))
    terms_of(order, today=holding.today_of(node), valid_days=node.rules.valid_days)
    query = Query(types=TYPES, count=MOST, used=(("prescribe", str(order["subject"])),))
    page = find(node, asking, query, vaults=(vault,))
    record = [loads(one.content) for one in page.matches]
    warnings = tuple(dict.fromkeys(page.warnings))
    if page.next:
        warnings = (*warnings, "The record is longer than what was looked through.")
    return Checked(check(order, record, today=today), warnings)


def sign(
    node: Node, asking: Asking, order: Mapping[str, Any], found: Checked, *, reason: str, form: str
) -> None:
    """Write the order, with the issues that its prescriber decided over; once for each form.

    Raises Invalid where a grave finding has no reason, Forbidden for a controlled substance without
    a sign-in within five minutes.
    """
    if found.needs_reason and not reason:
        raise Invalid("The checks found something grave: say why you prescribe it all the same.")
    override = Override(
        author=charting.author(node, asking)["reference"],
        date=charting.now(node),
        reason=reason,
    )
    issues = [
        detected_issue(
            one,
            order="urn:uuid:order",
            patient=order["subject"],
            identified=charting.now(node),
            override=override,
        )
        for one in found.findings
        if one.needs_reason
    ]
    charting.write(
        node, asking, [("urn:uuid:order", order), *(("", one) for one in issues)], form=form
    )


def _require_prescriber(node: Node, asking: Asking, order: Json) -> None:
    with attempting(node, asking, Trying("create", "MedicationRequest", sent=order)):
        if not prescribes(node, asking.session.actor.role):
            raise Forbidden(
                "Only who prescribes at a hospital signs a prescription.",
                reason=Reason.WRONG_ROLE.name,
            )
