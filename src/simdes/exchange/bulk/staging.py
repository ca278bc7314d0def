"""Takes in the files of an import: fetched whole, kept wrapped, and given up for what is wrong.

Until the last file is there nothing of it is written, so a file that can't be had, or a worker that
is killed at one, costs that file's fetching again and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from simdes.errors import Invalid, SimdesError, TooLarge, Unavailable
from simdes.exchange.bulk.asked import Asked, Import, Input, place_of, sealed, unsealed
from simdes.exchange.bulk.lines import Chunk, Chunker, Splitter
from simdes.exchange.bulk.refusals import Refusal, parts_of
from simdes.exchange.bulk.slices import finish
from simdes.exchange.bulk.stages import BEGUN, CHUNKS, INPUTS, READ, Position, position_of, text_of
from simdes.exchange.node import Node
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import loads
from simdes.index import bulk
from simdes.index.bulk import Job, Part, Superseded
from simdes.index.transaction import Transaction

MOST_INPUTS: Final = 1_000
MOST_LINES: Final = 500_000
MOST_BYTES: Final = 1 << 30
"""Of all the files of an import, unpacked."""
MOST_MANIFEST_BYTES: Final = 1 << 20
INPUT_SECONDS: Final = 600.0
STATE_SECONDS: Final = 30.0
FIRST_STATE_MS: Final = 1_000
PAUSES_MS: Final = (1_000, 5_000, 25_000)
"""Before a file is tried again that could not be had; after the last, it is given up."""
_COMMIT_BYTES: Final = 4 << 20
_COMMIT_SECONDS: Final = 5.0

Going = Callable[[Job], bool]
"""Keeps the lease; False where the work has to stop here."""


def inputs_of(node: Node, job: Job, order: Import) -> Sequence[Input]:
    """The files of an import; those of a manifest once it was fetched."""
    if not order.manifest:
        return order.inputs
    with node.database.read() as tx:
        part = bulk.part(tx, job.id, INPUTS)
    if part is None:
        return ()
    return unsealed(
        node, job.id, part.content_wrapped, tuple[Input, ...], place=place_of(INPUTS, part.part)
    )


def keep(node: Node, job: bytes, chunk: Chunk, number: int) -> Part:
    """A chunk as it is kept."""
    return staged(node, job, CHUNKS, number, chunk, count=len(chunk.lines))


def staged(node: Node, job: bytes, file: int, number: int, what: Any, *, count: int = 0) -> Part:
    """Something that the work goes on with, as it is kept until the end of it."""
    return Part(
        job=job,
        file=file,
        part=number,
        kind="input",
        type="",
        count=count,
        content_wrapped=sealed(node, job, what, place=place_of(file, number)),
    )


def fetch(node: Node, job: Job, asked: Asked, going: Going) -> Job:
    """Fetch what is next: the manifest, or a file; the job behind it, or as it is while it waits.

    Raises Superseded where the work has to stop.
    """
    at, order = position_of(job), asked.load
    if node.now_ms() < at.not_before_ms:
        return job
    inputs = inputs_of(node, job, order)
    if order.manifest and not inputs:
        return _manifest(node, job, order)
    if at.input >= len(inputs):
        if order.begins and order.manifest:
            _end(node, job, order)
        return _on(node, job, msgspec.structs.replace(at, stage=READ))
    return _Fetching(node, job, order, going).run(inputs[at.input])


def _on(
    node: Node,
    job: Job,
    position: Position,
    parts: Sequence[Part] = (),
    *,
    drop_from: int | None = None,
) -> Job:
    def write(tx: Transaction) -> Job:
        if drop_from is not None:
            bulk.drop_parts(tx, job.id, CHUNKS, since=drop_from)
        return finish(node, tx, job, position=text_of(position), parts=parts)

    return node.database.write(write)


def _manifest(node: Node, job: Job, order: Import) -> Job:
    """Take a finished export's manifest for the list of files. Raises what ends the job."""
    at, begun = position_of(job), _begun(node, job)
    try:
        if order.begins and not begun:
            return _begin(node, job, order)
        if order.begins:
            content = node.files.state(
                begun,
                credential=order.credential,
                most_bytes=MOST_MANIFEST_BYTES,
                seconds=STATE_SECONDS,
            )
            if not isinstance(content, bytes):
                wait_ms = int(1000 * content)
                at = msgspec.structs.replace(at, tries=0, not_before_ms=node.now_ms() + wait_ms)
                return _on(node, job, at)
        else:
            content = b"".join(
                node.files.read(
                    order.manifest,
                    credential=order.credential,
                    most_bytes=MOST_MANIFEST_BYTES,
                    seconds=INPUT_SECONDS,
                )
            )
        inputs = _listed(node, content)
    except Unavailable as error:
        if at.tries >= len(PAUSES_MS):
            raise Invalid(error.message) from error
        return _on(node, job, _later(node, at))
    part = staged(node, job.id, INPUTS, 0, inputs)
    zeros = (0,) * len(inputs)
    return _on(node, job, msgspec.structs.replace(at, tries=0, good=zeros, bad=zeros), [part])


def _begun(node: Node, job: Job) -> str:
    """The address at which the state of an export that was begun is asked, "" before."""
    with node.database.read() as tx:
        part = bulk.part(tx, job.id, BEGUN)
    if part is None:
        return ""
    return unsealed(node, job.id, part.content_wrapped, str, place=place_of(BEGUN, part.part))


