"""Lists the versions that an export is made of, as they stood when it was asked for.

https://hl7.org/fhir/uv/bulkdata/export.html. A file is a list of row ids, never a copy of contents:
these stay wrapped under their vault's key until somebody who may still see them fetches the file
(`delivering`), and what is erased is erased from exports, too. The entries of a type are walked
from the newest to the oldest, so that what is written meanwhile is neither met twice nor takes the
place of something else; of what was changed since, the version of that moment is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from simdes.access.rights import Interaction
from simdes.decoding import ready
from simdes.exchange.bulk.asked import Asked, Export, place_of, sealed, unattended
from simdes.exchange.bulk.slices import finish
from simdes.exchange.interactions.stating import stated
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.search.conditions import ALWAYS, All, AnyOf, Condition, Query, SpanTest, Updated
from simdes.fhir.search.parse import parse
from simdes.index import bulk, entries, search
from simdes.index.bulk import DONE, RUNNING, Job, Part
from simdes.index.entries import Entry
from simdes.index.search import Hit
from simdes.index.seeing import SHARED
from simdes.index.transaction import Transaction
from simdes.index.visible import OWN, Visible, narrowed

AT_ONCE: Final = 2_000
"""Entries that one slice looks at."""
MOST_LINES: Final = 20_000
"""Resources in one file."""
_VAULTS_AT_ONCE: Final = 500
_LAST: Final = 1 << 62


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a file: versions of own resources by row id, others' by where they belong.

    ``copies`` and ``ended`` are (vault, type, logical id); ``vaults`` are those of all the lines.
    ``texts`` are warnings, ``outcomes`` OperationOutcomes that are ready.
    """

    rows: tuple[int, ...] = ()
    copies: tuple[tuple[bytes, str, str], ...] = ()
    ended: tuple[tuple[bytes, str, str], ...] = ()
    texts: tuple[bytes, ...] = ()
    outcomes: tuple[bytes, ...] = ()
    vaults: tuple[bytes, ...] = ()


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next slice begins: ``step`` of the walk, behind the entry ``after``; and the file
    that it goes on with, of which so many ``parts`` and ``lines`` are written."""

    step: int = 0
    after: int = 0
    file: int = 1
    parts: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of the walk: a type ("": what was deleted), and some of the patients chosen."""

    type: str
    vaults: tuple[bytes, ...] | None


def begin(
    node: Node, tx: Transaction, asking: Asking, job: Job, export: Export, warnings: Sequence[str]
) -> str:
    """List what was opened of other organisations for the caller, while it is open, and what they
    are to be told; the position at which the walk through own records begins."""
    position = Position()
    parts = []
    opened = {one.handle for one in asking.rights.searching.grounds} - {OWN}
    for type_ in bulk.types_held(tx, opened):
        if type_ not in export.types:
            continue
        found = list(_copies(node, tx, asking, export, type_))
        if found:
            lines = Lines(
                copies=tuple((one.vault, one.type, one.logical_id) for one in found),
                vaults=tuple(sorted({one.vault for one in found})),
            )
            parts.append(_part(node, job, position, "output", type_, len(found), lines))
            position = Position(file=position.file + 1)
    if warnings:
        lines = Lines(texts=tuple(text.encode() for text in warnings))
        count = len(warnings)
        parts.append(_part(node, job, position, "error", "OperationOutcome", count, lines))
        position = Position(file=position.file + 1)
    bulk.add_parts(tx, parts)
    return msgspec.json.encode(position).decode()


def _copies(
    node: Node, tx: Transaction, asking: Asking, export: Export, type_: str
) -> Iterator[Entry]:
    """Others' resources of a type, each once, and none that this organisation has itself."""
    visible = narrowed(asking.rights.searching, export.vaults)
    opened = _of(visible, own=False)
    query = Query(types=(type_,), where=_where(node, tx, export, type_))
    after: Hit | None = None
    known: set[tuple[bytes, str]] = set()
    while opened.grounds:
        hits = search.search(tx, opened, query, limit=AT_ONCE, after=after)
        found = entries.get_many(tx, [hit.id for hit in hits])
        names = {(type_, one.logical_id) for one in found}
        known |= {_once(one) for one in search.named(tx, _of(visible, own=True), names)}
        for one in found:
            if _once(one) not in known:
                known.add(_once(one))
                yield one
        if len(hits) < AT_ONCE:
            return
        after = hits[-1]


