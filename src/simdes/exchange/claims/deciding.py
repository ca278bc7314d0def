"""The insurer decides: the plan proposes, a person has the last word, the ledger checks.

A decision is proved to be within what was claimed; once the ledger has it, ClaimResponse and
ExplanationOfBenefit are in the patient's record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from simdes.claims.claimed import Claimed, claimed_of
from simdes.claims.engine import (
    Decided,
    Member,
    Proposal,
    Used,
    amended,
    decided_as,
    denied,
    propose,
)
from simdes.claims.plan import Plan
from simdes.claims.reading import coded, day_of, first_code
from simdes.claims.reasons import Group
from simdes.claims.responses import (
    Answer,
    Outcome,
    claim_response,
    explanation_of_benefit,
    outcome_of,
)
from simdes.decoding import ready
from simdes.errors import Conflict, Invalid
from simdes.exchange.claims import proving, steps
from simdes.exchange.claims.cases import Case, receive, require_clerk
from simdes.exchange.claims.steps import BLIND_BYTES, Content, Planned, author_of, insurer, today
from simdes.exchange.interactions.drafts import Sent, check_valid
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.index import claims
from simdes.index.claims import Step
from simdes.ledger.contracts import ClaimState
from simdes.ledger.contracts import Outcome as Verdict
from simdes.ledger.lane import Call
from simdes.proofs import claims as proofs
from simdes.proofs.claims import Amount
from simdes.proofs.openings import number, octets

Json = dict[str, Any]

ADJUDICATION_SYSTEM: Final = "urn:simdes:adjudication"
DECIDABLE: Final = (ClaimState.RECEIVED, ClaimState.APPEALED)
WHY: Final[Mapping[ClaimState, str]] = {
    ClaimState.OPENED: "The claim waits for its disclosure.",
    ClaimState.DISCLOSED: "The claim is to be received first.",
    ClaimState.RECEIVED: "The claim is to be decided first.",
    ClaimState.ASKED: "More was asked for; the claim waits for it.",
    ClaimState.APPROVED: "The claim is approved.",
    ClaimState.PARTLY: "The claim is approved in part.",
    ClaimState.DENIED: "The claim is denied.",
    ClaimState.APPEALED: "The claim is appealed; it is to be decided again.",
    ClaimState.PAID: "The claim is paid.",
    ClaimState.REVERSED: "The claim was reversed.",
    ClaimState.NONE: "The ledger knows no such claim.",
}
"""Why nothing else can be done with a claim now, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a person decides of a line otherwise than proposed; ``benefit`` in minor units."""

    sequence: int
    benefit: int
    group: Group
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What the plan of the Coverage says of a claim, and what it was reckoned with."""

    plan: Plan
    claimed: Claimed
    member: Member
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided: the lines, and how FHIR says it."""

    outcome: Outcome
    proposal: Proposal
    response: Json
    explanation: Json


# Proposing ------------------------------------------------------------------------------------


def proposed(node: Node, its: Case) -> Proposed:
    """What the plan of the Coverage says of a claim. Raises Invalid where the plan is unclear."""
    plan = node.claims.plan(_plan_of(its.coverage))
    claimed = claimed_of(its.claim)
    member = _member(node, its)
    proposal = propose(plan, claimed, member, received=today(node))
    return Proposed(plan=plan, claimed=claimed, member=member, proposal=proposal)


def _plan_of(coverage: Json) -> str:
    for one in coverage.get("class") or ():
        if first_code(one.get("type"))[1] == "plan":
            return str(one.get("value", ""))
    return ""


def _member(node: Node, its: Case) -> Member:
    """The insured: the Coverage's period, what decisions of this year used up, what was paid."""
    period = its.coverage.get("period") or {}
    coverage = str(its.coverage.get("id", ""))
    rows = _standing(node, its.vault, but=its.id)
    used = used_up(node, rows, lambda one: one == coverage)
    before: set[tuple[str, date]] = set()
    for row in rows:
        before |= set(_paid_services(map(loads, steps.content_of(node, row).made)))
    return Member(
        first=day_of(period.get("start")),
        last=day_of(period.get("end"), last=True),
        used=used,
        before=frozenset(before),
    )


