"""`Consents.isAllowed` once more, over the read model of the chain's events.

A release asks the contract itself; filters over many records ask `decide`, which must answer alike
for every state and request: the same reasons in the same order (contracts/src/interfaces/
IConsents.sol). A property test compares the two on random histories, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from simdes.access.categories import EMERGENCY_CATEGORIES, Purpose, State
from simdes.access.record_lists import record_listed
from simdes.ledger.consents import ConsentState, Decision, Reason, commitment
from simdes.ledger.terms import ZERO20, ZERO32, GranteeKind, Request, Terms


@dataclass(frozen=True, slots=True)
class Actor:
    """The account behind a present key, as events tell it."""

    account: bytes
    organisation: bytes
    role: int
    account_state: int
    organisation_state: int
    frozen: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A handle of a vault. The last four are an emergency's: who opened it, from when until when
    it holds, and its review (0 none, 1 justified, 2 unjustified)."""

    status: int
    generation: int
    commitment: bytes = ZERO32
    account: bytes = ZERO32
    opened_seconds: int = 0
    until_seconds: int = 0
    outcome: int = 0


class View(Protocol):
    """What a decision reads: `chain.ChainView` over the database, a dict in tests."""

    def actor(self, address: bytes) -> Actor | None:
        """The account whose present key this is."""

    def vault(self, tag: bytes) -> tuple[bytes, int] | None:
        """(control account or zeros, generation) of a vault."""

    def held(self, tag: bytes, handle: bytes) -> Held | None:
        """What stands under a handle of a vault."""

    def is_open(self, condition: bytes, condition_id: bytes) -> bool:
        """Whether a condition contract says that the id is open."""


def decide(  # noqa: PLR0911 (one return for each check, in the contract's order)
    view: View, handle: bytes, terms: Terms, salt: bytes, request: Request
) -> Decision:
    """May `request.actor` see this record now? Equal to `Consents.isAllowed` in every case."""
    actor = view.actor(request.actor)
    if actor is None:
        return Decision(False, Reason.UNKNOWN_ACTOR)
    inactive = _inactive(actor)
    if inactive is not None:
        return Decision(False, inactive)
    vault = view.vault(request.vault)
    if vault is None:
        return Decision(False, Reason.UNKNOWN_VAULT)
    control, generation = vault
    if request.purpose == Purpose.PATRQT and actor.account == control and control != ZERO32:
        return Decision(True, Reason.ALLOWED)
    held = view.held(request.vault, handle)
    if held is None:
        return Decision(False, Reason.UNKNOWN_HANDLE)
    if held.status == ConsentState.REVOKED:
        return Decision(False, Reason.REVOKED)
    if held.generation != generation:
        return Decision(False, Reason.OLD_GENERATION)
    if held.status == ConsentState.EMERGENCY:
        return _as_decision(_emergency(held, actor, request))
    if commitment(terms, salt) != held.commitment:
        return Decision(False, Reason.TERMS_MISMATCH)
    return _as_decision(_terms(view, terms, actor, request))


def _as_decision(reason: Reason) -> Decision:
    return Decision(reason is Reason.ALLOWED, reason)


def _inactive(actor: Actor) -> Reason | None:
    if actor.account_state != State.VERIFIED or actor.frozen:
        return Reason.INACTIVE_ACTOR
    if actor.organisation_state != State.VERIFIED:
        return Reason.INACTIVE_ORGANISATION
    return None


def _emergency(held: Held, actor: Actor, request: Request) -> Reason:
    if actor.account != held.account:
        return Reason.WRONG_GRANTEE
    outside = _scope(1 << Purpose.ETREAT, EMERGENCY_CATEGORIES, 0, request)
    if outside is not None:
        return outside
    if request.time < held.opened_seconds:
        return Reason.NOT_YET
    if request.time >= held.until_seconds or held.outcome == _UNJUSTIFIED:
        return Reason.EMERGENCY_OVER
    return Reason.ALLOWED


def _scope(purposes: int, categories: int, labels: int, request: Request) -> Reason | None:
    if request.purpose > LAST_PURPOSE or not purposes >> request.purpose & 1:
        return Reason.PURPOSE
    if request.category > LAST_CATEGORY or not categories >> request.category & 1:
        return Reason.CATEGORY
    if request.labels & ~labels:
        return Reason.LABEL
    return None


_UNJUSTIFIED = 2
LAST_PURPOSE = 5
LAST_CATEGORY = 63
_GRANTEE_OF: Mapping[int, Callable[[Actor], bytes]] = {
    GranteeKind.ACCOUNT: lambda actor: actor.account,
    GranteeKind.ORGANISATION: lambda actor: actor.organisation,
    GranteeKind.ROLE_IN_ORGANISATION: lambda actor: actor.organisation,
}


def _terms(view: View, terms: Terms, actor: Actor, request: Request) -> Reason:
    of = _GRANTEE_OF.get(terms.grantee_kind)
    if of is None or of(actor) != terms.grantee:
        return Reason.WRONG_GRANTEE
    if terms.grantee_kind == GranteeKind.ROLE_IN_ORGANISATION and actor.role != terms.grantee_role:
        return Reason.WRONG_ROLE
    outside = _scope(terms.purposes, terms.categories, terms.labels, request)
    if outside is not None:
        return outside
    if request.time < terms.not_before:
        return Reason.NOT_YET
    if request.time >= terms.expiry:
        return Reason.EXPIRED
    return _limits(view, terms, request)


def _limits(view: View, terms: Terms, request: Request) -> Reason:
    if terms.records != ZERO32 and not record_listed(
        terms.records, request.record, request.record_proof
    ):
        return Reason.RECORD
    if terms.condition != ZERO20 and not view.is_open(terms.condition, terms.condition_id):
        return Reason.CONDITION_CLOSED
    return Reason.ALLOWED
