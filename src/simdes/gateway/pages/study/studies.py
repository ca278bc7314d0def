"""Studies: what the ledger shows of all, and one by its document: judged, counted, registered.

A study is the document that its sponsor publishes; the ledger has its id alone. Whoever wants to do
something with one gives the document, which is compared with the ledger each time, and travels in
the form's body.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered, TooLarge
from simdes.exchange import members
from simdes.exchange.research import feasibility, studies
from simdes.exchange.research.feasibility import Feasibility
from simdes.exchange.research.studies import Document, Listed, Stands
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient.record import page_number
from simdes.gateway.problems import STATUS

PATH: Final = "/studies"
STUDY: Final = "/studies/study"
ROWS: Final = 40
MOST_DOCUMENT: Final = 40_000
"""What a form holds of a study's document beside its other fields."""
_THOUSANDTHS: Final = 1_000
"""Of a quantity's unit, in which criteria have their bounds."""
_REFUSED: Final = (Conflict, Forbidden, Invalid, NotFound, Tampered, TooLarge)
_DONE: Final = {
    "register": "study-registered",
    "approve": "study-approved",
    "retract": "study-retracted",
}


def show(asked: Asked) -> Shown:
    """Every study of the network, the newest first."""
    node = asked.node
    found = list(reversed(studies.listed(node)))
    pages = max(1, -(-len(found) // ROWS))
    page = min(page_number(asked), pages) or 1
    shown = found[(page - 1) * ROWS : page * ROWS]
    sponsors = {one.study.sponsor for one in shown}
    return Shown(
        "study/studies.html",
        {
            "studies": shown,
            "names": {one: members.name_of(node, one) for one in sponsors},
            "state": lambda one: _state(one, node.now_seconds()),
            "own": node.organisation,
            "page": page,
            "pages": pages,
        },
    )


def show_study(asked: Asked) -> Shown:
    """Where a study's document is put in."""
    return _form(asked, "", None)


def study(asked: Asked) -> Shown | Moved:
    """What a document says and where it stands; and with a step what is done with it."""
    text, step = asked.field("document", most=MOST_DOCUMENT), asked.field("step", most=16)
    try:
        document = studies.read_document(text.encode())
    except Invalid as error:
        return _form(asked, text, error)
    try:
        if step == "count":
            criteria = document.criteria
            found = feasibility.feasibility(asked.node, asked.visit.session, criteria)
            return _study(asked, text, document, counted=found)
        if step in _DONE:
            verb = {
                "register": studies.register,
                "approve": studies.approve,
                "retract": studies.retract,
            }[step]
            verb(asked.node, asked.visit.session, document)
            return Moved(f"{PATH}?done={_DONE[step]}")
    except _REFUSED as error:
        return _study(asked, text, document, problem=error)
    return _study(asked, text, document)


def _study(
    asked: Asked,
    text: str,
    document: Document,
    *,
    counted: Feasibility | None = None,
    problem: SimdesError | None = None,
) -> Shown:
    node, actor = asked.node, asked.visit.session.actor
    stands = _stands(asked, document)
    sponsor = studies.octets(document.sponsor)
    approvers = [studies.octets(one) for one in document.approvers]
    return Shown(
        "study/study.html",
        {
            "document": document,
            "text": text,
            "id": studies.id_of(node, document),
            "stands": stands,
            "state": _state(stands, node.now_seconds()) if stands else "unregistered",
            "sponsor": members.name_of(node, sponsor),
            "may": {
                "register": stands is None and sponsor == node.organisation,
                "approve": stands is not None and actor.account in approvers,
                "count": asked.role == "researcher",
            },
            "bounds": lambda one: _bounds(asked, one),
            "releases": studies.releases(node, stands) if stands else (),
            "counted": counted,
            "problem": problem,
        },
        here=STUDY,
        status=STATUS[type(problem)] if problem else 200,
    )


def _bounds(asked: Asked, one: studies.Asked) -> str:
    """Within what a criterion's value lies, in its unit, where it says so."""
    reader = asked.reader
    least, most = (Decimal(value) / _THOUSANDTHS for value in (one.least, one.most))
    said = []
    if one.least:
        said.append(f"≥ {reader.number(least)}")
    if one.most != studies.UNBOUNDED:
        said.append(f"≤ {reader.number(most)}")
    return ", ".join(said)


def _stands(asked: Asked, document: Document) -> Stands | None:
    try:
        return studies.stands(asked.node, document)
    except NotFound:
        return None


def _form(asked: Asked, text: str, problem: SimdesError | None) -> Shown:
    return Shown(
        "study/study_form.html",
        {"text": text, "problem": problem, "most": MOST_DOCUMENT},
        here=STUDY,
        status=STATUS[type(problem)] if problem else 200,
    )


def _state(one: Listed | Stands, now_seconds: int) -> str:
    """Where a study stands, as `wording` names it."""
    if one.running:
        return "running"
    if now_seconds >= one.study.ends:
        return "over"
    return "approved" if one.study.approved else "waits"
