"""What a claim counts in its encounter's total, and giving back what of it will not be paid.

So the next insurer can be asked for the rest, or the encounter be claimed again. Proved like
everything else: the total falls by what is not paid and by nothing more.
"""

from __future__ import annotations

from simdes.errors import Conflict
from simdes.exchange.claims import proving, steps
from simdes.exchange.claims.answers import answered
from simdes.exchange.claims.steps import Content, Planned
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records
from simdes.index import claims
from simdes.index.claims import Step
from simdes.ledger.contracts import Claim, ClaimState
from simdes.proofs import claims as proofs
from simdes.proofs.claims import NOTHING, Amount, Total, currency_element, total_salt
from simdes.proofs.openings import number, octets


def total_of(node: Node, tag: int, *, currency: int) -> Total:
    """What is claimed of an encounter in all: of the totals that we left, the ledger's.

    Raises Conflict where the ledger has one that we never made: the database is older than it.
    """
    commitment = node.contracts.claims.total(tag)
    if not commitment:
        return NOTHING
    with node.database.read() as tx:
        done = claims.steps(tx, tag=tag.to_bytes(32, "big"))
    for row in reversed(done):
        kept = steps.content_of(node, row).total
        if kept is not None:
            total = Total(sum=kept[0], version=kept[1], salt=number(kept[2]))
            if total.commitment(tag=tag, currency=currency) == commitment:
                return total
    raise Conflict("The ledger knows a total of this encounter that is not known here.")


def is_freed(node: Node, step: Step, claim: Claim) -> bool:
    """Whether a claim counts no more than is or will be paid of it."""
    kept = claim.paid if claim.state is ClaimState.PAID else claim.approved
    if claim.state in (ClaimState.REVERSED, ClaimState.DENIED):
        kept = 0
    if claim.counted == kept:
        return True
    counted = _counted(node, step)
    answer = answered(node, step, kept) if kept else None
    return answer is not None and answer.amount.amount == counted.amount


def _counted(node: Node, step: Step) -> Amount:
    """What a claim counts now: what was claimed, or what was left of it the last time."""
    with node.database.read() as tx:
        freed = claims.steps(tx, claim=step.claim, verb="free")
    content = steps.content_of(node, freed[-1] if freed else step)
    return Amount(
        claim=number(step.claim),
        amount=content.amount,
        currency=currency_element(content.currency),
        blind=number(content.blind),
    )


def free(node: Node, step: Step, claim: Claim) -> bool:
    """Give back what will not be paid; False where nothing can be now.

    What is left has to be known for it: without a consent for the insurer's answers it is not.
    """
    commitment = node.contracts.claims.kept(number(step.claim))
    kept: Amount | None = None
    if commitment:
        answer = answered(node, step, commitment)
        if answer is None:
            return False
        kept = answer.amount
    counted = _counted(node, step)
    if kept is not None and kept.amount == counted.amount:
        return False
    with node.database.read() as tx:
        again = len(claims.steps(tx, claim=step.claim, verb="free"))
    tag = number(step.tag)
    before = total_of(node, tag, currency=counted.currency)
    salt = total_salt(proving.secret_of(node), claim=number(step.claim), step=again + 1)
    signals, after = proofs.free(counted, kept, before, tag=tag, salt_after=salt)
    contract = node.contracts.claims
    content = Content(
        made=[],
        amount=0 if kept is None else kept.amount,
        currency=steps.content_of(node, step).currency,
        blind=b"" if kept is None else octets(kept.blind),
        total=(after.sum, after.version, octets(after.salt)),
    )
    steps.carry_out(
        node,
        Planned(
            claim=number(step.claim),
            tag=tag,
            vault=step.vault,
            resource=step.resource,
            encounter=step.encounter,
            other=step.other,
            verb="free",
            expects=signals["kept"],
            content=content,
            call=lambda: contract.free(
                number(step.claim),
                before=signals["before"],
                after=signals["after"],
                proof=proving.prove(node, "free", signals),
            ),
        ),
        records.software(node),
    )
    return True
