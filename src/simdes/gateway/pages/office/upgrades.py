"""Upgrades of the network: what waits in the timelock, what owners proposed, stopping in time."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Forbidden, NotFound, SimdesError
from simdes.exchange import governing, membership
from simdes.exchange.governing import Step
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.problems import STATUS

PATH: Final = "/upgrades"
DECIDE: Final = "/upgrades/decide"
STOP, CONFIRM = "stop", "confirm"


def show(asked: Asked) -> Shown:
    """What is going on, the newest first."""
    return Shown("office/upgrades.html", _values(asked))


def show_decide(asked: Asked) -> Shown:
    """The question before an owner stops or confirms something."""
    return _question(asked, None)


def decide(asked: Asked) -> Shown | Moved:
    """Stop an operation, or confirm a proposal; signed by the owner's own key."""
    what, id_ = asked.field("what", most=16), id_of(asked.field("of", most=64))
    verb = {STOP: governing.stop, CONFIRM: governing.confirm}.get(what)
    if verb is None:
        raise NotFound("There is nothing like that.")
    try:
        done = verb(asked.node, asked.visit.session, id_)
    except (Conflict, Forbidden) as error:
        return _question(asked, error)
    said = {STOP: "operation-stopped", CONFIRM: "proposal-done"}[what]
    return Moved(f"{PATH}?done={said if done else 'confirmed'}")


def _question(asked: Asked, problem: SimdesError | None) -> Shown:
    what = asked.asked("what", most=16) or asked.field("what", most=16)
    id_ = id_of(asked.asked("of", most=64) or asked.field("of", most=64))
    found = governing.going_on(asked.node)
    listed: dict[str, dict[bytes, tuple[Step, ...]]] = {
        STOP: {one.id: one.steps for one in found.operations},
        CONFIRM: {one.id: (one.step,) for one in found.proposals},
    }
    steps = listed.get(what, {}).get(id_)
    if steps is None:
        raise NotFound("There is nothing like that.")
    return Shown(
        "office/upgrade_decide.html",
        {
            "id": id_,
            "what": what,
            "steps": steps,
            "needed": found.alarm if what == STOP else found.threshold,
            "problem": problem,
        },
        here=_address(id_, what),
        status=STATUS[type(problem)] if problem else 200,
    )


def _values(asked: Asked) -> dict[str, object]:
    return {
        "governed": governing.going_on(asked.node),
        "council": membership.council(asked.node, asked.visit.session.actor.address),
        "address": _address,
        "over": (governing.DONE, governing.STOPPED),
    }


def _address(id_: bytes, what: str) -> str:
    return f"{DECIDE}?{urlencode({'of': id_.hex(), 'what': what})}"
