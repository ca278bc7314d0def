"""Organisations of the network: who is in it, and what its owners decide about them, k of n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Forbidden, NotFound, SimdesError
from simdes.exchange import members, membership
from simdes.exchange.members import Member
from simdes.exchange.membership import Council
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.problems import STATUS

PATH: Final = "/organisations"
DECIDE: Final = "/organisations/decide"
VERIFY, SUSPEND = "verify", "suspend"
_POSSIBLE: Final = {"pending": (VERIFY,), "verified": (SUSPEND,), "suspended": (VERIFY,)}
"""What owners may decide about an organisation, by where it stands."""


@dataclass(frozen=True, slots=True)
class Row:
    """An organisation, and what may be decided with how many confirmations so far."""

    member: Member
    decisions: tuple[tuple[str, int], ...]


def show(asked: Asked) -> Shown:
    """Every organisation, those that wait first."""
    node = asked.node
    council = _council(asked)
    rows = [_row(asked, one) for one in members.listed(node)]
    return Shown(
        "office/organisations.html",
        {
            "rows": sorted(rows, key=lambda one: one.member.state != "pending"),
            "council": council,
            "own": node.organisation,
            "address": address,
        },
    )


def show_decide(asked: Asked) -> Shown:
    """The question before an owner's word is given."""
    return _question(asked, _chosen(asked, asked.asked("of", most=64)), None)


def decide(asked: Asked) -> Shown | Moved:
    """Propose or confirm; whoever completes the number carries it out."""
    row = _chosen(asked, asked.field("of", most=64))
    what, key = asked.field("what", most=16), asked.visit.session.key
    verb = {
        VERIFY: membership.verify_organisation,
        SUSPEND: membership.suspend_organisation,
    }.get(what)
    if verb is None or what not in dict(row.decisions):
        raise NotFound("There is nothing like that.")
    try:
        done = verb(asked.node, key, row.member.id)
    except (Conflict, Forbidden) as error:
        return _question(asked, row, error)
    said = {VERIFY: "organisation-verified", SUSPEND: "organisation-suspended"}[what]
    return Moved(f"{PATH}?done={said if done else 'confirmed'}")


def address(row: Row, what: str) -> str:
    """Where a decision about an organisation is asked for."""
    return f"{DECIDE}?{urlencode({'of': row.member.id.hex(), 'what': what})}"


def _question(asked: Asked, row: Row, problem: SimdesError | None) -> Shown:
    what = asked.asked("what", most=16) or asked.field("what", most=16)
    if what not in dict(row.decisions):
        raise NotFound("There is nothing like that.")
    return Shown(
        "office/organisation_decide.html",
        {
            "row": row,
            "what": what,
            "confirmed": dict(row.decisions)[what],
            "council": _council(asked),
            "problem": problem,
        },
        here=address(row, what),
        status=STATUS[type(problem)] if problem else 200,
    )


def _council(asked: Asked) -> Council:
    return membership.council(asked.node, asked.visit.session.actor.address)


def _chosen(asked: Asked, named: str) -> Row:
    wanted = id_of(named)
    found = next((one for one in members.listed(asked.node) if one.id == wanted), None)
    if found is None:
        raise NotFound("There is nothing like that.")
    return _row(asked, found)


def _row(asked: Asked, member: Member) -> Row:
    possible = _POSSIBLE.get(member.state, ())
    return Row(
        member,
        tuple(
            (one, membership.confirmed(asked.node, member.id, suspending=one == SUSPEND))
            for one in possible
        ),
    )
