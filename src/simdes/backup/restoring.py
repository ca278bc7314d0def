"""Bring an organisation back from a backup, and let nothing come back that was erased since.

The backup is read whole before anything is changed. A mark in the folder keeps every program from
starting until folder, database and contents are in place; a restore that was broken off is repeated
from its beginning. Keys come from the file that keeps no history, so what was destroyed since stays
destroyed. Then the organisation is opened, goes on with the chain, and every anchor is compared.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from simdes import app, config, lanes
from simdes.access.keystore import KeyStore
from simdes.app import RESTORING
from simdes.backup import checking, keyfile
from simdes.backup.checking import Checked
from simdes.backup.folder import database_of, journal_of, place_file
from simdes.backup.keyfile import KeyFile
from simdes.backup.repository import Repository, open_repository, put, sync_folder, translated
from simdes.backup.telling import Nobody, Watching
from simdes.config import Settings
from simdes.crypto.archive import Piece
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, unwrap
from simdes.errors import Conflict, Invalid, NotFound, Tampered, Unavailable
from simdes.exchange import rechecking
from simdes.exchange.rechecking import Rechecked
from simdes.index import chain, custody, snapshot
from simdes.index import keys as key_rows
from simdes.index.database import Database, open_database
from simdes.index.keys import CustodyKey, GivenBack
from simdes.index.migrations import migrate
from simdes.index.transaction import Transaction
from simdes.storage.store import open_store

_CUSTODY: Final = b"simdes/custody-key/v1"
_PART: Final = ".restoring"
_SMALL_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be restored: of the backups in ``folder`` the one named, else the newest, or the
    newest made until ``until_ms``.

    ``replace`` lets go of a database that is there; it is kept aside where it is a file.
    ``keep_database``: it was brought back by its own tools; the rest is restored around it.
    """

    data: Path
    folder: Path
    passphrase: str
    name: str | None = None
    until_ms: int | None = None
    replace: bool = False
    keep_database: bool = False


@dataclass(slots=True, kw_only=True)
class Restored:
    """What a restore did, or in a dry run what it would do; ``anchors`` None where the ledger was
    not asked."""

    name: str
    created_ms: int
    release: str
    revision: str
    bytes: int
    files: list[str] = field(default_factory=list)
    files_kept: list[str] = field(default_factory=list)
    ledger: str = ""
    database_aside: str = ""
    given_back: GivenBack | None = None
    contents: int = 0
    contents_there: int = 0
    contents_missing: int = 0
    contents_erased: int = 0
    anchors: Rechecked | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Source:
    """A backup that was read whole, and the keys beside it."""

    repository: Repository
    keys: KeyFile
    keystore: KeyStore
    checked: Checked


def examined(wanted: Wanted, watching: Watching) -> Source:
    """Find the backup and read it whole. Nothing is changed.

    Raises NotFound where there is none, Unauthenticated for a wrong passphrase, Tampered for a
    damaged one, Unsupported for a later release's, Conflict where the folder is another
    organisation's or programs of it run, Unavailable where there is no room.
    """
    repository = open_repository(wanted.folder)
    keys, keystore = keyfile.read(repository, wanted.passphrase)
    one = repository.chosen(wanted.name, until_ms=wanted.until_ms)
    checked = checking.check(repository, one, keys, blocks=False, watching=watching)
    _require_target(wanted, keystore, checked)
    _require_room(wanted.data, checked.bytes)
    return Source(repository, keys, keystore, checked)


def planned(wanted: Wanted, watching: Watching | None = None) -> Restored:
    """What `restore` would do, and what would stop it; nothing is changed. Raises as `examined`."""
    source = examined(wanted, watching or Nobody())
    if wanted.data.is_dir():
        with lanes.alone(wanted.data):
            pass
    done = _begun(source)
    done.contents = len(source.checked.contents)
    return done


