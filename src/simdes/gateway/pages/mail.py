"""Mails: where I am written to, about what, how often; and the link in each that stops them."""

from __future__ import annotations

from typing import Final

from simdes.errors import Conflict, Invalid, SimdesError, TooLarge, Unauthenticated
from simdes.exchange.mail import addresses
from simdes.exchange.mail.kinds import kinds_of
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.problems import STATUS

PATH: Final = "/account/mail"
NEW: Final = "/account/mail/new"
CODE: Final = "/account/mail/code"
STOP: Final = "/mail/stop"


def show(asked: Asked) -> Shown:
    """Where the person is written to, and the choice about what."""
    return Shown(
        "mail.html",
        {
            "possible": asked.node.mail.possible,
            "held": addresses.held(asked.node, asked.visit),
            "kinds": kinds_of(asked.visit.person.role),
            "most": addresses.MOST_A_DAY,
        },
    )


def choose(asked: Asked) -> Moved:
    """Keep the choice."""
    most = asked.field("most", most=4)
    if not most.isascii() or not most.isdigit():
        raise Invalid("Type a whole number.")
    addresses.choose(
        asked.node,
        asked.visit,
        asked.chosen("kind"),
        most=int(most),
        digest=asked.field("digest", most=1) == "1",
        language=asked.reader.language,
    )
    return Moved(f"{PATH}?done=mail-chosen")


def remove(asked: Asked) -> Moved:
    """Forget the address."""
    addresses.remove(asked.node, asked.visit)
    return Moved(f"{PATH}?done=mail-removed")


# An address, and its code ---------------------------------------------------------------------


def show_new(asked: Asked) -> Shown:
    """The form for an address."""
    return _new("", None)


def give(asked: Asked) -> Shown | Moved:
    """Send a code to the address."""
    text = asked.field("address", most=addresses.MOST_TYPED)
    try:
        addresses.give(
            asked.node,
            asked.visit,
            text,
            language=asked.reader.language,
            network=asked.client.address,
        )
    except (Invalid, TooLarge) as error:
        return _new(text, error)
    return Moved(CODE)


def show_code(asked: Asked) -> Shown | Moved:
    """The form for the code."""
    return _code(asked, None)


def confirm(asked: Asked) -> Shown | Moved:
    """Take the address into use."""
    try:
        addresses.confirm(asked.node, asked.visit, asked.field("code", most=32))
    except (Unauthenticated, Conflict) as error:
        return _code(asked, error)
    return Moved(f"{PATH}?done=mail-confirmed")


def _new(text: str, problem: SimdesError | None) -> Shown:
    return Shown(
        "mail_new.html",
        {"address": text, "problem": problem},
        here=NEW,
        status=STATUS[type(problem)] if problem else 200,
    )


def _code(asked: Asked, problem: SimdesError | None) -> Shown | Moved:
    waiting = addresses.held(asked.node, asked.visit).waiting
    if not waiting and problem is None:
        return Moved(PATH)
    return Shown(
        "mail_code.html",
        {"waiting": waiting, "problem": problem},
        here=CODE,
        status=STATUS[type(problem)] if problem else 200,
    )


# The link in a mail ---------------------------------------------------------------------------


def show_stop(asked: Asked) -> Shown:
    """One button: loading a page stops nothing, for mail programs load links by themselves."""
    token = asked.asked("token", most=64)
    addresses.is_stop(asked.node, token)
    return Shown("mail_stop.html", {"token_of_mail": token, "stopped": False})


def stop(asked: Asked) -> Shown:
    """Stop them, for whoever has the mail; mail programs send this by themselves (RFC 8058)."""
    token = asked.asked("token", most=64)
    addresses.stop(asked.node, token)
    return Shown("mail_stop.html", {"token_of_mail": token, "stopped": True}, here="/sign-in")
