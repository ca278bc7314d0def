"""Trying a plan: what it says of claims in files (X12 837, FHIR), and the remittance it would be.

Nothing is stored, sent or paid: an insurer tries its tables on claims of before, and a provider
sees what a declared plan would leave to the patient. No network, no database, no keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from simdes.claims.claimed import claimed_of
from simdes.claims.engine import Member, Proposal, Used, propose
from simdes.claims.plan import Plan
from simdes.claims.reading import day_of, reference_of
from simdes.claims.remittance import Settled, reconciliation, unbalanced
from simdes.claims.responses import (
    Answer,
    claim_response,
    explanation_of_benefit,
    outcome_of,
)
from simdes.errors import Invalid, NotFound
from simdes.mapper.x12.compose import Envelope
from simdes.mapper.x12.write_remittance import remittance

Json = dict[str, Any]

_SYSTEM: Final = "urn:simdes:trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a plan says of one Claim, and the answers that it would give."""

    claim: Json
    proposal: Proposal
    response: Json
    benefit: Json


def try_plan(plan: Plan, bundles: Sequence[Mapping[str, Any]], *, received: date) -> list[Tried]:
    """Every Claim of these Bundles under a plan, in order: what one uses up the next lacks.

    The cover of each is its Coverage's period. Raises NotFound without a Claim, Invalid for one
    that can't be decided.
    """
    found: list[Tried] = []
    used: dict[str, Used] = {}
    for bundle in bundles:
        every = [one["resource"] for one in bundle.get("entry") or ()]
        coverages = {
            reference: one
            for entry in bundle.get("entry") or ()
            if (one := entry["resource"])["resourceType"] == "Coverage"
            for reference in (str(entry.get("fullUrl", "")), f"Coverage/{one.get('id')}")
        }
        for claim in (one for one in every if one["resourceType"] == "Claim"):
            named = _coverage(claim)
            member = _member(coverages.get(named, {}), used.get(named, Used()))
            tried = _try(plan, claim, member, received, number=len(found) + 1)
            used[named] = tried.proposal.used
            found.append(tried)
    if not found:
        raise NotFound("There is no claim in these files.")
    return found


def _coverage(claim: Json) -> str:
    focal = [one for one in claim.get("insurance") or () if one.get("focal") is True]
    return reference_of(focal[0].get("coverage")) if focal else ""


def _member(coverage: Json, used: Used) -> Member:
    period = coverage.get("period") or {}
    return Member(
        first=day_of(period.get("start")), last=day_of(period.get("end"), last=True), used=used
    )


def _try(plan: Plan, claim: Json, member: Member, received: date, *, number: int) -> Tried:
    numbered: Json = {"id": f"claim-{number}"}
    claim = numbered | claim
    proposal = propose(plan, claimed_of(claim), member, received=received)
    answer = Answer(
        claim=claim,
        proposal=proposal,
        outcome=outcome_of(proposal),
        insurer=claim.get("insurer") or {"display": plan.name},
        created=received,
        identifier={"system": _SYSTEM, "value": str(number)},
    )
    response = claim_response(answer, id_=f"response-{number}")
    benefit = explanation_of_benefit(answer, id_=f"benefit-{number}", response=response["id"])
    return Tried(claim=claim, proposal=proposal, response=response, benefit=benefit)


def remit(
    tried: Sequence[Tried],
    bundles: Sequence[Mapping[str, Any]],
    *,
    now_seconds: int,
    sender: str,
    receiver: str,
) -> bytes:
    """The 835 that would go to the provider of these claims, marked as a test, in balance.

    Raises Invalid for claims of several providers: each gets a remittance of its own.
    """
    providers = {reference_of(one.claim["provider"]) for one in tried}
    if len(providers) != 1:
        raise Invalid("These claims are of several providers; try them one provider at a time.")
    now = datetime.fromtimestamp(now_seconds, UTC)
    payment = reconciliation(
        Settled(
            id="payment",
            number={"system": _SYSTEM, "value": f"{now_seconds}"},
            day=now.date(),
            insurer=tried[0].response["insurer"],
            provider=tried[0].claim["provider"],
            currency=tried[0].proposal.currency,
            benefits=[one.benefit for one in tried],
        )
    )
    if wrong := unbalanced(payment, [one.benefit for one in tried]):
        raise Invalid(f"The remittance is not in balance: {wrong[0]}")
    made = [payment, *(one.benefit for one in tried)]
    entries = [{"fullUrl": f"{one['resourceType']}/{one['id']}", "resource": one} for one in made]
    known = [one for bundle in bundles for one in bundle.get("entry") or ()]
    envelope = Envelope.at(now, sender=sender, receiver=receiver, usage="T")
    return remittance({"entry": [*entries, *known]}, envelope)
