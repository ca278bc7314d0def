"""A copy of my record sealed to my own key, and the page that opens such a copy in the browser.

The key is made and used in the browser (or by `simdes own-copy`); this server gets its public half,
answers with the sealed file and keeps neither. Opening needs no account: a copy outlives it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange import own_copies
from simdes.gateway.pages.answering import Sent, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.languages import Reader
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.patient.own import own
from simdes.gateway.pages.record.kinds import KINDS, LEFT_OUT, PARTS, STATUS, UNKNOWN, Kind
from simdes.gateway.problems import STATUS as CODES

PATH: Final = "/own-copy"
OPEN: Final = "/own-copy/open"
_SCRIPTS: Final = ("hpke.js", "own_copy.js")


def show(asked: Asked) -> Shown:
    """What a copy means, a key for it, and the form."""
    return _form(asked, None)


def copy(asked: Asked) -> Shown | Sent:
    """The sealed copy, for a key whose public half the form has."""
    mine = own(asked)
    try:
        if asked.field("understood") != "yes":
            raise Invalid("Read first what a copy means.", advice="Then tick the box below it.")
        sealed = own_copies.sealed(asked.node, mine.asking, mine.record.patient, asked.field("key"))
    except Invalid as error:
        return _form(asked, error)
    return Sent(sealed, "application/octet-stream", "my-record.simdes-copy")


def show_open(asked: Asked) -> Shown:
    """The page that opens a copy, for whoever has file, key and passphrase."""
    words = json.dumps(_words(asked.reader), ensure_ascii=False, separators=(",", ":"))
    return Shown("own_copy_open.html", {"record_words": words}, script=(*_SCRIPTS, "own_record.js"))


def _form(asked: Asked, problem: Invalid | None) -> Shown:
    return Shown(
        "own_copy.html",
        {"problem": problem, "kept": own(asked).kept, "key": asked.field("key")},
        here=PATH,
        status=CODES[type(problem)] if problem else 200,
        script=_SCRIPTS,
    )


def _words(reader: Reader) -> Mapping[str, Any]:
    """How resources are read and told, for the page's script."""
    text = reader.text
    return {
        "parts": [[part, text(said)] for part, said in PARTS.items()],
        "kinds": {name: _kind(kind, reader) for name, kind in KINDS.items()},
        "unknown": _kind(UNKNOWN, reader),
        "left_out": sorted(LEFT_OUT),
        "status": {code: text(said) if said else "" for code, said in STATUS.items()},
        "answers": {"true": text(_("yes")), "false": text(_("no"))},
    }


def _kind(kind: Kind, reader: Reader) -> Mapping[str, Any]:
    return {
        "part": kind.part,
        "name": reader.text(kind.name) if kind.name else "",
        "title": kind.title,
        "when": kind.when,
        "facts": [[reader.text(label), path] for label, path in kind.facts],
        "dates": [[reader.text(label), path] for label, path in kind.dates],
    }
