"""Tend the own store: fetch what others have us keep, read all of it again, delete what must go.

Reading again has a cursor, the time at which each content is due, so that a restart goes on where
it was; contents are read at a bounded rate. What is missing or damaged is taken from whoever has
it: a content of ours from its keepers, one that we keep from its author.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from simdes.access.copies import ask_blocks
from simdes.access.messages import MAX_BLOCKS
from simdes.errors import NotFound, SimdesError, Tampered, Unavailable
from simdes.exchange.node import Node
from simdes.index import contents, safekeeping
from simdes.index.contents import Content
from simdes.index.safekeeping import Kept
from simdes.index.transaction import Transaction
from simdes.storage import layout

READ_CONTENTS: Final = 256
SLOWEST_RETRY_MS: Final = 8_000
SLOW_SECONDS: Final = 0.5
AT_ONCE: Final = 8
"""Contents that are fetched, read or mended at a time."""
LEAST_COUNTED: Final = 16 << 10
"""Bytes that a reading counts as at least: a small content costs a look, too."""

T = TypeVar("T")
R = TypeVar("R")

_log = structlog.get_logger("simdes.safekeeping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tended:
    """What was done in the own store."""

    fetched: int = 0
    read: int = 0
    mended: int = 0
    removed: int = 0

    def __add__(self, other: Tended) -> Tended:
        """Add two up."""
        return Tended(
            fetched=self.fetched + other.fetched,
            read=self.read + other.read,
            mended=self.mended + other.mended,
            removed=self.removed + other.removed,
        )


# What others have us keep -----------------------------------------------------------------------


def fetch_wanted(node: Node, verify_seconds: int) -> Tended:
    """Fetch what others asked us to keep, some at a time; what does not come is tried again."""
    with node.database.read() as tx:
        wanted = safekeeping.due(
            tx, state=safekeeping.WANTED, now_ms=node.now_ms(), limit=MAX_BLOCKS
        )
    by_author: defaultdict[bytes, list[Kept]] = defaultdict(list)
    for one in wanted:
        by_author[one.organisation].append(one)
    sizes: dict[Kept, int] = {}
    for author, its in by_author.items():
        sizes |= _fetch(node, author, its)
    if wanted:
        now_ms = node.now_ms()
        node.database.write(
            lambda tx: _note_fetched(tx, wanted, sizes, now_ms, now_ms + verify_seconds * 1000)
        )
    return Tended(fetched=len(sizes))


def _note_fetched(
    tx: Transaction, wanted: Sequence[Kept], sizes: dict[Kept, int], now_ms: int, next_ms: int
) -> None:
    for one in wanted:
        if one in sizes:
            safekeeping.held(tx, one, size=sizes[one], next_ms=next_ms)
        else:
            pause = min(500 << min(one.tries, 4), SLOWEST_RETRY_MS)
            safekeeping.missing(tx, one, next_ms=now_ms + pause)


def _fetch(node: Node, author: bytes, wanted: Sequence[Kept]) -> dict[Kept, int]:
    """Contents of one author into our store; sizes of those that lie there whole then.

    What lies here already, or at an IPFS node's peers, comes from there; the rest is asked of the
    author, many at once, and at last of anybody. Ends early where our store takes nothing.
    """
    near = _near(node, [one.cid for one in wanted])
    given = _given(node, author, [one.cid for one in wanted if one.cid not in near]) | near
    most = node.desk.limits.keep_bytes
    ended = threading.Event()

    def block(cid: str) -> bytes:
        return given[cid] if cid in given else node.store.get_block(cid)

    def take(one: Kept) -> int | None:
        if ended.is_set():
            return None
        try:
            size = layout.size_of(one.cid, block)
            if 0 < most < size:
                return None
            return size if node.store.put(layout.get_chunks(one.cid, block)) == one.cid else None
        except (NotFound, Tampered):
            return None
        except SimdesError as error:
            _log.warning("copy not fetched", kind=type(error).__name__)
            ended.set()
            return None

    sizes = zip(wanted, _at_once(take, wanted), strict=True)
    return {one: size for one, size in sizes if size is not None}


def _near(node: Node, cids: Sequence[str]) -> dict[str, bytes]:
    """First blocks that our store or its peers give at once; a slow search ends the looking."""
    ended = threading.Event()

    def look(cid: str) -> bytes | None:
        begun = time.monotonic()
        try:
            return None if ended.is_set() else node.store.get_block_near(cid)
        except SimdesError:
            if time.monotonic() - begun > SLOW_SECONDS:
                ended.set()
            return None

    found = zip(cids, _at_once(look, cids), strict=True)
    return {cid: block for cid, block in found if block is not None}


def _at_once(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do something for many contents, `AT_ONCE` at a time: a node syncs and searches each."""
    if len(items) < 2:
        return [work(one) for one in items]
    with ThreadPoolExecutor(min(len(items), AT_ONCE)) as pool:
        return list(pool.map(work, items))


