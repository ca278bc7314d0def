"""Writes what is imported, line by line as any write, in an order in which references find what
they lead to.

https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md. Files are taken in
(`staging`), their lines looked at, put in order (`ordering`) and written in batches: each batch is
one transaction of the writes, the refusals and the position behind them, so that a worker may be
killed at any point and nothing is lost or written twice. What can't be written is refused by itself
and never stops the rest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from simdes.errors import Forbidden, Invalid, SimdesError, TooLarge, Unavailable
from simdes.exchange.bulk import ordering, staging
from simdes.exchange.bulk.asked import Asked, Input, place_of, unattended, unsealed
from simdes.exchange.bulk.deletions import ended
from simdes.exchange.bulk.lines import MOST_LINE_BYTES, PLACES, Chunk
from simdes.exchange.bulk.loading import Batch, Incoming
from simdes.exchange.bulk.ordering import ENDED, NOBODYS, OTHER, PATIENT, Group, Line
from simdes.exchange.bulk.refusals import Refusal, parts_of, put_on_record
from simdes.exchange.bulk.slices import finish
from simdes.exchange.bulk.stages import (
    BATCHES,
    CHUNKS,
    FETCH,
    NAMES,
    ORDER,
    READ,
    WRITE,
    Position,
    position_of,
    text_of,
)
from simdes.exchange.bulk.staging import Going
from simdes.exchange.interactions import consenting
from simdes.exchange.interactions.drafts import drafted, local_names, require_id
from simdes.exchange.interactions.placing import persons
from simdes.exchange.node import Node
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import loads
from simdes.fhir.resource import subject_reference
from simdes.index import bulk
from simdes.index.bulk import Job, Part, Superseded
from simdes.index.seeing import SHARED

AT_ONCE: Final = 100
"""Lines in one transaction."""
_READ_SECONDS: Final = 0.5
_KEPT_CHUNKS: Final = 32


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a line: its place in its chunk, rank, name, and names it refers to."""

    place: int
    rank: int
    name: str
    refers: tuple[str, ...]


