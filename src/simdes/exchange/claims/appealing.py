"""The patient has a claim decided again, in their own words, by a secret of their own.

The ledger keeps a hash of the secret from the opening on and takes an appeal from whoever shows
what is behind it (docs/formats/claims.md, "States"): no account of the patient stands beside a
claim. Nobody keeps the secret: the provider's software derives it where its patient asks. It goes
along in the patient's copy of the claim, with which any organisation can send the appeal.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from simdes.access.categories import Category, Label, Purpose, members
from simdes.access.consent import Grantee
from simdes.errors import Conflict, Gone, Invalid, NotFound, TooLarge
from simdes.exchange import consents
from simdes.exchange.claims import disclosing, lines, steps
from simdes.exchange.claims.cases import APPEAL_CODE, APPEAL_SYSTEM
from simdes.exchange.claims.disclosing import DISCLOSED_SECONDS, INSURER, Line, Request
from simdes.exchange.consents import What
from simdes.exchange.following import known_consents
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records
from simdes.exchange.provenance import instant, security_of
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.index import claims
from simdes.index.claims import Step
from simdes.ledger.claims import MOST_APPEALS, NO_VOICE, next_shown, voice_of
from simdes.ledger.contracts import Claim, ClaimState
from simdes.proofs.claim_openings import ClaimOpening, decode, encode
from simdes.proofs.openings import number

MOST_TEXT: Final = 2_000
MOST_WAITING: Final = 5
"""Words about one claim that wait for a wallet's signature."""
_SECRET: Final = b"simdes/claim-voice/v1"
_WHY: Final = "Your appeal, in your words"
_DECIDED: Final = (ClaimState.PARTLY, ClaimState.DENIED)
_NOT_YET: Final = "The claim is not decided yet."
STATES: Final[Mapping[ClaimState, str]] = {
    ClaimState.APPROVED: "The claim is approved whole: there is nothing to appeal.",
    ClaimState.APPEALED: "The claim is appealed already; the insurer decides it again.",
    ClaimState.PAID: "The claim is paid: it can't be appealed any more.",
    ClaimState.REVERSED: "The claim was taken back: it can't be appealed any more.",
}

Json = dict[str, Any]


def secret_of(node: Node, claim: int) -> bytes:
    """The patient's secret of a claim that is opened here, the same after a restore."""
    name = _SECRET + claim.to_bytes(32, "big")
    return hmac.digest(node.desk.keystore.database_key, name, "sha256")


def voice(node: Node, claim: int) -> bytes:
    """What the ledger is told of it at the opening."""
    return voice_of(secret_of(node, claim))


def require_appealable(known: Claim, now_seconds: int) -> None:
    """Raise Conflict, saying why, where the patient can't have a claim decided again now."""
    if known.state not in _DECIDED:
        raise Conflict(STATES.get(known.state, _NOT_YET))
    if known.accepted:
        raise Conflict("The provider accepted the decision: it is final.")
    if known.is_final(now_seconds):
        raise Conflict("The time to appeal is over: the decision is final.")
    if known.appeals >= MOST_APPEALS:
        raise Conflict("The claim was appealed as often as it can be.")
    if known.voice == NO_VOICE:
        raise Conflict(
            "This claim was opened without a secret of yours.",
            advice="Ask the provider to appeal.",
        )


def why_final(node: Node, claim: bytes) -> Conflict | None:
    """Why the patient can't have a claim decided again now; None where they can."""
    try:
        known = node.contracts.claims.claim(number(claim))
        require_appealable(known, node.now_seconds())
        _step(node, claim)
    except Conflict as error:
        return error
    return None


def appeal(node: Node, asking: Asking, claim: bytes, why: str) -> None:
    """Have the insurer decide a claim of the caller's again; it is let to read why.

    Raises Forbidden for who is not the patient, NotFound for no claim of theirs, Invalid without
    words, Conflict where the decision can't be appealed (any more) or was opened elsewhere.
    """
    found, step = _appealable(node, asking, claim)
    reference = _say(node, asking, found, step, why)
    consents.grant(node, asking.session, **_to_read(node, asking, found, reference))
    send(node, claim)


def to_appeal(node: Node, asking: Asking, claim: bytes, why: str) -> What:
    """What lets the insurer read why, for the caller's wallet to sign before `send`.

    Words that wait for a signature already are not written once more. Raises as `appeal`, TooLarge
    where `MOST_WAITING` others wait.
    """
    found, step = _appealable(node, asking, claim)
    known = _waiting(node, asking, found)
    reference = known.get(why.strip())
    if reference is None:
        if len(known) >= MOST_WAITING:
            raise TooLarge(
                "Other words of yours wait for your wallet already.", advice="Send the last ones."
            )
        reference = _say(node, asking, found, step, why)
    return _to_read(node, asking, found, reference)


def waiting(node: Node, asking: Asking, claim: bytes) -> str:
    """The caller's last words about a claim that their wallet did not sign for yet, "" for none."""
    found = disclosing.own_request(node, asking, claim)
    return next(iter(_waiting(node, asking, found)), "")


def is_words(line: Line) -> bool:
    """Whether a line of a claim is what its patient wrote to have it decided again."""
    return line.why == _WHY and line.reference.startswith("Communication/")


