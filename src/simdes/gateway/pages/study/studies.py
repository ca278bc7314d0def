"""Studies: what the ledger shows of all, and one by its document: judged, counted, registered.

A study is the document that its sponsor publishes; the ledger has its id alone. Whoever wants to do
something with one gives the document, which is compared with the ledger each time, and travels in
the form's body. Documents that were given here once are known, and shown by their titles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered, TooLarge
from simdes.exchange import members
from simdes.exchange.node import Node
from simdes.exchange.research import documents, feasibility, small, studies
from simdes.exchange.research.feasibility import Feasibility
from simdes.exchange.research.studies import Document, Listed, Stands
from simdes.exchange.signin import Session
from simdes.gateway.pages.answering import Moved, Sent, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.study.releases import chosen_policy, fetched
from simdes.gateway.problems import STATUS
from simdes.research.policy import policies

PATH: Final = "/studies"
STUDY: Final = "/studies/study"
ROWS: Final = 40
MOST_DOCUMENT: Final = 40_000
"""What a form holds of a study's document beside its other fields."""
_THOUSANDTHS: Final = 1_000
"""Of a quantity's unit, in which criteria have their bounds."""
_REFUSED: Final = (Conflict, Forbidden, Invalid, NotFound, Tampered, TooLarge)
_STEPS: Final[Mapping[str, Callable[[Node, Session, Document], object]]] = {
    "register": studies.register,
    "approve": studies.approve,
    "retract": studies.retract,
}
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
    page = min(asked.page, pages) or 1
    shown = found[(page - 1) * ROWS : page * ROWS]
    sponsors = {one.study.sponsor for one in shown}
    return Shown(
        "study/studies.html",
        {
            "studies": shown,
            "names": {one: members.name_of(node, one) for one in sponsors},
            "documents": documents.known(node, [one.id for one in shown]),
            "state": lambda one: _state(one, node.now_seconds()),
            "own": node.organisation,
            "page": page,
            "pages": pages,
        },
    )


def show_study(asked: Asked) -> Shown:
    """A study whose document is known here, by its id; else where a document is put in."""
    if not asked.asked("study"):
        return _form(asked, "", None)
    named = id_of(asked.asked("study"))
    found = documents.known(asked.node, [named]).get(named)
    if found is None:
        problem = NotFound(
            "The study's document is not known here.", advice="Ask its sponsor, and put it in."
        )
        return _form(asked, "", problem)
    return _study(asked, msgspec.json.encode(found).decode(), found)


def study(asked: Asked) -> Shown | Moved | Sent:
    """What a document says and where it stands; and with a step what is done with it."""
    text, step = asked.field("document", most=MOST_DOCUMENT), asked.field("step", most=16)
    try:
        document = studies.read_document(text.encode())
    except Invalid as error:
        return _form(asked, text, error)
    try:
        return _carried_out(asked, text, document, step)
    except _REFUSED as error:
        return _study(asked, text, document, problem=error)


def _carried_out(asked: Asked, text: str, document: Document, step: str) -> Shown | Moved | Sent:
    """What a step does; the study as it stands for no step at all."""
    node, session = asked.node, asked.visit.session
    if step == "fetch":
        return fetched(asked, document)
    if step == "release":
        small.order(node, session, document, chosen_policy(asked))
        return Moved(f"{STUDY}?study={studies.id_of(node, document).hex()}&done=release-ordered")
    if step in _STEPS:
        _STEPS[step](node, session, document)
    documents.keep(node, document)
    if step in _DONE:
        return Moved(f"{PATH}?done={_DONE[step]}")
    counted = None
    if step == "count":
        counted = feasibility.feasibility(node, session, document.criteria)
    return _study(asked, text, document, counted=counted)


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
                "release": small.may_order(asked.visit.session, document)
                and sponsor == node.organisation,
            },
            "bounds": lambda one: _bounds(asked, one),
            "releases": studies.releases(node, stands) if stands else (),
            "orderer": actor.account,
            "orders": small.listed(node, stands.id) if stands else (),
            "policies": policies(),
            "most": small.MOST_PATIENTS,
            "counted": counted,
            "problem": problem,
        },
        here=f"{STUDY}?study={stands.id.hex()}" if stands else STUDY,
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
