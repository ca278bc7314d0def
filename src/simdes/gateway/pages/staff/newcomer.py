"""Register a patient: who it may be already is shown before anything is written."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from simdes.errors import Invalid, SimdesError
from simdes.exchange import charting, newcomers, patients_elsewhere, rights
from simdes.exchange.newcomers import Likely
from simdes.exchange.rights import Asking
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.showing import person
from simdes.gateway.problems import STATUS

PATH: Final = "/patients/new"
GENDERS: Final = ("female", "male", "other", "unknown")


def show(asked: Asked) -> Shown:
    """An empty form."""
    return _page(asked, (), None)


def register(asked: Asked) -> Shown | Moved:
    """Look who it may be; with ``new``, nobody of those, write it."""
    known: list[Likely] = []
    try:
        patient, asking = _patient(asked), rights.ask(asked.node, asked.visit.session)
        known = newcomers.likely(asked.node, asking, patient)
        shown = " ".join(one.found.id for one in known)
        if known and asked.field("new", most=2000) != shown:
            return _page(asked, known, None, shown=shown)
        made = _write(asked, asking, patient, known)
    except SimdesError as error:
        return _page(asked, known, error)
    return Moved(f"/patients/record?patient={made}&done=registered")


def _write(asked: Asked, asking: Asking, patient: dict[str, Any], known: list[Likely]) -> str:
    form = asked.field("form", most=64)
    return newcomers.register(asked.node, asking, patient, form=form, known=known)


def _patient(asked: Asked) -> dict[str, Any]:
    family, given = asked.field("family", most=100).strip(), asked.field("given", most=100).strip()
    born, gender = asked.field("born", most=10).strip(), asked.field("gender", most=8)
    number = asked.field("number", most=128).strip()
    system = asked.field("system", most=256).strip()
    if not family or not given or gender not in GENDERS:
        raise Invalid("A patient has a name and a birth date.", advice="Fill in each of them.")
    try:
        future = date.fromisoformat(born).isoformat() > charting.now(asked.node)[:10]
    except ValueError:
        future = True
    if future:
        raise Invalid("The birth date is none.", advice="Type it as year-month-day.")
    if bool(number) != bool(system):
        raise Invalid("Type a number, and who issued it.", advice="Both are on the card.")
    identifier = {"identifier": [{"system": system, "value": number}]} if number else {}
    return {
        "resourceType": "Patient",
        **identifier,
        "name": [{"family": family, "given": given.split()}],
        "gender": gender,
        "birthDate": born,
    }


def _page(asked: Asked, known: Any, problem: SimdesError | None, *, shown: str = "") -> Shown:
    status = next((STATUS[one] for one in type(problem).__mro__ if one in STATUS), 500)
    grades = [one.grade for one in known]
    people = sources(asked.node, [one.found for one in known])
    return Shown(
        "newcomer.html",
        {
            "problem": problem,
            "known": [
                (grade, str(one.resource.get("id")), person(one, asked.reader))
                for grade, one in zip(grades, people, strict=True)
            ],
            "shown": shown,
            "genders": GENDERS,
            "systems": patients_elsewhere.systems(asked.node),
            "typed": lambda name: asked.form.get(name, [""])[0][:256],
            "form": asked.form.get("form", [""])[0][:64] or asked.node.new_id(),
        },
        here=PATH,
        status=status if problem else 200,
    )
