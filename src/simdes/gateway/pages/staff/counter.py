"""The pharmacist's counter: what was submitted, the code, the checks, dispense or refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from simdes import typed_numbers
from simdes.errors import Conflict, Invalid, NotFound, SimdesError, TooLarge, Unavailable
from simdes.exchange import rights
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.read import read
from simdes.exchange.prescriptions import codes, dispensing, holding, opening, waiting
from simdes.exchange.prescriptions.dispensing import Wanted
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.prescriptions.opening import At
from simdes.exchange.prescriptions.states import State
from simdes.exchange.prescriptions.supplying import REASONS
from simdes.exchange.rights import Asking
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient.prescriptions import Prescription, in_words
from simdes.gateway.pages.record.naming import named
from simdes.gateway.pages.record.saying import dig, say, text
from simdes.gateway.pages.record.showing import Person, person
from simdes.gateway.pages.record.timeline import Source, lines, parts
from simdes.gateway.problems import STATUS

PATH: Final = "/counter"
OPEN: Final = "/counter/open"
DISPENSE: Final = "/counter/dispense"
REFUSE: Final = "/counter/refuse"
ACCEPT: Final = "/counter/accept"
RELEASE: Final = "/counter/release"
DISPENSED: Final = "/counter/dispensed"


def show(asked: Asked) -> Shown:
    """The form for a code, and what was submitted to this pharmacy."""
    return _queue(asked, None)


def open_(asked: Asked) -> Shown:
    """A prescription with the record beside it and what the checks found."""
    asking = rights.ask(asked.node, asked.visit.session)
    try:
        return _opened(asked, asking, _at(asked, asking), None)
    except (NotFound, Conflict, Invalid) as error:
        return _queue(asked, error)


def dispense(asked: Asked) -> Shown | Moved:
    """Dispense: the page that this leads to says what to hand out, and nothing else does."""
    asking = rights.ask(asked.node, asked.visit.session)
    where = _at(asked, asking)
    instead = asked.field("instead", most=200).strip()
    try:
        wanted = Wanted(
            quantity=_quantity(asked.field("quantity", most=16).strip()),
            reason=asked.field("reason", most=400).strip(),
            medication={"text": instead} if instead else None,
            why=asked.field("swap", most=400).strip(),
        )
        made = dispensing.dispense(asked.node, asking, where.request_id, wanted, vault=where.vault)
    except (Conflict, Invalid, Unavailable) as error:
        return _opened(asked, asking, where, error)
    return Moved(f"{DISPENSED}?{urlencode({'dispense': str(made['id'])})}")


def refuse(asked: Asked) -> Shown | Moved:
    """Refuse, with a coded reason; another pharmacy may see it otherwise."""
    asking = rights.ask(asked.node, asked.visit.session)
    where = _at(asked, asking)
    try:
        dispensing.refuse(
            asked.node,
            asking,
            where.request_id,
            asked.field("why", most=16),
            text=asked.field("text", most=400).strip(),
            vault=where.vault,
        )
    except (Conflict, Invalid) as error:
        return _opened(asked, asking, where, error)
    return Moved(f"{PATH}?done=refused")


def accept(asked: Asked) -> Shown | Moved:
    """Bind it to this pharmacy: nobody else dispenses from it until it is let go."""
    return _bound(asked, dispensing.accept, "accepted")


def release(asked: Asked) -> Shown | Moved:
    """Let it go again."""
    return _bound(asked, dispensing.release, "released")


def _bound(asked: Asked, act: Callable[..., State], done: str) -> Shown | Moved:
    asking = rights.ask(asked.node, asked.visit.session)
    where = _at(asked, asking)
    try:
        act(asked.node, asking, where.request_id, vault=where.vault)
    except (Conflict, Invalid, TooLarge, Unavailable) as error:
        return _opened(asked, asking, where, error)
    return Moved(f"{PATH}?done={done}")


def dispensed(asked: Asked) -> Shown:
    """What was dispensed, to be handed out now."""
    asking = rights.ask(asked.node, asked.visit.session)
    found = read(asked.node, asking, "MedicationDispense", asked.asked("dispense", most=64))
    resource = finding.parsed(found.content)
    source = Source(resource=resource, organisation=asked.node.name, own=True)
    [line] = lines([source], asked.reader)
    whole = text(resource, "status") == "completed"
    return Shown(
        "dispensed.html",
        {"line": line, "amount": say(resource.get("quantity"), asked.reader), "whole": whole},
    )


def _queue(asked: Asked, problem: SimdesError | None) -> Shown:
    number = asked.page or 1
    page = waiting.look(asked.node, rights.ask(asked.node, asked.visit.session), number)
    people = named(
        asked,
        rights.ask(asked.node, asked.visit.session),  # with what was opened for the page
        (one.held.vault for one in page.found),
    )
    return Shown(
        "counter.html",
        {
            "partly": bool(page.warnings),
            "problem": problem,
            "waiting": _waiting(asked, page, people),
            "page": number,
            "pages": number + page.more,
            "address": lambda number: f"{PATH}?page={number}" if number > 1 else PATH,
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
        script="scan.js",
    )


def _waiting(
    asked: Asked, page: waiting.Page, people: Mapping[bytes, Person]
) -> list[tuple[Person | None, list[tuple[Prescription, str]]]]:
    """What can be handed out of a page, by patient, each with the code that opens it."""
    found: dict[bytes, list[tuple[Prescription, str]]] = {}
    for one in page.found:
        told = in_words(asked, one.held)
        if told.goes_on:
            found.setdefault(one.held.vault, []).append((told, one.code))
    return [(people.get(vault), its) for vault, its in found.items()]


def _opened(asked: Asked, asking: Asking, where: At, problem: SimdesError | None) -> Shown:
    node, reader = asked.node, asked.reader
    seen = opening.open_(node, asking, where)
    record = [
        Source(resource=one, organisation="", own=True)
        for one in seen.review.record
        if f"{one['resourceType']}/{one.get('id')}" != seen.held.opening.request
    ]
    patient = next((one for one in record if one.resource["resourceType"] == "Patient"), None)
    return Shown(
        "counter_open.html",
        {
            "problem": problem,
            "one": in_words(asked, seen.held),
            "person": person(patient, reader),
            "findings": [
                (one.severity.value, reader.both(one.summary), reader.both(one.detail))
                for one in seen.review.findings
            ],
            "grave": any(one.needs_reason for one in seen.review.findings),
            "substitutes": _substitutes(seen.held.request),
            "keeps": _keeps(asked, seen.held),
            "partly": bool(seen.review.warnings),
            "record": [(part, its[:20]) for part, its in parts(lines(record, reader)).items()],
            "reasons": sorted(REASONS),
            "code": asked.field("code", most=4096).strip(),
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
    )


def _substitutes(request: Mapping[str, Any]) -> bool:
    """Whether the prescriber lets another product be given."""
    rule = request.get("substitution") or {}
    return rule.get("allowedBoolean") is not False and "N" not in dig(
        rule, "allowedCodeableConcept.coding.code"
    )


def _keeps(asked: Asked, held: Held) -> str:
    """What can be done about whose it is: "accept", "release" or nothing."""
    told = holding.tell(asked.node, held)
    if told.state is State.HELD and told.pharmacy == asked.node.name:
        return "release"
    return "accept" if told.state is State.ISSUED else ""


def _at(asked: Asked, asking: Asking) -> At:
    """Which prescription the form means: by the list, or by what the patient said or showed."""
    code = asked.field("code").strip()
    if code.startswith(codes.PREFIX):
        code = codes.code_of(codes.read_payload(code).handle)
    request = asked.field("prescription", most=64)
    if not code and not request:
        raise Invalid("Type the code, or scan it.", advice="The patient's page shows it.")
    return opening.at(asked.node, asking, request_id=request, code=code)


def _quantity(typed: str) -> Decimal | None:
    if not typed:
        return None
    number = typed_numbers.read(typed)
    if number is None:
        raise Invalid("The quantity is no number.", advice="Leave it empty for a whole fill.")
    return number
