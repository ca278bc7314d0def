"""Break glass: why, then six kinds of records for hours; what was opened, and read under it."""

from __future__ import annotations

from typing import Final

from simdes.errors import Forbidden, SimdesError
from simdes.exchange import emergencies, members, rights
from simdes.exchange.emergencies import Emergency
from simdes.exchange.interactions.search import find
from simdes.exchange.rights import Asking
from simdes.fhir.search.parse import parse
from simdes.gateway.pages.answering import Moved, Sent, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.record import files
from simdes.gateway.pages.record.reading import Reading, shown
from simdes.gateway.pages.staff.about import about
from simdes.gateway.problems import STATUS

PATH: Final = "/patients/emergency"
NEW: Final = "/patients/emergency/new"


def show_new(asked: Asked) -> Shown:
    """What it means, and the reasons."""
    return _form(asked, None)


def open_(asked: Asked) -> Shown | Moved:
    """Open it; the record follows."""
    whom = about(asked)
    try:
        made = emergencies.open_(
            asked.node,
            asked.visit.session,
            vault=whom.vault,
            reason=asked.field("reason", most=32),
            text=asked.field("text", most=emergencies.MOST_TEXT),
            name=asked.visit.person.display or asked.visit.person.user,
        )
    except SimdesError as error:
        return _form(asked, error)
    return Moved(f"{PATH}?handle={made.handle.hex()}")


def show(asked: Asked) -> Shown:
    """The record as far as the emergency opens it, while it lasts."""
    one = _standing(asked)
    emergencies.tell(asked.node, asked.visit.session, one.vault, one.handle)
    return Shown("emergency.html", {"view": shown(asked, _reading(asked, one)), "one": one})


def file(asked: Asked) -> Sent:
    """A file of that record, under the same emergency and out of that patient's vault alone."""
    one = _standing(asked)
    return files.sent(asked, _asking(asked, one), vaults=(one.vault,))


def opened(asked: Asked) -> list[Emergency]:
    """The emergencies of this person that still stand."""
    listed = emergencies.listed(asked.node, asked.visit.session)
    return [one for one in listed if one.open]


def _standing(asked: Asked) -> Emergency:
    """The emergency that an address names; Forbidden once it is over."""
    handle = id_of(asked.asked("handle", most=64))
    one = emergencies.standing(asked.node, asked.visit.session, handle)
    if not one.open:
        raise Forbidden("The emergency is over.", advice="Ask the patient for access.")
    return one


def _reading(asked: Asked, one: Emergency) -> Reading:
    """What is open of the vault; nothing where not even a Patient is."""
    handle = one.handle.hex()
    query = parse(("Patient",), [("_count", "1")], now_ms=asked.node.now_ms())
    page = find(asked.node, _asking(asked, one), query, vaults=(one.vault,))
    return Reading(
        # Asked anew: the search may have been what brought the first copies here.
        asking=_asking(asked, one),
        patient=page.matches[0].id if page.matches else None,
        base=PATH,
        files=f"{files.EMERGENCY}?handle={handle}&",
        kept={"handle": handle},
        warnings=tuple(page.warnings),
    )


def _asking(asked: Asked, one: Emergency) -> Asking:
    emergency = (one.vault, one.handle)
    return rights.ask(asked.node, asked.visit.session, purpose="ETREAT", emergency=emergency)


def _form(asked: Asked, problem: SimdesError | None) -> Shown:
    whom = about(asked)
    bounds = emergencies.bounds(asked.node, whom.vault)
    status = next((STATUS[one] for one in type(problem).__mro__ if one in STATUS), 500)
    return Shown(
        "emergency_new.html",
        {
            "problem": problem,
            "whom": whom,
            "organisation_of": members.name_of(asked.node, bounds.organisation),
            "reasons": emergencies.REASONS,
            "chosen": asked.form.get("reason", [""])[0],
            "text": asked.form.get("text", [""])[0][: emergencies.MOST_TEXT],
            "open_minutes": max(1, bounds.open_seconds // 60),
            "review_hours": max(1, bounds.review_seconds // 3600),
        },
        here=NEW,
        status=status if problem else 200,
    )
