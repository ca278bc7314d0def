"""Write a backup while the organisation works: database, folder, ledger's journal, contents, keys.

The order makes it whole. The database is taken as of one moment; what it names lay in the content
store before it was named, so contents are copied afterwards; keys are written last, so that none
that the database needs is missing. The encrypted file appears at its place when all of that is
durable, and not at all where anything failed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final

from simdes import config
from simdes.access.keystore import KeyStore, read_passphrase
from simdes.app import passphrase_file
from simdes.backup import keyfile
from simdes.backup.folder import journal_of, kept_files
from simdes.backup.keyfile import KeyFile
from simdes.backup.repository import (
    Archived,
    Repository,
    new_name,
    open_repository,
    put,
    translated,
)
from simdes.backup.telling import Nobody, Watching
from simdes.config import Settings
from simdes.crypto import archive
from simdes.crypto.archive import PIECE_BYTES, Piece
from simdes.errors import NotFound, Tampered, Unavailable
from simdes.index import keys as key_rows
from simdes.index import snapshot
from simdes.index.database import open_database
from simdes.index.snapshot import Snapshot
from simdes.index.snapshot_sqlite import copy_file
from simdes.index.transaction import Transaction
from simdes.storage.store import Store, open_store

Random = Callable[[int], bytes]
DAY_MS: Final = 86_400_000
LEAST_FREE_BYTES: Final = 64 << 20
_CIDS: Final = (
    "SELECT cid FROM content WHERE state = 'kept'"
    " UNION SELECT cid FROM kept_content WHERE state = 'held'"
)
_POSITIONS: Final = {
    "checkpoints": "SELECT name, block_number FROM checkpoint ORDER BY name",
    "auditEntries": "SELECT coalesce(max(seq), 0) FROM audit_entry",
    "auditBatches": "SELECT coalesce(max(seq), 0) FROM audit_batch",
    "resources": "SELECT count(*) FROM resource",
    "waiting": "SELECT count(*) FROM outbox",
    "batches": "SELECT count(*) FROM batch",
    "vaults": "SELECT count(*) FROM vault",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be backed up, and where to. ``keep_days``: how long backups are kept; the newest
    stays. ``contents`` False leaves the content store out: other organisations have copies."""

    data: Path
    folder: Path
    keep_days: int
    contents: bool = True


@dataclass(slots=True, kw_only=True)
class Made:
    """A backup that was written (or would be, in a dry run), and those that were let go of."""

    name: str
    created_ms: int
    bytes: int = 0
    contents: int = 0
    contents_copied: int = 0
    contents_missing: int = 0
    removed: list[str] = field(default_factory=list)
    blocks_removed: int = 0
    positions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """What a backup is made from."""

    asked: Asked
    settings: Settings
    keystore: KeyStore
    clock: Callable[[], float]
    random: Random
    watching: Watching = field(default_factory=Nobody)

    def now_ms(self) -> int:
        """The time in unix milliseconds."""
        return int(self.clock() * 1000)


def opened_place(
    asked: Asked,
    *,
    clock: Callable[[], float],
    random: Random,
    passphrase: str | None = None,
    watching: Watching | None = None,
) -> Place:
    """What is needed to back an organisation up; it may run meanwhile, here or elsewhere.

    Raises NotFound where the folder holds none, Unauthenticated without its passphrase.
    """
    settings = config.load(asked.data)
    word = passphrase or read_passphrase(passphrase_file(asked.data))
    keystore = KeyStore.open(asked.data / "keystore.json", word, random=random)
    return Place(asked, settings, keystore, clock, random, watching or Nobody())


def back_up(place: Place) -> Made:
    """Write a backup, then let go of those whose time is over.

    Raises Unavailable where database, store or the folder do not answer or there is no room,
    Conflict where another backup is being written there.
    """
    repository = open_repository(
        place.asked.folder, organisation=place.keystore.organisation, create=True
    )
    with repository.writing():
        made = Made(name=new_name(place.now_ms()), created_ms=place.now_ms())
        _write(place, repository, made)
        _let_go(place, repository, made)
    return made


