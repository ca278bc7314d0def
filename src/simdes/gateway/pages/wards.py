"""Whom I guard: people who appointed me, and letting one of them in again."""

from __future__ import annotations

from typing import Final

from simdes.errors import Forbidden, Invalid, NotFound, SimdesError
from simdes.exchange import guardians, members, recovering
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.problems import STATUS

PATH: Final = "/wards"
VOUCH: Final = "/wards/vouch"


def show(asked: Asked) -> Shown:
    """My own number, for whoever wants me as a guardian, and whom I guard."""
    account = asked.visit.session.actor.account
    found = guardians.wards(asked.node, account)
    return Shown(
        "wards.html",
        {
            "number": f"0x{account.hex()}",
            "wards": found,
            "names": {
                one: members.name_of(asked.node, one)
                for one in {each.organisation for each in found}
            },
        },
    )


def show_vouch(asked: Asked) -> Shown:
    """Where the code is typed that the ward reads out."""
    return _form(asked, asked.asked("ward", most=64), None)


def vouch(asked: Asked) -> Shown | Moved:
    """Let the ward's new key in."""
    named = asked.field("ward", most=64)
    try:
        recovering.vouch(
            asked.node, asked.visit.session, id_of(named), asked.field("code", most=64)
        )
    except (Invalid, Forbidden) as error:
        return _form(asked, named, error)
    return Moved(f"{PATH}?done=let-in")


def _form(asked: Asked, named: str, problem: SimdesError | None) -> Shown:
    account = id_of(named)
    for one in guardians.wards(asked.node, asked.visit.session.actor.account):
        if one.account == account and not one.waiting:
            return Shown(
                "wards_vouch.html",
                {"problem": problem, "ward": one},
                here=f"{VOUCH}?ward={named}",
                status=STATUS[type(problem)] if problem else 200,
            )
    raise NotFound("You are no guardian of this account, or not yet.")
