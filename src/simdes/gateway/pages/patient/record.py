"""My record: an overview and a readable history."""

from __future__ import annotations

from urllib.parse import urlencode

from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient import corrections
from simdes.gateway.pages.patient.own import own
from simdes.gateway.pages.record.loading import load
from simdes.gateway.pages.record.showing import view

PATH = "/record"


def show(asked: Asked) -> Shown:
    """The patient's own record, whoever wrote it."""
    mine = own(asked)
    older = asked.asked("older")
    found = load(asked.node, mine.asking, mine.record.patient, older=older)
    kept = mine.kept | ({"older": older} if older else {})
    shown = view(
        found,
        asked.reader,
        base=PATH,
        kept=kept,
        part=asked.asked("part"),
        page=page_number(asked),
    )
    said = urlencode(mine.kept)
    return Shown(
        "record.html",
        {
            "view": shown,
            "correct": f"{corrections.NEW}?{said}{'&' if said else ''}about=",
            "corrections": f"{corrections.PATH}?{said}".rstrip("?"),
        },
    )


def page_number(asked: Asked) -> int:
    """The page that was asked for, the first where that is no number."""
    text = asked.asked("page")
    return int(text) if text.isdecimal() and len(text) < 6 else 1
