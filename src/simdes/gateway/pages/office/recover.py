"""Letting a patient in again whom we saw with their papers, as one of two organisations."""

from __future__ import annotations

from typing import Final

from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Unavailable
from simdes.exchange import attesting, colleagues, members
from simdes.exchange.attesting import Word
from simdes.gateway.pages import account_numbers
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.problems import STATUS

PATH: Final = "/people/recover"
_FIELDS: Final = ("of", "code", "checked")


def show(asked: Asked) -> Shown:
    """The form; of somebody of ours with their name."""
    return _form(asked, {"of": asked.asked("of", most=account_numbers.MOST)}, None)


def attest(asked: Asked) -> Shown:
    """Sign for the key that the code means; the page says what comes next."""
    typed = {name: asked.field(name, most=400).strip() for name in _FIELDS}
    try:
        word = attesting.attest(
            asked.node,
            asked.visit.session,
            _account(typed["of"]),
            typed["code"],
            checked=typed["checked"],
        )
    except (Conflict, Forbidden, Invalid, NotFound, Unavailable) as error:
        return _form(asked, typed, error)
    return Shown(
        "office/recover_done.html",
        {
            "word": word,
            "number": account_numbers.shown(word.account),
            "missing": _missing(word),
            "names": {one: members.name_of(asked.node, one) for one in word.organisations},
            "patient_of": members.name_of(asked.node, word.organisation),
        },
        here=PATH,
    )


def _missing(word: Word) -> str:
    """Who must still say so: the patient's ``own`` organisation, an ``other``, or nobody."""
    if word.organisation not in word.organisations:
        return "own"
    return "other" if len(word.organisations) < attesting.NEEDED else ""


def _form(asked: Asked, typed: dict[str, str], problem: SimdesError | None) -> Shown:
    people = colleagues.listed(asked.node, asked.visit.session)
    who = [one for one in people if typed["of"].removeprefix("0x") == one.account.hex()]
    return Shown(
        "office/recover.html",
        {
            "problem": problem,
            "typed": {name: typed.get(name, "") for name in _FIELDS},
            "who": who[0] if who else None,
            "most_words": attesting.MOST_WORDS,
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
        script=account_numbers.SCRIPTS,
    )


def _account(text: str) -> bytes:
    return account_numbers.account_of(
        text, advice="The patient's own organisation prints it: four lines of digits."
    )
