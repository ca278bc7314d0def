"""Go through a source's changes: load what is there, then follow; positions behind what is durable.

A round first loads what was not loaded: each type by a search sorted by ``_lastUpdated``, whose
position moves with every page, so that a load that broke off goes on where it was. Then it follows:
a history (newest first) is read to its end before its position moves; a search moves page by page.
Each pass begins a little before its position, because a server may show a version later than the
time it gives it; what was taken already is passed over. A kill at any point repeats some pages, and
repeated pages change nothing: the same content is the same version.

What stands at the source at each round comes here. Of versions that follow each other within one
round the newest does; the others stay at the source.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import structlog

from simdes import logs
from simdes.errors import Conflict, SimdesError, Unavailable
from simdes.exchange.answers import Accepted, Refused
from simdes.exchange.facade import deleting
from simdes.exchange.facade.capability import HISTORY_SYSTEM, HISTORY_TYPE, SEARCH, Plan, plan
from simdes.exchange.facade.gathering import Gatherer
from simdes.exchange.facade.progress import Options, Pass, Round, Step, Told
from simdes.exchange.facade.source import (
    Answer,
    Change,
    Page,
    Source,
    Unreadable,
    instant,
    page_of,
)
from simdes.exchange.facade.subscribing import subscribe
from simdes.exchange.home import ensure_home
from simdes.exchange.node import Node
from simdes.exchange.running import worker_name
from simdes.exchange.submit import accept_all, submit_all
from simdes.index import facade as rows
from simdes.index.facade import Stream
from simdes.index.transaction import Transaction
from simdes.mapper import LIMITS, Quarantined
from simdes.mapper import Mapping as Mapped

_log = structlog.get_logger("simdes.facade")

HOLD_MS = 120_000
"""How long a source stays with a reader that says nothing; longer than any request to it takes."""

LOOK_SECONDS = 1.0
"""How often a reader looks whether somebody asked for a round."""

LONGEST_PAUSE_SECONDS = 300.0
MOST_PAGES = 100_000
"""Pages of one pass: a source whose links never end is told from one that is large."""

_MOST_REMEMBERED = 20_000


class _BrokenOff(Exception):
    """The program is to end; what was read so far is durable, and so is the position."""


class Facade:
    """Reads one source for one organisation. For one thread."""

    def __init__(self, node: Node, source: Source, options: Options) -> None:
        self._node = node
        self._source = source
        self._options = options
        self._holder = worker_name()
        self._gatherer = Gatherer(
            source, organisation=node.organisation, site=node.site, limits=LIMITS
        )
        self._taken: OrderedDict[tuple[str, str, str, int | None], None] = OrderedDict()
        self._believed: dict[str, tuple[int | None, int]] = {}
        self._types: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._told: Told = lambda _: None
        self._held_ms = 0

    def run(self, stop: threading.Event) -> None:
        """Do a round every ``poll_seconds``, and when somebody asks, until ``stop`` is set."""
        pause = 0.0
        self._stop = stop
        while not self._wait(stop, pause):
            try:
                done = self.once()
                pause = self._options.poll_seconds
                if done is not None and done != Round():
                    _log.info("round", **_counts(done))
            except _BrokenOff:
                return
            except SimdesError as error:
                pause = min(max(2 * pause, 1.0), LONGEST_PAUSE_SECONDS)
                _log.warning("round failed", issue=error.issue, kind=type(error).__name__)
            except Exception as error:  # a fault of ours must not end the facade unseen
                pause = min(max(2 * pause, 1.0), LONGEST_PAUSE_SECONDS)
                _log.error("round failed", issue="exception", **logs.described(error))

    def once(self, told: Told = lambda _: None) -> Round | None:
        """Do one round; None where another program reads the source now.

        Raises errors of the source; what was durable by then stays so, and the next round goes on.
        """
        self._told = told
        ensure_home(self._node)  # what is about nobody goes there
        url = self._source.base
        if not self._node.database.write(self._take_hold):
            return None
        failure = "exception"
        try:
            self._node.database.write(lambda tx: rows.begin(tx, url, now_ms=self._node.now_ms()))
            self._gatherer.forget()
            done = self._round()
            failure = ""
        except SimdesError as error:
            failure = error.issue
            raise
        except _BrokenOff:
            failure = ""
            raise
        finally:
            self._node.database.write(lambda tx: self._leave(tx, failure))
        return done

    def restart(self) -> None:
        """Read everything again from the beginning in the next round; nothing here is lost."""
        self._node.database.write(lambda tx: rows.forget_streams(tx, self._source.base))
        self._taken.clear()

    # A round ----------------------------------------------------------------------------------

    def _round(self) -> Round:
        metadata = self._source.get("metadata")
        chosen = plan(metadata, wanted=self._options.types, mode=self._options.mode)
        self._node.database.write(lambda tx: rows.set_mode(tx, self._source.base, chosen.mode))
        self._types = frozenset(chosen.types)
        subscribe(self._source, chosen.types, self._options)
        follow = [self._stream(name, metadata) for name in _follow_names(chosen)]
        done = Round()
        for type_ in chosen.types:
            stream = self._open(f"{SEARCH}/{type_}", None)
            if not stream.loaded or chosen.mode == SEARCH:
                done += self._search(stream, type_)
        for stream in follow:
            done += self._history(stream)
        return done

    def _stream(self, name: str, metadata: Answer) -> Stream:
        """A history that is followed begins where the load begins: nothing falls between."""
        return self._open(name, metadata.server_ms or self._node.now_ms())

    def _open(self, name: str, position_ms: int | None) -> Stream:
        return self._node.database.write(
            lambda tx: rows.open_stream(
                tx, self._source.base, name, position_ms=position_ms, total=None
            )
        )

    def _search(self, stream: Stream, type_: str) -> Round:
        """Read a type in the order of its times, from the stream's position on."""
        query = {
            "_sort": "_lastUpdated",
            "_total": "accurate",
            "_count": str(self._options.page_size),
        }
        if stream.position_ms is not None:
            query["_lastUpdated"] = f"ge{instant(self._from(stream))}"
        here, done = Pass(), Round()
        for page in self._pages(type_, query, here):
            step = self._take(stream.name, page, here)
            done += step
            position = here.position() if here.ascending else None
            stream = self._advance(stream, step, position, loaded=False)
            self._told(Step(stream=stream.name, taken=here.seen, total=here.total))
        self._require_whole(stream.name, here)
        self._advance(stream, Round(), here.position(), loaded=True)
        return done

    def _history(self, stream: Stream) -> Round:
        """Read a history from the stream's position on; it moves once all of it is durable."""
        type_ = stream.name.partition("/")[2]
        query = {"_count": str(self._options.page_size)}
        if stream.position_ms is not None:
            query["_since"] = instant(self._from(stream))
        here, done = Pass(), Round()
        for page in self._pages(f"{type_}/_history" if type_ else "_history", query, here):
            step = self._take(stream.name, page, here)
            done += step
            stream = self._advance(stream, step, None, loaded=False)
            self._told(Step(stream=stream.name, taken=here.seen, total=here.total))
        self._require_whole(stream.name, here)
        self._advance(stream, Round(), here.position(), loaded=True)
        return done

    def _from(self, stream: Stream) -> int:
        position = stream.position_ms or 0
        return max(0, position - self._options.overlap_seconds * 1000)

    def _pages(self, path: str, query: Mapping[str, str], here: Pass) -> Iterator[Page]:
        page = page_of(self._source.get(path, query))
        visited: set[str] = set()
        while True:
            here.note(page)
            yield page
            if self._stop.is_set():
                raise _BrokenOff
            if page.next is None:
                return
            if page.next in visited or len(visited) >= MOST_PAGES:
                raise Unavailable(
                    "The FHIR server's pages lead round in a circle, or never end",
                    advice="Look at its links to next pages; what was read so far is kept.",
                )
            visited.add(page.next)
            page = page_of(self._source.get(page.next))

    def _require_whole(self, name: str, here: Pass) -> None:
        """Where fewer came than the source counted, its answer broke off, unless it says so twice.

        A count may be of things that we may not see.
        """
        if here.total is None or here.seen >= here.total:
            self._believed.pop(name, None)
            return
        said = (here.total, here.seen)
        if self._believed.get(name) != said:
            self._believed[name] = said
            raise Unavailable(
                "The FHIR server's pages ended before everything that it counted",
                advice="It is read again by itself; look at the server's log if this goes on.",
            )

    # A page -----------------------------------------------------------------------------------

    def _take(self, name: str, page: Page, here: Pass) -> Round:
        """Make a page durable: what is new in it, by patient; deletions are noted."""
        fresh = [one for one in page.changes if self._is_new(one, here)]
        gone = [one for one in fresh if isinstance(one, Change) and one.resource is None]
        there = [one for one in fresh if isinstance(one, Unreadable) or one.resource is not None]
        inputs = list(self._gatherer.gather(f"{_host(self._source.base)} {name}", there))
        accepted, refused = self._submit(inputs)
        waiting = self._end(gone, there)
        for one in fresh:
            if isinstance(one, Change):
                self._remember(one)
        return Round(
            seen=len(fresh),
            resources=accepted,
            refused=refused,
            deleted=len(gone) - waiting,
            waiting=waiting,
        )

    def _is_new(self, one: Change | Unreadable, here: Pass) -> bool:
        """Whether a change is not here yet, and none newer of the same resource was in the pass."""
        if isinstance(one, Unreadable):
            return True
        if one.type not in self._types or not here.is_newer(one):
            return False
        return (one.type, one.id, one.version, one.updated_ms) not in self._taken or not (
            one.version or one.updated_ms
        )

    def _remember(self, one: Change) -> None:
        self._taken[one.type, one.id, one.version, one.updated_ms] = None
        while len(self._taken) > _MOST_REMEMBERED:
            self._taken.popitem(last=False)

    def _submit(self, inputs: Sequence[tuple[Mapped, Sequence[Change]]]) -> tuple[int, int]:
        """Submit inputs; of one that is refused, each change by itself, so that the good go on."""
        answers = accept_all(self._node, [mapping for mapping, _ in inputs])
        again: list[Mapped] = []
        resources = 0
        for (mapping, group), found in zip(inputs, answers, strict=True):
            resources += sum(one.resources for one in found if isinstance(one, Accepted))
            if any(isinstance(one, Quarantined) for one in found):
                alone = [self._gatherer.alone(mapping.name, one) for one in group]
                again += alone if len(group) > 1 else [mapping]
        kept = [one for found in submit_all(self._node, again) for one in found]
        resources += sum(one.resources for one in kept if isinstance(one, Accepted))
        return resources, sum(isinstance(one, Refused) for one in kept)

    def _end(self, gone: Sequence[Change], there: Sequence[Change | Unreadable]) -> int:
        """End what was deleted; how many wait for a decision."""
        back = [one.name for one in there if isinstance(one, Change)]
        if not gone and not back:
            return 0

        def write(tx: Transaction) -> int:
            url, now_ms = self._source.base, self._node.now_ms()
            waiting = deleting.end(self._node, tx, gone)
            rows.settled(tx, url, [*back, *(one.name for one in gone)])
            rows.deleted(tx, url, [one.name for one in waiting], now_ms=now_ms)
            return len(waiting)

        return self._node.database.write(write)

    # Who reads --------------------------------------------------------------------------------

    def _advance(
        self, stream: Stream, step: Round, position_ms: int | None, *, loaded: bool
    ) -> Stream:
        def write(tx: Transaction) -> Stream:
            if not self._take_hold(tx):
                raise Conflict("Another program reads this FHIR server by now")
            return rows.advance(
                tx,
                stream,
                self._holder,
                position_ms=position_ms,
                loaded=loaded,
                taken=step.seen,
                refused=step.refused,
            )

        return self._node.database.write(write)

    def _take_hold(self, tx: Transaction) -> bool:
        url, now_ms = self._source.base, self._node.now_ms()
        rows.add(tx, url)
        return rows.hold(tx, url, self._holder, now_ms=now_ms, until_ms=now_ms + HOLD_MS)

    def _leave(self, tx: Transaction, failure: str) -> None:
        url = self._source.base
        rows.end(tx, url, self._holder, failure=failure, now_ms=self._node.now_ms())
        rows.let_go(tx, url, self._holder)

    def _wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait for the next round; whether there is to be none."""
        waited = 0.0
        while waited < seconds and not stop.is_set() and not self._is_asked():
            stop.wait(min(LOOK_SECONDS, seconds - waited))
            waited += LOOK_SECONDS
        return stop.is_set()

    def _is_asked(self) -> bool:
        try:
            with self._node.database.read() as tx:
                source = rows.get(tx, self._source.base)
        except SimdesError:
            return False
        return source is not None and source.asked_ms is not None


def _follow_names(chosen: Plan) -> list[str]:
    if chosen.mode == HISTORY_SYSTEM:
        return ["history"]
    return [f"history/{one}" for one in chosen.types] if chosen.mode == HISTORY_TYPE else []


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _counts(done: Round) -> dict[str, int]:
    return {
        "seen": done.seen,
        "resources": done.resources,
        "refused": done.refused,
        "deleted": done.deleted,
        "waiting": done.waiting,
    }
