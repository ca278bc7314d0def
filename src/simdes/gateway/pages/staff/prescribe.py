"""Prescribe: what and how, what the checks find in it, then sign."""

from __future__ import annotations

from typing import Any, Final

from simdes.errors import SimdesError
from simdes.exchange import charting
from simdes.exchange.prescriptions import ordering
from simdes.exchange.prescriptions.ordering import Checked
from simdes.fhir.ordering import DAYS, MOST_REPEATS, UNITS, Typed, order
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.staff.about import About, somebody
from simdes.gateway.pages.staff.limits import limits
from simdes.gateway.problems import STATUS

PATH: Final = "/patients/prescribe"
_FIELDS: Final = {
    "medicine": 200,
    "code": 8,
    "dosage": 400,
    "amount": 9,
    "unit": 16,
    "repeats": 4,
    "days": 4,
    "note": 400,
}
"""The fields that are typed or chosen, and how long each may be."""


def show(asked: Asked) -> Shown:
    """An empty form; who does not prescribe reads why."""
    return _page(asked, somebody(asked), None, None)


def sign(asked: Asked) -> Shown | Moved:
    """Show what the checks find; with ``step`` sign, and nothing new found, write it."""
    whom = somebody(asked)
    found: Checked | None = None
    try:
        made = _order(asked, whom)
        found = ordering.checked(asked.node, whom.asking, made, vault=whom.vault)
        form, signs = asked.field("form", most=64), asked.field("step", most=8) == "sign"
        if signs and charting.is_written(asked.node, whom.asking, "MedicationRequest", form=form):
            return Moved(f"{whom.back}&done=prescribed")
        if not signs or asked.field("seen", most=4000) != _seen(found):
            return _page(asked, whom, None, found)
        ordering.sign(
            asked.node,
            whom.asking,
            made,
            found,
            reason=asked.field("reason", most=400).strip(),
            form=form,
        )
    except SimdesError as error:
        return _page(asked, whom, error, found)
    return Moved(f"{whom.back}&done=prescribed")


def _order(asked: Asked, whom: About) -> dict[str, Any]:
    typed = {name: asked.field(name, most=most).strip() for name, most in _FIELDS.items()}
    return order(
        Typed(
            **typed,
            substitution=asked.field("substitution", most=4) == "yes",
            controlled=asked.field("controlled", most=4) == "yes",
        ),
        patient=whom.patient,
        author=charting.author(asked.node, whom.asking),
        now=charting.now(asked.node),
    )


def _seen(found: Checked) -> str:
    """What the prescriber was shown: signing what finds something else shows that first."""
    return " ".join(sorted(one.code for one in found.findings))[:4000]


def _page(asked: Asked, whom: About, problem: SimdesError | None, found: Checked | None) -> Shown:
    status = next((STATUS[one] for one in type(problem).__mro__ if one in STATUS), 500)
    return Shown(
        "prescribe.html",
        {
            "problem": problem,
            "whom": whom,
            "may": limits(asked),
            "units": UNITS,
            "days": DAYS,
            "most_repeats": MOST_REPEATS,
            "typed": lambda name, otherwise="": asked.form.get(name, [otherwise])[0][:400],
            "again": asked.method == "POST",
            "found": found,
            "findings": [
                (one.severity.value, asked.reader.both(one.summary), asked.reader.both(one.detail))
                for one in (found.findings if found else ())
            ],
            "seen": _seen(found) if found else "",
            "form": asked.form.get("form", [""])[0][:64] or asked.node.new_id(),
        },
        here=PATH,
        status=status if problem else 200,
    )