def restore(wanted: Wanted, watching: Watching | None = None) -> Restored:
    """Restore, check every anchor, and say what was done.

    Raises as `examined`; where the ledger does not answer, everything is in place, but the anchors
    were not compared (`anchors` None).
    """
    told = watching or Nobody()
    source = examined(wanted, told)
    done = _begun(source)
    with translated(wanted.data):
        wanted.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lanes.alone(wanted.data):
        mark = wanted.data / RESTORING
        broken_off = mark.exists()
        said = json.dumps({"backup": done.name, "from": str(wanted.folder)}).encode()
        put(mark, lambda file: file.write(said))
        settings = _lay(wanted, source, done, told, again=broken_off)
        _give_back_keys(settings, source, done)
        _lay_contents(settings, source, done, told)
        mark.unlink()
        sync_folder(wanted.data)
    with suppress(Unavailable):
        done.anchors = _go_on(wanted, told)
    return done


def _begun(source: Source) -> Restored:
    checked = source.checked
    return Restored(
        name=checked.name,
        created_ms=int(checked.header["created_ms"]),
        release=str(checked.header["release"]),
        revision=str(checked.header["revision"]),
        bytes=checked.bytes,
    )


def _require_target(wanted: Wanted, keystore: KeyStore, checked: Checked) -> None:
    """Find what stands in the way while nothing is changed yet."""
    known = (wanted.data / RESTORING).exists()
    try:
        settings = config.load(wanted.data)
    except NotFound:
        settings = _settings_of(checked)
    if not wanted.keep_database:
        snapshot.require_free(settings.database_url, checked.plan, replace=wanted.replace or known)
    if bytes.fromhex(settings.organisation[2:]) != keystore.organisation:
        raise Conflict(
            f"{wanted.data} holds another organisation.", advice="Restore into another folder."
        )
    database = database_of(settings)
    there = database is not None and database.exists()
    if there and not (wanted.replace or wanted.keep_database or known):
        raise Conflict(
            f"{wanted.data} has a database.",
            advice="Restore into another folder, or put this one aside with --replace.",
        )


def _settings_of(checked: Checked) -> Settings:
    """The settings in the backup, for a folder that has none yet."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "simdes.toml").write_bytes(checked.small["folder/simdes.toml"])
        return config.load(Path(folder))


def _require_room(data: Path, needed: int) -> None:
    there = next(one for one in (data.resolve(), *data.resolve().parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed + (64 << 20):
        raise Unavailable(
            f"No room to restore: {(needed >> 20) + 64} MiB are needed, {free >> 20} MiB are free.",
            advice="Make room on the disk of the organisation's folder.",
        )


# Folder, ledger, database -----------------------------------------------------------------------


def _lay(
    wanted: Wanted, source: Source, done: Restored, told: Watching, *, again: bool
) -> Settings:
    """Put members in their places as they come; the settings they belong to."""
    _key_store(wanted.data, source, done)
    settings: Settings | None = None
    told.begin("Restoring (MiB)", source.checked.bytes >> 20)
    with checking.opened(source.repository, source.checked.name, source.keys) as pieces:
        for kind, group in groupby(_counted(pieces, told), _kind):
            if kind == "folder":
                _files(wanted.data, group, done)
            elif kind == "ledger":
                settings = settings or config.load(wanted.data)
                _ledger(settings, group, done)
            elif kind == "database" and not wanted.keep_database:
                settings = settings or config.load(wanted.data)
                _database(wanted, settings, source, done, group, again=again)
    settings = settings or config.load(wanted.data)
    migrate(settings.database_url)
    return settings


def _kind(piece: Piece) -> str:
    return piece[0].partition("/")[0]


def _counted(pieces: Iterator[Piece], told: Watching) -> Iterator[Piece]:
    whole = 0
    for name, data in pieces:
        before, whole = whole >> 20, whole + len(data)
        told.advance((whole >> 20) - before)
        yield name, data


def _key_store(data: Path, source: Source, done: Restored) -> None:
    """The key store as it was last; one that is there stays, if it is this organisation's."""
    path = data / "keystore.json"
    if path.exists():
        held = json.loads(path.read_bytes()).get("organisation")
        if held != "0x" + source.keystore.organisation.hex():
            raise Conflict(f"{path} is another organisation's.")
        done.files_kept.append("keystore.json")
        return
    put(path, lambda file: file.write(source.keys.keystore))
    done.files.append("keystore.json")


def _files(data: Path, pieces: Iterator[Piece], done: Restored) -> None:
    for name, group in groupby(pieces, lambda piece: piece[0]):
        content = bytearray()
        for _, piece in group:
            content += piece
            if len(content) > _SMALL_BYTES:
                raise Invalid("A file of the folder in the backup is too large.")
        below = name.removeprefix("folder/")
        placed = place_file(data, below, bytes(content))
        (done.files if placed else done.files_kept).append(below)