def _begin(node: Node, job: Job, order: Import) -> Job:
    """Begin an export. Who is killed before the commit begins another, and that one is nobody's."""
    url = node.files.begin(order.manifest, credential=order.credential, seconds=STATE_SECONDS)
    node.files.check(url)
    at = msgspec.structs.replace(
        position_of(job), tries=0, not_before_ms=node.now_ms() + FIRST_STATE_MS
    )
    return _on(node, job, at, [staged(node, job.id, BEGUN, 0, url)])


def _end(node: Node, job: Job, order: Import) -> None:
    """Everything is here; what the other server keeps longer is its own business."""
    with suppress(SimdesError):
        begun = _begun(node, job)
        node.files.end(begun, credential=order.credential, seconds=STATE_SECONDS)


def _listed(node: Node, content: bytes) -> tuple[Input, ...]:
    manifest = loads(content)
    listed = manifest.get("output") if isinstance(manifest, dict) else None
    if not isinstance(listed, list):
        raise Invalid("The manifest lists no output.")
    ended = manifest.get("deleted", [])
    if not isinstance(ended, list) or not all(isinstance(one, dict) for one in (*listed, *ended)):
        raise Invalid("The manifest lists no output.")
    if not 0 < len(listed) + len(ended) <= MOST_INPUTS:
        raise Invalid(f"A manifest lists 1 to {MOST_INPUTS} files.")
    found = tuple(
        Input(type=str(one.get("type", "")), url=str(one.get("url")), ends=ends)
        for its, ends in ((listed, False), (ended, True))
        for one in its
    )
    for one in found:
        node.files.check(one.url)
        if one.type not in resource_types():
            raise Invalid("The manifest has a file of a type that is none.")
    return found


def _later(node: Node, at: Position) -> Position:
    pause_ms = PAUSES_MS[at.tries]
    return msgspec.structs.replace(
        at, tries=at.tries + 1, not_before_ms=node.now_ms() + pause_ms, chunks=at.base
    )


class _Fetching:
    """One file on its way in."""

    def __init__(self, node: Node, job: Job, order: Import, going: Going) -> None:
        self._node = node
        self._job = job
        self._order = order
        self._going = going
        self._at = position_of(job)
        self._lines, self._size = self._at.lines, self._at.size
        self._parts: list[Part] = []
        self._kept_bytes, self._kept_at = 0, time.monotonic()

    def run(self, one: Input) -> Job:
        """Fetch it whole, or refuse it."""
        if self._at.chunks > self._at.base:  # somebody was killed, or stopped, in the midst of it
            self._at = msgspec.structs.replace(self._at, chunks=self._at.base)
            self._job = _on(self._node, self._job, self._at, drop_from=self._at.base)
        before = self._at
        try:
            for chunk in self._chunks(one):
                self._keep(chunk)
        except Unavailable as error:
            if before.tries < len(PAUSES_MS):
                return _on(self._node, self._job, _later(self._node, before), drop_from=before.base)
            return self._refuse(before, error)
        except Superseded:
            raise
        except SimdesError as error:
            return self._refuse(before, error)
        return _on(self._node, self._job, self._next(self._at), self._parts)

    def _chunks(self, one: Input) -> Iterator[Chunk]:
        splitter, chunker = Splitter(), Chunker(self._at.input)
        pieces = self._node.files.read(
            one.url,
            credential=self._order.credential,
            most_bytes=MOST_BYTES - self._size,
            seconds=INPUT_SECONDS,
        )
        for piece in pieces:
            self._size += len(piece)
            for number, line in splitter.feed(piece):
                if (made := chunker.add(number, line)) is not None:
                    yield made
            self._commit()
        for number, line in splitter.end():
            if (made := chunker.add(number, line)) is not None:
                yield made
        if (made := chunker.end()) is not None:
            yield made

    def _keep(self, chunk: Chunk) -> None:
        self._lines += len(chunk.lines)
        if self._lines > MOST_LINES:
            raise TooLarge(
                f"One import has at most {MOST_LINES} lines.", advice="Import in several jobs."
            )
        part = keep(self._node, self._job.id, chunk, self._at.chunks)
        self._at = msgspec.structs.replace(self._at, chunks=self._at.chunks + 1)
        self._parts.append(part)
        self._kept_bytes += len(part.content_wrapped)

    def _commit(self) -> None:
        """Write down what is there now and then, and that somebody is at it."""
        late = time.monotonic() - self._kept_at >= _COMMIT_SECONDS
        if not late and self._kept_bytes < _COMMIT_BYTES:
            return
        self._job = _on(self._node, self._job, self._at, self._parts)
        self._parts, self._kept_bytes, self._kept_at = [], 0, time.monotonic()
        if not self._going(self._job):
            raise Superseded("The work stops here.")

    def _refuse(self, before: Position, error: SimdesError) -> Job:
        """Leave the file out, and say why."""
        node, job = self._node, self._job
        told = [Refusal(input=before.input, number=0, error=error)]
        at, parts = parts_of(node, job, before, told)
        return _on(node, job, self._passed(at), parts, drop_from=before.base)

    def _next(self, at: Position) -> Position:
        done = msgspec.structs.replace(at, base=at.chunks, lines=self._lines, size=self._size)
        return self._passed(done)

    def _passed(self, at: Position) -> Position:
        return msgspec.structs.replace(
            at, input=at.input + 1, tries=0, not_before_ms=0, chunks=at.base
        )
