"""One claim of mine: how it stands, what the insurer answered, having it decided again.

An appeal takes no key but the claim's secret; that the insurer reads why is a consent. Where a
wallet keeps the patient's key, it signs that, and the appeal follows from what was signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.claims.money import Money
from simdes.claims.reading import reference_of
from simdes.claims.remittance import amount_of
from simdes.errors import Conflict, Invalid, NotFound, SimdesError, TooLarge
from simdes.exchange import members, wallets
from simdes.exchange.claims import appealing, disclosing
from simdes.exchange.claims.billed import items_of, texts_of
from simdes.exchange.claims.disclosing import Request
from simdes.exchange.claims.opening import OPENING_TYPE
from simdes.exchange.interactions import finding
from simdes.exchange.meanings import CLAIM
from simdes.gateway.pages.answering import Moved, Sent, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient import claims, signing
from simdes.gateway.pages.patient.claims import ENDED, chosen, state_of, waits
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.record.loading import load
from simdes.gateway.problems import STATUS

PATH: Final = "/claims/claim"
APPEAL: Final = "/claims/appeal"
COPY: Final = "/claims/copy"
_AT: Final = signing.At(APPEAL, claims.PATH)
_DECIDED: Final = ("partly", "denied")
_ANSWERS: Final = ("ClaimResponse", "ExplanationOfBenefit")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the insurer answered last: amounts where it decided, what is missing where it asks."""

    claimed: Money | None
    pays: Money | None
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def show(asked: Asked) -> Shown:
    """A claim, with what it waits for."""
    mine = own(asked)
    found = chosen(asked, mine, asked.asked("claim", most=64))
    disclosed = disclosing.disclosed(asked.node, mine.asking, mine.vault)
    preferred = disclosing.preferred(asked.node, mine.asking, mine.vault)
    state = state_of(found)
    return Shown(
        "claim.html",
        {
            "one": found,
            "state": state,
            "waits": waits(found, disclosed, preferred),
            "ended": state in ENDED,
            "insurer": members.name_of(asked.node, found.insurer),
            "provider": members.name_of(asked.node, found.provider),
            "answer": _answer(asked, mine, found),
            "decided": state in _DECIDED,
            "final": appealing.why_final(asked.node, found.claim) if state in _DECIDED else None,
            "kept": mine.kept,
            "address": mine.address,
        },
        here=mine.address(PATH, claim=found.claim.hex()),
    )


def show_appeal(asked: Asked) -> Shown:
    """A form for the words that the insurer reads."""
    mine = own(asked)
    found = chosen(asked, mine, asked.asked("claim", most=64))
    return _form(asked, mine, found, appealing.why_final(asked.node, found.claim))


def appeal(asked: Asked) -> Shown | Moved:
    """Have the insurer decide again; what a wallet has to sign first."""
    mine = own(asked)
    found = chosen(asked, mine, asked.field("claim", most=64))
    why, node = asked.field("why"), asked.node
    try:
        if asked.field("step", most=8) == "send":
            if failed := _signed(asked, mine, found):
                return failed
        elif asked.visit.session.wallet:
            what = appealing.to_appeal(node, mine.asking, found.claim, why)
            request = wallets.grant(node, mine.asking, (CLAIM, found.claim.hex()), **what)
            return signing.ask(asked, mine, request, _kept(found), at=_AT)
        else:
            appealing.appeal(node, mine.asking, found.claim, why)
    except (Conflict, Invalid, TooLarge) as error:
        return _form(asked, mine, found, error)
    return Moved(mine.address(PATH, claim=found.claim.hex(), done="appealed"))


def _signed(asked: Asked, mine: Own, found: Request) -> Shown | None:
    """Relay what lets the insurer read why, then send the appeal; a page where that failed."""
    request = signing.read(asked, mine)
    about = None if request.meaning is None else request.meaning.found
    if (
        not isinstance(about, Request)
        or about.claim != found.claim
        or not all(map(appealing.is_words, about.lines))
    ):
        raise NotFound("There is nothing like that.")
    if final := appealing.why_final(asked.node, found.claim):
        raise final
    if failed := signing.relay(asked, mine, request, _kept(found), at=_AT):
        return failed
    appealing.send(asked.node, found.claim)
    return None


def _kept(found: Request) -> Mapping[str, str]:
    return {"claim": found.claim.hex(), "goal": "appeal"}


def copy(asked: Asked) -> Sent:
    """The claim with the patient's own secret, as a file: whoever has it can appeal."""
    mine = own(asked)
    found = chosen(asked, mine, asked.asked("claim", most=64))
    content = appealing.own_copy(asked.node, mine.asking, found.claim)
    return Sent(content, OPENING_TYPE, f"claim-{found.claim.hex()[:12]}.simdes")


def _form(asked: Asked, mine: Own, found: Request, problem: SimdesError | None) -> Shown:
    return Shown(
        "claim_appeal.html",
        {
            "one": found,
            "insurer": members.name_of(asked.node, found.insurer),
            "most": appealing.MOST_TEXT,
            "typed": asked.field("why") or _waiting(asked, mine, found),
            "problem": problem,
            "kept": mine.kept,
            "back": mine.address(PATH, claim=found.claim.hex()),
        },
        here=mine.address(APPEAL, claim=found.claim.hex()),
        status=STATUS[type(problem)] if problem else 200,
    )


def _waiting(asked: Asked, mine: Own, found: Request) -> str:
    """What was written before and not signed for."""
    if not asked.visit.session.wallet:
        return ""
    return appealing.waiting(asked.node, mine.asking, found.claim)


def _answer(asked: Asked, mine: Own, found: Request) -> Answer | None:
    """The newest answer to a claim in the patient's record; None where none can be read now."""
    loaded = load(asked.node, mine.asking, mine.record.patient, types=_ANSWERS)
    names = {one.reference for one in found.lines if one.reference.startswith("Claim/")}
    insurer = finding.source_of(asked.node, found.insurer)
    answers = [
        one.resource
        for one in loaded.sources
        if _is_about(one.resource) in names and _source(one.resource) == insurer
    ]
    benefits = [one for one in answers if one["resourceType"] == "ExplanationOfBenefit"]
    if not answers:
        return None
    newest = _newest(answers)
    return Answer(
        claimed=_amount(_newest(benefits), "submitted") if benefits else None,
        pays=_amount(_newest(benefits), "benefit") if benefits else None,
        missing=texts_of(one.get("code") for one in items_of(newest, "error")),
        notes=texts_of(items_of(newest, "processNote")),
    )


def _is_about(resource: Json) -> str:
    return reference_of(resource.get("request") or resource.get("claim"))


def _newest(resources: Sequence[Json]) -> Json:
    return max(resources, key=lambda one: str(one.get("meta", {}).get("lastUpdated", "")))


def _source(resource: Json) -> str:
    """Whose record it is, as our gateway says in ``meta.source``."""
    return str(resource.get("meta", {}).get("source", ""))


def _amount(benefit: Json, code: str) -> Money | None:
    """A total; None where the insurer wrote none that can be read."""
    try:
        for one in benefit.get("total") or ():
            if "amount" in one:
                return amount_of(benefit, code, str(one["amount"]["currency"]))
    except (SimdesError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return None
