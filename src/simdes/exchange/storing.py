"""The transaction behind `submit`: a group of messages becomes rows and outbox, in few statements.

What a message says is compared with what stands (`precedence`): the same changes nothing, what was
said later becomes a new version, what was said earlier stays in the sealed source document alone.
Each message that brought something leaves that document and the Provenance of its mapping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.exchange.answers import Accepted
from simdes.exchange.bundle import Submitted
from simdes.exchange.indexing import Written, index_own, resource_context
from simdes.exchange.node import Node
from simdes.exchange.placing import Home, Placed
from simdes.exchange.precedence import (
    READ,
    Moment,
    carries,
    holds,
    milliseconds,
    reopens,
    statement,
)
from simdes.exchange.provenance import (
    UNMAPPED_KINDS,
    Mapper,
    Origin,
    mapping_provenance,
    source_document,
)
from simdes.exchange.versions import new_version
from simdes.fhir.json import loads
from simdes.index import moments, outbox, resources, sources
from simdes.index.resources import Key, NewResource, Stored
from simdes.index.transaction import Transaction

_SOURCE = b"simdes/source/v1"

_REPORT = "DiagnosticReport"
_MENTION = frozenset(("resourceType", "id", "meta", "identifier", "extension"))
"""All that a Patient has whom a message only mentions by number, as MRG does of a move."""


@dataclass(slots=True)
class _Standing:
    """A version of a resource that stood at some point of the group.

    ``row`` is its place among the new rows; None: it is in the database, with ``id``.
    """

    key: Key
    digest: bytes
    moment: Moment
    version: int = 0
    id: int = 0
    row: int | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of a part of a message: resources now as it says, and those said later here."""

    message: Placed
    part: int
    source: int
    new: tuple[_Standing, ...]
    same: tuple[_Standing, ...]
    older: tuple[_Standing, ...]


def store(node: Node, tx: Transaction, placed: Sequence[Placed]) -> list[Accepted]:
    """Store messages in their vaults; one answer each. A message received before adds nothing."""
    added = sources.add_many(tx, _new_sources(node, placed))
    writer = _Writer(node, tx)
    writer.look(placed)
    answers = []
    for message in placed:
        # Of the same bytes twice in a group the first takes the id, so that the second is known.
        source = added.pop(sha256(message.ready.message.source), None)
        answers.append(writer.take(message, source))
    writer.write()
    return answers


def _new_sources(node: Node, placed: Sequence[Placed]) -> list[sources.NewSource]:
    new: dict[bytes, sources.NewSource] = {}
    for message in placed:
        content = message.ready.message.source
        digest = sha256(content)
        if digest in new:
            continue
        new[digest] = sources.NewSource(
            digest=digest,
            kind=message.ready.message.event,
            content_wrapped=_kept(node, message, digest, content),
            vault=message.homes[0].tag if len(message.homes) == 1 else None,
            received_ms=node.now_ms(),
            resources=message.ready.resources,
        )
    return list(new.values())


def _kept(node: Node, message: Placed, digest: bytes, content: bytes) -> bytes:
    """What the source row keeps: nothing where the message is sealed as a source document.

    A message about several patients is wrapped under the key of each of their vaults, one around
    the other: it is readable while none of them is erased.
    """
    if sealed(message):
        return b""
    for home in sorted(message.homes, key=lambda one: one.tag):
        content = wrap(home.key, content, aad=_SOURCE + digest, random=node.random)
    return content


def sealed(message: Placed) -> bool:
    """Whether a message's bytes become a source document: mapped, and about one patient."""
    return len(message.homes) == 1 and message.ready.kind not in UNMAPPED_KINDS


