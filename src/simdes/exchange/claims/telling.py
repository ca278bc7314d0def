"""What became of a claim, told to who asks for it by its number, as an insurer knows it (X12 276).

A claim is known by the number that its provider gave it, within that provider's numbers, or by the
id that our own software gave it, which nobody guesses. Where it is open the disclosed Claim is
looked up in the caller's name; where it is decided the decision that was kept here is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from simdes.claims.money import Money
from simdes.claims.reading import day_of
from simdes.claims.remittance import amount_of
from simdes.claims.status import Standing, State, status_of
from simdes.errors import Conflict
from simdes.exchange.claims import cases, proving, steps
from simdes.exchange.claims.billing import CLAIM_SYSTEM
from simdes.exchange.claims.cases import require_clerk
from simdes.exchange.interactions.search import every
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.search.grammar import escaped
from simdes.fhir.search.parse import parse
from simdes.index import claims, whereabouts
from simdes.index.claims import Step
from simdes.ledger.contracts import ClaimState
from simdes.proofs.openings import number

Json = dict[str, Any]
Names = frozenset[tuple[str, str]]

_AT_ONCE: Final = 16
"""In how many patients' claims a number is looked for at once, the newest first."""

_STANDING: Final[Mapping[ClaimState, Standing]] = {
    ClaimState.NONE: Standing.UNKNOWN,
    ClaimState.OPENED: Standing.OPENED,
    ClaimState.DISCLOSED: Standing.OPENED,
    ClaimState.RECEIVED: Standing.RECEIVED,
    ClaimState.ASKED: Standing.ASKED,
    ClaimState.APPROVED: Standing.APPROVED,
    ClaimState.PARTLY: Standing.PARTLY,
    ClaimState.DENIED: Standing.DENIED,
    ClaimState.APPEALED: Standing.APPEALED,
    ClaimState.PAID: Standing.PAID,
    ClaimState.REVERSED: Standing.REVERSED,
}


def answer_task(node: Node, asking: Asking, task: Json) -> tuple[Json, Json]:
    """A status inquiry's Task answered, and the ClaimResponse that is its output.

    Raises Forbidden for who is not the insurer's claims staff.
    """
    require_clerk(node, asking)
    state = state_of(node, asking, _names(task))
    owner = task.get("owner") or steps.insurer(node)
    return status_of(task, state, insurer=owner, id_=node.new_id())


def _names(task: Json) -> Names:
    """What the claim may be called: the number as it came, and as our software's id."""
    asked = (task.get("focus") or {}).get("identifier") or {}
    value, system = asked.get("value"), asked.get("system")
    if not isinstance(value, str) or not value:
        return frozenset()
    own = (CLAIM_SYSTEM, value.lower())
    return frozenset((own, (system, value)) if isinstance(system, str) and system else (own,))


def state_of(node: Node, asking: Asking, names: Names) -> State:
    """How the claim of a number stands; unknown where no claim of this insurer has it."""
    if names:
        for row, benefit in _decisions(node):
            if _is_called(benefit["claim"].get("identifier"), names):
                return _decided(node, row, benefit)
        open_ = _open(node, asking, names)
        if open_ is not None:
            return open_
    return State(standing=Standing.UNKNOWN, since=steps.today(node))


def _is_called(identifier: Any, names: Names) -> bool:
    named = identifier if isinstance(identifier, Mapping) else {}
    return (named.get("system", ""), named.get("value", "")) in names


# Decided --------------------------------------------------------------------------------------


def _decisions(node: Node) -> Iterator[tuple[Step, Json]]:
    """The last decision of each claim, newest first, with its ExplanationOfBenefit."""
    with node.database.read() as tx:
        rows = {row.claim: row for row in claims.steps(tx, verb="adjudicate")}
    for row in sorted(rows.values(), key=lambda one: -one.id):
        benefit = kept(node, row, "ExplanationOfBenefit")
        if benefit is not None:
            yield row, benefit


def kept(node: Node, row: Step, type_: str) -> Json | None:
    """What a step made of a type; None where it made none, or was erased with its vault."""
    try:
        made = steps.content_of(node, row).made
    except Conflict:
        return None
    return next((one for one in map(loads, made) if one["resourceType"] == type_), None)


def _decided(node: Node, row: Step, benefit: Json) -> State:
    known = node.contracts.claims.claim(number(row.claim))
    with node.database.read() as tx:
        paid = claims.steps(tx, claim=row.claim, verb="settle")
    told = kept(node, paid[-1], "ExplanationOfBenefit") if paid else None
    payment = (told or {}).get("payment") or {}
    currency = str(benefit["total"][0]["amount"]["currency"])
    last = paid[-1] if paid and known.state is ClaimState.PAID else row
    return State(
        standing=_STANDING[known.state],
        since=_day(last),
        submitted=amount_of(benefit, "submitted", currency),
        benefit=amount_of(benefit, "benefit", currency),
        type=benefit["type"],
        number={"value": benefit["identifier"][0]["value"]},
        paid=day_of(payment.get("date")),
        payment=str((payment.get("identifier") or {}).get("value", "")),
    )


def _day(row: Step) -> date:
    return datetime.fromtimestamp(row.created_ms / 1000, UTC).date()


# Open -----------------------------------------------------------------------------------------


def _open(node: Node, asking: Asking, names: Names) -> State | None:
    with node.database.read() as tx:
        vaults = tuple(dict.fromkeys(whereabouts.CLAIMS.known(tx).values()))
    for at in range(0, len(vaults), _AT_ONCE):
        group = vaults[at : at + _AT_ONCE]
        found = _open_in(node, cases.reached(node, asking, group), names, group)
        if found is not None:
            return found
    return None


def _open_in(node: Node, asking: Asking, names: Names, vaults: tuple[bytes, ...]) -> State | None:
    for system, value in sorted(names):
        pairs = (("identifier", f"{escaped(system)}|{escaped(value)}"),)
        query = parse(("Claim",), pairs, now_ms=node.now_ms())
        for one in every(node, asking, query, vaults=vaults):
            claim = loads(one.content)
            essence = proving.essence_of(claim)
            for opening, _ in cases.openings(node, asking, (one.vault,)):
                if opening.essence == essence:
                    known = node.contracts.claims.claim(number(opening.claim))
                    return State(
                        standing=_STANDING[known.state],
                        since=day_of(claim.get("created")) or steps.today(node),
                        submitted=Money(sum(opening.lines), opening.currency),
                        type=claim["type"],
                    )
    return None
