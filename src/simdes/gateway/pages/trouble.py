"""Pages for what went wrong: in the reader's language, without a stack, with a way to go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simdes.errors import SimdesError, TooLarge, Unauthenticated
from simdes.exchange.signin import NEEDS_KEY
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import START, Asked
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.problems import STATUS

_log = logging.getLogger(__name__)

_HEADINGS: Final[Mapping[int, str]] = {
    400: _("That could not be read"),
    401: _("Please sign in"),
    403: _("That is not allowed"),
    404: _("There is nothing here"),
    409: _("That is settled already"),
    429: _("Too many tries"),
    503: _("That does not answer now"),
}
_OTHER: Final = _("Something went wrong")
_ON: Final = _("Go on from here")


@dataclass(frozen=True, slots=True)
class Known:
    """What a person reads about a reason that has words of its own, and where they go on."""

    heading: str
    back: str = ""
    on: str = _ON


_KNOWN: Final[Mapping[str, Known]] = {
    "FROZEN_ACTOR": Known(_("The account is frozen"), "/lost", _("Ask for a new key")),
    NEEDS_KEY: Known(_("A wallet can’t do this here yet")),
}


class Unexpected(SimdesError):
    """A fault of the program."""

    default_advice = "Try again; if it stays, tell the people who run this gateway."


def page(asked: Asked, error: SimdesError, *, back: str = "") -> Shown:
    """The page of one of our errors. ``back``: where to go on from here, "" for the usual."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    known = _KNOWN.get(error.reason) or Known(_HEADINGS.get(status, _OTHER))
    return Shown(
        "trouble.html",
        {
            "heading": asked.reader.text(known.heading),
            "problem": error,
            "back": back or known.back or _usual(error),
            "on": asked.reader.text(known.on),
        },
        here=START,  # what was asked could hold anything; nothing of it is said again
        status=status,
        headers={"Retry-After": "60"} if isinstance(error, TooLarge) else {},
    )


def _usual(error: SimdesError) -> str:
    return "/sign-in" if isinstance(error, Unauthenticated) else START


def unexpected(path: str, error: Exception) -> Unexpected:
    """A fault as a page may show it; the log has the class and the address, never the message."""
    _log.error("unexpected %s at %s", type(error).__name__, path)
    return Unexpected("The request failed here; it is not your mistake.")
