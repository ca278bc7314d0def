"""What a change touches: the resource that it means, and the version that must stand.

https://hl7.org/fhir/R4/http.html#concurrency and the conditional interactions. Locks are taken in
the order of names, before anything is looked at; everything runs in the caller's transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.access.categories import Role
from simdes.access.rights import OWNED, Interaction
from simdes.errors import Forbidden, Gone, Invalid, Mismatch, NotFound
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.changes import Became, Change, Changed, Method
from simdes.exchange.interactions.conditional import Queries
from simdes.exchange.interactions.placing import Name
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.rights import Asking
from simdes.fhir.problem import Problem
from simdes.index import resources, search
from simdes.index.entries import Entry
from simdes.index.transaction import Transaction

NEEDS: Final[Mapping[Method, Interaction]] = {
    Method.CREATE: Interaction.CREATE,
    Method.UPDATE: Interaction.UPDATE,
    Method.PATCH: Interaction.UPDATE,
    Method.DELETE: Interaction.DELETE,
}
"""What a caller must be allowed for each method."""
_LEDGERS: Final = frozenset(("ResearchStudy", "ResearchSubject"))
_LEDGERS_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
"""What stands on the ledger is shown under such ids (`studying`); nobody writes beside it."""


@dataclass(slots=True)
class Plan:
    """One change on its way: what it touches, and what it will write."""

    change: Change
    needs: Interaction
    id: str = ""
    current: Entry | None = None
    settled: Changed | None = None
    draft: dict[str, Any] | None = None
    home: Home | None = None
    row: int | None = None
    warnings: tuple[Problem, ...] = ()
    content: bytes = field(default=b"", repr=False)


class Planning:
    """Plans the changes of one request."""

    def __init__(self, node: Node, tx: Transaction, asking: Asking, queries: Queries) -> None:
        self._node = node
        self._queries = queries
        self._tx = tx
        self._asking = asking

    def plans(self, changes: Sequence[Change]) -> list[Plan]:
        """One plan for each change, in their order.

        Raises Mismatch for a condition that does not hold, Forbidden for what another organisation
        wrote, NotFound and Gone as a read, Invalid where one resource would change twice.
        """
        self._lock(changes)
        plans = [self._plan(change) for change in changes]
        _require_distinct(plans)
        return plans

    def _lock(self, changes: Sequence[Change]) -> None:
        names = {f"{one.type}/{one.id}" for one in changes if one.id}
        names |= {f"conditional {one.type}" for one in changes if one.search is not None}
        for name in sorted(names):
            self._tx.lock(f"resource {name}")

    def _plan(self, change: Change) -> Plan:
        plan = Plan(change, NEEDS[change.method], change.id)
        if change.search is not None:
            self._find(plan)
        elif change.id:
            plan.current = self._current(change.type, change.id, plan.needs)
        if plan.settled is None:
            self._check_version(plan)
        if not plan.id:
            plan.id = self._node.new_id()
        return plan

    def _find(self, plan: Plan) -> None:
        """A conditional change (https://hl7.org/fhir/R4/http.html#cond-update)."""
        change = plan.change
        query = self._queries[change.type, change.search or ()]
        found = finding.matching(self._tx, self._asking, query)
        if len(found) > 1:
            raise Mismatch(
                "The condition matches more than one resource.",
                advice="Narrow the search until it finds one.",
            )
        if not found:
            if change.method in (Method.DELETE, Method.PATCH):
                if change.method is Method.PATCH:
                    raise NotFound("No resource meets the condition.")
                plan.settled = Changed(Became.NOT_THERE, None)
            elif change.resource is not None and change.method is Method.UPDATE:
                plan.id = str(change.resource.get("id", ""))
                plan.current = self._current(change.type, plan.id, plan.needs) if plan.id else None
                if plan.current is not None and not plan.current.deleted:
                    raise Mismatch(
                        "The id is that of a resource which does not meet the condition."
                    )
            return
        plan.id = found[0].logical_id
        if change.method is Method.CREATE:
            plan.settled = Changed(Became.EXISTED, finding.load(self._node, self._tx, found)[0])
            return
        sent = change.resource.get("id") if change.resource is not None else None
        if sent is not None and sent != plan.id:
            raise Mismatch("The id in the resource is not that of the one which the search found.")
        self._tx.lock(f"resource {change.type}/{plan.id}")
        plan.current = self._current(change.type, plan.id, plan.needs)

    def _current(self, type_: str, logical_id: str, needs: Interaction) -> Entry | None:
        """What stands under an id, as far as the caller may change it."""
        rights = self._asking.rights
        found = search.get(self._tx, rights.visible(needs), type_, logical_id, limit=1)
        if found:
            self._require_own_words(found[0])
            return found[0]
        if search.get(self._tx, rights.reading, type_, logical_id, limit=1):
            raise Forbidden(
                "Another organisation wrote this resource, or the app may not change it.",
                advice="Ask whoever wrote it; meta.source says who.",
            )
        return None

    def _require_own_words(self, entry: Entry) -> None:
        """A patient changes what they told themselves, never what was found about them."""
        if self._asking.rights.role is not Role.PATIENT or entry.type in OWNED:
            return
        rows = resources.get_many(self._tx, [entry.resource_id] if entry.resource_id else [])
        if any(row.account != self._asking.session.actor.account for row in rows):
            raise Forbidden(
                "Somebody else wrote this resource.",
                advice="Tell whoever wrote it what is wrong with it.",
                reason="NOT_AUTHOR",
            )

    def _check_version(self, plan: Plan) -> None:
        change, current = plan.change, plan.current
        there = current is not None and not current.deleted
        standing = current.version if current is not None and there else None
        if change.if_match is not None and not change.if_match.has(standing):
            raise Mismatch(
                "The version that If-Match names is not the present one.",
                advice="Read the resource again, and decide whether your change still holds.",
            )
        if change.if_none_match and there:
            raise Mismatch("There is a resource already.")
        if change.method is Method.PATCH and not there:
            raise Gone("The resource was deleted.") if current else NotFound("No such resource.")
        if change.method is Method.DELETE and not there:
            plan.settled = Changed(Became.NOT_THERE, None)
        if change.type in _LEDGERS and _LEDGERS_ID.fullmatch(plan.id or ""):
            raise Invalid(
                f"{change.type} ids of 64 hexadecimal digits are the ledger's, which nobody writes."
            )
        if change.method is Method.UPDATE and current is None and plan.id:
            self._require_choosing(change)

    def _require_choosing(self, change: Change) -> None:
        """Whoever sees only some records may not choose ids: the answer would tell of others'."""
        if not self._asking.rights.may_choose_id(change.type):
            raise NotFound("No such resource.", advice="Create it with POST.")


def _require_distinct(plans: Sequence[Plan]) -> None:
    """https://hl7.org/fhir/R4/http.html#trules: no resource twice in one transaction."""
    seen: set[Name] = set()
    for plan in plans:
        name = (plan.change.type, plan.id)
        if plan.settled is None and name in seen:
            raise Invalid("A transaction changes the same resource twice.")
        seen.add(name)
