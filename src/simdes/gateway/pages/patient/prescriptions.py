"""My prescriptions: where each stands, to which pharmacy it goes, what to show at the counter.

Where a wallet keeps the patient's key, it signs each step on a page of its own (`signing`): what is
left to be signed follows from what stands on the ledger, so nothing is lost between two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import segno

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members, wallets
from simdes.exchange.meanings import PRESCRIPTION
from simdes.exchange.members import Member
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding, submitting
from simdes.exchange.prescriptions.holding import Held, Told
from simdes.exchange.prescriptions.submitting import Submitted
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.languages import Reader
from simdes.gateway.pages.patient import signing
from simdes.gateway.pages.patient.meanings import medicine
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.record.saying import Json, say
from simdes.gateway.problems import STATUS

PATH: Final = "/prescriptions"
SUBMIT: Final = "/prescriptions/submit"
WITHDRAW: Final = "/prescriptions/withdraw"
PHARMACY: Final = "/prescriptions/pharmacy"
CODE: Final = "/prescriptions/code"
SIGN: Final = "/prescriptions/sign"
_SEND, _MOVE, _TAKE_BACK, _PREFER, _PREFER_NONE = "send", "move", "take-back", "prefer", "none"
"""What a wallet is on the way to, signature by signature."""
_DISPENSERS: Final = ("pharmacy", "hospital")
_GOES_ON: Final = ("issued", "held", "partly-dispensed", "early")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription:
    """A prescription in words."""

    id: str
    title: str
    dosage: str
    told: Told
    prescribed: str
    left: str
    fills: tuple[tuple[str, str, str], ...]

    @property
    def goes_on(self) -> bool:
        """Whether something can still be dispensed."""
        return self.told.state.value in _GOES_ON


def show(asked: Asked) -> Shown:
    """Every prescription, those that go on first, where each was sent, and the preferred
    pharmacy."""
    mine, node = own(asked), asked.node
    found = [
        (in_words(asked, one), one.tag_bytes)
        for one in holding.all_held(node, mine.asking, vaults=(mine.vault,))
    ]
    preferred = submitting.all_preferred(node, mine.asking, mine.vault)
    sent = submitting.all_submitted(node, mine.asking, mine.vault)
    named = {one.terms.grantee for some in (preferred, *sent.values()) for one in some}
    found.sort(key=lambda one: (not one[0].goes_on, -one[0].told.last_day.toordinal()))
    return Shown(
        "prescriptions.html",
        {
            "listed": [(one, sent.get(tag, ()) if one.goes_on else ()) for one, tag in found],
            "names": {one: members.name_of(node, one) for one in named},
            "preferred": preferred,
            "kept": mine.kept,
            "address": mine.address,
        },
    )


def show_submit(asked: Asked) -> Shown:
    """Which pharmacy a prescription goes to."""
    mine = own(asked)
    return _form(asked, mine, _held(asked, mine, asked.asked("prescription", most=64)), None)


def submit(asked: Asked) -> Shown | Moved:
    """Submit it; then what to say or show at the counter."""
    mine, node = own(asked), asked.node
    held = _held(asked, mine, asked.field("prescription", most=64))
    away = bool(asked.field("away"))
    try:
        pharmacy = _pharmacy(asked)
        if asked.visit.session.wallet:
            what = submitting.to_submit(node, mine.asking, _id(held), pharmacy.id)
            request = wallets.grant(node, mine.asking, (PRESCRIPTION, _id(held)), **what)
            before = away and bool(submitting.submitted(node, mine.asking, _id(held)))
            return _WAY.ask(asked, mine, request, _MOVE if away else _SEND, _id(held), first=before)
        verb = submitting.transfer if away else submitting.submit
        verb(node, mine.asking, _id(held), pharmacy.id)
    except (Conflict, Invalid) as error:
        return _form(asked, mine, held, error)
    return Moved(mine.address(CODE, prescription=_id(held)))


def show_code(asked: Asked) -> Shown:
    """What to say or show at the counter of the pharmacy to which a prescription was sent:
    ``consent`` says which of several, else the newest."""
    mine = own(asked)
    held = _held(asked, mine, asked.asked("prescription", most=64))
    named = asked.asked("consent", most=64)
    sent = submitting.submitted(asked.node, mine.asking, _id(held))
    chosen = [one for one in sent if named in ("", one.handle.hex())]
    if not chosen:
        raise NotFound("There is nothing like that.")
    return _code(asked, mine, held, chosen[-1])


def _code(asked: Asked, mine: Own, held: Held, made: Submitted) -> Shown:
    picture = segno.make(made.payload, error="l").svg_data_uri(scale=4, border=2)
    return Shown(
        "prescription_code.html",
        {
            "one": in_words(asked, held),
            "pharmacy": members.name_of(asked.node, made.pharmacy),
            "code": made.code,
            "picture": picture,
            "until_ms": made.until_seconds * 1000,
            "address": mine.address,
        },
    )


def withdraw(asked: Asked) -> Shown | Moved:
    """Take a prescription back from every pharmacy that it was submitted to."""
    mine, named = own(asked), asked.field("prescription", most=64)
    if asked.visit.session.wallet:
        return _WAY.go_on(asked, mine, _TAKE_BACK, named)
    submitting.withdraw(asked.node, mine.asking, named)
    return Moved(mine.address(PATH, done="withdrawn"))


def show_pharmacy(asked: Asked) -> Shown:
    """The pharmacy that every prescription goes to by itself."""
    return _preference(asked, own(asked), None)


def prefer(asked: Asked) -> Shown | Moved:
    """Let every prescription go to one pharmacy by itself, or to none."""
    mine, node = own(asked), asked.node
    try:
        chosen = None if asked.field("pharmacy", most=66) == "none" else _pharmacy(asked).id
        if asked.visit.session.wallet:
            if chosen is None:
                return _WAY.go_on(asked, mine, _PREFER_NONE)
            what = submitting.to_prefer(node, mine.asking, mine.vault, chosen)
            before = bool(submitting.all_preferred(node, mine.asking, mine.vault))
            return _WAY.ask(asked, mine, wallets.grant(node, **what), _PREFER, first=before)
        submitting.prefer(node, mine.asking, mine.vault, chosen)
    except Invalid as error:
        return _preference(asked, mine, error)
    return Moved(mine.address(PATH, done="preferred" if chosen else "not-preferred"))


# By wallet ------------------------------------------------------------------------------------


def _nothing(asked: Asked, mine: Own, named: str) -> None:
    return None


def _to_take_back(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    return signing.ending(asked, mine, _sent(asked, mine, named))


def _to_move(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    return signing.ending(asked, mine, _sent(asked, mine, named)[:-1])


def _to_none(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    return signing.ending(asked, mine, _preferred(asked, mine))


def _to_preferred(asked: Asked, mine: Own, named: str) -> wallets.Request | None:
    return signing.ending(asked, mine, _preferred(asked, mine)[:-1])


def _sent(asked: Asked, mine: Own, named: str) -> list[bytes]:
    held = _held(asked, mine, named)
    return [one.handle for one in submitting.submitted(asked.node, mine.asking, _id(held))]


def _preferred(asked: Asked, mine: Own) -> list[bytes]:
    found = submitting.all_preferred(asked.node, mine.asking, mine.vault)
    return [one.handle for one in found]


def _done(word: str) -> Callable[[Own, str], str]:
    return lambda mine, _: mine.address(PATH, done=word)


def _to_code(mine: Own, named: str) -> str:
    return mine.address(CODE, prescription=named)


_GOALS: Final = {
    _SEND: signing.Goal(_nothing, _to_code),
    _MOVE: signing.Goal(_to_move, _to_code),
    _TAKE_BACK: signing.Goal(_to_take_back, _done("withdrawn")),
    _PREFER: signing.Goal(_to_preferred, _done("preferred")),
    _PREFER_NONE: signing.Goal(_to_none, _done("not-preferred")),
}
_WAY: Final = signing.Way(signing.At(SIGN, PATH), "prescription", _GOALS)
sign: Final = _WAY.sign


# Steps ----------------------------------------------------------------------------------------


def _preference(asked: Asked, mine: Own, problem: SimdesError | None) -> Shown:
    preferred = submitting.preferred(asked.node, mine.vault)
    return Shown(
        "prescription_pharmacy.html",
        {
            "problem": problem,
            "pharmacies": _dispensers(asked.node),
            "preferred": f"0x{preferred.hex()}" if preferred else "none",
            "kept": mine.kept,
        },
        here=mine.address(PHARMACY),
        status=STATUS[type(problem)] if problem else 200,
    )


def _form(asked: Asked, mine: Own, held: Held, problem: SimdesError | None) -> Shown:
    return Shown(
        "prescription_submit.html",
        {
            "problem": problem,
            "one": in_words(asked, held),
            "pharmacies": _dispensers(asked.node),
            "kept": mine.kept,
        },
        here=mine.address(SUBMIT, prescription=_id(held)),
        status=STATUS[type(problem)] if problem else 200,
    )


def _held(asked: Asked, mine: Own, request: str) -> Held:
    if not request:
        raise NotFound("There is nothing like that.")
    return holding.hold(asked.node, mine.asking, request, vault=mine.vault)


def _pharmacy(asked: Asked) -> Member:
    named = asked.field("pharmacy", most=66)
    for one in _dispensers(asked.node):
        if named == f"0x{one.id.hex()}":
            return one
    raise Invalid("Choose a pharmacy.", advice="Pick one from the list.")


def _dispensers(node: Node) -> list[Member]:
    """Organisations that dispense, pharmacies first."""
    known = [
        one
        for one in members.listed(node)
        if one.kind in _DISPENSERS and one.state == "verified" and one.name
    ]
    return sorted(known, key=lambda one: (one.kind != "pharmacy", one.name.casefold()))


def in_words(asked: Asked, held: Held) -> Prescription:
    """A prescription and where it stands, as the reader writes it."""
    reader = asked.reader
    told = holding.tell(asked.node, held)
    title, dosage = medicine(asked, held)
    return Prescription(
        id=_id(held),
        title=title,
        dosage=dosage,
        told=told,
        prescribed=say(told.prescribed, reader),
        left=_left(told.left, told.prescribed, reader),
        fills=tuple(
            (say(fill.amount, reader), fill.pharmacy, reader.date(fill.began.isoformat()))
            for fill in told.fills
        ),
    )


def _left(left: Json, prescribed: Json, reader: Reader) -> str:
    """What is left, its unit left to what was prescribed where it is the same."""
    same = left.get("unit") == prescribed.get("unit") and "value" in left
    return say(left["value"] if same else left, reader)


def _id(held: Held) -> str:
    return held.opening.request.rpartition("/")[2]