def send(node: Node, claim: bytes) -> None:
    """Tell the ledger of the appeal of a claim that was opened here, once the insurer may read why.

    Who asks for it was asked before. Raises Conflict as `require_appealable`.
    """
    _step(node, claim)
    known = node.contracts.claims.claim(number(claim))
    require_appealable(known, node.now_seconds())
    shown = next_shown(secret_of(node, number(claim)), known.voice)
    node.agent.transact(node.contracts.claims.appeal_for(number(claim), shown))


def _appealable(node: Node, asking: Asking, claim: bytes) -> tuple[Request, Step]:
    found = disclosing.own_request(node, asking, claim)
    step = _step(node, claim)
    require_appealable(node.contracts.claims.claim(number(claim)), node.now_seconds())
    return found, step


def _waiting(node: Node, asking: Asking, found: Request) -> dict[str, str]:
    """The references of words that no consent opens, by the words, the newest first."""
    node.following.catch_up()
    consented = [one for one in known_consents(node.desk, found.vault) if one.active]
    opened = {record for one in consented for record in one.consent.listed}
    words: list[tuple[str, str, str]] = []
    for line in found.lines:
        if is_words(line) and line.record not in opened:
            type_, _, name = line.reference.partition("/")
            try:
                said = loads(read(node, asking, type_, name, vaults=(found.vault,)).content)
            except (NotFound, Gone):
                continue
            text = "".join(one.get("contentString", "") for one in said.get("payload") or ())
            words.append((said.get("sent", ""), text, line.reference))
    return {text: reference for _, text, reference in sorted(words, reverse=True)}


def _say(node: Node, asking: Asking, found: Request, step: Step, why: str) -> str:
    """Write the words into the record and seal them for the insurer; their reference."""
    why = why.strip()
    if not why or len(why) > MOST_TEXT:
        raise Invalid("Say why it should be decided again.", advice="In 2,000 letters at most.")
    with node.database.read() as tx:
        subject = lines.subject_of(node, tx, step)
    resource = {
        "resourceType": "Communication",
        **security_of(found.labels),
        "status": "completed",
        "category": [
            {"coding": [{"system": APPEAL_SYSTEM, "code": APPEAL_CODE}], "text": "Appeal"}
        ],
        "subject": subject,
        "about": [{"reference": f"Claim/{step.resource}"}],
        "sent": instant(node.now_ms()),
        "sender": subject,
        "payload": [{"contentString": why}],
    }
    change = Change(method=Method.CREATE, type="Communication", resource=resource)
    made = writing.apply(node, asking, [change], base=f"{node.issuer.name}/fhir")[0].found
    assert made is not None  # noqa: S101 (a create has what it made)
    lines.offer_more(node, step, [made.name], steps.author_of(asking), why=_WHY)
    return made.name


def _to_read(node: Node, asking: Asking, found: Request, reference: str) -> What:
    """What lets the insurer read the words as long as the claim goes on."""
    offered = disclosing.own_request(node, asking, found.claim).lines
    return What(
        vault=found.vault,
        grantee=Grantee.role_in(found.insurer, INSURER),
        categories=[Category.DISCLOSURES.label],
        purposes=[Purpose.HPAYMT.name],
        labels=[one.name for one in members(found.labels, Label)],
        records=[one.record for one in offered if one.reference == reference],
        valid_seconds=DISCLOSED_SECONDS,
        while_open=(node.contracts.addresses.claims, found.claim),
    )


# A copy of one's own --------------------------------------------------------------------------


def own_copy(node: Node, asking: Asking, claim: bytes) -> bytes:
    """The opening of a claim of the caller's with their secret: whoever has it can appeal.

    Raises as `appeal` for who is not the patient, or a claim that was opened elsewhere.
    """
    found = disclosing.own_request(node, asking, claim)
    step = _step(node, claim)
    opening = _opening(node, step)
    node.database.write(lambda tx: records.note(node, tx, found.vault, steps.author_of(asking)))
    return encode(msgspec.structs.replace(opening, voice=secret_of(node, number(claim))))


def appeal_with(node: Node, copy: bytes) -> bytes:
    """Send the appeal of whoever brings their copy of a claim, wherever it was opened; its id.

    Raises Invalid for what is no such copy, Tampered for one of another claim than the ledger's,
    Forbidden for a secret that is not the claim's, Conflict as `require_appealable`.
    """
    opening = decode(copy)
    here = (node.contracts.ledger.chain_id(), node.contracts.addresses.claims)
    if (opening.chain, opening.contract) != here or len(opening.voice) != len(NO_VOICE):
        raise Invalid("This is no patient's copy of a claim of this network.")
    known = node.contracts.claims.claim(number(opening.claim))
    opening.require_claimed(known.claimed)
    require_appealable(known, node.now_seconds())
    shown = next_shown(opening.voice, known.voice)
    node.agent.transact(node.contracts.claims.appeal_for(number(opening.claim), shown))
    return opening.claim


def _opening(node: Node, step: Step) -> ClaimOpening:
    made = map(loads, steps.content_of(node, step).made)
    document = next(one for one in made if one["resourceType"] == "DocumentReference")
    return decode(records.attached(document))


def _step(node: Node, claim: bytes) -> Step:
    with node.database.read() as tx:
        rows = claims.steps(tx, claim=claim, verb="open")
    if not rows:
        raise Conflict(
            "This claim was opened by another organisation.",
            advice="Ask for your copy of the claim there, and appeal with that.",
        )
    return rows[-1]
