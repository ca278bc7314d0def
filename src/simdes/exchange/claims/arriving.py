"""The insurer's side: which claims may be looked at, and in whose vault each of them is.

Every provider that claims is asked for what it tells since the last time (the verb `claims`), and
what is read is compared with the ledger.
"""

from __future__ import annotations

from typing import Final

from simdes.access.categories import Kind, State
from simdes.exchange import hearing
from simdes.exchange.elsewhere import Resting
from simdes.exchange.hearing import Subject
from simdes.exchange.node import Node
from simdes.index import chain, whereabouts
from simdes.index.whereabouts import Told
from simdes.ledger.contracts import Claim, ClaimState
from simdes.proofs.openings import number

_ENDED: Final = frozenset((ClaimState.PAID, ClaimState.REVERSED))

ASKED_AT_ONCE: Final = 200
"""Of how many claims the ledger is asked in one exchange."""


def collect(node: Node, resting: Resting | None = None) -> int:
    """Ask every provider which claims are new; how many there are (`hearing.collect`)."""
    return hearing.collect(node, _CLAIMS, _providers(node), resting) if node.claims.pays else 0


def tidy(node: Node) -> int:
    """Forget in whose vault claims are that have ended; how many."""
    if not node.claims.pays:
        return 0
    with node.database.read() as tx:
        known = whereabouts.CLAIMS.known(tx)
    claims, now, ended = list(known), node.now_seconds(), list[bytes]()
    for at in range(0, len(claims), ASKED_AT_ONCE):
        group = claims[at : at + ASKED_AT_ONCE]
        said = node.contracts.claims.claims([number(one) for one in group])
        ended += [claim for claim, one in zip(group, said, strict=True) if _has_ended(one, now)]
    node.database.write(lambda tx: whereabouts.CLAIMS.forget(tx, ended))
    return len(ended)


def _has_ended(known: Claim, now_seconds: int) -> bool:
    return known.state in _ENDED or known.is_final(now_seconds)


def _providers(node: Node) -> list[bytes]:
    """Who could claim: verified organisations that enrolled for it."""
    with node.database.read() as tx:
        others = [
            one.id
            for one in chain.organisations(tx)
            if one.kind != Kind.INSURER and one.state == State.VERIFIED
        ]
    return [one for one in others if node.contracts.claims.holder(one)]


def _is_ours(node: Node, provider: bytes, told: Told) -> bool:
    known = node.contracts.claims.claim(number(told.item))
    return (known.payer, known.provider) == (node.organisation, provider)


_CLAIMS: Final = Subject(verb="claims", register=whereabouts.CLAIMS, is_ours=_is_ours)
