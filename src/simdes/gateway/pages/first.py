"""I have a slip with a code: sign in first, with a passphrase of one's own."""

from __future__ import annotations

from typing import Final

from simdes.errors import Conflict, Forbidden, Invalid, SimdesError, TooLarge, Unauthenticated
from simdes.exchange import first_sign_ins
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import DEVICE, SESSION, VISITOR, Asked
from simdes.gateway.problems import STATUS

PATH: Final = "/first"


def show(asked: Asked) -> Shown:
    """The form."""
    return _form(asked, None)


def accept(asked: Asked) -> Shown | Moved:
    """Put the passphrase in the place of the code; they are signed in."""
    try:
        if asked.field("passphrase") != asked.field("again"):
            raise Invalid("The two are not the same.", advice="Type the new passphrase twice.")
        admitted = first_sign_ins.accept(
            asked.node,
            asked.field("user", most=64),
            asked.field("code", most=64),
            asked.field("passphrase"),
            client=asked.client,
        )
    except (Conflict, Forbidden, Invalid, TooLarge, Unauthenticated) as error:
        return _form(asked, error)
    given = {SESSION: admitted.cookie, VISITOR: "", DEVICE: admitted.device}
    return Moved("/account?done=first", given)


def _form(asked: Asked, problem: SimdesError | None) -> Shown:
    return Shown(
        "first.html",
        {
            "problem": problem,
            "user": asked.form.get("user", [""])[0][:64],
            "code": asked.form.get("code", [""])[0][:64],
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
    )
