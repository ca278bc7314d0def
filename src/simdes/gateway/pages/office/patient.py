"""An account for a patient whose record is here: find them by a number, say how their identity was
checked, print their slip."""

from __future__ import annotations

from typing import Final

from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Unavailable
from simdes.exchange import first_sign_ins, patients_elsewhere
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.record.showing import Person, person
from simdes.gateway.pages.record.timeline import Source
from simdes.gateway.problems import STATUS

PATH: Final = "/people/patient"
END: Final = "/people/patient/end"
FIRST: Final = "/first"
_FIELDS: Final = ("number", "system", "user", "display", "checked")


def show(asked: Asked) -> Shown:
    """The form for a number, and who has a slip."""
    return _form(asked, None, None)


def give(asked: Asked) -> Shown:
    """Show who has the number; with ``give`` make the account and show its slip, once."""
    who: Person | None = None
    try:
        vault = _vault(asked)
        who = _person(asked, vault)
        if not asked.field("give", most=8):
            return _form(asked, who, None)
        slip = first_sign_ins.invite(
            asked.node,
            asked.visit.session,
            asked.field("user", most=64).strip().lower(),
            vault=vault,
            checked=asked.field("checked", most=first_sign_ins.MOST_WORDS),
            display=asked.field("display", most=120).strip(),
        )
    except (Conflict, Forbidden, Invalid, NotFound, Unavailable) as error:
        return _form(asked, who, error)
    return Shown(
        "office/patient_slip.html",
        {"slip": slip, "address": f"{asked.node.issuer.name}{FIRST}"},
        here=PATH,
        headers={"Cache-Control": "no-store"},
    )


def end(asked: Asked) -> Moved:
    """Take a slip back."""
    first_sign_ins.take_back(asked.node, asked.visit.session, id_of(asked.field("of", most=64)))
    return Moved(f"{PATH}?done=slip-back")


def _vault(asked: Asked) -> bytes:
    number = asked.field("number", most=128).strip()
    system = asked.field("system", most=256).strip()
    if not number or not system:
        raise Invalid("Type a number, and who issued it.", advice="Both are on the card.")
    return first_sign_ins.find(asked.node, asked.visit.session, system, number)


def _person(asked: Asked, vault: bytes) -> Person | None:
    """Who the record is of; on record."""
    found = first_sign_ins.whose(asked.node, asked.visit.session, vault)
    if found is None:
        return None
    return person(Source(resource=found, organisation="", own=True), asked.reader)


def _form(asked: Asked, who: Person | None, problem: SimdesError | None) -> Shown:
    typed = {name: asked.form.get(name, [""])[0][:300] for name in _FIELDS}
    if who is not None and not typed["display"]:
        typed["display"] = who.name[:120]
    return Shown(
        "office/patient_new.html",
        {
            "problem": problem,
            "who": who,
            "typed": typed,
            "systems": patients_elsewhere.systems(asked.node),
            "waiting": first_sign_ins.waiting(asked.node, asked.visit.session),
            "most_words": first_sign_ins.MOST_WORDS,
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
    )
