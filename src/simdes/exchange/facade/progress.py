"""What is wanted of a facade, what its rounds bring, and where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from simdes.exchange.facade.source import Change, Page, Unreadable
from simdes.exchange.node import Node
from simdes.index import facade as rows
from simdes.index.facade import Deletion, Stream
from simdes.index.transaction import Transaction

Told = Callable[["Step"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a source is read. ``types`` empty: all that it offers; ``mode`` "": the best it offers.

    ``overlap_seconds`` is how late a source may show a version. ``notify_url`` is where a source
    is asked to tell of changes, with ``notify_secret``; "" asks for nothing.
    """

    types: tuple[str, ...] = ()
    mode: str = ""
    page_size: int = 200
    poll_seconds: float = 30.0
    overlap_seconds: int = 60
    notify_url: str = ""
    notify_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A page that is durable: of which stream, how much of it is done, out of how much."""

    stream: str
    taken: int
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round brought. ``resources`` are new or changed, ``deleted`` have ended here, too;
    ``waiting`` were deleted there, and people here wrote to them."""

    seen: int = 0
    resources: int = 0
    refused: int = 0
    deleted: int = 0
    waiting: int = 0

    def __add__(self, other: Round) -> Round:
        return Round(
            seen=self.seen + other.seen,
            resources=self.resources + other.resources,
            refused=self.refused + other.refused,
            deleted=self.deleted + other.deleted,
            waiting=self.waiting + other.waiting,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where the facade stands; ``source`` None: never read. ``held``: somebody reads it now."""

    source: rows.Source | None
    held: bool
    streams: tuple[Stream, ...]
    deletions: tuple[Deletion, ...]
    deletions_waiting: int


def status(node: Node, url: str) -> Status:
    """How far a source was read, and what of it waits."""
    with node.database.read() as tx:
        source = rows.get(tx, url)
        return Status(
            source=source,
            held=source is not None and source.held_until_ms > node.now_ms(),
            streams=tuple(rows.streams(tx, url)),
            deletions=tuple(rows.deletions(tx, url)),
            deletions_waiting=rows.count_deletions(tx, url),
        )


def ask(node: Node, url: str) -> None:
    """Ask whoever reads the source, in whatever program, to begin a round now."""

    def write(tx: Transaction) -> None:
        rows.add(tx, url)
        rows.ask(tx, url, now_ms=node.now_ms())

    node.database.write(write)


@dataclass(slots=True)
class Pass:
    """What is known of one pass: the newest time seen, and whether times only rose."""

    server_ms: int | None = None
    total: int | None = None
    seen: int = 0
    newest_ms: int | None = None
    ascending: bool = True
    done: dict[tuple[str, str], tuple[int | None, int]] = field(default_factory=dict)

    def note(self, page: Page) -> None:
        """Take in a page's times."""
        if self.server_ms is None:
            self.server_ms, self.total = page.server_ms, page.total
        self.seen += len(page.changes)
        for one in page.changes:
            if isinstance(one, Unreadable) or one.updated_ms is None:
                continue
            if self.newest_ms is not None and one.updated_ms < self.newest_ms:
                self.ascending = False
            self.newest_ms = max(self.newest_ms or 0, one.updated_ms)

    def is_newer(self, one: Change) -> bool:
        """Whether nothing newer of the same resource came before in this pass.

        Versions are told apart by their time, then by number where they are numbers. Where one
        names no time the first holds: histories begin with the newest.
        """
        said = (one.updated_ms, int(one.version) if one.version.isdecimal() else 0)
        before = self.done.get(one.name)
        if before is not None and (None in (said[0], before[0]) or _key(said) <= _key(before)):
            return False
        self.done[one.name] = said
        return True

    def position(self) -> int | None:
        """Up to where all is here once the pass is through; never in the source's future."""
        if self.newest_ms is None or self.server_ms is None:
            return self.newest_ms
        return min(self.newest_ms, self.server_ms)


def _key(said: tuple[int | None, int]) -> tuple[int, int]:
    return (said[0] or 0, said[1])
