"""My guardians: who lets me in again when my key is lost; and saying no to a recovery.

Where a wallet keeps my key, each of these shows what the wallet signs, and takes it back with the
same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.errors import Invalid, NotFound, SimdesError
from simdes.exchange import freezing, guardians, members, owners, recovering, renewal
from simdes.exchange.guardians import Chosen, Guardian
from simdes.exchange.renewal import Change
from simdes.gateway.pages import account_numbers
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient import owning
from simdes.gateway.pages.patient.own import own
from simdes.gateway.problems import STATUS

PATH: Final = "/guardians"
NEW: Final = "/guardians/new"
CANCEL: Final = "/guardians/cancel"
VETO: Final = "/guardians/veto"
RENEW: Final = "/guardians/renew"
LINES: Final = 5
"""Guardians that the form has room for."""


@dataclass(frozen=True, slots=True)
class Line:
    """A guardian as the form says it."""

    number: str = ""
    label: str = ""


def show(asked: Asked) -> Shown:
    """Who guards the account, what waits, and a recovery that somebody began."""
    node, account = asked.node, asked.visit.session.actor.account
    seen = guardians.standing(node, account)
    untold = [one for listed in (seen.present, seen.waiting) if listed for one in listed.guardians]
    if not all(one.told for one in untold):
        guardians.tell(node, asked.visit.session)
        seen = guardians.standing(node, account)
    sets = [one for one in (seen.present, seen.waiting) if one is not None]
    named = {each.organisation for one in sets for each in one.guardians}
    return Shown(
        "guardians.html",
        {
            "seen": seen,
            "freeze": freezing.gathered(node, account),
            "names": {one: members.name_of(node, one) for one in named},
        },
    )


def show_new(asked: Asked) -> Shown:
    """The form, with the guardians that stand."""
    seen = guardians.standing(asked.node, asked.visit.session.actor.account)
    present: tuple[Guardian, ...] = seen.present.guardians if seen.present else ()
    lines = [Line(f"0x{one.account.hex()}", one.label) for one in present]
    least = seen.present.threshold if seen.present else 2
    return _form(asked, lines, least, asked.visit.person.display, None)


def new(asked: Asked) -> Shown | Moved:
    """Appoint them."""
    lines = [
        Line(
            asked.field(f"number-{place}", most=account_numbers.MOST).strip(),
            asked.field(f"label-{place}", most=200).strip(),
        )
        for place in range(1, LINES + 1)
    ]
    needed, name = asked.field("needed", most=2), asked.field("name", most=200)
    least = int(needed) if needed.isdecimal() else 0
    try:
        chosen = [
            Chosen(account=_account(one.number), label=one.label) for one in lines if one.number
        ]
        if asked.visit.session.wallet:
            return owning.appoint(asked, chosen, threshold=least, name=name)
        left = guardians.appoint(
            asked.node, asked.visit.session, chosen, threshold=least, name=name
        )
    except (Invalid, NotFound) as error:
        return _form(asked, lines, least, name, error)
    return Moved(f"{PATH}?done={'appointed' if not left else 'appointed-untold'}")


def cancel(asked: Asked) -> Shown | Moved:
    """Take a set back that does not count yet, or a new key that does not."""
    of_key = asked.field("what", most=8) == "key"
    if asked.visit.session.wallet:
        return owning.say(asked, owners.KEEP_KEY if of_key else owners.TAKE_BACK)
    if of_key:
        recovering.cancel_rotation(asked.node, asked.visit.session)
        return Moved(f"{PATH}?done=key-back")
    guardians.cancel(asked.node, asked.visit.session)
    return Moved(f"{PATH}?done=guardians-back")


def veto(asked: Asked) -> Shown | Moved:
    """Stop a recovery that somebody else began."""
    if asked.visit.session.wallet:
        return owning.say(asked, owners.VETO)
    recovering.veto(asked.node, asked.visit.session)
    return Moved(f"{PATH}?done=vetoed")


def show_renew(asked: Asked) -> Shown:
    """What a new epoch is for, before it begins."""
    return Shown("guardians_renew.html", {"kept": own(asked).kept})


def renew(asked: Asked) -> Moved:
    """Put the record under new keys of its custodians, as the patient who controls it."""
    mine, session = own(asked), asked.visit.session
    renewal.renew_one(asked.node, mine.vault, Change(), control=session.key)
    return Moved(f"{PATH}?done=renewed")


def _form(
    asked: Asked, lines: list[Line], least: int, name: str, problem: SimdesError | None
) -> Shown:
    room = [*lines, *[Line()] * LINES][:LINES]
    return Shown(
        "guardians_new.html",
        {"problem": problem, "lines": room, "least": least, "name": name},
        here=NEW,
        status=STATUS[type(problem)] if problem else 200,
        script="numbers.js",
    )


def _account(text: str) -> bytes:
    return account_numbers.account_of(
        text, advice="Your guardian sees it under “Whom I guard”: four lines of digits."
    )
