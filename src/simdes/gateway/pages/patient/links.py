"""Share a summary by QR code: make a SMART Health Link, show it, see who opened it, end it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import segno

from simdes.errors import Invalid, SimdesError, TooLarge
from simdes.exchange import health_links
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.problems import STATUS

PATH: Final = "/links"
NEW: Final = "/links/new"
CODE: Final = "/links/code"
RENEW: Final = "/links/renew"
END: Final = "/links/end"
DAYS: Final = {1: _("one day"), 7: _("one week"), 30: _("30 days"), 90: _("three months")} | {
    365: _("one year")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a form says so far; a passcode is never said again."""

    label: str = ""
    days: int = 7
    long_term: bool = False


def show(asked: Asked) -> Shown:
    """Every link, who opened it, what can be done with it."""
    mine = own(asked)
    found = health_links.listed(asked.node, mine.vault)
    return Shown(
        "links.html",
        {
            "codes": found,
            "kept": mine.kept,
            "address": mine.address,
        },
    )


def show_new(asked: Asked) -> Shown:
    """The form."""
    return _form(own(asked), Choice(), None)


def new(asked: Asked) -> Shown | Moved:
    """Make a link and show its code."""
    mine = own(asked)
    days = asked.field("days", most=4)
    choice = Choice(
        label=asked.field("label", most=400),
        days=int(days) if days.isdecimal() and int(days) in DAYS else 7,
        long_term=bool(asked.field("long-term", most=8)),
    )
    try:
        made = health_links.make(
            asked.node,
            mine.asking,
            vault=mine.vault,
            patient=mine.record.patient,
            label=choice.label,
            days=choice.days,
            passcode=asked.field("passcode", most=200),
            long_term=choice.long_term,
        )
    except (Invalid, TooLarge) as error:
        return _form(mine, choice, error)
    return Moved(mine.address(CODE, link=made.id.hex()))


def show_code(asked: Asked) -> Shown:
    """The QR code of a link."""
    mine = own(asked)
    one = health_links.get(asked.node, mine.vault, id_of(asked.asked("link", most=64)))
    picture = segno.make(one.uri, error="m").svg_data_uri(scale=4, border=4)
    return Shown("link_code.html", {"link": one, "picture": picture, "back": mine.address(PATH)})


def renew(asked: Asked) -> Moved:
    """Put what the record holds now into a long-term link."""
    mine = own(asked)
    health_links.renew(
        asked.node,
        mine.asking,
        vault=mine.vault,
        patient=mine.record.patient,
        id_=id_of(asked.field("link", most=64)),
    )
    return Moved(mine.address(PATH, done="link-renewed"))


def end(asked: Asked) -> Moved:
    """End a link for good."""
    mine = own(asked)
    named = id_of(asked.field("link", most=64))
    health_links.end(asked.node, asked.visit.session, vault=mine.vault, id_=named)
    return Moved(mine.address(PATH, done="link-ended"))


def _form(mine: Own, choice: Choice, problem: SimdesError | None) -> Shown:
    return Shown(
        "link_new.html",
        {"problem": problem, "choice": choice, "days": DAYS, "kept": mine.kept},
        here=mine.address(NEW),
        status=STATUS[type(problem)] if problem else 200,
    )
