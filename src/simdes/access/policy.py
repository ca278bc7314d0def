"""`Consents.isAllowed` once more, over the read model of the chain's events.

A release asks the contract itself; filters over many records ask `decide`, which must answer alike
for every state and request: the same reasons in the same order (contracts/src/interfaces/
IConsents.sol). A property test compares the two on random histories, step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from simdes.access.categories import EMERGENCY_CATEGORIES, Purpose, State
from simdes.access.consent import commitment, record_listed
from simdes.ledger.terms import ZERO20, ZERO32, GranteeKind, Request, Terms


class Reason(IntEnum):
    """Why, in the numbers of the contract; the first that applies is the answer."""

    ALLOWED = 0
    UNKNOWN_ACTOR = 1
    INACTIVE_ACTOR = 2
    INACTIVE_ORGANISATION = 3
    UNKNOWN_VAULT = 4
    UNKNOWN_HANDLE = 5
    REVOKED = 6
    OLD_GENERATION = 7
    TERMS_MISMATCH = 8
    WRONG_GRANTEE = 9
    WRONG_ROLE = 10
    PURPOSE = 11
    CATEGORY = 12
    LABEL = 13
    NOT_YET = 14
    EXPIRED = 15
    RECORD = 16
    CONDITION_CLOSED = 17
    EMERGENCY_OVER = 18


class Status(IntEnum):
    """State of a handle in a vault."""

    GRANTED = 1
    REVOKED = 2
    EMERGENCY = 3


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
    """A handle of a vault. `account`, `organisation`, `until_seconds` and `outcome` (0 none, 1
    justified, 2 unjustified) are those of an emergency."""

    status: int
    generation: int
    commitment: bytes = ZERO32
    account: bytes = ZERO32
    organisation: bytes = ZERO32
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


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and, where it is no, the first reason."""

    reason: Reason

    @property
    def allowed(self) -> bool:
        """Whether it is a yes."""
        return self.reason is Reason.ALLOWED


def decide(view: View, handle: bytes, terms: Terms, salt: bytes, request: Request) -> Decision:
    """May `request.actor` see this record now? Equal to `Consents.isAllowed` in every case."""
    actor = view.actor(request.actor)
    found = _standing(actor)
    if actor is None or found is not None:
        return Decision(found or Reason.UNKNOWN_ACTOR)
    vault = view.vault(request.vault)
    if vault is None:
        return Decision(Reason.UNKNOWN_VAULT)
    control, generation = vault
    if request.purpose == Purpose.PATRQT and actor.account == control and control != ZERO32:
        return Decision(Reason.ALLOWED)
    held = view.held(request.vault, handle)
    if held is None:
        return Decision(Reason.UNKNOWN_HANDLE)
    if held.status == Status.REVOKED:
        return Decision(Reason.REVOKED)
    if held.generation != generation:
        return Decision(Reason.OLD_GENERATION)
    if held.status == Status.EMERGENCY:
        return Decision(_emergency(held, actor, request))
    if commitment(salt, terms) != held.commitment:
        return Decision(Reason.TERMS_MISMATCH)
    return Decision(_terms(view, terms, actor, request))


def _standing(actor: Actor | None) -> Reason | None:
    if actor is None:
        return Reason.UNKNOWN_ACTOR
    if actor.account_state != State.VERIFIED or actor.frozen:
        return Reason.INACTIVE_ACTOR
    if actor.organisation_state != State.VERIFIED:
        return Reason.INACTIVE_ORGANISATION
    return None


def _emergency(held: Held, actor: Actor, request: Request) -> Reason:
    if actor.account != held.account:
        return Reason.WRONG_GRANTEE
    if request.purpose != Purpose.ETREAT:
        return Reason.PURPOSE
    if not EMERGENCY_CATEGORIES >> request.category & 1:
        return Reason.CATEGORY
    if request.labels:
        return Reason.LABEL
    if request.time >= held.until_seconds or held.outcome == _UNJUSTIFIED:
        return Reason.EMERGENCY_OVER
    return Reason.ALLOWED


_UNJUSTIFIED = 2
_GRANTEE_OF: Mapping[int, Callable[[Actor], bytes]] = {
    GranteeKind.ACCOUNT: lambda actor: actor.account,
    GranteeKind.ORGANISATION: lambda actor: actor.organisation,
    GranteeKind.ROLE_IN_ORGANISATION: lambda actor: actor.organisation,
}


def _terms(view: View, terms: Terms, actor: Actor, request: Request) -> Reason:
    of = _GRANTEE_OF.get(terms.grantee_kind)
    checks = (
        (Reason.WRONG_GRANTEE, of is not None and of(actor) == terms.grantee),
        (
            Reason.WRONG_ROLE,
            terms.grantee_kind != GranteeKind.ROLE_IN_ORGANISATION
            or actor.role == terms.grantee_role,
        ),
        (Reason.PURPOSE, terms.purposes >> request.purpose & 1),
        (Reason.CATEGORY, terms.categories >> request.category & 1),
        (Reason.LABEL, request.labels & ~terms.labels == 0),
        (Reason.NOT_YET, request.time >= terms.not_before),
        (Reason.EXPIRED, request.time < terms.expiry),
        (
            Reason.RECORD,
            terms.records == ZERO32
            or record_listed(terms.records, request.record, request.record_proof),
        ),
    )
    failed = next((reason for reason, holds in checks if not holds), None)
    if failed is not None:
        return failed
    if terms.condition != ZERO20 and not view.is_open(terms.condition, terms.condition_id):
        return Reason.CONDITION_CLOSED
    return Reason.ALLOWED
