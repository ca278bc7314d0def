"""The patient's side: what an insurer asks to see of a claim, and letting it, once or always.

Approving is a consent to the claims staff of one insurer, for payment, for exactly the lines that
were chosen, as long as the ledger says that the claim goes on. By preference it is a standing
consent for whatever is sealed for insurers; what was sealed is erased when the claim ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simdes.access.categories import (
    Category,
    Kind,
    Label,
    Purpose,
    Role,
    State,
    label_mask,
    labels_of,
    members,
)
from simdes.access.consent import Consent, Grantee
from simdes.access.rights import Interaction
from simdes.errors import Conflict, Forbidden, Invalid, NotFound
from simdes.exchange import consents
from simdes.exchange.claims.lines import PROPOSAL_SYSTEM, record_of
from simdes.exchange.consents import What
from simdes.exchange.following import known_consents
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.search import every
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.search.parse import parse
from simdes.index import chain
from simdes.ledger.contracts import ClaimState
from simdes.ledger.terms import ZERO20, ZERO32, GranteeKind
from simdes.proofs.openings import number

INSURER: Final = "insurer"
DISCLOSED_SECONDS: Final = 180 * 86_400
PREFERRED_SECONDS: Final = 365 * 86_400
_ABOUT_SECONDS: Final = 86_400

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A resource that the insurer asks to see, why, and the record in which it is alone."""

    reference: str
    why: str
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an insurer asks to see of a claim (its id on the ledger, 32 bytes), line by line."""

    claim: bytes
    vault: bytes
    provider: bytes
    insurer: bytes
    lines: Sequence[Line]
    labels: int
    state: ClaimState
    due_seconds: int


def requests(node: Node, asking: Asking) -> list[Request]:
    """What insurers ask to see of the caller's claims, newest first."""
    merged: dict[bytes, Request] = {}
    for one in _listed(node, asking):
        read = _read(node, loads(one.content), one.vault)
        if read is not None:
            known = merged.get(read.claim)
            merged[read.claim] = read if known is None else _both(read, known)
    return list(merged.values())


def request(node: Node, asking: Asking, claim: bytes) -> Request | None:
    """What its insurer asks to see of a claim of the caller's, None where it is none of theirs."""
    found: Request | None = None
    for one in _listed(node, asking, claim.hex()):
        read = _read(node, loads(one.content), one.vault)
        if read is not None and read.claim == claim:
            found = read if found is None else _both(read, found)
    return found


def _listed(node: Node, asking: Asking, value: str = "") -> Iterator[Found]:
    """The Lists of claims' lines, newest first, of one claim ("": of all)."""
    pairs = (("identifier", f"{PROPOSAL_SYSTEM}|{value}"), ("_sort", "-_lastUpdated"))
    query = parse(("List",), pairs, now_ms=node.now_ms())
    return every(node, asking, query, vaults=asking.facts.vaults)


def _both(first: Request, later: Request) -> Request:
    """What was asked for at first, and what besides it."""
    lines = dict.fromkeys((*first.lines, *later.lines))
    return replace(first, lines=tuple(lines), labels=first.labels | later.labels)


def _read(node: Node, listed: Json, vault: bytes) -> Request | None:
    numbers = [
        one["value"]
        for one in listed.get("identifier") or ()
        if one.get("system") == PROPOSAL_SYSTEM
    ]
    if not numbers:
        return None
    claim = bytes.fromhex(numbers[0])
    known = node.contracts.claims.claim(number(claim))
    return Request(
        claim=claim,
        vault=vault,
        provider=known.provider,
        insurer=known.payer,
        lines=tuple(
            Line(one["item"]["reference"], one["flag"]["text"], record_of(one))
            for one in listed.get("entry") or ()
        ),
        labels=labels_of(listed),
        state=known.state,
        due_seconds=known.due,
    )


