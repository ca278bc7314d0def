"""Jobs: begun by a request, worked on in slices by whichever worker holds the lease, kept a day.

Every slice ends in one commit of its results and the position behind them, so a worker that is
killed loses no more than the slice that it was at, and nothing is done twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from simdes.access.audit_event import Verb
from simdes.access.requests import b64, unb64
from simdes.errors import Conflict, NotFound, SimdesError, Unavailable
from simdes.exchange.bulk import exporting, stages, staging
from simdes.exchange.bulk.asked import Asked, sealed, unsealed
from simdes.exchange.bulk.importing import Importing
from simdes.exchange.bulk.refusals import error_file
from simdes.exchange.bulk.slices import KEPT_MS, finish
from simdes.exchange.interactions.auditing import attempt
from simdes.exchange.node import Node
from simdes.exchange.pace import TooMany
from simdes.exchange.rights import Asking
from simdes.index import bulk
from simdes.index.bulk import DONE, FAILED, RUNNING, File, Job
from simdes.index.transaction import Transaction

LEASE_MS: Final = 30_000
EXPORT, IMPORT = "export", "import"
KINDS: Final = (EXPORT, IMPORT)
MOST_RUNNING: Final[Mapping[str, int]] = {EXPORT: 16, IMPORT: 4}
"""Jobs of one account through one app at a time, by kind."""
POLL_MS: Final = 500
"""Who asks for the state twice within this asks too often."""
_TURN_SECONDS: Final = 1.0
_WAIT_MS: Final = 250

_log = structlog.get_logger("simdes.bulk")
_NOTHING: Final = "There is no such job, or not for you."


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A file that was imported: how many of its lines were written, and how many refused.

    ``errors`` is the number of the file that tells of these, None where there are none.
    """

    type: str
    url: str
    good: int
    bad: int
    errors: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A job as its asker sees it. ``progress`` is for people; ``failure`` an issue code.

    ``files`` are those of an export, ``taken`` those of an import.
    """

    kind: str
    running: bool
    failure: str
    progress: str
    begun_ms: int
    expires_ms: int
    request: str
    files: tuple[File, ...] = ()
    taken: tuple[Taken, ...] = ()
    too_often: bool = False


def begin(
    node: Node, asking: Asking, asked: Asked, first: Callable[[Transaction, Job], str]
) -> str:
    """Begin a job and return its name; ``first`` writes what comes with the request and returns
    the position to begin at. Raises TooMany where the caller has too many running."""
    actor, id_ = asking.session.actor, node.random(32)
    wrapped = sealed(node, id_, asked)
    kind = EXPORT if asked.importing is None else IMPORT

    def write(tx: Transaction) -> None:
        client, most = actor.context.client, MOST_RUNNING[kind]
        if bulk.running_of(tx, kind, account=actor.account, client=client) >= most:
            raise TooMany(
                f"{most} jobs of this account are running.",
                advice="Wait for one of them, or cancel it.",
            )
        # One less: what another process writes in this same millisecond comes behind it.
        begun_ms = node.now_ms() - 1
        job = Job(
            id=id_,
            kind=kind,
            account=actor.account,
            client=client,
            asked_wrapped=wrapped,
            mark=bulk.mark(tx),
            begun_ms=begun_ms,
            expires_ms=begun_ms + KEPT_MS,
        )
        bulk.add(tx, job)
        bulk.advance(tx, job, position=first(tx, job), expires_ms=job.expires_ms)
        node.desk.trail.append(tx, [attempt(asking, _VERBS[kind], None)])

    node.database.write(write)
    return b64(id_)


_VERBS: Final[Mapping[str, Verb]] = {EXPORT: Verb.READ, IMPORT: Verb.WRITE}


def find(node: Node, asking: Asking, name: str) -> Job:
    """The caller's own job. Raises NotFound alike for what is not there and for another's."""
    actor = asking.session.actor
    with node.database.read() as tx:
        job = bulk.get(
            tx,
            _id(name),
            account=actor.account,
            client=actor.context.client,
            now_ms=node.now_ms(),
        )
    if job is None:
        raise NotFound(_NOTHING)
    return job


def state(node: Node, asking: Asking, name: str) -> State:
    """How far a job is. Raises NotFound."""
    job = find(node, asking, name)
    now_ms, running = node.now_ms(), job.state == RUNNING
    too_often = running and 0 <= now_ms - job.polled_ms < POLL_MS
    if running and not too_often:
        node.database.write(lambda tx: bulk.polled(tx, job.id, now_ms=now_ms))
    asked = asked_of(node, job)
    return State(
        kind=job.kind,
        running=running,
        failure=job.failure,
        progress=_progress(job, asked) if running else "done",
        begun_ms=job.begun_ms,
        expires_ms=job.expires_ms,
        request=asked.request,
        files=_files(node, job) if job.kind == EXPORT else (),
        taken=_taken(node, job, asked) if job.kind == IMPORT else (),
        too_often=too_often,
    )


def _progress(job: Job, asked: Asked) -> str:
    if job.kind == IMPORT:
        return stages.progress(job)
    return exporting.progress(asked, job.position)


def _files(node: Node, job: Job) -> tuple[File, ...]:
    if job.state == RUNNING:
        return ()
    with node.database.read() as tx:
        return tuple(bulk.files(tx, job.id))


def _taken(node: Node, job: Job, asked: Asked) -> tuple[Taken, ...]:
    if job.state != DONE:
        return ()
    at = stages.position_of(job)
    return tuple(
        Taken(
            type=one.type,
            url=one.url,
            good=at.good[number],
            bad=at.bad[number],
            errors=error_file(number) if at.bad[number] else None,
        )
        for number, one in enumerate(staging.inputs_of(node, job, asked.load))
    )


def cancel(node: Node, asking: Asking, name: str) -> None:
    """Stop a job and remove its files. Raises NotFound."""
    job = find(node, asking, name)
    node.database.write(lambda tx: bulk.drop(tx, job.id))


def found(node: Node, asking: Asking, name: str) -> tuple[Job, Asked]:
    """The caller's own job and what it was asked for. Raises NotFound."""
    job = find(node, asking, name)
    return job, asked_of(node, job)


