"""Emergencies that this organisation opened: judged afterwards, in time, by an administrator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import colleagues, emergencies
from simdes.exchange.emergencies import Emergency
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.problems import STATUS

PATH: Final = "/emergencies"
REVIEW: Final = "/emergencies/review"
ROWS: Final = 40


def show(asked: Asked) -> Shown:
    """Those that wait for a review, the longest overdue first; then those that were judged."""
    found = emergencies.listed(asked.node, asked.visit.session)
    waiting = sorted(
        (one for one in found if not one.outcome), key=lambda one: one.review_due_seconds
    )
    judged = [one for one in found if one.outcome]
    pages = max(1, -(-len(judged) // ROWS))
    page = min(asked.page, pages) or 1
    people = colleagues.names(asked.node)
    return Shown(
        "office/emergencies.html",
        {
            "waiting": waiting,
            "overdue": len([one for one in waiting if one.overdue]),
            "judged": judged[(page - 1) * ROWS : page * ROWS],
            "page": page,
            "pages": pages,
            "who": lambda one: _who(one, people),
            "question": lambda one: f"{REVIEW}?{urlencode({'of': one.handle.hex()})}",
        },
    )


def show_review(asked: Asked) -> Shown:
    """What happened, and the two judgements."""
    return _question(asked, _chosen(asked, asked.asked("of", most=64)), None)


def review(asked: Asked) -> Shown | Moved:
    """Judge it, signed by the administrator's own key."""
    found = _chosen(asked, asked.field("of", most=64))
    try:
        emergencies.review(
            asked.node, asked.visit.session, found.handle, outcome=asked.field("outcome", most=16)
        )
    except (Conflict, Invalid) as error:
        return _question(asked, found, error)
    return Moved(f"{PATH}?done=reviewed")


def _question(asked: Asked, found: Emergency, problem: SimdesError | None) -> Shown:
    if found.outcome and problem is None:
        raise NotFound("There is nothing like that.")
    people = colleagues.names(asked.node)
    return Shown(
        "office/emergency_review.html",
        {
            "one": found,
            "who": _who(found, people),
            "problem": problem,
            "outcomes": tuple(emergencies.OUTCOMES),
        },
        here=f"{REVIEW}?{urlencode({'of': found.handle.hex()})}",
        status=STATUS[type(problem)] if problem else 200,
    )


def _who(one: Emergency, people: Mapping[bytes, str]) -> str:
    return people.get(one.account) or one.name or f"0x{one.account.hex()[:16]}…"


def _chosen(asked: Asked, named: str) -> Emergency:
    return emergencies.standing(asked.node, asked.visit.session, id_of(named))