def _given(node: Node, author: bytes, cids: Sequence[str]) -> dict[str, bytes]:
    """Blocks that the author gives, asked again for those that did not fit into an answer."""
    found: dict[str, bytes] = {}
    while missing := [cid for cid in cids if cid not in found]:
        try:
            some = ask_blocks(node.agent_caller(), author, missing)
        except SimdesError:
            break
        if not some:
            break
        found |= some
    return found


# What must go -----------------------------------------------------------------------------------


def remove_dropped(node: Node) -> Tended:
    """Delete what authors erased, but for what is ours or kept for somebody else, too."""
    with node.database.read() as tx:
        going = safekeeping.due(
            tx, state=safekeeping.DROPPING, now_ms=node.now_ms(), limit=READ_CONTENTS
        )
        shared = {one.cid for one in going if safekeeping.still_kept(tx, one.cid)}
    for one in going:
        if one.cid not in shared:
            node.store.delete(one.cid)

    def write(tx: Transaction) -> None:
        for one in going:
            safekeeping.dropped(tx, one)

    if going:
        node.database.write(write)
    return Tended(removed=len(going))


# Reading again ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Reader:
    """Reads contents again every so often, at ``bytes_per_second`` at most on the average."""

    node: Node
    every_seconds: int
    bytes_per_second: int
    _free_at: float = float("-inf")

    def read_due(self) -> Tended:
        """Read some of what is due; mend what is damaged of ours, fetch again what is others'.

        A store that does not answer ends it: what was not read stays due.
        """
        if time.monotonic() < self._free_at:
            return Tended()
        found: list[Found] = []
        size = 0
        due = self._due()
        for start in range(0, len(due), AT_ONCE):
            some = _at_once(self._read, due[start : start + AT_ONCE])
            read = [one for one in some if one is not None]
            found += read
            size += sum(max(one.size, LEAST_COUNTED) for one in read)
            if len(read) < len(some) or size >= self.bytes_per_second:
                break
        self._free_at = time.monotonic() + size / self.bytes_per_second
        mended = sum(one.mended for one in found)
        wrong = sum(not one.sound for one in found)
        if mended or wrong:
            _log.warning("contents damaged", mended=mended, left=wrong)
        if found:
            self._note(found)
        return Tended(read=len(found), mended=mended)

    def read_all(self, told: Callable[[int], None]) -> Tended:
        """Read everything again now; ``told`` how many contents, bit by bit.

        Raises Unavailable where the store does not answer.
        """
        node = self.node
        node.database.write(contents.read_all_soon)
        node.database.write(safekeeping.read_all_soon)
        done = Tended()
        while True:
            with node.database.read() as tx:
                left = safekeeping.unread(tx)
            if not left:
                return done
            time.sleep(max(0.0, self._free_at - time.monotonic()))
            some = self.read_due()
            if not some.read:
                raise Unavailable("The store does not answer.", advice="Try again when it does.")
            told(some.read)
            done += some

    def _due(self) -> list[Content | Kept]:
        now_ms = self.node.now_ms()
        with self.node.database.read() as tx:
            own = contents.to_read(tx, now_ms=now_ms, limit=READ_CONTENTS)
            kept = safekeeping.due(tx, state=safekeeping.HELD, now_ms=now_ms, limit=READ_CONTENTS)
        return sorted((*own, *kept), key=lambda one: one.next_ms)

    def _read(self, one: Content | Kept) -> Found | None:
        """What reading it found; None where the store does not answer."""
        try:
            return self._own(one) if isinstance(one, Content) else self._kept(one)
        except Unavailable:
            return None

    def _own(self, one: Content) -> Found:
        store = self.node.store
        try:
            return Found(one, size=store.verify(one.cid), sound=True)
        except (NotFound, Tampered):
            pass
        try:
            store.mend(one.cid)
            return Found(one, size=store.verify(one.cid), sound=True, mended=True)
        except SimdesError:
            return Found(one)

    def _kept(self, one: Kept) -> Found:
        store = self.node.store
        try:
            return Found(one, size=store.verify(one.cid), sound=True)
        except NotFound:
            return Found(one)
        except Tampered:
            store.delete(one.cid)  # a node does not write over a block that it has
            return Found(one)

    def _note(self, found: Sequence[Found]) -> None:
        now_ms = self.node.now_ms()
        later_ms = now_ms + self.every_seconds * 1000

        def write(tx: Transaction) -> None:
            for one in found:
                what = one.what
                if isinstance(what, Content):
                    next_ms = later_ms if one.sound else now_ms + SLOWEST_RETRY_MS
                    contents.was_read(tx, what.cid, damaged=not one.sound, next_ms=next_ms)
                elif one.sound:
                    safekeeping.held(tx, what, size=one.size, next_ms=later_ms)
                else:
                    safekeeping.missing(tx, what, next_ms=now_ms)

        self.node.database.write(write)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What reading a content again found."""

    what: Content | Kept = field(kw_only=False)
    size: int = 0
    sound: bool = False
    mended: bool = False