def disclose(
    node: Node,
    asking: Asking,
    claim: bytes,
    *,
    but: Sequence[str] = (),
    valid_seconds: int = DISCLOSED_SECONDS,
    answers: bool = True,
) -> Consent:
    """Let the insurer see the lines of a claim, ``but`` those (``Type/id``) that are kept back.

    ``answers``: the provider may read what insurers answer (claims and what is paid of them), so
    that it can ask the next insurer for the rest.

    Raises Forbidden for who is not the patient, NotFound without a proposal, Conflict where the
    claim ended, Invalid for a line that is not among them.
    """
    what = to_disclose(node, asking, claim, but=but, valid_seconds=valid_seconds)
    more = to_let_answer(node, asking, claim, valid_seconds=valid_seconds) if answers else None
    if more is not None:
        consents.grant(node, asking.session, **more)
    return consents.grant(node, asking.session, **what)


def to_disclose(
    node: Node,
    asking: Asking,
    claim: bytes,
    *,
    but: Sequence[str] = (),
    valid_seconds: int = DISCLOSED_SECONDS,
) -> What:
    """What `disclose` grants the insurer, for a wallet to sign; raises as it."""
    found = own_request(node, asking, claim)
    if found.state in (ClaimState.PAID, ClaimState.REVERSED):
        raise Conflict("The claim has ended: there is nothing left to disclose.")
    known = {one.reference for one in found.lines}
    if unknown := set(but) - known:
        raise Invalid(f"{len(unknown)} of what is to be kept back was never asked for.")
    chosen = [one.record for one in found.lines if one.reference not in but]
    if not chosen:
        raise Invalid("Nothing is left to disclose; leave the claim undisclosed instead.")
    return What(
        vault=found.vault,
        grantee=Grantee.role_in(found.insurer, INSURER),
        categories=[Category.DISCLOSURES.label],
        purposes=["HPAYMT"],
        labels=_labels(found),
        records=chosen,
        valid_seconds=valid_seconds,
        while_open=(node.contracts.addresses.claims, found.claim),
    )


def to_let_answer(
    node: Node, asking: Asking, claim: bytes, *, valid_seconds: int = DISCLOSED_SECONDS
) -> What | None:
    """What lets a claim's provider read insurers' answers; None where it may already."""
    found = own_request(node, asking, claim)
    return _answers(node, found.vault, found.provider, _labels(found), valid_seconds)


def _labels(found: Request) -> list[str]:
    return [one.name for one in members(found.labels, Label)]


def _answers(
    node: Node, vault: bytes, provider: bytes, labels: Sequence[str], valid_seconds: int
) -> What | None:
    """Unless it may read all of them about as long already: what was granted today is not granted
    once more."""
    node.following.catch_up()
    until = node.now_seconds() + valid_seconds - _ABOUT_SECONDS
    for one in known_consents(node.desk, vault):
        terms = one.consent.terms
        if (
            one.active
            and terms.grantee == provider
            and terms.grantee_kind == GranteeKind.ORGANISATION
            and terms.categories >> Category.CLAIMS & 1
            and terms.purposes >> Purpose.HPAYMT & 1
            and not label_mask(labels) & ~terms.labels
            and terms.expiry >= until
            and (terms.records, terms.condition) == (ZERO32, ZERO20)
        ):
            return None
    return What(
        vault=vault,
        grantee=Grantee.organisation(provider),
        categories=[Category.CLAIMS.label],
        purposes=[Purpose.HPAYMT.name],
        labels=labels,
        valid_seconds=valid_seconds,
    )


def own_request(node: Node, asking: Asking, claim: bytes) -> Request:
    """A claim of the caller's. Raises Forbidden for who is not the patient, NotFound for none."""
    _require_patient(asking)
    found = request(node, asking, claim)
    if found is None:
        raise NotFound("There is no such claim of yours, or its insurer asks for nothing yet.")
    return found


def withdraw(node: Node, asking: Asking, claim: bytes) -> int:
    """Withdraw what was disclosed of a claim; how many consents there were."""
    vault, ended = to_withdraw(node, asking, claim)
    for handle in ended:
        consents.revoke(node, asking.session, vault=vault, handle=handle)
    return len(ended)


def to_withdraw(node: Node, asking: Asking, claim: bytes) -> tuple[bytes, list[bytes]]:
    """The vault of a claim and the handles of the consents that `withdraw` ends."""
    vault = own_request(node, asking, claim).vault
    node.following.catch_up()
    return vault, [
        one.consent.handle
        for one in known_consents(node.desk, vault)
        if one.active and one.consent.terms.condition_id == claim
    ]