class _Writer:
    """Goes through a group's messages in their order, then writes everything at once."""

    def __init__(self, node: Node, tx: Transaction) -> None:
        self._node = node
        self._tx = tx
        self._now_ms = node.now_ms()
        self._standing: dict[Key, _Standing] = {}
        self._rows: list[NewResource] = []
        self._said_in: list[Mapping[str, Any]] = []
        self._said: list[_Standing] = []
        self._taken: list[_Taken] = []

    def look(self, placed: Sequence[Placed]) -> None:
        """Read what stands of the resources that a group speaks of."""
        digests: dict[Key, set[bytes]] = {}
        keys: dict[bytes, Home] = {}
        for message in placed:
            for part, home in zip(message.ready.parts, message.homes, strict=True):
                keys[home.tag] = home
                for one in part.resources:
                    key = (one.type, one.logical_id, home.tag)
                    digests.setdefault(key, set()).add(sha256(one.content))
        heads = resources.heads(self._tx, list(digests))
        said = moments.of(self._tx, [head.id for head in heads.values()])
        differ = [
            head.id
            for key, head in heads.items()
            if key[0] in READ and digests[key] != {head.digest}
        ]
        rows = {row.id: row for row in resources.get_many(self._tx, differ)} if differ else {}
        for key, head in heads.items():
            row = rows.get(head.id)
            self._standing[key] = _Standing(
                key,
                head.digest,
                Moment(*said.get(head.id, (None, None))),
                version=head.version,
                id=head.id,
                content=None
                if row is None
                else unwrap(
                    keys[key[2]].key, row.content_wrapped, aad=resource_context(key[2], *key[:2])
                ),
            )

    def take(self, message: Placed, source: int | None) -> Accepted:
        """Decide on one message; ``source`` None: these very bytes were received before."""
        ready = message.ready
        taken = []
        if source is not None:
            taken = [self._take(message, at, source) for at in range(len(ready.parts))]
        new = sum(len(one.new) for one in taken)
        older = sum(len(one.older) for one in taken)
        if ready.kind not in UNMAPPED_KINDS:
            self._taken += [one for one in taken if one.new or one.older]
        return Accepted(
            name=ready.name,
            index=ready.message.index,
            event=ready.message.event,
            vaults=tuple(dict.fromkeys(home.tag for home in message.homes)),
            resources=new,
            unchanged=ready.resources - new - older,
            older=older,
        )

    def _take(self, message: Placed, part: int, source: int) -> _Taken:
        found: dict[str, list[_Standing]] = {"new": [], "same": [], "older": [], "carried": []}
        outdated: set[str] = set()
        # Reports first: what an outdated report lists is outdated with it.
        for one in sorted(message.ready.parts[part].resources, key=lambda one: one.type != _REPORT):
            late = f"{one.type}/{one.logical_id}" in outdated
            verdict, standing = self._judge(message, message.homes[part], one, source, late=late)
            found[verdict].append(standing)
            if verdict == "older" and one.type == _REPORT:
                outdated.update(_results(one.content))
        return _Taken(
            message, part, source, tuple(found["new"]), tuple(found["same"]), tuple(found["older"])
        )

    def _judge(
        self, message: Placed, home: Home, one: Submitted, source: int, *, late: bool
    ) -> tuple[str, _Standing]:
        """Compare a resource with what stands, and take it over where it holds."""
        key = (one.type, one.logical_id, home.tag)
        moment = self._moment(message, one)
        standing = self._standing.get(key)
        digest = sha256(one.content)
        if standing is not None:
            if standing.digest == digest:
                self._restate(standing, moment)
                return "same", standing
            if _carried(message, one, standing) or _mentioned(message, one):
                return "carried", standing
            if late or not holds(
                statement(one.type, one.content, moment),
                statement(one.type, standing.content, standing.moment),
            ):
                return "older", standing
        made = _Standing(key, digest, moment, row=len(self._rows), content=one.content)
        self._standing[key] = made
        self._rows.append(self._row(home, one, source))
        self._said_in.append(one.resource)
        self._said.append(made)
        return "new", made

    def _moment(self, message: Placed, one: Submitted) -> Moment:
        if _is_hl7v2(message) and carries(message.ready.message.event, one.type):
            return Moment()  # it does not say this: whoever does is believed, whenever it comes
        moment = message.ready.moment
        if (updated := milliseconds(one.updated)) is not None:
            moment = replace(moment, sent_ms=updated)
        return moment.not_after(self._now_ms)

    def _restate(self, standing: _Standing, moment: Moment) -> None:
        """The same was said again: it stands as of the later time, without a new version."""
        later = standing.moment.later(moment)
        if later != standing.moment:
            standing.moment = later
            self._said.append(standing)

    def write(self) -> None:
        """Write what was decided: resources, then the documents that name their versions."""
        stored = resources.add(self._tx, self._rows)
        documents = [row for taken in self._taken for row in self._documents(taken, stored)]
        added = resources.add(self._tx, [row for row, _ in documents])
        written = [
            *map(Written, self._rows, stored, self._said_in),
            *(Written(row, one, said) for (row, said), one in zip(documents, added, strict=True)),
        ]
        outbox.add(self._tx, [one.stored.id for one in written if one.stored.created])
        index_own(self._tx, self._node.organisation, written)
        moments.put(
            self._tx,
            {_id(one, stored): (one.moment.event_ms, one.moment.sent_ms) for one in self._said},
        )

    def _documents(
        self, taken: _Taken, stored: Sequence[Stored]
    ) -> list[tuple[NewResource, Mapping[str, Any]]]:
        """The source document of a message, and the Provenance of its mapping."""
        ready, home = taken.message.ready, taken.message.homes[taken.part]
        part = ready.parts[taken.part]
        origin = Origin(
            kind=ready.kind,
            event=ready.message.event,
            source=ready.message.source,
            labels=part.labels,
            subject=part.subject,
        )
        mapper = Mapper(
            organisation=self._node.organisation, name=self._node.name, recorded_ms=self._now_ms
        )
        document = source_document(origin, mapper) if sealed(taken.message) else None
        provenance = mapping_provenance(
            origin,
            mapper,
            targets=[_reference(one, stored) for one in (*taken.new, *taken.same)],
            older=[_reference(one, stored) for one in taken.older],
            document=document,
        )
        made = [provenance] if document is None else [document, provenance]
        return [(self._row(home, one, taken.source), one.resource) for one in made]

    def _row(self, home: Home, one: Submitted, source: int) -> NewResource:
        return new_version(
            home,
            type=one.type,
            logical_id=one.logical_id,
            content=one.content,
            category=one.category,
            labels=one.labels,
            created_ms=self._now_ms,
            random=self._node.random,
            source_id=source,
        )


def _carried(message: Placed, one: Submitted, standing: _Standing) -> bool:
    """Whether a message only carries along what somebody else said, or can't know it."""
    if not _is_hl7v2(message):
        return False
    event = message.ready.message.event
    said = standing.moment != Moment()
    return (said and carries(event, one.type)) or reopens(
        event, one.type, one.content, standing.content
    )


def _is_hl7v2(message: Placed) -> bool:
    return message.ready.kind == "hl7v2"


def _mentioned(message: Placed, one: Submitted) -> bool:
    """Whether a Patient is there for its number alone; that must not take away name and address."""
    return (
        one.type == "Patient"
        and message.ready.kind not in UNMAPPED_KINDS
        and loads(one.content).keys() <= _MENTION
    )


def _results(report: bytes) -> set[str]:
    listed = loads(report).get("result", [])
    return {one["reference"] for one in listed if "reference" in one}


def _reference(one: _Standing, stored: Sequence[Stored]) -> str:
    version = one.version if one.row is None else stored[one.row].version
    return f"{one.key[0]}/{one.key[1]}/_history/{version}"


def _id(one: _Standing, stored: Sequence[Stored]) -> int:
    return one.id if one.row is None else stored[one.row].id
