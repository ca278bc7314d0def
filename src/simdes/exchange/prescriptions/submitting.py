"""The patient's side: to which pharmacy a prescription goes, once or by preference, and from it.

Submitting is a consent: to the pharmacists of one pharmacy, for treatment, limited in time, and
only as long as the ledger says that something is left to dispense. By preference it is a standing
consent that the patient signed in advance, and every prescription is there for that pharmacy
without a word. No gateway signs for a patient (docs/prescriptions.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access.categories import Category, Label, Role, State, labels_of, members
from simdes.access.consent import Consent, Grantee
from simdes.access.custody_told import DISPENSERS
from simdes.access.rights import Interaction
from simdes.errors import Conflict, Forbidden, Invalid, NotFound
from simdes.exchange import consents
from simdes.exchange.consents import What
from simdes.exchange.following import known_consents
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import states
from simdes.exchange.prescriptions.codes import code_of, is_code_of, payload_of
from simdes.exchange.prescriptions.holding import NEEDED, Held, hold, standing
from simdes.exchange.prescriptions.states import Act
from simdes.exchange.rights import Asking
from simdes.index import chain
from simdes.ledger.contracts import element_of_id
from simdes.ledger.terms import ZERO20
from simdes.proofs.openings import number

PHARMACIST: Final = "pharmacist"
SUBMITTED_SECONDS: Final = 14 * 86_400
PREFERRED_SECONDS: Final = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A prescription at a pharmacy: what the patient says or shows there, until when."""

    request: str
    pharmacy: bytes
    code: str
    payload: str
    handle: bytes
    until_seconds: int


def submit(
    node: Node,
    asking: Asking,
    request_id: str,
    pharmacy: bytes,
    *,
    valid_seconds: int = SUBMITTED_SECONDS,
) -> Submitted:
    """Submit a prescription to a pharmacy, as the patient whose it is.

    Raises Conflict where its state or the statement forbids it, Invalid for an organisation that
    dispenses nothing.
    """
    held = _own(node, asking, request_id)
    what = _submission(node, held, pharmacy, valid_seconds)
    return _submitted(held, consents.grant(node, asking.session, **what))


def to_submit(
    node: Node,
    asking: Asking,
    request_id: str,
    pharmacy: bytes,
    *,
    valid_seconds: int = SUBMITTED_SECONDS,
) -> What:
    """What `submit` grants, for a wallet to sign; raises as it."""
    return _submission(node, _own(node, asking, request_id), pharmacy, valid_seconds)


def _submission(node: Node, held: Held, pharmacy: bytes, valid_seconds: int) -> What:
    state, status = standing(node, held)
    states.require(state, Act.SUBMIT)
    _require_dispenser(node, pharmacy)
    if held.terms.bound not in (0, element_of_id(pharmacy)):
        raise Conflict("The prescriber named another pharmacy.")
    if any(status.pharmacy) and status.pharmacy != pharmacy:
        raise Conflict(
            "The prescription belongs to another pharmacy.",
            advice="Ask that pharmacy to release it first.",
        )
    return What(
        vault=held.vault,
        grantee=Grantee.role_in(pharmacy, PHARMACIST),
        categories=[one.label for one in NEEDED],
        purposes=["TREAT"],
        labels=[one.name for one in members(labels_of(held.request), Label)],
        valid_seconds=valid_seconds,
        while_open=(node.contracts.addresses.prescriptions, held.tag_bytes),
    )


def _submitted(held: Held, granted: Consent) -> Submitted:
    return Submitted(
        request=held.opening.request,
        pharmacy=granted.terms.grantee,
        code=code_of(granted.handle),
        payload=payload_of(held.vault, granted.handle, held.opening, held.request),
        handle=granted.handle,
        until_seconds=granted.terms.expiry,
    )


def transfer(
    node: Node,
    asking: Asking,
    request_id: str,
    pharmacy: bytes,
    *,
    valid_seconds: int = SUBMITTED_SECONDS,
) -> Submitted:
    """Submit to another pharmacy and withdraw what was submitted before; raises as `submit`.

    A controlled substance stays where it was accepted.
    """
    made = submit(node, asking, request_id, pharmacy, valid_seconds=valid_seconds)
    withdraw(node, asking, request_id, but=made.handle)
    return made


def withdraw(node: Node, asking: Asking, request_id: str, *, but: bytes = b"") -> int:
    """Withdraw every submission of a prescription; how many there were. ``but``: except one."""
    held = _own(node, asking, request_id)
    ended = [one for one in _standing(node, held) if one.handle != but]
    for one in ended:
        consents.revoke(node, asking.session, vault=held.vault, handle=one.handle)
    return len(ended)


def submitted(node: Node, asking: Asking, request_id: str) -> list[Submitted]:
    """Where a prescription of the caller's is now, the newest last: each to be shown there."""
    held, now = _own(node, asking, request_id), node.now_seconds()
    return [_submitted(held, one) for one in _standing(node, held) if one.terms.expiry > now]


def all_submitted(node: Node, asking: Asking, vault: bytes) -> dict[bytes, list[Consent]]:
    """By which consents prescriptions of the caller's are at pharmacies now, by their tags, the
    newest last."""
    _require_patient(asking, vault)
    now, found = node.now_seconds(), defaultdict[bytes, list[Consent]](list)
    for one in _to_single(node, vault):
        if one.terms.expiry > now:
            found[one.terms.condition_id].append(one)
    return found