def used_of(node: Node, vault: bytes, others: frozenset[str]) -> Used:
    """What decisions of this year used up in a vault, but for Coverages that are ``others``."""
    return used_up(node, _standing(node, vault), lambda one: one not in others)


def used_up(node: Node, rows: Iterable[Step], counts: Callable[[str], bool]) -> Used:
    """What decisions of this year used up, of the Coverages (their ids) that count."""
    used = Used()
    for row in rows:
        content = steps.content_of(node, row)
        year = datetime.fromtimestamp(row.created_ms / 1000, UTC).year
        if content.used and counts(content.coverage) and year == today(node).year:
            used = _added(used, msgspec.msgpack.decode(content.used, type=ready(Used)))
    return used


def _standing(node: Node, vault: bytes, *, but: bytes = b"") -> list[Step]:
    """The last decision of each claim of a patient, ``but`` one, that was not reversed."""
    with node.database.read() as tx:
        rows = claims.of_vault(tx, vault, "adjudicate")
    last = {row.claim: row for row in rows if row.claim != but}
    return [
        row
        for claim, row in last.items()
        if node.contracts.claims.claim(number(claim)).state is not ClaimState.REVERSED
    ]


def _paid_services(made: Iterable[Json]) -> Iterable[tuple[str, date]]:
    """Code and day of each line of a decision of which something is paid."""
    for one in made:
        for item in one.get("item") or () if one["resourceType"] == "ExplanationOfBenefit" else ():
            day = day_of(item.get("servicedDate"))
            paid = any(
                first_code(each["category"])[1] == "benefit" and each["amount"]["value"]
                for each in item["adjudication"]
            )
            if day is not None and paid:
                yield from ((code, day) for _, code in coded(item.get("productOrService")))


def _added(one: Used, other: Used) -> Used:
    names = one.amounts.keys() | other.amounts.keys()
    kinds = one.counts.keys() | other.counts.keys()
    return Used(
        deductible=one.deductible + other.deductible,
        share=one.share + other.share,
        amounts={each: one.amounts.get(each, 0) + other.amounts.get(each, 0) for each in names},
        counts={each: one.counts.get(each, 0) + other.counts.get(each, 0) for each in kinds},
    )


# Deciding -------------------------------------------------------------------------------------


def decide(
    node: Node,
    asking: Asking,
    its: Case,
    *,
    changes: Sequence[Change] = (),
    deny: tuple[Group, str] | None = None,
    note: str = "",
    dry_run: bool = False,
) -> Decision:
    """Decide a claim as the plan proposes, with what a person changes.

    ``deny``: nothing is paid, for one reason. ``dry_run``: say what would be. Raises Conflict where
    it can't be decided now, Invalid for a change that names no line or pays too much.
    """
    require_clerk(node, asking)
    its = its if dry_run else receive(node, asking, its)
    if its.known.state not in DECIDABLE and not dry_run:
        raise Conflict(WHY[its.known.state])
    basis = proposed(node, its)
    proposal = _as_decided(basis, changes, deny)
    outcome = outcome_of(proposal)
    blind = int.from_bytes(node.random(BLIND_BYTES), "big")
    answer = _answer(node, its, proposal, outcome, note)
    response = claim_response(answer, id_=node.new_id())
    if outcome is not Outcome.DENIED:
        response["extension"] = [steps.blind_said(blind)]
    explanation = explanation_of_benefit(answer, id_=node.new_id(), response=response["id"])
    check_valid([Sent(response), Sent(explanation)])
    decision = Decision(
        outcome=outcome, proposal=proposal, response=response, explanation=explanation
    )
    if not dry_run:
        _carry_out(node, asking, its, basis.member, decision, blind)
    return decision


