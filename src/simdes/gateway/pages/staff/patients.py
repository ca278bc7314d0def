"""Doctors and nurses: find a patient, read their record as far as consent and role go."""

from __future__ import annotations

from typing import Final

from simdes.errors import Invalid, SimdesError
from simdes.exchange import rights
from simdes.exchange.interactions.search import find
from simdes.fhir.search.parse import parse
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.record import files
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.reading import Reading, shown
from simdes.gateway.pages.record.showing import person
from simdes.gateway.pages.staff import emergency
from simdes.gateway.pages.staff.limits import limits
from simdes.gateway.problems import STATUS

PATH: Final = "/patients"
RECORD: Final = "/patients/record"
_MOST: Final = 20
_WORDS: Final = 5


def show(asked: Asked) -> Shown:
    """The form."""
    return _page(asked, (), problem=None)


def search(asked: Asked) -> Shown:
    """Patients by name or number; what was typed stands in no address."""
    pairs = _pairs(asked)
    try:
        if not pairs:
            raise Invalid("Type a name or a number.", advice="A birth date narrows it down.")
        asking = rights.ask(asked.node, asked.visit.session)
        query = parse(("Patient",), [*pairs, ("_count", str(_MOST))], now_ms=asked.node.now_ms())
        page = find(asked.node, asking, query)
    except Invalid as error:
        return _page(asked, (), problem=error)
    found = [
        (str(one.resource.get("id")), person(one, asked.reader), one.organisation)
        for one in sources(asked.node, page.matches)
    ]
    return _page(asked, found, problem=None, more=bool(page.next))


def record(asked: Asked) -> Shown:
    """A patient's record, as far as this person may see it."""
    patient = asked.asked("patient", most=64)
    reading = Reading(
        asking=rights.ask(asked.node, asked.visit.session),
        patient=patient,
        base=RECORD,
        files=f"{files.STAFF}?",
        kept={"patient": patient},
    )
    seen = {"view": shown(asked, reading), "patient": patient, "may": limits(asked)}
    return Shown("patient_record.html", seen)


def _pairs(asked: Asked) -> list[tuple[str, str]]:
    """The search that the form means: a number where there are digits, else words of the name."""
    text = asked.field("text", most=128).strip()
    born = asked.field("born", most=10).strip()
    digits = any(one.isdigit() for one in text)
    words = [] if digits else text.split()[:_WORDS]
    numbers = [("identifier", _escaped(text, keep="|"))] if digits else []
    named = [("name", _escaped(word)) for word in words]
    return [*numbers, *named, *([("birthdate", _escaped(born))] if born else [])]


def _escaped(text: str, *, keep: str = "") -> str:
    """A value in which nothing stands for alternatives (https://hl7.org/fhir/R4/search.html)."""
    return "".join(f"\\{one}" if one in "\\,$|" and one not in keep else one for one in text)


def _page(asked: Asked, found: object, *, problem: SimdesError | None, more: bool = False) -> Shown:
    return Shown(
        "patients.html",
        {
            "problem": problem,
            "found": found,
            "asked_for": asked.method == "POST" and problem is None,
            "more": more,
            "text": asked.form.get("text", [""])[0][:128],
            "born": asked.form.get("born", [""])[0][:10],
            "emergencies": emergency.opened(asked),
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
    )
