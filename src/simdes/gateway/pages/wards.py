"""Whom I guard: people who appointed me, letting one of them in again, freezing their account."""

from __future__ import annotations

from typing import Final

from simdes.errors import Conflict, Forbidden, Invalid, SimdesError, Unavailable
from simdes.exchange import freezing, guardians, members, recovering
from simdes.gateway.pages import account_numbers
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.problems import STATUS

PATH: Final = "/wards"
VOUCH: Final = "/wards/vouch"
FREEZE: Final = "/wards/freeze"


def show(asked: Asked) -> Shown:
    """My own number, for whoever wants me as a guardian, and whom I guard."""
    account = asked.visit.session.actor.account
    found = guardians.wards(asked.node, account)
    return Shown(
        "wards.html",
        {
            "number": account_numbers.shown(account),
            "wards": found,
            "names": {
                one: members.name_of(asked.node, one)
                for one in {each.organisation for each in found}
            },
        },
    )


def show_vouch(asked: Asked) -> Shown:
    """Where the code is typed that the ward reads out."""
    return _form(asked, "wards_vouch.html", VOUCH, asked.asked("ward", most=64), None)


def vouch(asked: Asked) -> Shown | Moved:
    """Let the ward's new key in."""
    named = asked.field("ward", most=64)
    try:
        recovering.vouch(
            asked.node, asked.visit.session, id_of(named), asked.field("code", most=64)
        )
    except (Invalid, Forbidden) as error:
        return _form(asked, "wards_vouch.html", VOUCH, named, error)
    return Moved(f"{PATH}?done=let-in")


def show_freeze(asked: Asked) -> Shown:
    """What a freeze stops and what not, before it is asked for."""
    return _form(asked, "wards_freeze.html", FREEZE, asked.asked("ward", most=64), None)


def freeze(asked: Asked) -> Shown | Moved:
    """Sign, with whoever of the guardians does, that a ward's account be frozen."""
    named = asked.field("ward", most=64)
    try:
        found = freezing.join(asked.node, asked.visit.session, id_of(named))
    except (Forbidden, Conflict, Unavailable) as error:
        return _form(asked, "wards_freeze.html", FREEZE, named, error)
    enough = found.signed >= found.needed
    return Moved(f"{PATH}?done={'freeze-enough' if enough else 'freeze-signed'}")


def _form(asked: Asked, template: str, path: str, named: str, problem: SimdesError | None) -> Shown:
    ward = guardians.guarded(asked.node, asked.visit.session.actor.account, id_of(named))
    return Shown(
        template,
        {"problem": problem, "ward": ward},
        here=f"{path}?ward={named}",
        status=STATUS[type(problem)] if problem else 200,
    )
