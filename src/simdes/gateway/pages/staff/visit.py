"""Write a visit: why, vital signs, problems, orders; unusual numbers are confirmed before."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from simdes.errors import Invalid, SimdesError
from simdes.exchange import charting
from simdes.fhir import visits
from simdes.fhir.visits import MOST_ROWS, MOST_TEXT, VITALS, Visit
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.staff.about import About, somebody
from simdes.gateway.pages.staff.limits import limits
from simdes.gateway.problems import STATUS

PATH: Final = "/patients/visit"


def show(asked: Asked) -> Shown:
    """An empty form."""
    return _page(asked, somebody(asked), None)


def write(asked: Asked) -> Shown | Moved:
    """Write it; once, however often the form is sent."""
    whom = somebody(asked)
    try:
        readings = _readings(asked)
        made = visits.resources(
            _visit(asked, readings),
            patient=whom.patient,
            author=charting.author(asked.node, whom.asking),
            now=charting.now(asked.node),
        )
        odd = visits.unusual(readings)
        if odd and asked.field("sure", most=8) != "yes":
            return _page(asked, whom, None, odd=odd)
        charting.write(asked.node, whom.asking, made, form=asked.field("form", most=64))
    except SimdesError as error:
        return _page(asked, whom, error)
    return Moved(f"{whom.back}&done=written")


def _visit(asked: Asked, readings: dict[str, Decimal]) -> Visit:
    rows = range(1, MOST_ROWS + 1)
    problems = [
        (_typed(asked, f"problem-{row}"), _typed(asked, f"code-{row}", most=16).upper())
        for row in rows
    ]
    orders = [
        (_typed(asked, f"kind-{row}", most=32), _typed(asked, f"order-{row}")) for row in rows
    ]
    return Visit(
        kind=_typed(asked, "kind", most=8),
        reason=_typed(asked, "reason"),
        readings=readings,
        problems=[one for one in problems if any(one)],
        orders=[one for one in orders if one[1]],
    )


def _readings(asked: Asked) -> dict[str, Decimal]:
    typed = {name: visits.reading(name, asked.field(name, most=16)) for name in VITALS}
    return {name: value for name, value in typed.items() if value is not None}


def _typed(asked: Asked, name: str, *, most: int = MOST_TEXT) -> str:
    text = asked.field(name).strip()
    if len(text) > most:
        raise Invalid("A field is longer than it may be.")
    return text


def _page(
    asked: Asked, whom: About, problem: SimdesError | None, *, odd: list[str] | None = None
) -> Shown:
    status = next((STATUS[one] for one in type(problem).__mro__ if one in STATUS), 500)
    return Shown(
        "visit.html",
        {
            "problem": problem,
            "whom": whom,
            "odd": odd or [],
            "vitals": VITALS,
            "classes": visits.CLASSES,
            "orders": visits.ORDERS,
            "rows": range(1, MOST_ROWS + 1),
            "typed": lambda name: asked.form.get(name, [""])[0][:MOST_TEXT],
            "form": asked.form.get("form", [""])[0][:64] or asked.node.new_id(),
            "may": limits(asked),
        },
        here=PATH,
        status=status if problem else 200,
    )
