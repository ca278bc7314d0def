"""The provider's claims: how each stands, and what people do about one.

A decision is accepted or appealed, an insurer that asks for more is answered, a claim is ended and
made again; everything else software does by itself. Who may is who may write Claims here, as with
`simdes claim`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members, rights
from simdes.exchange.claims import billed, billing_desk
from simdes.exchange.claims.billed import Looked
from simdes.exchange.claims.billing_desk import Billed
from simdes.exchange.rights import Asking
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.listing import narrowed
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.naming import named
from simdes.gateway.pages.record.saying import say
from simdes.gateway.pages.record.showing import person
from simdes.gateway.pages.record.timeline import Line, Source, lines
from simdes.gateway.problems import STATUS

PATH: Final = "/billing"
CLAIM: Final = "/billing/claim"
ACCEPT: Final = "/billing/accept"
APPEAL: Final = "/billing/appeal"
ANSWER: Final = "/billing/answer"
END: Final = "/billing/end"
AGAIN: Final = "/billing/again"
ROWS: Final = 20
FILTERS: Final = ("", "waiting", "ended", "all")
_DECIDED: Final = ("partly", "denied")
_ENDED: Final = ("paid", "reversed")


def show(asked: Asked) -> Shown:
    """What waits for somebody here first."""
    found = billing_desk.billed(asked.node, _asking(asked))
    now = asked.node.now_seconds()
    chosen, told = narrowed(
        asked,
        PATH,
        found,
        filters=FILTERS,
        is_wanted=lambda one, only: only in ("all", _kind(one, now)),
        rows=ROWS,
    )
    shown = billing_desk.owns(asked.node, chosen)
    people = named(
        asked,
        rights.ask(asked.node, asked.visit.session, purpose=billing_desk.PURPOSE),
        (one.vault for one in shown),
    )
    return Shown(
        "billing.html",
        {
            "rows": shown,
            "people": people,
            "names": _names(asked, [one.insurer for one in shown]),
            "claim": _address,
            "now": now,
            **told,
        },
    )


def show_claim(asked: Asked) -> Shown:
    """One claim: its lines, what the insurer answered and why, what can be done."""
    return _page(asked, id_of(asked.asked("claim", most=64)), None)


def accept(asked: Asked) -> Shown | Moved:
    """Take the decision as final."""
    return _done(asked, partial(billing_desk.accept, appeals=_seen(asked)), "decision-accepted")


def appeal(asked: Asked) -> Shown | Moved:
    """Have it decided again."""
    return _done(asked, partial(billing_desk.appeal, appeals=_seen(asked)), "decision-appealed")


def answer(asked: Asked) -> Shown | Moved:
    """Offer the patient what was asked for, or say that there is no more."""
    step = asked.field("step", most=8)
    chosen = asked.chosen("resource") if step == "offer" else ()
    if step != "none" and not chosen:
        problem = Invalid("Choose what is to be offered, or say that there is no more.")
        return _page(asked, id_of(asked.field("claim", most=64)), problem)

    def act(node: Any, asking: Asking, claim: bytes) -> None:
        billing_desk.answer(node, asking, claim, chosen[: billed.OFFERS])

    return _done(asked, act, "more-offered" if chosen else "no-more")


def end(asked: Asked) -> Shown | Moved:
    """End a claim that is not paid, nor decided since it was shown."""
    seen = asked.field("state", most=16)
    return _done(asked, partial(billing_desk.reverse, seen=seen), "claim-ended")


def again(asked: Asked) -> Shown | Moved:
    """Claim once more for what an ended claim was for."""
    return _done(asked, billing_desk.again, "claimed-again")


def _seen(asked: Asked) -> int:
    """After how many appeals the decision was that the form is about; -1 where it does not say."""
    said = asked.field("appeals", most=4)
    return int(said) if said.isascii() and said.isdecimal() else -1


def _done(asked: Asked, act: Callable[[Any, Asking, bytes], None], done: str) -> Shown | Moved:
    claim = id_of(asked.field("claim", most=64))
    try:
        act(asked.node, _asking(asked), claim)
    except (Conflict, Invalid, NotFound) as error:
        return _page(asked, claim, error)
    return Moved(_address(claim, done=done))


def _page(asked: Asked, claim: bytes, problem: SimdesError | None) -> Shown:
    looked = billed.look(asked.node, _asking(asked), claim)
    own = looked.own
    state = own.state.name.lower()
    return Shown(
        "billing_claim.html",
        {
            "own": own,
            "problem": problem,
            "insurer": members.name_of(asked.node, own.insurer),
            "person": person(_patient(asked, looked), asked.reader),
            "services": _services(asked, looked),
            "looked": looked,
            "decidable": state in _DECIDED and not own.final,
            "asked_for": state == "asked",
            "can_end": state not in _ENDED,
            "newer": _address(looked.newest) if looked.newest != claim else "",
            "again": state == "reversed" and looked.newest == claim,
            "unread": looked.pays is None and state in (*_DECIDED, "approved"),
            "offers": _offers(asked, looked),
        },
        here=_address(claim),
        status=STATUS[type(problem)] if problem else 200,
    )


def _asking(asked: Asked) -> Asking:
    asked.node.following.catch_up()
    return rights.ask(asked.node, asked.visit.session)


def _kind(one: Billed, now_seconds: int) -> str:
    """Which of the filters a claim is of: "" where somebody here has the next word."""
    state, final = one.known.state.name.lower(), one.known.is_final(now_seconds)
    if state in _ENDED or (state == "denied" and final):
        return "ended"
    return "" if state == "asked" or (state in _DECIDED and not final) else "waiting"


def _address(claim: bytes, **more: str) -> str:
    return f"{CLAIM}?{urlencode({'claim': claim.hex()} | more)}"


def _names(asked: Asked, organisations: Sequence[bytes]) -> dict[bytes, str]:
    return {one: members.name_of(asked.node, one) for one in set(organisations)}


def _patient(asked: Asked, looked: Looked) -> Source | None:
    if looked.patient is None:
        return None
    return Source(resource=looked.patient, organisation=asked.node.name, own=True)


def _services(asked: Asked, looked: Looked) -> dict[int, tuple[str, str]]:
    """What each line is for, and when."""
    return {
        int(one["sequence"]): (
            say(one.get("productOrService"), asked.reader),
            asked.reader.date(str(one.get("servicedDate", ""))),
        )
        for one in looked.claim.get("item") or ()
    }


def _offers(asked: Asked, looked: Looked) -> list[Line]:
    return lines(sources(asked.node, looked.offerable), asked.reader)
