"""Ask a patient to open something, and say why: they read it on their pages and decide."""

from __future__ import annotations

from typing import Final

from simdes.errors import Invalid, SimdesError
from simdes.exchange import access_requests
from simdes.exchange.previewing import CATEGORIES
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.staff.about import About, about
from simdes.gateway.problems import STATUS

PATH: Final = "/patients/request"
DAYS: Final = {"7": _("a week"), "30": _("a month"), "90": _("three months"), "365": _("a year")}
USUAL: Final = (
    "demographics",
    "conditions",
    "allergies",
    "medications",
    "observations",
    "encounters",
    "documents",
)


def show(asked: Asked) -> Shown:
    """The form, with what most treatments need ticked."""
    return _page(asked, about(asked), USUAL[:5], None)


def send(asked: Asked) -> Shown | Moved:
    """Ask."""
    whom = about(asked)
    chosen = tuple(one for one in CATEGORIES if one in asked.chosen("category"))
    try:
        days = asked.field("days", most=4)
        if days not in DAYS:
            raise Invalid("Choose for how many days.")
        access_requests.request(
            asked.node,
            asked.visit.session,
            vault=whom.vault,
            categories=chosen,
            purpose="TREAT",
            days=int(days),
            text=asked.field("text", most=access_requests.MOST_TEXT),
            name=asked.visit.person.display or asked.visit.person.user,
        )
    except SimdesError as error:
        return _page(asked, whom, chosen, error)
    return Moved("/patients?done=requested")


def _page(asked: Asked, whom: About, chosen: tuple[str, ...], problem: SimdesError | None) -> Shown:
    status = next((STATUS[one] for one in type(problem).__mro__ if one in STATUS), 500)
    return Shown(
        "request.html",
        {
            "problem": problem,
            "whom": whom,
            "chosen": chosen,
            "usual": USUAL,
            "more": [one for one in CATEGORIES if one not in USUAL],
            "days": DAYS,
            "for_days": asked.form.get("days", ["30"])[0],
            "text": asked.form.get("text", [""])[0][: access_requests.MOST_TEXT],
        },
        here=PATH,
        status=status if problem else 200,
    )