def _ledger(settings: Settings, pieces: Iterator[Piece], done: Restored) -> None:
    """The embedded ledger's journal; one that is there is as new or newer, and others' as well."""
    journal = journal_of(settings)
    if journal is None:
        return
    if journal.exists():
        done.ledger = "kept"
        return
    with translated(journal.parent):
        journal.parent.mkdir(parents=True, exist_ok=True)
    put(journal, lambda file: file.writelines(data for _, data in pieces))
    done.ledger = "restored"


def _database(
    wanted: Wanted,
    settings: Settings,
    source: Source,
    done: Restored,
    pieces: Iterator[Piece],
    *,
    again: bool,
) -> None:
    path = database_of(settings)
    plan = source.checked.plan
    if path is None:
        snapshot.lay(settings.database_url, plan, pieces, replace=wanted.replace or again)
        return
    part = path.with_name(path.name + _PART)
    with translated(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        snapshot.lay(f"sqlite:{part}", plan, pieces, replace=False)
        if path.exists():
            done.database_aside = _aside(path, again=again)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        part.replace(path)
        sync_folder(path.parent)


def _aside(path: Path, *, again: bool) -> str:
    """Put a database aside; what an earlier try of this restore laid goes."""
    aside = path.with_name(f"{path.name}.before-restore")
    if aside.exists():
        if again:
            return str(aside)
        raise Conflict(
            f"{aside} is there from an earlier restore.", advice="Delete it or move it away."
        )
    for suffix in ("-wal", "-shm", ""):  # the log of commits belongs to its file
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    return str(aside)


# Keys and erasures ------------------------------------------------------------------------------


def _give_back_keys(settings: Settings, source: Source, done: Restored) -> None:
    """Give the keys of now to the database of then, and end what belongs to its moment alone."""
    keystore = source.keystore

    def public(key: CustodyKey) -> bytes:
        aad = _CUSTODY + key.public_digest
        made = OpeningKey.from_bytes(unwrap(keystore.database_key, key.private_wrapped, aad=aad))
        if sha256(made.public) != key.public_digest:
            raise Tampered("A key beside the backups is not the one that it is named after.")
        return made.public

    def others(tx: Transaction) -> Sequence[bytes]:
        found = (one.id for one in chain.organisations(tx))
        return [one for one in found if one != keystore.organisation]

    now_ms = int(time.time() * 1000)

    def write(tx: Transaction) -> GivenBack:
        given = key_rows.give_back(tx, source.keys.keys, public, others, now_ms=now_ms)
        key_rows.forget_the_moment(tx)
        custody.set_aside(tx, now_ms=now_ms)
        return given

    with closing(_opened(settings)) as database:
        done.given_back = database.write(write)


def _opened(settings: Settings) -> Database:
    return open_database(settings.database_url, connections=2)


# Contents ---------------------------------------------------------------------------------------


def _lay_contents(settings: Settings, source: Source, done: Restored, told: Watching) -> None:
    """Put into the store what is not there; what was erased since stays away."""
    gone = source.keys.keys.contents | {cid for cid, _ in source.keys.keys.dropped}
    wanted = [cid for cid in source.checked.contents if cid not in gone]
    done.contents_erased = len(source.checked.contents) - len(wanted)
    told.begin("Contents", len(wanted))
    with (
        closing(open_store(settings.store_url)) as store,
        closing(open_store(source.repository.blocks)) as kept,
    ):
        for cid in wanted:
            if store.has(cid):
                done.contents_there += 1
            else:
                try:
                    store.put(kept.get_chunks(cid))
                    done.contents += 1
                except (NotFound, Tampered):
                    done.contents_missing += 1
            told.advance(1)


# Afterwards -------------------------------------------------------------------------------------


def _go_on(wanted: Wanted, told: Watching) -> Rechecked:
    with app.opened(wanted.data, passphrase=wanted.passphrase) as one:
        lost = rechecking.go_on(one.node)
        told.begin("Anchors", rechecking.how_much(one.node))
        found = rechecking.recheck(one.node, told.advance)
    found.lost_audit_batches = lost
    return found
