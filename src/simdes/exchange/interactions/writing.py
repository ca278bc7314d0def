"""Create, update, patch and delete, one or many: everything in one transaction or nothing.

https://hl7.org/fhir/R4/http.html#create and the sections after it. A change is planned (which
resource, which version must stand), drafted (ids, references), validated, placed in a vault, and
written with its outbox row, its search rows, a Provenance and its audit entry in one commit. Locks
are taken in the order of names, so that 32 writers of one resource wait and none is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simdes.access.audit_event import Verb
from simdes.access.categories import classify
from simdes.access.rights import OWNED
from simdes.errors import Invalid
from simdes.exchange import indexing
from simdes.exchange.indexing import Written
from simdes.exchange.interactions import consenting, finding
from simdes.exchange.interactions.auditing import attempt
from simdes.exchange.interactions.changes import Became, Change, Changed, Method
from simdes.exchange.interactions.conditional import Queries, queries
from simdes.exchange.interactions.drafting import Drafting, check, validated
from simdes.exchange.interactions.found import Found, served, tombstone
from simdes.exchange.interactions.placing import Placing, require_scope
from simdes.exchange.interactions.planning import Plan, Planning
from simdes.exchange.interactions.referring import missing
from simdes.exchange.interactions.writers import writing_provenance
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.prescriptions import stating
from simdes.exchange.rights import Asking
from simdes.exchange.subscriptions import registering
from simdes.exchange.versions import new_version
from simdes.fhir.json import dumps
from simdes.fhir.prescribing import TYPE as ORDER
from simdes.fhir.search.conditions import ALWAYS
from simdes.fhir.search.extract import extract
from simdes.fhir.search.match import matches
from simdes.index import corrections, moments, outbox, resources, search, subscriptions
from simdes.index.resources import NewResource, Stored
from simdes.index.transaction import Transaction
from simdes.tracing import step

MOST_CHANGES = 5_000
"""Changes that one transaction may hold."""

_ORDER = {Method.DELETE: 0, Method.CREATE: 1, Method.UPDATE: 2, Method.PATCH: 2}


@dataclass(frozen=True, slots=True)
class _Row:
    """A version to write, and the parsed resource for its search rows."""

    new: NewResource
    resource: Mapping[str, Any]


@step("exchange.interactions.writing.apply")
def apply(
    node: Node,
    asking: Asking,
    changes: Sequence[Change],
    *,
    base: str,
    by_server: bool = False,
    then: Callable[[Transaction, Sequence[Changed]], None] | None = None,
) -> list[Changed]:
    """Make all of the changes durable, or none; what became of each, in their order.

    ``base`` is this server's FHIR base URL, without a slash at its end. ``by_server``: a
    Subscription's status is what we found out, not what its owner asks for. ``then`` writes what
    has to be in the same commit; it may run again, as all of it may, and none goes with a Consent.
    Raises Forbidden, BrokenRules (with places), Mismatch for a condition of the caller that does
    not hold, Conflict, NotFound.
    """
    if len(changes) > MOST_CHANGES:
        raise Invalid(f"A transaction holds at most {MOST_CHANGES} changes.")
    for change in changes:
        check(asking, change)
    if consenting.concerns(changes, alone=then is None):
        return [consenting.apply(node, asking, changes[0])]
    warned = validated(node, changes, by_server=by_server)
    asked = queries(node, asking, changes)

    def write(tx: Transaction) -> list[Changed]:
        made = _Writing(node, tx, asking, base, asked, by_server=by_server).run(changes)
        if then is not None:
            then(tx, made)
        return made

    return [
        replace(one, warnings=(*told, *one.warnings))
        for told, one in zip(warned, node.database.write(write), strict=True)
    ]


class _Writing:
    """One request's changes in one database transaction."""

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
        self._drafting = Drafting(node, tx, asking, base, queries, by_server=by_server)
        self._node = node
        self._tx = tx
        self._asking = asking
        self._base = base
        self._now_ms = node.now_ms()
        self._rows: list[_Row] = []

    def run(self, changes: Sequence[Change]) -> list[Changed]:
        """Plan, draft, place and write."""
        plans = Planning(self._node, self._tx, self._asking, self._queries).plans(changes)
        self._drafting.draft(plans)
        self._place(plans)
        for plan in sorted(plans, key=lambda one: _ORDER[one.change.method]):
            self._row_of(plan)
        stored = self._write(plans)
        return [plan.settled or self._changed(plan, stored) for plan in plans]

    # Placing ----------------------------------------------------------------------------------

    def _place(self, plans: Sequence[Plan]) -> None:
        placing = Placing(self._node, self._tx, self._asking)
        going = [plan for plan in plans if plan.draft is not None]
        placing.patients([(plan.draft, plan.current) for plan in going if plan.draft is not None])
        for plan in going:
            assert plan.draft is not None  # noqa: S101 (chosen above)
            plan.home = placing.place(plan.draft, plan.current, within=plan.change.within)
            self._require_scopes(plan, plan.draft, plan.home)
        for plan in plans:
            if plan.settled is None and plan.draft is None and plan.current is not None:
                plan.home = placing.home(plan.current.vault)
        for one in missing(self._node, self._tx, self._asking, going):
            new = self._new(
                one.home, one.resource, one.content, category=one.category, labels=one.labels
            )
            self._rows.append(_Row(new, one.resource))

    def _require_scopes(self, plan: Plan, draft: Mapping[str, Any], home: Home) -> None:
        allowed = self._asking.rights.scopes(plan.needs, plan.change.type)
        values = extract(dict(draft)) if any(one.where != ALWAYS for one in allowed) else ()
        meets = {
            at: matches(
                one.where,
                type=plan.change.type,
                id=plan.id,
                updated_ms=self._now_ms,
                values=values,
            )
            for at, one in enumerate(allowed)
        }
        if plan.change.type in OWNED:  # nobody's record: no scope narrows it to a patient's
            allowed = tuple(replace(one, vaults=None) for one in allowed)
        require_scope(allowed, home.tag, meets, plan.needs)

    # Writing ----------------------------------------------------------------------------------

    def _row_of(self, plan: Plan) -> None:
        if plan.settled is not None or plan.home is None:
            return
        plan.row = len(self._rows)
        if plan.draft is not None:
            category, labels = classify(plan.draft)
            plan.content = dumps(plan.draft)
            resource: Mapping[str, Any] = plan.draft
        elif plan.current is not None:
            category, labels = plan.current.category, plan.current.labels
            resource = tombstone(plan.change.type, plan.id)
            plan.content = dumps(dict(resource))
        new = self._new(
            plan.home,
            resource,
            plan.content,
            category=category,
            labels=labels,
            deleted=plan.draft is None,
        )
        self._rows.append(_Row(new, resource))

    def _new(
        self,
        home: Home,
        resource: Mapping[str, Any],
        content: bytes,
        *,
        category: int,
        labels: int,
        deleted: bool = False,
    ) -> NewResource:
        return new_version(
            home,
            type=str(resource["resourceType"]),
            logical_id=str(resource["id"]),
            content=content,
            category=category,
            labels=labels,
            created_ms=self._now_ms,
            random=self._node.random,
            deleted=deleted,
            account=self._asking.session.actor.account,
        )

    def _write(self, plans: Sequence[Plan]) -> list[Stored]:
        stored = resources.add(self._tx, [row.new for row in self._rows])
        homes = {plan.home.tag: plan.home for plan in plans if plan.home is not None}
        for tag, home in homes.items():
            self._document(home, [one for one in plans if one.home and one.home.tag == tag], stored)
        documented = resources.add(self._tx, [row.new for row in self._rows[len(stored) :]])
        every = [*stored, *documented]
        made = [(row, one) for row, one in zip(self._rows, every, strict=True) if one.created]
        indexing.index_own(
            self._tx,
            self._node.organisation,
            [Written(row.new, one, row.resource, self._client(row.new)) for row, one in made],
            base=self._base + "/",
        )
        outbox.add(self._tx, [one.id for _, one in made])
        moments.put(self._tx, {one.id: (None, self._now_ms) for _, one in made})
        self._subscribe(plans, stored)
        self._state(plans, stored)
        self._forget(plans)
        self._node.desk.trail.append(
            self._tx, [attempt(self._asking, Verb.WRITE, tag) for tag in homes]
        )
        return stored

    def _client(self, new: NewResource) -> str:
        """The app whose an owned resource is; it stays whose it was where the server writes."""
        known = None
        if self._by_server and new.type == registering.TYPE:
            known = subscriptions.get(self._tx, new.logical_id)
        return known.client if known else self._asking.session.actor.context.client

    def _state(self, plans: Sequence[Plan], stored: Sequence[Stored]) -> None:
        """Let prescriptions follow the orders that were written."""
        orders = [
            stating.Order(plan.home, plan.id, self._rows[plan.row].new.labels, plan.draft)
            for plan in plans
            if plan.change.type == ORDER
            and plan.row is not None
            and plan.home is not None
            and stored[plan.row].created
            and plan.home.tag != self._asking.facts.home
        ]
        stating.state(self._node, self._tx, self._asking.session, orders)

    def _forget(self, plans: Sequence[Plan]) -> None:
        """Drop what others told us that is wrong with what is deleted."""
        for plan in plans:
            if plan.row is not None and plan.draft is None and plan.home is not None:
                name = f"{plan.change.type}/{plan.id}"
                corrections.drop_about(self._tx, vault=plan.home.tag, about=name)

    def _subscribe(self, plans: Sequence[Plan], stored: Sequence[Stored]) -> None:
        """Keep what subscriptions ask for, with whose they are."""
        for plan in plans:
            if plan.change.type != registering.TYPE or plan.row is None:
                continue
            one = stored[plan.row]
            if not one.created:
                continue
            if plan.draft is None:
                subscriptions.drop(self._tx, one.logical_id)
            elif self._by_server:
                subscriptions.supersede(self._tx, one.logical_id, one.id, plan.draft["status"])
            else:
                registering.register(
                    self._node, self._tx, self._asking, plan.draft, one, base=self._base
                )

    def _document(self, home: Home, plans: Sequence[Plan], stored: Sequence[Stored]) -> None:
        """The Provenance of what was written into one vault."""
        written = [
            (plan.change.method, stored[plan.row], self._rows[plan.row].new.labels)
            for plan in plans
            if plan.row is not None and stored[plan.row].created
        ]
        if written:
            made = writing_provenance(self._node, self._asking.session.actor, written)
            new = self._new(
                home, made, dumps(made), category=classify(made)[0], labels=classify(made)[1]
            )
            self._rows.append(_Row(new, made))

    def _is_shown(self, plan: Plan) -> bool:
        """A patch is no way to read what the app may not read; all else the caller sent."""
        if plan.change.method is not Method.PATCH:
            return True
        return bool(search.get(self._tx, self._asking.rights.reading, plan.change.type, plan.id))

    def _changed(self, plan: Plan, stored: Sequence[Stored]) -> Changed:
        assert plan.row is not None and plan.home is not None  # noqa: S101 (not settled)
        one = stored[plan.row]
        became = Became.UPDATED if plan.current is not None else Became.CREATED
        if plan.current is not None and plan.current.deleted:
            became = Became.CREATED
        if not one.created:
            became = Became.UNCHANGED
        deleted = plan.draft is None
        updated_ms = self._now_ms if one.created or not plan.current else plan.current.updated_ms
        source = finding.own_source(self._node)
        found = Found(
            type=one.type,
            id=one.logical_id,
            version=one.version,
            updated_ms=updated_ms,
            vault=plan.home.tag,
            content=b""
            if deleted or not self._is_shown(plan)
            else served(
                plan.content,
                version=one.version,
                updated_ms=updated_ms,
                source=source,
                state=resources.PENDING,
            ),
            source=source,
            deleted=deleted,
        )
        return Changed(Became.DELETED if deleted else became, found, plan.warnings)
