"""I can't get in any more: a new passphrase, and a code that my guardians let in."""

from __future__ import annotations

from typing import Final

from simdes.errors import Invalid, SimdesError, TooLarge
from simdes.exchange import recovering
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.problems import STATUS

PATH: Final = "/lost"


def show(asked: Asked) -> Shown:
    """What helps, and the form."""
    return _form("", None)


def begin(asked: Asked) -> Shown:
    """Make a new key under the new passphrase; the answer shows its code, once."""
    user, passphrase = asked.field("user", most=64), asked.field("passphrase")
    try:
        if passphrase != asked.field("again"):
            raise Invalid("The two are not the same.", advice="Type the new passphrase twice.")
        begun = recovering.begin(asked.node, user, passphrase, address=asked.client.address)
    except (Invalid, TooLarge) as error:
        return _form(user, error)
    return Shown(
        "lost_code.html", {"code": begun.code, "until_ms": begun.until_seconds * 1000}, here=PATH
    )


def _form(user: str, problem: SimdesError | None) -> Shown:
    return Shown(
        "lost.html",
        {"user": user, "problem": problem, "wrong": isinstance(problem, Invalid)},
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
    )
