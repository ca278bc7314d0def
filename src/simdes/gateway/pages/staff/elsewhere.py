"""Find who holds records of a patient that is not known here: by a number, never by a name.

Every organisation of the network that is asked learns that somebody looked; a vault's tag and who
keeps it is all that comes back.
"""

from __future__ import annotations

from typing import Final

from simdes.errors import Invalid, SimdesError
from simdes.exchange import members, patients_elsewhere
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.problems import STATUS

PATH: Final = "/patients/elsewhere"


def show(asked: Asked) -> Shown:
    """The form."""
    return _page(asked, (), None)


def search(asked: Asked) -> Shown:
    """The vaults of whoever has the number, with who opened them."""
    number = asked.field("number", most=128).strip()
    system = asked.field("system", most=256).strip()
    try:
        if not number or not system:
            raise Invalid("Type a number, and who issued it.", advice="Both are on the card.")
        found = patients_elsewhere.find(asked.node, asked.visit.session, system, number)
    except SimdesError as error:
        return _page(asked, (), error)
    shown = [(one.tag.hex(), members.name_of(asked.node, one.organisation)) for one in found]
    return _page(asked, shown, None)


def _page(asked: Asked, found: object, problem: SimdesError | None) -> Shown:
    status = next((STATUS[one] for one in type(problem).__mro__ if one in STATUS), 500)
    return Shown(
        "elsewhere.html",
        {
            "problem": problem,
            "found": found,
            "asked_for": asked.method == "POST" and problem is None,
            "systems": patients_elsewhere.systems(asked.node),
            "number": asked.form.get("number", [""])[0][:128],
            "system": asked.form.get("system", [""])[0][:256],
        },
        here=PATH,
        status=status if problem else 200,
    )
