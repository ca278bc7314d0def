"""The insurer pays what it decided, or takes it back; the ledger first, money after it.

What is needed for it was kept with the decision, so that it can be paid once nothing of the claim
can be read any more: a decision in part becomes final when the time for an appeal has passed, and
with it ends what was disclosed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simdes.claims.money import Money
from simdes.claims.remittance import Settled, reconciliation
from simdes.claims.responses import payment_of
from simdes.errors import Conflict, NotFound
from simdes.exchange.claims import proving, steps
from simdes.exchange.claims.cases import require_clerk
from simdes.exchange.claims.deciding import WHY
from simdes.exchange.claims.steps import BLIND_BYTES, Content, Planned, author_of, insurer, today
from simdes.exchange.interactions.drafts import Sent, check_valid
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.index import claims
from simdes.index.claims import Step
from simdes.ledger.contracts import Claim, ClaimState
from simdes.ledger.lane import Call
from simdes.proofs import claims as proofs
from simdes.proofs.claims import Amount, currency_element
from simdes.proofs.openings import number, octets

Json = dict[str, Any]

PAYMENT_SYSTEM: Final = "urn:simdes:payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What was paid: the PaymentReconciliation, and the ExplanationOfBenefit that names it."""

    amount: Money
    reconciliation: Json
    explanation: Json


def settle(node: Node, asking: Asking, claim: bytes) -> Payment:
    """Pay what was approved of a claim (its id on the ledger).

    Raises Conflict for what is not approved, or may still be appealed, NotFound for a claim that
    was not decided here.
    """
    row, known = _decided(node, asking, claim)
    if known.state not in (ClaimState.APPROVED, ClaimState.PARTLY):
        raise Conflict(WHY[known.state])
    if known.state is ClaimState.PARTLY and not known.is_final(node.now_seconds()):
        raise Conflict(
            "The decision can still be appealed.",
            advice="It can be paid once the provider accepts it, or the time has passed.",
        )
    kept = steps.content_of(node, row)
    upper = Amount(
        claim=number(claim),
        amount=kept.amount,
        currency=currency_element(kept.currency),
        blind=number(kept.blind),
    )
    blind = int.from_bytes(node.random(BLIND_BYTES), "big")
    signals = proofs.settle(upper, replace(upper, blind=blind))
    payment = _payment(node, [loads(one) for one in kept.made], kept, blind)
    made = [payment.reconciliation, payment.explanation]
    check_valid([Sent(one) for one in made])
    content = Content(
        made=steps.packed(made), amount=kept.amount, currency=kept.currency, blind=octets(blind)
    )
    contract = node.contracts.claims
    _step(
        node, asking, row, "settle", signals["lower"], content,
        lambda: contract.settle(
            number(claim),
            signals["lower"],
            whole=bool(signals["whole"]),
            proof=proving.prove(node, "settle", signals),
        ),
    )  # fmt: skip
    return payment


def _decided(node: Node, asking: Asking, claim: bytes) -> tuple[Step, Claim]:
    require_clerk(node, asking)
    with node.database.read() as tx:
        rows = claims.steps(tx, claim=claim, verb="adjudicate")
    if not rows:
        raise NotFound("No such claim was decided here.")
    return rows[-1], node.contracts.claims.claim(number(claim))


def _payment(node: Node, decided: Sequence[Json], kept: Content, blind: int) -> Payment:
    before = next(one for one in decided if one["resourceType"] == "ExplanationOfBenefit")
    day = today(node)
    paid_by = {"system": PAYMENT_SYSTEM, "value": node.new_id()}
    amount = Money(kept.amount, kept.currency)
    told = before | {
        "extension": [steps.blind_said(blind)],
        "payment": payment_of(amount, day=day, identifier=paid_by),
    }
    settled = Settled(
        id=node.new_id(),
        number=paid_by,
        day=day,
        insurer=insurer(node),
        provider=before["provider"],
        currency=kept.currency,
        benefits=[told],
    )
    return Payment(amount=amount, reconciliation=reconciliation(settled), explanation=told)


def reverse(node: Node, asking: Asking, claim: bytes) -> None:
    """Take an approval or payment back; the claim ends.

    Raises Conflict where nothing is approved or paid, NotFound as `settle`.
    """
    row, known = _decided(node, asking, claim)
    if known.state not in (ClaimState.APPROVED, ClaimState.PARTLY, ClaimState.PAID):
        raise Conflict(WHY[known.state])
    contract = node.contracts.claims
    _step(
        node, asking, row, "reverse", 0, Content(made=[]),
        lambda: contract.reverse(number(claim)),
    )  # fmt: skip


def _step(
    node: Node,
    asking: Asking,
    row: Step,
    verb: str,
    expects: int,
    content: Content,
    call: Callable[[], Call],
) -> None:
    steps.carry_out(
        node,
        Planned(
            claim=number(row.claim),
            tag=number(row.tag),
            vault=row.vault,
            resource=row.resource,
            encounter="",
            other=row.other,
            verb=verb,
            expects=expects,
            content=content,
            call=call,
        ),
        author_of(asking),
    )
