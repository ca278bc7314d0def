"""My prescriptions: where each stands, to which pharmacy it goes, what to show at the counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import segno

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members
from simdes.exchange.members import Member
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding, submitting
from simdes.exchange.prescriptions.holding import Held, Told
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.languages import Reader
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.record.saying import Json, say
from simdes.gateway.pages.record.timeline import Source, line
from simdes.gateway.problems import STATUS

PATH: Final = "/prescriptions"
SUBMIT: Final = "/prescriptions/submit"
WITHDRAW: Final = "/prescriptions/withdraw"
PHARMACY: Final = "/prescriptions/pharmacy"
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
    """Every prescription, those that go on first, and the preferred pharmacy."""
    mine, node = own(asked), asked.node
    found = [
        in_words(asked, one) for one in holding.all_held(node, mine.asking, vaults=(mine.vault,))
    ]
    preferred = submitting.preferred(node, mine.vault)
    return Shown(
        "prescriptions.html",
        {
            "listed": sorted(
                found, key=lambda one: (not one.goes_on, -one.told.last_day.toordinal())
            ),
            "preferred": members.name_of(node, preferred) if preferred else "",
            "kept": mine.kept,
            "address": lambda path, **more: _address(mine, path, **more),
        },
    )


def show_submit(asked: Asked) -> Shown:
    """Which pharmacy a prescription goes to."""
    mine = own(asked)
    return _form(asked, mine, _held(asked, mine, asked.asked("prescription", most=64)), None)


def submit(asked: Asked) -> Shown:
    """Submit it; the answer shows what to say or show at the counter."""
    mine = own(asked)
    held = _held(asked, mine, asked.field("prescription", most=64))
    try:
        pharmacy = _pharmacy(asked)
        verb = submitting.transfer if asked.field("away") else submitting.submit
        made = verb(asked.node, mine.asking, _id(held), pharmacy.id)
    except (Conflict, Invalid) as error:
        return _form(asked, mine, held, error)
    picture = segno.make(made.payload, error="l").svg_data_uri(scale=4, border=2)
    return Shown(
        "prescription_code.html",
        {
            "one": in_words(asked, held),
            "pharmacy": pharmacy.name,
            "code": made.code,
            "picture": picture,
            "until_ms": made.until_seconds * 1000,
            "address": lambda path, **more: _address(mine, path, **more),
        },
        here=_address(mine, PATH),
    )


def withdraw(asked: Asked) -> Moved:
    """Take a prescription back from every pharmacy that it was submitted to."""
    mine = own(asked)
    submitting.withdraw(asked.node, mine.asking, asked.field("prescription", most=64))
    return Moved(_address(mine, PATH, done="withdrawn"))


def show_pharmacy(asked: Asked) -> Shown:
    """The pharmacy that every prescription goes to by itself."""
    return _preference(asked, own(asked), None)


def prefer(asked: Asked) -> Shown | Moved:
    """Let every prescription go to one pharmacy by itself, or to none."""
    mine = own(asked)
    try:
        chosen = None if asked.field("pharmacy", most=66) == "none" else _pharmacy(asked).id
        submitting.prefer(asked.node, mine.asking, mine.vault, chosen)
    except Invalid as error:
        return _preference(asked, mine, error)
    return Moved(_address(mine, PATH, done="preferred" if chosen else "not-preferred"))


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
        here=_address(mine, PHARMACY),
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
        here=_address(mine, SUBMIT, prescription=_id(held)),
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
    one = line(Source(resource=held.request, organisation="", own=True), reader, {})
    return Prescription(
        id=_id(held),
        title=one.title,
        dosage=dict(one.facts).get(reader.text("How to take it"), ""),
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


def _address(mine: Own, path: str, **more: str) -> str:
    said = mine.kept | more
    return f"{path}?{urlencode(said)}" if said else path
