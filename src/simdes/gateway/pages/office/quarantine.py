"""Quarantine: what could not be accepted, why, and what an administrator makes of it.

Lists hold no patient data. A document's content does: it is shown after a fresh proof, and each
look stands in the audit trail before it is given.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus, urlencode

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import merge_telling, quarantine
from simdes.exchange.quarantine import Content, Selection
from simdes.exchange.replay import Replayed, replay
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import FORM_BYTES, Asked
from simdes.gateway.problems import STATUS

PATH: Final = "/quarantine"
DOCUMENT: Final = "/quarantine/document"
CONTENT: Final = "/quarantine/content"
DECIDE: Final = "/quarantine/decide"
ROWS: Final = 40
STATES: Final = ("open", "dismissed", "replayed")
_MOST_SHOWN: Final = 64 * 1024
_ROOM: Final = FORM_BYTES - 4 * 1024
"""What a corrected document may take of a form, beside its other fields."""
_DIGITS: Final = 15
_UNSHOWN: Final = "\N{REPLACEMENT CHARACTER}"
_CORRECTIONS: Final = {"fix": "corrected", "dismiss": "dismissed", "reopen": "reopened"}


def show(asked: Asked) -> Shown:
    """Counts by reason, and the documents in the order of their arrival."""
    node, session = asked.node, asked.visit.session
    state = asked.asked("state", most=16)
    state = state if state in STATES else STATES[0]
    code = asked.asked("code", most=64)
    after = asked.asked("after", most=_DIGITS)
    page = quarantine.listed(
        node,
        session,
        Selection(state=state, code=code or None),
        after=int(after) if after.isascii() and after.isdecimal() else 0,
        limit=ROWS,
    )

    def address(state: str = state, code: str = code, after: int | None = None) -> str:
        said = {"state": state if state != STATES[0] else "", "code": code, "after": after or ""}
        kept = {name: one for name, one in said.items() if one}
        return f"{PATH}?{urlencode(kept)}" if kept else PATH

    return Shown(
        "office/quarantine.html",
        {
            "groups": _reasons(asked, state),
            "entries": page.entries,
            "after": page.after,
            "state": state,
            "states": STATES,
            "code": code,
            "address": address,
            "document": _document_address,
        },
    )


def show_document(asked: Asked) -> Shown:
    """Why a document is here, what brings it on, what was decided so far."""
    return _document(asked, _number(asked.asked("id", most=_DIGITS)))


def show_content(asked: Asked) -> Shown:
    """The content, to be read and, where it fits a form, corrected."""
    return _content(asked, _number(asked.asked("id", most=_DIGITS)), None)


def decide(asked: Asked) -> Shown | Moved:
    """Try, replay, correct, dismiss or open again; with a reason, and on record."""
    node, session = asked.node, asked.visit.session
    number, step = _number(asked.field("id", most=_DIGITS)), asked.field("step", most=16)
    why = asked.field("why", most=quarantine.WHY_CHARACTERS)
    try:
        if step == "try":
            return _document(asked, number, told=replay(node, session, number, dry_run=True))
        if step == "replay":
            done = replay(node, session, number)
            if done.outcome == "refused":
                return _document(asked, number, told=done)
            return _done(number, done.outcome)
        if step == "fix":
            return _fix(asked, number, why)
        verb = {"dismiss": quarantine.dismiss, "reopen": quarantine.reopen}.get(step)
        if verb is None:
            raise NotFound("There is nothing like that.")
        verb(node, session, number, why=why)
    except (Conflict, Invalid) as error:
        return _document(asked, number, problem=error)
    return _done(number, _CORRECTIONS[step])


def _fix(asked: Asked, number: int, why: str) -> Shown | Moved:
    """Keep a corrected copy with the original's line ends, and tell what a replay would do."""
    node, session = asked.node, asked.visit.session
    before = quarantine.open_content(node, session, number)
    typed = asked.field("content", most=FORM_BYTES)
    corrected = typed.replace("\r\n", "\n").replace("\n", _line_end(before.data)).encode()
    try:
        quarantine.fix(node, session, number, corrected, why=why)
    except (Conflict, Invalid) as error:
        return _content(asked, number, error, typed=typed)
    return _document(asked, number, told=replay(node, session, number, dry_run=True))


def _reasons(asked: Asked, state: str) -> list[tuple[str, str, int]]:
    """How many documents each reason holds up, and what brings them on."""
    found: dict[str, tuple[str, int]] = {}
    for one in quarantine.summary(asked.node, asked.visit.session, Selection(state=state)):
        found[one.code] = (one.step, found.get(one.code, ("", 0))[1] + one.count)
    return [(code, step, count) for code, (step, count) in found.items()]


def _document(
    asked: Asked,
    number: int,
    *,
    told: Replayed | None = None,
    problem: SimdesError | None = None,
) -> Shown:
    shown = quarantine.show(asked.node, asked.visit.session, number)
    return Shown(
        "office/quarantine_document.html",
        {
            "shown": shown,
            "entry": shown.entry,
            "step": quarantine.step_of(shown.entry.code),
            "merge": merge_telling.of_document(asked.node, asked.visit.session, number),
            "told": told,
            "problem": problem,
            "content": f"{CONTENT}?{urlencode({'id': number})}",
            "list": PATH,
        },
        here=_document_address(number),
        status=STATUS[type(problem)] if problem else 200,
    )


def _content(asked: Asked, number: int, problem: SimdesError | None, *, typed: str = "") -> Shown:
    shown = quarantine.show(asked.node, asked.visit.session, number)
    found = quarantine.open_content(asked.node, asked.visit.session, number)
    text, whole = _text(found)
    fits = whole and len(quote_plus(typed or text)) < _ROOM
    return Shown(
        "office/quarantine_content.html",
        {
            "entry": shown.entry,
            "text": typed or text,
            "whole": whole,
            "bytes": len(found.data),
            "corrected": found.corrected,
            "editable": fits and shown.entry.state == quarantine.OPEN,
            "problem": problem,
            "document": _document_address(number),
        },
        here=f"{CONTENT}?{urlencode({'id': number})}",
        status=STATUS[type(problem)] if problem else 200,
        headers={"Cache-Control": "no-store"},
    )


def _text(found: Content) -> tuple[str, bool]:
    """Content as text with line ends that pages have; whether nothing of it was lost."""
    part = found.data[:_MOST_SHOWN]
    try:
        text, whole = part.decode(), len(part) == len(found.data)
    except UnicodeDecodeError:
        text, whole = part.decode("utf-8", errors="backslashreplace"), False
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = "".join(one if one.isprintable() or one in "\n\t" else _UNSHOWN for one in plain)
    return clean, whole and clean == plain


def _line_end(data: bytes) -> str:
    """How lines of a document end: HL7 v2 has carriage returns alone."""
    if b"\r\n" in data:
        return "\r\n"
    return "\r" if b"\r" in data else "\n"


def _done(number: int, what: str) -> Moved:
    return Moved(f"{DOCUMENT}?{urlencode({'id': number, 'done': f'document-{what}'})}")


def _document_address(number: int) -> str:
    return f"{DOCUMENT}?{urlencode({'id': number})}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise NotFound("There is nothing like that.")
    return int(text)
