"""The provider's side: a claim opens by itself once the cost is stated, at whose turn it is.

Nobody has to ask: every round opens what stands in the forest of costs and is not claimed, at the
next insurer of the order once those before it have decided for good; `advancing` does the rest.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from simdes.access.categories import CLAIM_CODE, DOCUMENT_SYSTEM, labels_of
from simdes.claims.claimed import claimed_of
from simdes.errors import SimdesError
from simdes.exchange.claims import advancing, appealing, freeing, proving, stating, steps
from simdes.exchange.claims.answers import Answered, answered
from simdes.exchange.claims.billing import Bill, bills, own
from simdes.exchange.claims.steps import Content, Planned
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records
from simdes.exchange.provenance import instant, security_of
from simdes.index import claims
from simdes.index.claims import Cost
from simdes.ledger.contracts import Claim, ClaimState, ProvenClaim
from simdes.proofs import claims as proofs
from simdes.proofs.claim_openings import ClaimOpening, encode
from simdes.proofs.claims import Total, salt_of, total_salt
from simdes.proofs.openings import number, octets
from simdes.proofs.trees import BATCH_DEPTH, Place, Tree

Json = dict[str, Any]

OPENING_TYPE: Final = "application/vnd.simdes.claim-opening"
_log = structlog.get_logger("simdes.claims")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What one round did."""

    stated: int = 0
    opened: int = 0
    offered: int = 0
    disclosed: int = 0
    ended: int = 0


def work(node: Node) -> Worked:
    """Do one round for a provider; again changes nothing."""
    if not node.claims.opens:
        return Worked()
    stated = stating.work(node)
    steps.settle(node)
    with node.database.read() as tx:
        running = claims.running(tx)
    told = [advancing.advance(node, one) for one in running]
    with node.database.read() as tx:
        waiting = claims.waiting(tx)
    return Worked(
        stated=stated,
        opened=sum(_open_next(node, one) for one in waiting),
        offered=told.count(advancing.OFFERED),
        disclosed=told.count(advancing.DISCLOSED),
        ended=told.count(advancing.ENDED),
    )


# Opening --------------------------------------------------------------------------------------


def _open_next(node: Node, cost: Cost) -> int:
    """Open the claim at the insurer whose turn it is; one that can't be opened now waits on."""
    try:
        done = _open(node, cost)
    except SimdesError as error:  # a Conflict, too, where another worker of ours moved the total
        _log.warning("claim waits", issue=error.issue, kind=type(error).__name__)
        return 0
    node.database.write(lambda tx: claims.wait(tx, cost.vault, cost.encounter, waits=False))
    return int(done)


def _open(node: Node, cost: Cost) -> bool:
    with node.database.read() as tx:
        found = [one for one in bills(node, own(node, tx, cost.vault)) if one.key == cost.encounter]
        home = records.home_of(node, tx, cost.vault)
    if not found:
        return False
    bill, kept = found[0], stating.opened(home.key, cost)
    if (kept.cost, kept.currency) != (bill.cost.minor, bill.cost.currency):
        return False  # it changed since: stated anew, it comes again
    turn = _turn(node, cost, bill)
    if turn is None:
        return False
    stating.enrol(node)
    steps.carry_out(node, _planned(node, cost, kept, bill, turn), records.software(node))
    return True


@dataclass(frozen=True, slots=True)
class _Turn:
    """Whose turn it is: a place in the order of insurers; what those before it paid."""

    at: int
    before: Mapping[int, Answered]


def _turn(node: Node, cost: Cost, bill: Bill) -> _Turn | None:
    """The first insurer that was not asked, once those before it have decided for good.

    A claim that was reversed is asked anew where the cost changed since, else by a person's word.
    """
    with node.database.read() as tx:
        done = [
            one
            for one in claims.of_vault(tx, cost.vault, "open")
            if one.encounter == cost.encounter
        ]
    last = {one.other: one for one in done}
    before: dict[int, Answered] = {}
    for at, payer in enumerate(bill.payers):
        if payer in bill.payers[:at]:
            continue  # it has one claim of an encounter, and knows its own Coverages
        step = last.get(payer)
        if step is None:
            return _Turn(at, before)
        claim = node.contracts.claims.claim(number(step.claim))
        if claim.state is ClaimState.REVERSED:
            content = steps.content_of(node, step)
            newer = content.total is None or content.total[1] < cost.version
            return _Turn(at, before) if newer and not claim.counted else None
        if not _is_decided(node, claim) or not freeing.is_freed(node, step, claim):
            return None
        if claim.counted:
            answer = answered(node, step, claim.counted)
            if answer is None:
                return None
            before[at] = answer
    return None