def rehearse(place: Place) -> Made:
    """Say what `back_up` would do, and find what would stop it; nothing is written."""
    made = Made(name="", created_ms=place.now_ms())
    with snapshot.taken(place.settings.database_url) as taken:
        made.bytes = taken.size
        cids = _cids(place, taken)
        made.positions = _positions(taken)
    made.contents = len(cids)
    try:
        repository = open_repository(place.asked.folder, organisation=place.keystore.organisation)
    except NotFound:
        above = next(one for one in place.asked.folder.resolve().parents if one.is_dir())
        _require_room(above, made.bytes)
        made.contents_copied = len(cids)
        return made
    _require_room(repository.folder, made.bytes)
    with closing(open_store(repository.blocks)) as kept:
        made.contents_copied = sum(not kept.has(cid) for cid in cids)
    made.removed = [one.name for one in _over(place, repository.listed(), made.created_ms)]
    return made


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed // 2 + LEAST_FREE_BYTES:
        raise Unavailable(
            f"No room for a backup: some {(needed // 2 + LEAST_FREE_BYTES) >> 20} MiB are needed in"
            f" {folder}, {free >> 20} MiB are free.",
            advice="Make room, keep backups for fewer days, or write to another disk.",
        )


# The file ----------------------------------------------------------------------------------------


def _write(place: Place, repository: Repository, made: Made) -> None:
    key = place.random(32)
    with ExitStack() as stack:
        taken = stack.enter_context(snapshot.taken(place.settings.database_url))
        _require_room(repository.folder, taken.size)
        header = {
            "organisation": place.keystore.organisation,
            "name": made.name,
            "created_ms": made.created_ms,
            "release": version("simdes"),
            "revision": taken.plan.revision,
            "dialect": taken.plan.dialect,
        }

        def write(file: IO[bytes]) -> None:
            archive.write(file, key, header, _members(place, repository, made, taken, stack))
            file.flush()
            os.fsync(file.fileno())
            _keep_keys(place, repository, lambda known: known.with_archive(made.name, key))

        put(repository.path(made.name), write)
    made.bytes = repository.path(made.name).stat().st_size


def _members(
    place: Place, repository: Repository, made: Made, taken: Snapshot, stack: ExitStack
) -> Iterator[Piece]:
    """Everything, and last a list of it with digests. ``stack`` lets go of the snapshot."""
    listed: dict[str, _Member] = {}
    made.positions = _positions(taken)
    cids = _cids(place, taken)
    yield from _counted(listed, _whole("database.json", taken.plan.to_dict()))
    for name, path in kept_files(place.asked.data, place.settings):
        yield from _counted(listed, _of_file(f"folder/{name}", path))
    place.watching.begin("Database (MiB)", taken.size >> 20)
    for name, data in taken.parts():
        yield from _counted(listed, [(name, data)])
        place.watching.advance(len(data) >> 20)
    stack.close()
    yield from _counted(listed, _journal(place))
    missing = _copy_contents(place, repository, cids, made)
    yield from _counted(listed, _lines("contents", [one for one in cids if one not in missing]))
    document = {
        "positions": made.positions,
        "contents": len(cids) - len(missing),
        "missing": sorted(missing),
        "members": {
            name: {"bytes": one.size, "sha256": one.digest.hexdigest()}
            for name, one in listed.items()
        },
    }
    yield from _whole("manifest.json", document)


@dataclass(slots=True)
class _Member:
    """How much of a member has gone by, and the SHA-256 of it."""

    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


def _counted(listed: dict[str, _Member], pieces: Iterable[Piece]) -> Iterator[Piece]:
    for name, data in pieces:
        member = listed.setdefault(name, _Member())
        member.size += len(data)
        member.digest.update(data)
        yield name, data


def _whole(name: str, document: dict[str, Any]) -> Iterator[Piece]:
    data = json.dumps(document).encode()
    return ((name, data[at : at + PIECE_BYTES]) for at in range(0, len(data), PIECE_BYTES))


def _lines(name: str, lines: Sequence[str]) -> Iterator[Piece]:
    data = "\n".join(lines).encode()
    return ((name, data[at : at + PIECE_BYTES]) for at in range(0, len(data) or 1, PIECE_BYTES))


def _of_file(name: str, path: Path) -> Iterator[Piece]:
    with translated(path.parent), path.open("rb") as file:
        yield name, file.read(PIECE_BYTES)
        while piece := file.read(PIECE_BYTES):
            yield name, piece


def _journal(place: Place) -> Iterator[Piece]:
    """The embedded ledger's journal; a node's ledger comes from the other nodes."""
    journal = journal_of(place.settings)
    if journal is None or not journal.is_file():
        return
    copied = place.asked.data / "ledger-backup"
    try:
        copy_file(journal, copied)
        yield from _of_file("ledger", copied)
    finally:
        copied.unlink(missing_ok=True)


