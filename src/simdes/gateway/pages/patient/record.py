"""My record: an overview and a readable history."""

from __future__ import annotations

from urllib.parse import urlencode

from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient import corrections
from simdes.gateway.pages.patient.own import own
from simdes.gateway.pages.record import files
from simdes.gateway.pages.record.reading import Reading, shown

PATH = "/record"


def show(asked: Asked) -> Shown:
    """The patient's own record, whoever wrote it."""
    mine = own(asked)
    reading = Reading(
        asking=mine.asking,
        patient=mine.record.patient,
        base=PATH,
        files=f"{files.OWN}?",
        kept=mine.kept,
    )
    said = urlencode(mine.kept)
    return Shown(
        "record.html",
        {
            "view": shown(asked, reading),
            "correct": f"{corrections.NEW}?{said}{'&' if said else ''}about=",
            "corrections": f"{corrections.PATH}?{said}".rstrip("?"),
        },
    )
