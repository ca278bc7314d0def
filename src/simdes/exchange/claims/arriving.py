"""The insurer's side: which claims may be looked at, and in whose vault each of them is.

Every provider that claims is asked for what it tells since the last time (the verb `claims`), so
that a list of claims names patients instead of looking through everybody who lets it look. A
provider's word opens nothing: what is read is opened by the patient's consent, and compared with
the ledger.
"""

from __future__ import annotations

from typing import Final

import structlog

from simdes.access.asking import ask
from simdes.access.categories import Kind, State
from simdes.access.custody_claims import ClaimsBody
from simdes.access.requests import Answer
from simdes.crypto import cbor
from simdes.errors import SimdesError, Tampered
from simdes.exchange.elsewhere import Resting
from simdes.exchange.node import Node
from simdes.index import chain, claim_vaults
from simdes.index.claim_vaults import Told
from simdes.ledger.contracts import ClaimState
from simdes.proofs.openings import number

_ENDED: Final = frozenset((ClaimState.PAID, ClaimState.REVERSED))
_MOST: Final = (1 << 53) - 1
_PAGES: Final = 8
"""Of what one provider tells in a round."""
_log = structlog.get_logger("simdes.claims")


def collect(node: Node, resting: Resting | None = None) -> int:
    """Ask every provider what is new; how many claims there are.

    Who does not answer, or tells what can't be so, is left alone while it is ``resting``.
    """
    if not node.claims.pays:
        return 0
    count = 0
    for one in _providers(node):
        if resting is not None and one in resting:
            continue
        try:
            count += _collect(node, one)
        except SimdesError as error:
            _log.warning("claims not told", issue=error.issue, kind=type(error).__name__)
            if resting is not None:
                resting.begin(one)
    return count


def tidy(node: Node) -> int:
    """Forget in whose vault claims are that have ended; how many."""
    if not node.claims.pays:
        return 0
    with node.database.read() as tx:
        known = claim_vaults.known(tx)
    ended = [one for one in known if _has_ended(node, one)]
    node.database.write(lambda tx: claim_vaults.forget(tx, ended))
    return len(ended)


def _has_ended(node: Node, claim: bytes) -> bool:
    known = node.contracts.claims.claim(number(claim))
    return known.state in _ENDED or known.is_final(node.now_seconds())


def _providers(node: Node) -> list[bytes]:
    """Who could claim: verified organisations that enrolled for it."""
    with node.database.read() as tx:
        others = [
            one.id
            for one in chain.organisations(tx)
            if one.kind != Kind.INSURER and one.state == State.VERIFIED
        ]
    return [one for one in others if node.contracts.claims.holder(one)]


def _collect(node: Node, provider: bytes) -> int:
    count = 0
    for _ in range(_PAGES):
        told, more = _page(node, provider)
        count += told
        if not more:
            break
    return count


def _page(node: Node, provider: bytes) -> tuple[int, bool]:
    """Hear what comes next from a provider: how many claims, and whether there may be more."""
    with node.database.read() as tx:
        after = claim_vaults.heard_up_to(tx, provider)
    answer = ask(node.agent_caller(), provider, "claims", ClaimsBody(after=after))
    told = _told(answer, after)
    if not all(_is_ours(node, provider, one) for one in told):
        raise Tampered("A provider told of claims that are not its own, or not for us.")
    node.database.write(lambda tx: claim_vaults.learn(tx, provider, told))
    return len(told), bool(told) and answer.body.get("more") == 1


def _told(answer: Answer, after: int) -> list[Told]:
    found = []
    listed = cbor.as_array(answer.body.get("claims"), "claims", least=0, most=claim_vaults.PAGE)
    for one in listed:
        at, claim, vault = cbor.as_array(one, "claims", least=3, most=3)
        told = Told(
            cbor.as_uint(at, _MOST, "claims"),
            cbor.as_bytes(claim, "claims"),
            cbor.as_bytes(vault, "claims"),
        )
        if told.number <= after or {len(told.claim), len(told.vault)} != {32}:
            raise Tampered("A provider's claims are out of order or malformed.")
        after = told.number
        found.append(told)
    return found


def _is_ours(node: Node, provider: bytes, told: Told) -> bool:
    known = node.contracts.claims.claim(number(told.claim))
    return (known.payer, known.provider) == (node.organisation, provider)