def _positions(taken: Snapshot) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, query in _POSITIONS.items():
        rows = taken.rows(query)
        found[name] = dict(rows) if name == "checkpoints" else rows[0][0]
    return found


# Contents ----------------------------------------------------------------------------------------


def _cids(place: Place, taken: Snapshot) -> list[str]:
    if not place.asked.contents:
        return []
    return sorted(row[0] for row in taken.rows(_CIDS))


def _copy_contents(
    place: Place, repository: Repository, cids: Sequence[str], made: Made
) -> set[str]:
    """Copy what is not beside the backups yet; which the store does not give whole."""
    missing: set[str] = set()
    made.contents = len(cids)
    place.watching.begin("Contents", len(cids))
    with (
        closing(open_store(place.settings.store_url)) as store,
        closing(open_store(repository.blocks)) as kept,
    ):
        for cid in cids:
            if not kept.has(cid):
                try:
                    _copy(store, kept, cid)
                    made.contents_copied += 1
                except (NotFound, Tampered):
                    missing.add(cid)
            place.watching.advance(1)
    made.contents_missing = len(missing)
    return missing


def _copy(source: Store, target: Store, cid: str) -> None:
    if target.put(source.get_chunks(cid)) != cid:
        raise Tampered("A content has another CID where it is copied to.")


# Keys, and what is let go of ---------------------------------------------------------------------


@contextmanager
def _reading(place: Place) -> Iterator[Transaction]:
    database = open_database(place.settings.database_url, connections=1)
    with closing(database), database.read() as tx:
        yield tx


def _keep_keys(
    place: Place, repository: Repository, change: Callable[[KeyFile], KeyFile] = lambda one: one
) -> bool:
    """Write the keys of now beside the backups; False where they are there already."""
    with _reading(place) as tx:
        held = key_rows.held(tx)
    stored = (place.asked.data / "keystore.json").read_bytes()
    known = keyfile.read_with(repository, place.keystore)
    before = KeyFile(stored) if known is None else known
    after = change(replace(before, keystore=stored, keys=before.keys.followed_by(held)))
    if known == after:
        return False
    keyfile.write(repository, after, place.keystore, place.random)
    return True


def marks(place: Place) -> tuple[object, ...]:
    """What differs whenever there are keys to be written anew; cheap to ask for."""
    with _reading(place) as tx:
        counted = key_rows.marks(tx)
    status = (place.asked.data / "keystore.json").stat()
    return (*counted, status.st_ino, status.st_mtime_ns, status.st_size)


def keep_keys(place: Place) -> bool:
    """Bring the keys beside the backups up to now: whether there was anything to write.

    Where no backup was made yet there is nothing to do. Raises as `back_up`.
    """
    try:
        repository = open_repository(place.asked.folder, organisation=place.keystore.organisation)
    except NotFound:
        return False
    with repository.writing():
        written = _keep_keys(place, repository)
        if written:
            _remove_erased(place, repository)
    return written


def _over(place: Place, listed: Sequence[Archived], now_ms: int) -> list[Archived]:
    """Backups whose time is over; the newest that can be read stays in any case."""
    readable = [one for one in listed if not one.problem]
    newest = readable[-1].name if readable else ""
    limit = now_ms - place.asked.keep_days * DAY_MS
    return [one for one in listed if one.created_ms < limit and one.name != newest]


def _let_go(place: Place, repository: Repository, made: Made) -> None:
    """Remove old backups with their keys, so that copies of them can't be read any more either."""
    made.removed = [one.name for one in _over(place, repository.listed(), made.created_ms)]
    if made.removed:
        _keep_keys(place, repository, lambda one: one.without_archives(set(made.removed)))
        with translated(repository.archives):
            for name in made.removed:
                repository.path(name).unlink(missing_ok=True)
    made.blocks_removed = _remove_erased(place, repository)


def _remove_erased(place: Place, repository: Repository) -> int:
    """Delete the bytes of what was erased; what is kept for somebody else, too, stays."""
    known = keyfile.read_with(repository, place.keystore)
    if known is None:
        return 0
    going = known.keys.contents | {cid for cid, _ in known.keys.dropped}
    with _reading(place) as tx:
        kept = {row[0] for row in tx.all(_CIDS)}
    with closing(open_store(repository.blocks)) as blocks:
        found = [cid for cid in sorted(going - kept) if blocks.has(cid)]
        for cid in found:
            blocks.delete(cid)
    return len(found)
