"""Something in my record is wrong: say so to whoever wrote it, and read the answer."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from simdes.errors import Invalid, SimdesError, TooLarge
from simdes.exchange import corrections, members
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.record.kinds import KINDS
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.timeline import line
from simdes.gateway.problems import STATUS

PATH: Final = "/corrections"
NEW: Final = "/corrections/new"


def show(asked: Asked) -> Shown:
    """What was asked for, and what was answered."""
    mine = own(asked)
    found = corrections.listed(asked.node, mine.asking, mine.record.patient)
    node, names = asked.node, {one.url: one.name for one in members.listed(asked.node)}
    return Shown(
        "corrections.html",
        {
            "listed": found,
            "about": _kind,
            "writer": lambda author: members.name_of(node, author),
            "by": lambda said: "" if said.source == node.issuer.name else names.get(said.source),
        },
    )


def _kind(name: str) -> str:
    """What kind of entry a resource (``Type/id``) is, as the record calls it."""
    type_ = name.partition("/")[0]
    return KINDS[type_].name if type_ in KINDS else type_


def show_new(asked: Asked) -> Shown:
    """The form about one entry of the record."""
    return _form(asked, own(asked), asked.asked("about", most=130), "", None)


def new(asked: Asked) -> Shown | Moved:
    """Send it."""
    mine, name = own(asked), asked.field("about", most=130)
    text = asked.field("text")
    try:
        corrections.ask(asked.node, mine.asking, mine.record.patient, name, text)
    except (Invalid, TooLarge) as error:
        return _form(asked, mine, name, text, error)
    return Moved(f"{PATH}?{urlencode({**mine.kept, 'done': 'correction'})}")


def _form(asked: Asked, mine: Own, name: str, text: str, problem: SimdesError | None) -> Shown:
    found = corrections.about(asked.node, mine.asking, mine.record.patient, name)
    [source] = sources(asked.node, [found])
    return Shown(
        "correction_new.html",
        {
            "problem": problem,
            "about": name,
            "text": text,
            "line": line(source, asked.reader, {}),
            "kept": mine.kept,
        },
        here=f"{NEW}?{urlencode({**mine.kept, 'about': name})}",
        status=STATUS[type(problem)] if problem else 200,
    )