def _once(one: Entry) -> tuple[bytes, str]:
    """What an entry is one of: of what is nobody's there is one, in however many vaults."""
    return (b"" if one.type in SHARED else one.vault, one.logical_id)


def _of(visible: Visible, *, own: bool) -> Visible:
    """The same for what this organisation wrote alone, or for what others did."""
    grounds = tuple(one for one in visible.grounds if (one.handle == OWN) is own)
    return replace(visible, grounds=grounds)


def progress(asked: Asked, position: str) -> str:
    """How far an export is, for people."""
    at, steps = msgspec.json.decode(position, type=ready(Position)).step, _steps(asked.export)
    return f"{100 * at // max(1, len(steps))}% of the types looked through"


def slice_of(node: Node, job: Job, asked: Asked) -> Job:
    """Walk on for one slice. Raises Forbidden where the asker may not act any more."""
    asking = unattended(node, asked.who)
    walk = _Walk(node, job, asked.export, asking)
    with node.database.read() as tx:
        walk.run(tx)
    return node.database.write(
        lambda tx: finish(
            node,
            tx,
            job,
            position=msgspec.json.encode(walk.position).decode(),
            parts=walk.parts,
            state=DONE if walk.is_over else RUNNING,
        )
    )


@dataclass(slots=True)
class _Walk:
    """One slice on its way."""

    node: Node
    job: Job
    export: Export
    asking: Asking
    position: Position = field(init=False)
    steps: list[_Step] = field(init=False)
    parts: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.position = msgspec.json.decode(self.job.position, type=ready(Position))
        self.steps = _steps(self.export)

    @property
    def is_over(self) -> bool:
        return self.position.step >= len(self.steps)

    def run(self, tx: Transaction) -> None:
        left = AT_ONCE
        while left > 0 and not self.is_over:
            step = self.steps[self.position.step]
            looked = self._deleted(tx, step, left) if not step.type else self._page(tx, step, left)
            if looked < left:
                self._next_step(step)
            left -= max(1, looked)

    def _next_step(self, step: _Step) -> None:
        at = self.position.step + 1
        file, parts, lines = self.position.file, self.position.parts, self.position.lines
        following = self.steps[at].type if at < len(self.steps) else None
        if following != step.type and parts:
            file, parts, lines = file + 1, 0, 0
        self.position = Position(step=at, file=file, parts=parts, lines=lines)

    def _page(self, tx: Transaction, step: _Step, limit: int) -> int:
        visible = self._visible(step)
        query = Query(types=(step.type,), where=_where(self.node, tx, self.export, step.type))
        after = Hit(self.position.after) if self.position.after else None
        hits = search.search(tx, visible, query, limit=limit, after=after)
        if hits:
            found = [
                one for one in entries.get_many(tx, [hit.id for hit in hits]) if self._belongs(one)
            ]
            self._list(step.type, self._versions(tx, step.type, found))
            self.position = msgspec.structs.replace(self.position, after=hits[-1].id)
        return len(hits)

    def _visible(self, step: _Step) -> Visible:
        return narrowed(_of(self.asking.rights.searching, own=True), step.vaults)

    def _belongs(self, one: Entry) -> bool:
        """Whether an entry is of a patient, where patients are exported."""
        home = one.vault == self.asking.facts.home
        return self.export.level == "system" or not home or one.type in SHARED

    def _versions(
        self, tx: Transaction, type_: str, found: Sequence[Entry]
    ) -> list[tuple[int, bytes]]:
        """Row ids, with their vaults, of what stood when the export was asked for."""
        until_ms, since_ms = self.job.begun_ms, self.export.since_ms
        later = {(one.logical_id, one.vault) for one in found if one.updated_ms > until_ms}
        then = bulk.as_of(tx, type_, later, until_ms=until_ms) if later else {}
        listed = []
        for one in found:
            if one.updated_ms <= until_ms and one.resource_id is not None:
                listed.append((one.resource_id, one.vault))
            elif (was := then.get((one.logical_id, one.vault))) is not None and (
                since_ms is None or was[1] > since_ms
            ):
                listed.append((was[0], one.vault))
        return listed

    def _list(self, type_: str, listed: Sequence[tuple[int, bytes]]) -> None:
        while listed:
            if self.position.lines >= MOST_LINES:
                self.position = msgspec.structs.replace(
                    self.position, file=self.position.file + 1, parts=0, lines=0
                )
            some = listed[: MOST_LINES - self.position.lines]
            listed = listed[len(some) :]
            lines = Lines(
                rows=tuple(row for row, _ in some), vaults=tuple(sorted({v for _, v in some}))
            )
            self._write("output", type_, len(some), lines)

    def _deleted(self, tx: Transaction, step: _Step, limit: int) -> int:
        assert self.export.since_ms is not None  # noqa: S101 (else there is no such step)
        found = bulk.ended(
            tx,
            self._visible(step),
            self.export.types,
            since_ms=self.export.since_ms,
            until_ms=self.job.begun_ms,
            before=self.position.after or _LAST,
            limit=limit,
        )
        if found:
            ended = tuple(
                (one.vault, one.type, one.logical_id)
                for one in found
                if self.export.level == "system" or one.vault != self.asking.facts.home
            )
            if ended:
                vaults = tuple(sorted({vault for vault, _, _ in ended}))
                self._write("deleted", "Bundle", len(ended), Lines(ended=ended, vaults=vaults))
            self.position = msgspec.structs.replace(self.position, after=found[-1].id)
        return len(found)

    def _write(self, kind: str, type_: str, count: int, lines: Lines) -> None:
        at = self.position
        self.parts.append(_part(self.node, self.job, at, kind, type_, count, lines))
        self.position = msgspec.structs.replace(at, parts=at.parts + 1, lines=at.lines + count)


