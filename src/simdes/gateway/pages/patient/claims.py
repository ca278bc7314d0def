"""My claims: what an insurer asks to see, disclosing it line by line, or always.

Where a wallet keeps the patient's key, it signs each consent on a page of its own (`signing`): what
is left to be signed follows from what stands on the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members, wallets
from simdes.exchange.claims import disclosing
from simdes.exchange.claims.disclosing import Request
from simdes.exchange.meanings import CLAIM
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.patient import signing
from simdes.gateway.pages.patient.meanings import titles
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.problems import STATUS

PATH: Final = "/claims"
DISCLOSE: Final = "/claims/disclose"
WITHDRAW: Final = "/claims/withdraw"
PREFER: Final = "/claims/insurer"
SIGN: Final = "/claims/sign"
ENDED: Final = ("paid", "reversed")
_SHOW, _SHOW_AND_ANSWERS, _TAKE_BACK = "show", "show-and-answers", "take-back"
_PREFER, _PREFER_NONE = "prefer", "none"
"""What a wallet is on the way to, signature by signature."""


def show(asked: Asked) -> Shown:
    """Every claim, those that wait for an answer first."""
    mine = own(asked)
    found = _requests(asked, mine)
    preferred = disclosing.preferred(asked.node, mine.asking, mine.vault)
    disclosed = disclosing.disclosed(asked.node, mine.asking, mine.vault)
    named = {one for each in found for one in (each.insurer, each.provider)}
    waiting = {one.claim for one in found if waits(one, disclosed, preferred)}
    return Shown(
        "claims.html",
        {
            "requests": sorted(found, key=lambda one: one.claim not in waiting),
            "waiting": waiting,
            "state": state_of,
            "ended": ENDED,
            "names": {one: members.name_of(asked.node, one) for one in named},
            "preferred": members.name_of(asked.node, preferred) if preferred else "",
            "kept": mine.kept,
            "address": lambda path=PATH, **more: mine.address(path, **more),
        },
    )


def show_disclose(asked: Asked) -> Shown:
    """What the insurer asks to see, each line with why; ticked is what it gets."""
    mine = own(asked)
    return _form(asked, mine, chosen(asked, mine, asked.asked("claim", most=64)), None)


def disclose(asked: Asked) -> Shown | Moved:
    """Let the insurer see the ticked lines until the claim ends."""
    mine = own(asked)
    found = chosen(asked, mine, asked.field("claim", most=64))
    ticked, node = asked.chosen("line"), asked.node
    but = [one.reference for one in found.lines if one.reference not in ticked]
    answers = asked.field("answers", most=4) == "yes"
    try:
        if asked.visit.session.wallet:
            what = disclosing.to_disclose(node, mine.asking, found.claim, but=but)
            request = wallets.grant(node, mine.asking, (CLAIM, found.claim.hex()), **what)
            goal = _SHOW_AND_ANSWERS if answers else _SHOW
            return _WAY.ask(asked, mine, request, goal, found.claim.hex())
        disclosing.disclose(node, mine.asking, found.claim, but=but, answers=answers)
    except (Conflict, Invalid) as error:
        return _form(asked, mine, found, error)
    return Moved(mine.address(PATH, done="disclosed"))


def withdraw(asked: Asked) -> Shown | Moved:
    """Take back what was disclosed of a claim."""
    mine = own(asked)
    found = chosen(asked, mine, asked.field("claim", most=64))
    if asked.visit.session.wallet:
        return _WAY.go_on(asked, mine, _TAKE_BACK, found.claim.hex())
    disclosing.withdraw(asked.node, mine.asking, found.claim)
    return Moved(mine.address(PATH, done="undisclosed"))


def show_prefer(asked: Asked) -> Shown:
    """The insurer that gets what a claim needs by itself, or none."""
    return _choice(asked, own(asked), None)


def prefer(asked: Asked) -> Shown | Moved:
    """Choose one, or none."""
    mine, named = own(asked), asked.field("insurer", most=66)
    try:
        if not named:
            raise Invalid("Choose an insurer.", advice="Pick one from the list.")
        insurer = None if named == "none" else id_of(named.removeprefix("0x"))
        if asked.visit.session.wallet:
            if insurer is None:
                return _WAY.go_on(asked, mine, _PREFER_NONE)
            what = disclosing.to_prefer(asked.node, mine.asking, mine.vault, insurer)
            before = bool(disclosing.all_preferred(asked.node, mine.asking, mine.vault))
            request = wallets.grant(asked.node, **what)
            return _WAY.ask(asked, mine, request, _PREFER, first=before)
        disclosing.prefer(asked.node, mine.asking, mine.vault, insurer)
    except (Invalid, NotFound) as error:
        return _choice(asked, mine, error)
    done = "insurer-preferred" if insurer else "insurer-not-preferred"
    return Moved(mine.address(PATH, done=done))


# By wallet ------------------------------------------------------------------------------------


def _nothing(asked: Asked, mine: Own, named: str) -> None:
    return None


def _to_answers(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    found = chosen(asked, mine, named)
    what = disclosing.to_let_answer(asked.node, mine.asking, found.claim)
    return None if what is None else wallets.grant(asked.node, **what)


def _to_take_back(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    found = chosen(asked, mine, named)
    return signing.ending(
        asked, mine, disclosing.to_withdraw(asked.node, mine.asking, found.claim)[1]
    )


def _to_preferred(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    what = disclosing.to_answer_preferred(asked.node, mine.asking, mine.vault)
    if what is not None:
        return wallets.grant(asked.node, **what)
    return signing.ending(asked, mine, _preferred(asked, mine)[:-1])


def _to_none(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    return signing.ending(asked, mine, _preferred(asked, mine))


def _preferred(asked: Asked, mine: Own) -> list[bytes]:
    found = disclosing.all_preferred(asked.node, mine.asking, mine.vault)
    return [one.handle for one in found]


def _done(word: str) -> Callable[[Own, str], str]:
    return lambda mine, _: mine.address(PATH, done=word)


_GOALS: Final = {
    _SHOW: signing.Goal(_nothing, _done("disclosed")),
    _SHOW_AND_ANSWERS: signing.Goal(_to_answers, _done("disclosed")),
    _TAKE_BACK: signing.Goal(_to_take_back, _done("undisclosed")),
    _PREFER: signing.Goal(_to_preferred, _done("insurer-preferred")),
    _PREFER_NONE: signing.Goal(_to_none, _done("insurer-not-preferred")),
}
_WAY: Final = signing.Way(signing.At(SIGN, PATH), "claim", _GOALS)
sign: Final = _WAY.sign


# Steps ----------------------------------------------------------------------------------------


def _form(asked: Asked, mine: Own, found: Request, problem: SimdesError | None) -> Shown:
    known = titles(asked, mine)
    ticked = asked.chosen("line") if asked.method == "POST" else None
    return Shown(
        "claim_disclose.html",
        {
            "one": found,
            "state": state_of(found),
            "insurer": members.name_of(asked.node, found.insurer),
            "provider": members.name_of(asked.node, found.provider),
            "lines": [
                (each, known.get(each.reference), ticked is None or each.reference in ticked)
                for each in found.lines
            ],
            "problem": problem,
            "kept": mine.kept,
            "back": mine.address(PATH),
        },
        here=mine.address(DISCLOSE, claim=found.claim.hex()),
        status=STATUS[type(problem)] if problem else 200,
    )


def _choice(asked: Asked, mine: Own, problem: SimdesError | None) -> Shown:
    preferred = disclosing.preferred(asked.node, mine.asking, mine.vault)
    listed = [one for one in members.listed(asked.node) if one.kind == "insurer"]
    return Shown(
        "claim_insurer.html",
        {
            "insurers": [one for one in listed if one.state == "verified" and one.name],
            "chosen": f"0x{preferred.hex()}" if preferred else "none",
            "problem": problem,
            "kept": mine.kept,
            "back": mine.address(PATH),
        },
        here=mine.address(PREFER),
        status=STATUS[type(problem)] if problem else 200,
    )


def _requests(asked: Asked, mine: Own) -> list[Request]:
    found = disclosing.requests(asked.node, mine.asking)
    return [one for one in found if one.vault == mine.vault]


def chosen(asked: Asked, mine: Own, named: str) -> Request:
    """The claim of this record that is named. NotFound for anything else."""
    found = disclosing.request(asked.node, mine.asking, id_of(named))
    if found is None or found.vault != mine.vault:
        raise NotFound("There is no such claim of yours, or its insurer asks for nothing yet.")
    return found


def waits(one: Request, disclosed: Container[bytes], preferred: bytes | None) -> bool:
    """Whether a claim waits for its patient's word: what is preferred is let by itself."""
    state = state_of(one)
    by_itself = one.insurer == preferred and state not in ("opened", "asked")
    return one.claim not in disclosed and state not in ENDED and not by_itself


def state_of(one: Request) -> str:
    """How a claim stands, as `wording` names it."""
    return one.state.name.lower()
