"""What a patient should know of when they come: somebody asks, looked in an emergency, wants in;
a new key, a wallet or other guardians wait, guardians freeze the account; two records are said to
be theirs; a claim for them was opened, decided, paid.

Made of what stands elsewhere (requests, the ledger's emergencies and what waits there, how claims
stand): nothing is kept for it, so nothing is forgotten or told twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simdes.exchange import (
    access_requests,
    consents,
    emergencies,
    freezing,
    merge_telling,
    recovering,
)
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import claim_news
from simdes.ledger.contracts import ClaimState

REQUEST: Final = "request"
EMERGENCY: Final = "emergency"
RECOVERY: Final = "recovery"
ROTATION: Final = "rotation"
WALLET: Final = "wallet"
GUARDIANS: Final = "guardians"
FREEZE: Final = "freeze"
MERGE: Final = "merge"
CLAIMS: Final[Mapping[ClaimState, str]] = {
    ClaimState.OPENED: "claim-opened",
    ClaimState.ASKED: "claim-asked",
    ClaimState.APPROVED: "claim-approved",
    ClaimState.PARTLY: "claim-partly",
    ClaimState.DENIED: "claim-denied",
    ClaimState.PAID: "claim-paid",
    ClaimState.REVERSED: "claim-reversed",
}
"""The states of a claim that its patient is told of; the others are work of somebody else."""
_TAKING: Final = (RECOVERY, ROTATION, WALLET, GUARDIANS, FREEZE)
KINDS: Final = (REQUEST, EMERGENCY, *_TAKING, MERGE, *CLAIMS.values())
RECENT_SECONDS: Final = 30 * 86_400
"""How long an emergency that is over, or a change of a claim, is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to look at: what it is, by which organisation (None: by nobody known), when.

    ``claim`` is its id on the ledger, and ``vault`` whose it is, where it is about a claim.
    ``signed`` of ``needed`` guardians, as their ward calls them in ``by``, freeze the account.
    """

    kind: str
    organisation: bytes | None
    at_ms: int
    claim: bytes = b""
    vault: bytes = b""
    by: tuple[str, ...] = ()
    signed: int = 0
    needed: int = 0

    @property
    def waits(self) -> bool:
        """Whether ``at_ms`` is when it takes effect, not since when it is there."""
        return self.kind in (RECOVERY, ROTATION, WALLET, GUARDIANS)


def listed(node: Node, session: Session) -> list[Notice]:
    """What waits for a patient or happened lately, newest first; what can be stopped comes first.

    Raises as `access_requests.waiting` where the session is no patient's.
    """
    found: list[Notice] = []
    now = node.now_seconds()
    for vault in consents.vaults_of(node, session):
        found += [
            Notice(kind=REQUEST, organisation=one.organisation, at_ms=one.asked_ms)
            for one in access_requests.waiting(node, session, vault)
        ]
        found += [
            Notice(kind=EMERGENCY, organisation=one.organisation, at_ms=one.opened_seconds * 1000)
            for one in emergencies.of_vault(node, session, vault)
            if one.open or one.opened_seconds > now - RECENT_SECONDS
        ]
        found += _of_claims(node, vault)
    found += [
        Notice(kind=MERGE, organisation=node.organisation, at_ms=one.asked_ms)
        for one in merge_telling.waiting(node, session)
    ]
    found.sort(key=lambda one: one.at_ms, reverse=True)
    return _taking_over(node, session.actor.account) + found


def _taking_over(node: Node, account: bytes) -> list[Notice]:
    """What waits on the ledger to take an account over, and from when on."""
    accounts = node.contracts.accounts
    wallet = recovering.waiting_wallet(node, account)
    pending = {
        RECOVERY: accounts.pending_recovery(account),
        ROTATION: accounts.pending_rotation(account) if wallet is None else None,
        WALLET: wallet,
        GUARDIANS: accounts.pending_guardians(account),
    }
    return _freezing(node, account) + [
        Notice(kind=kind, organisation=None, at_ms=one.ready_at * 1000)
        for kind, one in pending.items()
        if one is not None
    ]


def _freezing(node: Node, account: bytes) -> list[Notice]:
    """Guardians who freeze the account, and until when they may."""
    found = freezing.gathered(node, account)
    if found is None:
        return []
    return [
        Notice(
            kind=FREEZE,
            organisation=None,
            at_ms=found.until_seconds * 1000,
            by=tuple(one.label for one in found.guardians if one.label),
            signed=found.signed,
            needed=found.needed,
        )
    ]


def _of_claims(node: Node, vault: bytes) -> list[Notice]:
    """What changed lately of claims that were opened here for a vault."""
    since_ms = node.now_ms() - RECENT_SECONDS * 1000
    with node.database.read() as tx:
        news = claim_news.of_vault(tx, vault, since_ms=since_ms)
    return [
        Notice(
            kind=CLAIMS[ClaimState(one.state)],
            organisation=one.insurer,
            at_ms=one.at_ms,
            claim=one.claim,
            vault=vault,
        )
        for one in news
        if one.state in CLAIMS
    ]