def _part(
    node: Node, job: Job, at: Position, kind: str, type_: str, count: int, lines: Lines
) -> Part:
    return Part(
        job=job.id,
        file=at.file,
        part=at.parts,
        kind=kind,
        type=type_,
        count=count,
        content_wrapped=sealed(node, job.id, lines, place=place_of(at.file, at.parts)),
    )


def _steps(export: Export) -> list[_Step]:
    chunks: Sequence[tuple[bytes, ...] | None] = (None,)
    if export.vaults is not None:
        tags = export.vaults
        starts = range(0, len(tags), _VAULTS_AT_ONCE)
        chunks = [tags[at : at + _VAULTS_AT_ONCE] for at in starts]
    kinds = [*export.types, *([""] if export.since_ms is not None else [])]
    return [_Step(type_, chunk) for type_ in kinds for chunk in chunks]


def _where(node: Node, tx: Transaction, export: Export, type_: str) -> Condition:
    conditions: list[Condition] = []
    if filters := export.filters.get(type_):
        asked = tuple(filter_of(node, type_, pairs).where for pairs in filters)
        conditions.append(stated(node, tx, AnyOf(asked)))
    if export.since_ms is not None:
        since = export.since_ms
        conditions.append(Updated((SpanTest("gt", since, since + 1),)))
    return All(tuple(conditions)) if conditions else ALWAYS


def filter_of(node: Node, type_: str, pairs: Sequence[tuple[str, str]]) -> Query:
    """A search of ``_typeFilter``. Raises Invalid for what it can't mean."""
    base = node.issuer.audience + "/"
    return parse((type_,), tuple(pairs), now_ms=node.now_ms(), base=base)


def exportable(asking: Asking) -> tuple[str, ...]:
    """The types that the caller may search, which are those that they may export."""
    types = asking.rights.searching.scopes
    return tuple(one for one in sorted(types) if asking.rights.scopes(Interaction.SEARCH, one))