def _as_decided(
    basis: Proposed, changes: Sequence[Change], deny: tuple[Group, str] | None
) -> Proposal:
    proposal = basis.proposal
    if deny is not None:
        proposal = denied(proposal, group=deny[0], reason=deny[1])
    by_line = {one.sequence: one for one in changes}
    if unknown := by_line.keys() - {one.sequence for one in proposal.lines}:
        raise Invalid(f"The claim has no line {min(unknown)}.")
    lines: list[Decided] = []
    for one in proposal.lines:
        change = by_line.get(one.sequence)
        lines.append(
            one
            if change is None
            else amended(one, benefit=change.benefit, group=change.group, reason=change.reason)
        )
    return decided_as(basis.plan, basis.claimed, proposal, lines, basis.member)


def _answer(node: Node, its: Case, proposal: Proposal, outcome: Outcome, note: str) -> Answer:
    return Answer(
        claim=its.claim,
        proposal=proposal,
        outcome=outcome,
        insurer=insurer(node),
        created=today(node),
        identifier={"system": ADJUDICATION_SYSTEM, "value": node.new_id()},
        note=note,
        order=next(
            (at for at, one in enumerate(its.claim["insurance"]) if one.get("focal") is True), 0
        ),
    )


def _carry_out(
    node: Node, asking: Asking, its: Case, member: Member, decision: Decision, blind: int
) -> None:
    contract, proposal = node.contracts.claims, decision.proposal
    content = Content(
        made=steps.packed([decision.response, decision.explanation]),
        amount=proposal.benefit,
        currency=proposal.currency,
        used=msgspec.msgpack.encode(_less(proposal.used, member.used)),
        coverage=str(its.coverage.get("id", "")),
    )
    reason = hashlib.sha256(node.random(32) + decision.outcome.value.encode()).digest()
    if decision.outcome is Outcome.DENIED:
        _step(
            node, asking, its, "adjudicate", 0, content,
            lambda: contract.adjudicate(its.number, Verdict.DENIED, reason=reason),
        )  # fmt: skip
        return
    claimed = its.opening.claimed
    approved = Amount(
        claim=its.number, amount=proposal.benefit, currency=claimed.currency, blind=blind
    )
    signals = proofs.settle(claimed, approved)
    verdict = Verdict.APPROVED if signals["whole"] else Verdict.PARTLY
    content = msgspec.structs.replace(content, blind=octets(blind))
    _step(
        node, asking, its, "adjudicate", signals["lower"], content,
        lambda: contract.adjudicate(
            its.number,
            verdict,
            approved=signals["lower"],
            reason=reason,
            proof=proving.prove(node, "settle", signals),
        ),
    )  # fmt: skip


def _less(after: Used, before: Used) -> Used:
    """What a decision used up by itself."""
    return Used(
        deductible=after.deductible - before.deductible,
        share=after.share - before.share,
        amounts={one: each - before.amounts.get(one, 0) for one, each in after.amounts.items()},
        counts={one: each - before.counts.get(one, 0) for one, each in after.counts.items()},
    )


def _step(
    node: Node,
    asking: Asking,
    its: Case,
    verb: str,
    expects: int,
    content: Content,
    call: Callable[[], Call],
) -> None:
    steps.carry_out(
        node,
        Planned(
            claim=its.number,
            tag=number(its.opening.tag),
            vault=its.vault,
            resource=str(its.claim["id"]),
            encounter="",
            other=its.opening.provider,
            verb=verb,
            expects=expects,
            content=content,
            call=call,
        ),
        author_of(asking),
    )


def ask(node: Node, asking: Asking, its: Case, missing: Sequence[str]) -> Json:
    """Ask the provider for more: a ClaimResponse that is queued and says what is missing.

    Raises Conflict where it can't be asked now.
    """
    require_clerk(node, asking)
    its = receive(node, asking, its)
    if its.known.state not in DECIDABLE:
        raise Conflict(WHY[its.known.state])
    answer = _answer(node, its, proposed(node, its).proposal, Outcome.MORE, "")
    response = claim_response(replace(answer, missing=tuple(missing)), id_=node.new_id())
    check_valid([Sent(response)])
    content = Content(made=steps.packed([response]))
    _step(node, asking, its, "ask", 0, content, lambda: node.contracts.claims.ask(its.number))
    return response
