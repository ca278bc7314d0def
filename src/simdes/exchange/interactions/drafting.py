"""What a change will store, as far as no vault matters: checked, validated, and drafted.

A draft has its id, its references lead to what the same request makes or what a condition finds
(https://hl7.org/fhir/R4/http.html#trules), a patch is applied, labels of before stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simdes.access.rights import Interaction
from simdes.errors import Invalid, Mismatch
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.conditional import Queries, parts
from simdes.exchange.interactions.drafts import (
    Sent,
    check_valid,
    drafted,
    keep_labels,
    require_id,
    require_type,
)
from simdes.exchange.interactions.planning import NEEDS, Plan
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.subscriptions import registering
from simdes.fhir.problem import Problem
from simdes.index.entries import Entry
from simdes.index.transaction import Transaction


def check(asking: Asking, change: Change) -> None:
    """Raise Forbidden or Invalid for what can be refused without looking at what is there."""
    asking.rights.require(NEEDS[change.method], change.type)
    if change.search is not None:
        asking.rights.require(Interaction.SEARCH, change.type)
    if change.id:
        require_id(change.id)
    if change.resource is not None:
        require_type(change.resource, change.type)
        sent = change.resource.get("id")
        if change.method is Method.UPDATE and change.id and sent != change.id:
            raise Invalid(
                "The id in the resource is not the id in the address.",
                advice="Send the resource with the id of its address.",
            )


def validated(
    node: Node, changes: Sequence[Change], *, by_server: bool = False
) -> list[tuple[Problem, ...]]:
    """Validate outside of the transaction, where nobody waits for it; the warnings of each change.

    Raises BrokenRules, with places.
    What the server writes itself is no claim of anybody's to a profile.
    """
    sent = [Sent(one.resource, one.place) for one in changes if one.resource is not None]
    profiles = None if by_server else node.profiles
    found = iter(check_valid(sent, profiles, are_binding=node.profiles_bind))
    return [next(found) if one.resource is not None else () for one in changes]


class Drafting:
    """Drafts one request's changes in its database transaction."""

    def __init__(
        self,
        node: Node,
        tx: Transaction,
        asking: Asking,
        base: str,
        queries: Queries,
        *,
        by_server: bool,
    ) -> None:
        self._queries = queries
        self._by_server = by_server
        self._node = node
        self._tx = tx
        self._asking = asking
        self._base = base

    def draft(self, plans: Sequence[Plan]) -> None:
        """Give every plan that is not settled its draft, and what was noticed about it."""
        names = {
            plan.change.full_url: f"{plan.change.type}/{plan.id}"
            for plan in plans
            if plan.change.full_url
        }
        going = [plan for plan in plans if plan.settled is None]
        names |= self._conditional_names(going)
        for plan in going:
            change = plan.change
            if change.resource is not None:
                plan.draft = self._drafted(change.resource, plan.id, names)
            elif change.patch is not None and plan.current is not None:
                plan.draft = self._patched(plan.current, change.patch, names)
            if plan.draft is not None and plan.current is not None and not plan.current.deleted:
                keep_labels(plan.draft, plan.current.labels)
        # A reference that was replaced is as valid as before; what a patch made is not known to be.
        for plan in going:
            if plan.change.patch and plan.draft is not None:
                plan.warnings = self._check(plan.draft, plan.change.place)
        for plan in going:
            if plan.draft is not None and plan.change.type == registering.TYPE:
                plan.draft = self._asked(plan.draft)

    def _check(self, draft: dict[str, Any], place: str) -> tuple[Problem, ...]:
        node = self._node
        return check_valid([Sent(draft, place)], node.profiles, are_binding=node.profiles_bind)[0]

    def _asked(self, draft: dict[str, Any]) -> dict[str, Any]:
        if self._by_server:
            return draft
        return registering.asked(self._node, self._asking, draft, base=self._base)

    def _patched(self, current: Entry, patch: Any, names: Mapping[str, str]) -> dict[str, Any]:
        present = finding.parsed(finding.raw(self._node, self._tx, current), waits=False)
        made = patch(present)
        if made.get("resourceType") != current.type or made.get("id") != current.logical_id:
            raise Invalid("A patch can't change a resource's type or id.")
        return self._drafted(made, current.logical_id, names)

    def _drafted(
        self, resource: Mapping[str, Any], logical_id: str, names: Mapping[str, str]
    ) -> dict[str, Any]:
        return drafted(resource, logical_id, names, base=self._base)

    def _conditional_names(self, plans: Sequence[Plan]) -> dict[str, str]:
        """What conditional references lead to (https://hl7.org/fhir/R4/http.html#trules)."""
        if not self._queries:
            return {}
        asked = {
            literal
            for plan in plans
            if plan.change.resource is not None
            for literal in finding.conditional_references(plan.change.resource)
        }
        found = {}
        for literal in sorted(asked):
            query = self._queries[parts(literal)]
            hits = finding.matching(self._tx, self._asking, query)
            if len(hits) != 1:
                raise Mismatch("A conditional reference leads to no resource, or to several.")
            found[literal] = f"{hits[0].type}/{hits[0].logical_id}"
        return found