def _standing(node: Node, held: Held) -> list[Consent]:
    """The consents to this prescription that were not withdrawn, oldest first."""
    return [one for one in _to_single(node, held.vault) if is_of(one, held)]


def _to_single(node: Node, vault: bytes) -> Iterator[Consent]:
    """Consents that hang on one prescription and were not withdrawn, oldest first."""
    node.following.catch_up()
    prescriptions = node.contracts.addresses.prescriptions
    for one in known_consents(node.desk, vault):
        if one.active and one.consent.terms.condition == prescriptions:
            yield one.consent


# By preference --------------------------------------------------------------------------------


def prefer(
    node: Node,
    asking: Asking,
    vault: bytes,
    pharmacy: bytes | None,
    *,
    valid_seconds: int = PREFERRED_SECONDS,
) -> Consent | None:
    """Make a pharmacy the one that every prescription goes to; None: none any more.

    What was preferred before is withdrawn after the new consent stands.
    """
    _require_patient(asking, vault)
    before = _preferred(node, vault)
    made = None
    if pharmacy is not None:
        what = to_prefer(node, asking, vault, pharmacy, valid_seconds=valid_seconds)
        made = consents.grant(node, asking.session, **what)
    for one in before:
        consents.revoke(node, asking.session, vault=vault, handle=one.handle)
    return made


def to_prefer(
    node: Node,
    asking: Asking,
    vault: bytes,
    pharmacy: bytes,
    *,
    valid_seconds: int = PREFERRED_SECONDS,
) -> What:
    """What `prefer` grants, for a wallet to sign; raises as it."""
    _require_patient(asking, vault)
    _require_dispenser(node, pharmacy)
    return What(
        vault=vault,
        grantee=Grantee.role_in(pharmacy, PHARMACIST),
        categories=[one.label for one in NEEDED],
        purposes=["TREAT"],
        valid_seconds=valid_seconds,
    )


def all_preferred(node: Node, asking: Asking, vault: bytes) -> list[Consent]:
    """The consents by which prescriptions go to pharmacies by themselves, the newest last: several
    where a wallet has not yet ended those before."""
    _require_patient(asking, vault)
    node.following.catch_up()
    return list(_preferred(node, vault))


def preferred(node: Node, vault: bytes) -> bytes | None:
    """The pharmacy that every prescription of a vault goes to."""
    node.following.catch_up()
    found = _preferred(node, vault)
    return found[-1].terms.grantee if found else None


def _preferred(node: Node, vault: bytes) -> Sequence[Consent]:
    now = node.now_seconds()
    return [
        one.consent
        for one in known_consents(node.desk, vault)
        if one.active
        and one.consent.terms.grantee_role == Role.PHARMACIST
        and one.consent.terms.categories >> Category.PRESCRIPTIONS & 1
        and one.consent.terms.condition == ZERO20
        and one.consent.terms.expiry > now
    ]


# At the pharmacy ------------------------------------------------------------------------------


def consent_of_code(node: Node, asking: Asking, code: str) -> Consent:
    """The standing consent to this pharmacist that a code leads to; NotFound without one."""
    node.following.catch_up()
    actor, now = asking.session.actor, node.now_seconds()
    with node.database.read() as tx:
        named = node.standing.named_by(tx, actor)
        vaults = [one.vault for one in named if is_code_of(code, one.handle)]
        for one in node.standing.of(tx, actor, asking.purpose, vaults, now_seconds=now):
            if is_code_of(code, one.consent.handle):
                return one.consent
    raise NotFound(
        "No prescription was submitted to this pharmacy under this code.",
        advice="Compare the code; the patient may have named another pharmacy, or withdrawn it.",
    )


# Who may --------------------------------------------------------------------------------------


def _own(node: Node, asking: Asking, request_id: str) -> Held:
    if asking.rights.role is not Role.PATIENT:
        raise Forbidden("Only the patient says where a prescription goes.")
    asking.rights.require(Interaction.CREATE, "Consent")
    held = hold(node, asking, request_id)
    _require_patient(asking, held.vault)
    return held


def _require_patient(asking: Asking, vault: bytes) -> None:
    asking.rights.require(Interaction.CREATE, "Consent")
    allowed = asking.rights.scopes(Interaction.CREATE, "Consent")
    let_at = any(one.vaults is None or vault in one.vaults for one in allowed)
    if vault not in asking.facts.vaults or not let_at:
        raise Forbidden("Only the patient says where a prescription goes.")


def _require_dispenser(node: Node, organisation: bytes) -> None:
    with node.database.read() as tx:
        found = chain.organisation(tx, organisation)
    if found is None or found.kind not in DISPENSERS or found.state != State.VERIFIED:
        raise Invalid("This organisation dispenses nothing.", advice="Name a pharmacy.")


def tag_named(consent: Consent) -> bytes:
    """The prescription that a consent is for, b"" where it is for all."""
    return b"" if consent.terms.condition == ZERO20 else consent.terms.condition_id


def is_of(consent: Consent, held: Held) -> bool:
    """Whether a consent is for this prescription alone."""
    return number(consent.terms.condition_id) == held.tag
