"""What patients asked to have corrected: the queue, and an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Forbidden, Invalid, SimdesError
from simdes.exchange import amending, correcting, members, rights
from simdes.exchange.correcting import Opened, Request
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.search import find
from simdes.exchange.rights import Asking
from simdes.fhir.search.parse import parse
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.record.kinds import KINDS, UNKNOWN
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.showing import Person, person
from simdes.gateway.pages.record.timeline import line
from simdes.gateway.problems import STATUS

PATH: Final = "/patients/corrections"
ANSWER: Final = "/patients/corrections/answer"


def show(asked: Asked) -> Shown:
    """Who asked for what, how long ago; the oldest first."""
    asking = rights.ask(asked.node, asked.visit.session)
    found, older = correcting.waiting(asked.node, asking, after=asked.asked("older"))
    now = asked.node.now_seconds()
    return Shown(
        "corrections_queue.html",
        {
            "waiting": [(one, _age(one, now)) for one in found],
            "people": _people(asked, asking, [one.patient for one in found]),
            "kind": lambda about: KINDS.get(about.partition("/")[0], UNKNOWN).name,
            "teller": lambda one: _teller(asked, one),
            "older": f"{PATH}?{urlencode({'older': older})}" if older else "",
        },
    )


def show_answer(asked: Asked) -> Shown:
    """One request beside its entry."""
    asking = rights.ask(asked.node, asked.visit.session)
    one = correcting.opened(asked.node, asking, asked.asked("request", most=64))
    return _form(asked, asking, one, None)


def answer(asked: Asked) -> Shown | Moved:
    """Correct it, or say why not."""
    asking = rights.ask(asked.node, asked.visit.session)
    named = asked.field("request", most=64)
    one = correcting.opened(asked.node, asking, named)
    text = asked.field("text")
    try:
        if asked.field("what", most=8) == "refuse":
            correcting.refuse(asked.node, asking, named, text=text)
            return Moved(f"{PATH}?done=correction-refused")
        correcting.accept(
            asked.node,
            asking,
            named,
            version=asked.field("version", most=20),
            typed=_typed(asked),
            error=asked.field("error", most=4) == "yes",
            text=text,
        )
    except Conflict as error:
        return _form(asked, asking, correcting.opened(asked.node, asking, named), error)
    except (Forbidden, Invalid) as error:
        return _form(asked, asking, one, error)
    return Moved(f"{PATH}?done=corrected")


def _typed(asked: Asked) -> Mapping[str, str]:
    named = [name for name in asked.form if name.startswith("v.")]
    return {name[2:]: asked.field(name) for name in named}


def _form(asked: Asked, asking: Asking, one: Opened, problem: SimdesError | None) -> Shown:
    shown, listed, struck, version = None, [], False, ""
    if one.entry is not None:
        [source] = sources(asked.node, [one.entry])
        resource = finding.parsed(one.entry.content)
        shown, version = line(source, asked.reader, {}), str(one.entry.version)
        listed = amending.fields(resource) if one.own else []
        struck = one.own and amending.can_strike(resource)
    who = _people(asked, asking, [one.request.patient])
    # What was typed into a version that is past would undo what somebody else wrote since.
    typed = {} if isinstance(problem, Conflict) else asked.form
    return Shown(
        "correction_answer.html",
        {
            "problem": problem,
            "request": one.request,
            "who": who.get(one.request.patient),
            "teller": _teller(asked, one.request),
            "line": shown,
            "own": one.own,
            "fields": [
                (f"v.{at.name}", " › ".join(map(_step, at.path)), _value(typed, at))
                for at in listed
            ],
            "strikes": struck,
            "version": version,
            "text": asked.form.get("text", [""])[0][:2000],
        },
        here=f"{ANSWER}?{urlencode({'request': one.request.id})}",
        status=STATUS[type(problem)] if problem else 200,
    )


def _teller(asked: Asked, one: Request) -> str:
    """The name of who told us of a request, "" where it is in a record that is read here."""
    return members.name_of(asked.node, one.teller) if one.teller else ""


def _step(one: str | int) -> str:
    return str(one + 1) if isinstance(one, int) else one


def _value(typed: Mapping[str, list[str]], one: amending.Field) -> str:
    return typed.get(f"v.{one.name}", [amending.said(one.value)])[0]


def _people(asked: Asked, asking: Asking, ids: list[str]) -> dict[str, Person | None]:
    """Who the patients are, as far as this person may see."""
    wanted = sorted({one for one in ids if one})
    if not wanted:
        return {}
    pairs = [("_id", ",".join(wanted)), ("_count", str(len(wanted)))]
    page = find(asked.node, asking, parse(("Patient",), pairs, now_ms=asked.node.now_ms()))
    return {
        str(one.resource.get("id")): person(one, asked.reader)
        for one in sources(asked.node, page.matches)
    }


def _age(one: Request, now: int) -> int:
    """How long a request waits, in seconds."""
    try:
        sent = datetime.fromisoformat(one.sent).timestamp()
    except (ValueError, OverflowError):
        return 0
    return max(0, now - int(sent))