def prefer(
    node: Node,
    asking: Asking,
    vault: bytes,
    insurer: bytes | None,
    *,
    valid_seconds: int = PREFERRED_SECONDS,
) -> Consent | None:
    """Let what an insurer declared to need go to it by itself; None: to none any more."""
    before, made = all_preferred(node, asking, vault), None
    if insurer is not None:
        what = to_prefer(node, asking, vault, insurer, valid_seconds=valid_seconds)
        more = to_answer_preferred(node, asking, vault, valid_seconds=valid_seconds)
        if more is not None:
            consents.grant(node, asking.session, **more)
        made = consents.grant(node, asking.session, **what)
    for one in before:
        consents.revoke(node, asking.session, vault=vault, handle=one.handle)
    return made


def to_prefer(
    node: Node,
    asking: Asking,
    vault: bytes,
    insurer: bytes,
    *,
    valid_seconds: int = PREFERRED_SECONDS,
) -> What:
    """What `prefer` grants the insurer, for a wallet to sign; raises as it."""
    _require_own(asking, vault)
    _require_insurer(node, insurer)
    return What(
        vault=vault,
        grantee=Grantee.role_in(insurer, INSURER),
        categories=[Category.DISCLOSURES.label],
        purposes=["HPAYMT"],
        valid_seconds=valid_seconds,
    )


def to_answer_preferred(
    node: Node, asking: Asking, vault: bytes, *, valid_seconds: int = PREFERRED_SECONDS
) -> What | None:
    """What lets us read insurers' answers where we open claims; None where we don't, or may."""
    _require_own(asking, vault)
    if not node.claims.opens:
        return None
    return _answers(node, vault, node.organisation, (), valid_seconds)


def all_preferred(node: Node, asking: Asking, vault: bytes) -> list[Consent]:
    """The consents by which what insurers need goes to them by itself, the newest last: several
    where a wallet has not yet ended those before. Raises Forbidden for who is not the patient."""
    _require_own(asking, vault)
    return list(_preferred(node, vault))


def disclosed(node: Node, asking: Asking, vault: bytes) -> frozenset[bytes]:
    """The claims of a vault (their ids) that a consent of the patient opens to an insurer now.

    Raises Forbidden for who is not the patient.
    """
    _require_own(asking, vault)
    node.following.catch_up()
    return frozenset(
        one.consent.terms.condition_id
        for one in known_consents(node.desk, vault)
        if one.active and one.consent.terms.condition == node.contracts.addresses.claims
    )


def preferred(node: Node, asking: Asking, vault: bytes) -> bytes | None:
    """The insurer that gets what a claim needs by itself (its id), None where none does.

    Raises Forbidden for who is not the patient.
    """
    found = all_preferred(node, asking, vault)
    return found[-1].terms.grantee if found else None


def _preferred(node: Node, vault: bytes) -> Sequence[Consent]:
    node.following.catch_up()
    return [
        one.consent
        for one in known_consents(node.desk, vault)
        if one.active
        and one.consent.terms.grantee_role == Role.INSURER
        and one.consent.terms.categories >> Category.DISCLOSURES & 1
        and one.consent.terms.condition == ZERO20
        and one.consent.terms.expiry > node.now_seconds()
    ]


def _require_patient(asking: Asking) -> None:
    if asking.rights.role is not Role.PATIENT:
        raise Forbidden("Only the patient says what an insurer sees.")
    asking.rights.require(Interaction.CREATE, "Consent")


def _require_own(asking: Asking, vault: bytes) -> None:
    _require_patient(asking)
    if vault not in asking.facts.vaults:
        raise Forbidden("Only the patient says what an insurer sees.")


def _require_insurer(node: Node, organisation: bytes) -> None:
    with node.database.read() as tx:
        found = chain.organisation(tx, organisation)
    if found is None or found.kind != Kind.INSURER or found.state != State.VERIFIED:
        raise Invalid("This organisation insures nobody.", advice="Name an insurer.")
