"""The organisation's people: who has an account, adding, verifying and suspending them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import colleagues, first_sign_ins
from simdes.exchange.colleagues import Colleague
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.listing import narrowed
from simdes.gateway.problems import STATUS

PATH: Final = "/people"
NEW: Final = "/people/new"
DECIDE: Final = "/people/decide"
ROWS: Final = 40
FILTERS: Final = ("", "waiting", "patients")
"""Staff, who waits to be verified, patients."""
VERIFY, SUSPEND = "verify", "suspend"
_POSSIBLE: Final = {"pending": VERIFY, "verified": SUSPEND, "suspended": VERIFY}


def show(asked: Asked) -> Shown:
    """One kind of people at a time, in pages."""
    first_sign_ins.go_on(asked.node, asked.visit.session)
    everybody = colleagues.listed(asked.node, asked.visit.session)
    shown, told = narrowed(asked, PATH, everybody, filters=FILTERS, is_wanted=_is_wanted, rows=ROWS)
    checks = asked.node.desk.keystore.checks()
    return Shown(
        "office/people.html",
        {
            "people": shown,
            "waiting": len([one for one in everybody if _is_wanted(one, "waiting")]),
            "decision": lambda one: _decision(asked, one),
            "question": _question_address,
            "checked": lambda one: checks.get(one.account),
            "names": colleagues.names(asked.node),
            **told,
        },
    )


def show_new(asked: Asked) -> Shown:
    """The form for somebody new."""
    return _form(asked, None)


def new(asked: Asked) -> Shown:
    """Register and verify them; the page says once what they sign in with first."""
    user = asked.field("user", most=64).strip().lower()
    display = asked.field("display", most=120).strip()
    try:
        person, first = colleagues.add(
            asked.node,
            asked.visit.session,
            user,
            role=asked.field("role", most=16),
            display=display,
        )
    except (Conflict, Invalid) as error:
        return _form(asked, error)
    return Shown(
        "office/person_added.html",
        {"person": person, "first": first, "role_name": person.role.name.lower()},
        here=PATH,
        headers={"Cache-Control": "no-store"},
    )


def show_decide(asked: Asked) -> Shown:
    """The question before somebody is verified or suspended."""
    found = _chosen(asked, asked.asked("of", most=64))
    return Shown("office/person_decide.html", {"one": found, "what": _require(asked, found)})


def decide(asked: Asked) -> Moved:
    """Verify or suspend somebody, signed by the administrator's own key."""
    found = _chosen(asked, asked.field("of", most=64))
    what = _require(asked, found)
    if asked.field("what", most=16) != what:
        raise Conflict("That is settled already.", advice="Look at where it stands now.")
    verb = {VERIFY: colleagues.verify, SUSPEND: colleagues.suspend}[what]
    verb(asked.node, asked.visit.session, found.account)
    return Moved(f"{PATH}?done={'person-verified' if what == VERIFY else 'person-suspended'}")


def _form(asked: Asked, problem: SimdesError | None) -> Shown:
    return Shown(
        "office/person_new.html",
        {
            "problem": problem,
            "roles": colleagues.ROLES,
            "user": asked.field("user", most=64),
            "display": asked.field("display", most=120),
            "role": asked.field("role", most=16),
        },
        here=NEW,
        status=STATUS[type(problem)] if problem else 200,
    )


def _is_wanted(one: Colleague, wanted: str) -> bool:
    waits = one.state in ("pending", colleagues.UNREGISTERED)
    kinds = {"": one.role != "patient", "waiting": waits, "patients": one.role == "patient"}
    return kinds[wanted]


def _decision(asked: Asked, one: Colleague) -> str:
    """What may be decided about somebody; "" for nothing, as about oneself."""
    own = one.account == asked.visit.session.actor.account
    return "" if own else _POSSIBLE.get(one.state, "")


def _require(asked: Asked, one: Colleague) -> str:
    found = _decision(asked, one)
    if not found:
        raise NotFound("There is nothing like that.")
    return found


def _question_address(one: Colleague) -> str:
    return f"{DECIDE}?{urlencode({'of': one.account.hex()})}"


def _chosen(asked: Asked, named: str) -> Colleague:
    return colleagues.find(asked.node, asked.visit.session, id_of(named))