def asked_of(node: Node, job: Job) -> Asked:
    """What a job was asked for."""
    return unsealed(node, job.id, job.asked_wrapped, Asked)


def _id(name: str) -> bytes:
    try:
        found = unb64(name)
    except (SimdesError, ValueError):
        raise NotFound(_NOTHING) from None
    if len(found) != 32:
        raise NotFound(_NOTHING)
    return found


# The worker's part --------------------------------------------------------------------------------


def work(
    node: Node,
    *,
    worker: str,
    kinds: Sequence[str] = KINDS,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Work on one job of these kinds for a moment; whether there was one.

    ``stopped`` says that even what takes long (a file from elsewhere) has to end now.
    """
    now_ms = node.now_ms()
    with node.database.read() as tx:
        if not bulk.waits(tx, kinds, now_ms=now_ms):
            return False
    node.database.write(lambda tx: bulk.purge(tx, now_ms=now_ms))
    job = node.database.write(
        lambda tx: bulk.claim(tx, kinds, worker=worker, now_ms=now_ms, lease_ms=LEASE_MS)
    )
    if job is None:
        return False
    try:
        busy = _Turn(node, worker, stopped).run(job)
    except Conflict:
        busy = not stopped()  # else cancelled, or another's: nothing of this slice was kept
    free_ms = node.now_ms() + (0 if busy else _WAIT_MS)
    node.database.write(lambda tx: bulk.hold(tx, job.id, worker=worker, until_ms=free_ms))
    return busy


@dataclass(frozen=True, slots=True)
class _Turn:
    """A worker's turn at a job."""

    node: Node
    worker: str
    stopped: Callable[[], bool]

    def run(self, job: Job) -> bool:
        """Do slices until the job is done or others have their turn; whether there was any."""
        with self.node.database.read() as tx:
            if not bulk.settled(tx, job.mark):
                return False
        until = time.monotonic() + _TURN_SECONDS
        asked = asked_of(self.node, job)
        slice_of = self._slices(asked)
        while True:
            try:
                after = slice_of(job)
            except (Conflict, Unavailable):
                raise
            except SimdesError as error:
                _fail(self.node, job, error)
                return True
            if after is job:
                return False
            if after.state == DONE or time.monotonic() > until or not self._goes_on(after):
                return True
            job = after

    def _slices(self, asked: Asked) -> Callable[[Job], Job]:
        if asked.importing is not None:
            return Importing(self.node, asked, self._goes_on).slice
        return lambda job: exporting.slice_of(self.node, job, asked)

    def _goes_on(self, job: Job) -> bool:
        """Keep the lease; False where it is another's, or the work has to stop."""
        late_ms = self.node.now_ms() + LEASE_MS
        return not self.stopped() and self.node.database.write(
            lambda tx: bulk.hold(tx, job.id, worker=self.worker, until_ms=late_ms)
        )


def _fail(node: Node, job: Job, error: SimdesError) -> None:
    _log.warning("job failed", kind=job.kind, issue=error.issue)
    issue = error.issue

    def write(tx: Transaction) -> None:
        finish(node, tx, job, position=job.position, state=FAILED, failure=issue)
        bulk.drop_inputs(tx, job.id, but=stages.INPUTS)

    node.database.write(write)
