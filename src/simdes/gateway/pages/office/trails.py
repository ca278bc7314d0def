"""Audit trails held against those of others: what did not agree, and what to do about it."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Invalid, SimdesError
from simdes.exchange import condition, findings, members
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.problems import STATUS

PATH: Final = "/trails"
CLOSE: Final = "/trails/close"
ROWS: Final = 40


def show(asked: Asked) -> Shown:
    """Open findings, the newest first; closed ones on request."""
    node, session = asked.node, asked.visit.session
    closed, after = asked.asked("closed", most=1) == "1", asked.asked("after", most=64)
    found = findings.listed(
        node, session, closed=closed, after=id_of(after) if after else None, limit=ROWS + 1
    )
    shown = found[:ROWS]
    following = {"closed": "1"} if closed else {}
    if len(found) > ROWS:
        following["after"] = shown[-1].id.hex()
    return Shown(
        "office/trails.html",
        {
            "findings": shown,
            "names": {one: members.name_of(node, one) for one in {it.organisation for it in shown}},
            "closed": closed,
            "next": f"{PATH}?{urlencode(following)}" if "after" in following else "",
            "compared_ms": condition.compared_ms(node),
            "question": lambda one: f"{CLOSE}?{urlencode({'finding': one.id.hex()})}",
        },
    )


def show_close(asked: Asked) -> Shown:
    """The reason for closing a finding is asked for."""
    return _question(asked, asked.asked("finding", most=64), None)


def close(asked: Asked) -> Shown | Moved:
    """Close a finding that was looked into, with a reason."""
    named = asked.field("finding", most=64)
    try:
        findings.close(
            asked.node,
            asked.visit.session,
            id_of(named),
            why=asked.field("why", most=findings.WHY_CHARACTERS),
        )
    except (Conflict, Invalid) as error:
        return _question(asked, named, error)
    return Moved(f"{PATH}?done=finding-closed")


def _question(asked: Asked, named: str, problem: SimdesError | None) -> Shown:
    found = findings.find(asked.node, asked.visit.session, id_of(named))
    return Shown(
        "office/trail_close.html",
        {
            "one": found,
            "name": members.name_of(asked.node, found.organisation),
            "problem": problem,
            "most": findings.WHY_CHARACTERS,
        },
        here=f"{CLOSE}?{urlencode({'finding': found.id.hex()})}",
        status=STATUS[type(problem)] if problem else 200,
    )