@dataclass(slots=True)
class Importing:
    """An import while one worker is at it."""

    node: Node
    asked: Asked
    going: Going
    _chunks: dict[int, Chunk] = field(default_factory=dict)
    _known: Sequence[Input] = ()

    def slice(self, job: Job) -> Job:
        """Work on for one slice; the same job where there is nothing to do yet.

        Raises Forbidden where the asker may not act any more, Superseded where another worker went
        on, Unavailable for what may work later.
        """
        stages = {FETCH: self._fetch, READ: self._read, ORDER: self._order, WRITE: self._write}
        return stages[position_of(job).stage](job)

    # Before writing ---------------------------------------------------------------------------

    def _fetch(self, job: Job) -> Job:
        unattended(self.node, self.asked.who)
        return staging.fetch(self.node, job, self.asked, self.going)

    def _read(self, job: Job) -> Job:
        at = position_of(job)
        inputs = staging.inputs_of(self.node, job, self.asked.load)
        until = time.monotonic() + _READ_SECONDS
        number, refusals, parts = at.at, list[Refusal](), list[Part]()
        while number < at.chunks:
            found = list(self._looked_at(self._chunk(job, number), inputs, refusals))
            parts.append(staging.staged(self.node, job.id, NAMES, number, found))
            number += 1
            if time.monotonic() >= until:
                break
        at, told = parts_of(self.node, job, at, refusals)
        put_on_record(self.node, unattended(self.node, self.asked.who), refusals)
        over = number == at.chunks
        at = msgspec.structs.replace(at, at=0 if over else number, stage=ORDER if over else READ)
        return self._commit(job, at, [*parts, *told])

    def _looked_at(
        self, chunk: Chunk, inputs: Sequence[Input], refusals: list[Refusal]
    ) -> Iterator[Read]:
        for place, (number, line) in enumerate(zip(chunk.numbers, chunk.lines, strict=True)):
            try:
                yield self._read_line(chunk, place, line, inputs[chunk.input])
            except SimdesError as error:
                refusals.append(Refusal(input=chunk.input, number=number, error=error))

    def _read_line(self, chunk: Chunk, place: int, line: bytes | None, one: Input) -> Read:
        if not one.ends:
            return self._look(place, self._resource(line, one.type))
        ended(self._bases, line)
        name = f"Bundle/{chunk.input}.{chunk.numbers[place]}"
        return Read(place=place, rank=ENDED, name=name, refers=())

    def _look(self, place: int, resource: Mapping[str, Any]) -> Read:
        type_ = resource["resourceType"]
        rank = PATIENT if type_ == "Patient" else OTHER
        if type_ in SHARED and subject_reference(dict(resource)) is None and not persons(resource):
            rank = NOBODYS
        refers = tuple("/".join(name) for name in local_names(resource))
        return Read(place=place, rank=rank, name=f"{type_}/{resource['id']}", refers=refers)

    def _resource(self, line: bytes | None, type_: str) -> dict[str, Any]:
        """The resource on a line, what it refers to here and at its source made relative."""
        if line is None:
            raise TooLarge(f"A line has at most {MOST_LINE_BYTES} bytes.")
        resource: dict[str, Any] = loads(line)
        if not isinstance(resource, dict) or resource.get("resourceType") not in resource_types():
            raise Invalid("The line is no resource.")
        if type_ and resource["resourceType"] != type_:
            raise Invalid("The resource is not of the type that its input is said to be of.")
        if resource["resourceType"] == consenting.TYPE:
            raise Forbidden("A Consent is signed by the patient; none is imported.")
        if not isinstance(resource.get("id"), str):
            raise Invalid("The resource has no id.", advice="Each resource keeps the id it has.")
        require_id(resource["id"])
        for base in self._bases:
            if f"{base}/".encode() in line:
                resource = drafted(resource, resource["id"], {}, base=base)
        return resource

    @property
    def _bases(self) -> Sequence[str]:
        """The addresses under which references lead to what is imported."""
        named = (self.asked.load.source.rstrip("/"), self.node.issuer.audience)
        return [one for one in named if one]

    def _order(self, job: Job) -> Job:
        at = position_of(job)
        lines = list(self._lines(job, at))
        made = ordering.batches(lines, at_once=AT_ONCE)
        parts = [
            staging.staged(self.node, job.id, BATCHES, number, groups)
            for number, groups in enumerate(made)
        ]
        at = msgspec.structs.replace(at, stage=WRITE, at=0, batches=len(made))
        if made:
            return self._commit(job, at, parts)
        return Batch(self.node, unattended(self.node, self.asked.who), job, [], at).write()

    def _lines(self, job: Job, at: Position) -> Iterator[Line]:
        for number in range(at.chunks):
            for one in self._staged(job, NAMES, number, tuple[Read, ...]):
                place = number * PLACES + one.place
                yield Line(place, one.rank, one.name, one.refers)

    # Writing ----------------------------------------------------------------------------------

    def _write(self, job: Job) -> Job:
        """Write as much of the next batch as can be written together."""
        at, asking = position_of(job), unattended(self.node, self.asked.who)
        groups = self._staged(job, BATCHES, at.at, tuple[Group, ...])[at.skip :]
        width = len(groups)
        while True:
            lines = [self._incoming(job, place) for group in groups[:width] for place in group]
            batch = Batch(self.node, asking, job, lines, _behind(at, groups, width))
            try:
                return batch.write()
            except (Superseded, Unavailable):
                raise
            except SimdesError as error:
                if width == 1:
                    return batch.refuse(error)
                width = (width + 1) // 2

    def _incoming(self, job: Job, place: int) -> Incoming:
        chunk, at = self._chunk(job, place // PLACES), place % PLACES
        if self._inputs(job)[chunk.input].ends:
            bundle, names = ended(self._bases, chunk.lines[at])
            return Incoming(
                input=chunk.input, number=chunk.numbers[at], resource=bundle, ends=names
            )
        resource = self._resource(chunk.lines[at], "")
        return Incoming(input=chunk.input, number=chunk.numbers[at], resource=resource)

    def _inputs(self, job: Job) -> Sequence[Input]:
        if not self._known:
            self._known = staging.inputs_of(self.node, job, self.asked.load)
        return self._known

    def _commit(self, job: Job, at: Position, parts: Sequence[Part]) -> Job:
        return self.node.database.write(
            lambda tx: finish(self.node, tx, job, position=text_of(at), parts=parts)
        )

    # What was taken in ------------------------------------------------------------------------

    def _chunk(self, job: Job, number: int) -> Chunk:
        if number not in self._chunks:
            if len(self._chunks) >= _KEPT_CHUNKS:
                del self._chunks[next(iter(self._chunks))]
            self._chunks[number] = self._staged(job, CHUNKS, number, Chunk)
        return self._chunks[number]

    def _staged(self, job: Job, file: int, number: int, kind: Any) -> Any:
        with self.node.database.read() as tx:
            part = bulk.part(tx, job.id, file, after=number - 1)
        if part is None or part.part != number:
            raise Superseded("The job was cancelled.")
        place = place_of(file, number)
        return unsealed(self.node, job.id, part.content_wrapped, kind, place=place)


def _behind(at: Position, groups: Sequence[Group], width: int) -> Position:
    """The position behind so many of the groups that are left of a batch."""
    if width < len(groups):
        return msgspec.structs.replace(at, skip=at.skip + width)
    return msgspec.structs.replace(at, at=at.at + 1, skip=0)
