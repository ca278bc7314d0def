"""What a claim's state asks of its provider's software: offer, disclose, free, erase.

Nobody has to ask: each line that the insurer declared to need is sealed into a record of its own,
the ledger is told once the patient's consent stands, what ends is freed, so that the next insurer
can be asked, and what was sealed is erased.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from simdes.access.categories import Category, Purpose, Role
from simdes.access.consent import Consent
from simdes.claims.claimed import claimed_of
from simdes.claims.plan import Need
from simdes.errors import SimdesError
from simdes.exchange import storekeeping
from simdes.exchange.claims import freeing, lines, steps
from simdes.exchange.following import known_consents
from simdes.exchange.mail import news
from simdes.exchange.mail.kinds import CLAIM
from simdes.exchange.node import Node
from simdes.index import claim_news, claims, whereabouts
from simdes.index.claims import Step
from simdes.ledger.contracts import Claim, ClaimState
from simdes.proofs.openings import number

OFFERED: Final = "offered"
DISCLOSED: Final = "disclosed"
ENDED: Final = "ended"
_BEFORE_ITS_INSURER: Final = (ClaimState.DISCLOSED, ClaimState.RECEIVED, ClaimState.APPEALED)
DECIDED: Final = (ClaimState.APPROVED, ClaimState.PARTLY, ClaimState.DENIED, ClaimState.PAID)
"""States after a decision; whoever looks late finds it paid."""
_log = structlog.get_logger("simdes.claims")


def advance(node: Node, step: Step) -> str:
    """Do what a claim's state asks of its provider; what was done, "" for nothing."""
    claim = node.contracts.claims.claim(number(step.claim))
    if claim.state in DECIDED:
        news.once(node, step.vault, CLAIM, step.claim, b"%d" % claim.appeals)  # each is decided
    if claim.state is ClaimState.REVERSED:
        news.once(node, step.vault, CLAIM, step.claim, b"reversed")
    try:
        _keep_news(node, step, claim)
        if claim.state is ClaimState.OPENED and lines.offer(node, step, _needs(node, step)):
            return OFFERED
        if claim.state in (ClaimState.OPENED, ClaimState.ASKED):
            return _disclose(node, step, claim)
        if claim.state in _BEFORE_ITS_INSURER:
            _tell(node, step)  # told again by who was restored from a backup
        if claim.state in (ClaimState.PAID, ClaimState.REVERSED):
            return _end(node, step, claim)
        if claim.is_final(node.now_seconds()):
            return _finish(node, step, claim)
    except SimdesError as error:
        _log.warning("claim waits", issue=error.issue, kind=type(error).__name__)
    return ""


def _keep_news(node: Node, step: Step, claim: Claim) -> None:
    """Keep since when a claim stands as it does, for what its patient is told."""
    with node.database.read() as tx:
        if claim_news.stood(tx, step.claim) == claim.state:
            return
    news = claim_news.News(
        claim=step.claim,
        vault=step.vault,
        insurer=step.other,
        state=int(claim.state),
        at_ms=node.now_ms(),
    )
    node.database.write(lambda tx: claim_news.tell(tx, news))


def _needs(node: Node, step: Step) -> Sequence[Need]:
    plan = node.claims.declared.get(step.other)
    if plan is None:
        return ()
    made = [lines.loaded(one) for one in steps.content_of(node, step).made]
    found = next((one for one in made if one["resourceType"] == "Claim"), None)
    return plan.needs if found is None else plan.needed(claimed_of(found).lines)


def _disclose(node: Node, step: Step, claim: Claim) -> str:
    """Say to the ledger that the insurer may look, once a consent stands for what was offered.

    After it asked for more: once what was offered since is let.
    """
    since_seconds = 0
    if claim.state is ClaimState.ASKED:
        since_seconds = claim.due - node.contracts.claims.times().answer
    wanted = lines.offered_since(node, step, since_seconds)
    if wanted is None:
        return ""
    node.following.catch_up()
    now = node.now_seconds()
    known = known_consents(node.desk, step.vault)
    if any(one.active and _opens(one.consent, step, wanted, now) for one in known):
        _tell(node, step)
        node.agent.transact(node.contracts.claims.disclose(number(step.claim)))
        return DISCLOSED
    return ""


def _tell(node: Node, step: Step) -> None:
    """Have the insurer told in whose vault the claim is, before the ledger says it may look."""
    with node.database.read() as tx:
        if whereabouts.CLAIMS.is_settled(tx, step.claim, step.vault):
            return
    node.database.write(
        lambda tx: whereabouts.CLAIMS.tell(
            tx, step.claim, step.vault, step.other, now_ms=node.now_ms()
        )
    )


def _opens(consent: Consent, step: Step, wanted: frozenset[bytes], now_seconds: int) -> bool:
    """Whether a consent opens some of these lines to the insurer, for payment."""
    terms = consent.terms
    return bool(
        terms.grantee == step.other
        and terms.grantee_role == Role.INSURER
        and terms.categories >> Category.DISCLOSURES & 1
        and terms.purposes >> Purpose.HPAYMT & 1
        and terms.not_before <= now_seconds < terms.expiry
        and (not any(terms.condition) or terms.condition_id == step.claim)
        and (not consent.listed or wanted & set(consent.listed))
    )


def _finish(node: Node, step: Step, claim: Claim) -> str:
    """Give back what is refused for good; what is approved is still to be paid."""
    freed = bool(claim.counted) and not freeing.is_freed(node, step, claim)
    if freed and not freeing.free(node, step, claim):
        return ""
    if claim.state is ClaimState.DENIED:
        return _close(node, step)
    if freed:
        node.database.write(lambda tx: claims.wait(tx, step.vault, step.encounter))
    return ""


def _end(node: Node, step: Step, claim: Claim) -> str:
    """Erase what was sealed for the insurer, and free what the claim counts and is not paid."""
    sealed = lines.sealed_of(node, step)
    if sealed:
        storekeeping.erase(node, sealed)
    if not freeing.is_freed(node, step, claim) and not freeing.free(node, step, claim):
        return ""
    done = _close(node, step)
    if node.contracts.claims.claim(number(step.claim)).state is not claim.state:
        # Taken back meanwhile: its event may have come before the claim counted as ended.
        node.database.write(lambda tx: claims.resume(tx, step.claim))
    return done


def _close(node: Node, step: Step) -> str:
    sealed = lines.sealed_of(node, step)
    if sealed:
        storekeeping.erase(node, sealed)
    node.database.write(lambda tx: claims.end(tx, step.id))
    node.database.write(lambda tx: claims.wait(tx, step.vault, step.encounter))
    return ENDED