def _is_decided(node: Node, claim: Claim) -> bool:
    return claim.state is ClaimState.PAID or claim.is_final(node.now_seconds())


def _planned(node: Node, cost: Cost, kept: stating.Kept, bill: Bill, turn: _Turn) -> Planned:
    contract, secret = node.contracts.claims, proving.secret_of(node)
    stated = stating.stated(node, kept, cost.version)
    tag = stated.tag(contract.context())
    at = turn.at
    payer = bill.payers[at]
    identity = contract.next_id(tag, payer)
    claim = bill.claim(node, at, turn.before)
    amounts = [one.net for one in claimed_of(claim).lines]
    nonce, essence = node.random(32), proving.essence_of(claim)
    before = freeing.total_of(node, tag, currency=stated.currency)
    salt_after = total_salt(secret, claim=identity, step=0)
    signals = proofs.claim(
        stated,
        amounts,
        before,
        _place(node, cost),
        identity=identity,
        root=_root(node, cost),
        context=contract.context(),
        claim_salt=salt_of("claim", nonce, essence),
        salt_after=salt_after,
    )
    opening = ClaimOpening(
        chain=node.contracts.ledger.chain_id(),
        contract=node.contracts.addresses.claims,
        provider=node.organisation,
        payer=payer,
        tag=octets(tag),
        claim=octets(identity),
        system=kept.system,
        value=kept.value,
        version=cost.version,
        currency=kept.currency,
        lines=tuple(amounts),
        nonce=nonce,
        essence=essence,
    )
    made = [document(node, opening, claim)]
    if bill.document["resourceType"] != "Claim":
        made.insert(0, claim)
    after = Total(sum=before.sum + sum(amounts), version=cost.version, salt=salt_after)
    return Planned(
        claim=identity,
        tag=tag,
        vault=cost.vault,
        resource=str(claim["id"]),
        encounter=cost.encounter,
        other=payer,
        verb="open",
        expects=signals["claimed"],
        content=Content(
            made=steps.packed(made),
            amount=sum(amounts),
            currency=kept.currency,
            blind=octets(opening.claimed.blind),
            total=(after.sum, after.version, octets(after.salt)),
            coverage=str(bill.coverages[at]["id"]),
        ),
        call=lambda: contract.open(_proven(node, identity, tag, payer, signals)),
    )


def _proven(
    node: Node, identity: int, tag: int, payer: bytes, signals: Mapping[str, Any]
) -> ProvenClaim:
    return ProvenClaim(
        root=signals["root"],
        tag=tag,
        payer=payer,
        before=signals["before"],
        after=signals["after"],
        claimed=signals["claimed"],
        voice=appealing.voice(node, identity),
        proof=proving.prove(node, "claim", signals),
    )


def _tree(node: Node, cost: Cost) -> tuple[Tree, int]:
    assert cost.batch is not None  # noqa: S101 (issued)
    assert cost.place is not None  # noqa: S101
    with node.database.read() as tx:
        batch = claims.batch(tx, cost.batch)
    assert batch is not None  # noqa: S101
    leaves = [number(batch.leaves[at : at + 32]) for at in range(0, len(batch.leaves), 32)]
    return Tree(BATCH_DEPTH, leaves), cost.place


def _place(node: Node, cost: Cost) -> Place:
    tree, index = _tree(node, cost)
    standing = node.costs.standing(node.contracts, issuer=node.organisation, batch_root=tree.root)
    return Place(
        batch_index=index,
        batch_siblings=tuple(tree.siblings(index)),
        forest_index=standing.index,
        forest_siblings=standing.siblings,
    )


def _root(node: Node, cost: Cost) -> int:
    tree, _ = _tree(node, cost)
    return node.costs.standing(node.contracts, issuer=node.organisation, batch_root=tree.root).root


def document(node: Node, opening: ClaimOpening, claim: Mapping[str, Any]) -> Json:
    """The opening as a DocumentReference, which goes to the insurer with what is disclosed."""
    return {
        "resourceType": "DocumentReference",
        "id": node.new_id(),
        **security_of(labels_of(claim)),
        "status": "current",
        "type": {"text": "Claim, as it stands on the ledger"},
        "category": [{"coding": [{"system": DOCUMENT_SYSTEM, "code": CLAIM_CODE}]}],
        "subject": claim["patient"],
        "date": instant(node.now_ms()),
        "content": [
            {
                "attachment": {
                    "contentType": OPENING_TYPE,
                    "data": b64encode(encode(opening)).decode(),
                }
            }
        ],
        "context": {"related": [{"reference": f"Claim/{claim['id']}"}]},
    }
