"""Read a backup whole: every piece opens, every member is the one that was listed, every content is
beside it. A restore does the same before it changes anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from simdes.access.keystore import KeyStore
from simdes.backup import keyfile
from simdes.backup.keyfile import KeyFile
from simdes.backup.repository import Archived, Repository, translated
from simdes.backup.telling import Nobody, Watching
from simdes.crypto import archive
from simdes.crypto.archive import Piece
from simdes.errors import NotFound, Tampered, Unsupported
from simdes.index.migrations import HEAD
from simdes.index.snapshot import Plan
from simdes.storage.store import open_store

MANIFEST: Final = "manifest.json"
PLAN: Final = "database.json"
CONTENTS: Final = "contents"
_KEPT: Final = (MANIFEST, PLAN, CONTENTS, "folder/simdes.toml")
_NAMED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A backup that was read whole and is as it was written.

    ``small`` holds the members that say what the others are; ``blocks_missing`` and
    ``blocks_damaged`` are contents that the backup names and the folder does not give.
    """

    name: str
    header: Mapping[str, Any]
    plan: Plan
    manifest: Mapping[str, Any]
    small: Mapping[str, bytes]
    contents: tuple[str, ...]
    blocks_missing: tuple[str, ...] = ()
    blocks_damaged: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Of all members together."""
        return sum(int(one["bytes"]) for one in self.manifest["members"].values())

    @property
    def sound(self) -> bool:
        """Whether every content is there, too."""
        return not self.blocks_missing and not self.blocks_damaged


@dataclass(slots=True)
class _Seen:
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    small: bytearray = field(default_factory=bytearray)


@contextmanager
def opened(repository: Repository, name: str, keys: KeyFile) -> Iterator[Iterator[Piece]]:
    """The pieces of a backup, in order.

    Raises NotFound where file or key are gone, Tampered where they do not fit.
    """
    path = repository.path(name)
    with translated(repository.archives):
        if not path.is_file():
            raise NotFound("There is no such backup.")
        with path.open("rb") as file:
            header, pieces = archive.read(file, keys.key_of(name))
            if header.get("organisation") != repository.organisation or header.get("name") != name:
                raise Tampered("The file is the backup of something else.")
            yield pieces


def check(
    repository: Repository,
    one: Archived,
    keys: KeyFile,
    *,
    blocks: bool,
    watching: Watching | None = None,
) -> Checked:
    """Read a backup whole; with ``blocks`` every content that it names as well.

    Raises Unsupported where a later release wrote it, Tampered where a byte of it is not as it was
    written, NotFound where its key is gone.
    """
    told = watching or Nobody()
    if one.problem:
        raise Tampered(f"Backup {one.name}: {one.problem}", advice="Use another backup.")
    require_known(one)
    told.begin("Reading the backup", 1)
    with opened(repository, one.name, keys) as pieces:
        seen = _read(pieces)
    told.advance(1)
    manifest = _manifest(seen)
    found = Checked(
        name=one.name,
        header={
            "release": one.release,
            "revision": one.revision,
            "dialect": one.dialect,
            "created_ms": one.created_ms,
        },
        plan=Plan.from_dict(json.loads(bytes(seen[PLAN].small))),
        manifest=manifest,
        small={name: bytes(member.small) for name, member in seen.items() if name in _KEPT},
        contents=tuple(bytes(seen[CONTENTS].small).decode().split()),
    )
    return found if not blocks else _with_blocks(repository, found, told)


def require_known(one: Archived) -> None:
    """Raise Unsupported for a database of a later release than this."""
    if one.revision > HEAD:
        raise Unsupported(
            f"The backup was made by release {one.release} with database revision {one.revision};"
            f" this release knows {HEAD}.",
            advice=f"Restore it with release {one.release} or a later one.",
        )


def _read(pieces: Iterator[Piece]) -> dict[str, _Seen]:
    seen: dict[str, _Seen] = {}
    for name, group in groupby(pieces, lambda piece: piece[0]):
        if name in seen:
            raise Tampered("The backup holds something twice.")
        member = seen[name] = _Seen()
        for _, data in group:
            member.size += len(data)
            member.digest.update(data)
            if name in _KEPT:
                member.small += data
    return seen


def _manifest(seen: Mapping[str, _Seen]) -> dict[str, Any]:
    """The list at the end, which must be that of what came before it."""
    if not {MANIFEST, PLAN, CONTENTS} <= set(seen):
        raise Tampered("The backup is not whole.", advice="Use another backup.")
    document: dict[str, Any] = json.loads(bytes(seen[MANIFEST].small))
    listed = {
        name: {"bytes": member.size, "sha256": member.digest.hexdigest()}
        for name, member in seen.items()
        if name != MANIFEST
    }
    if document["members"] != listed:
        raise Tampered("The backup is not what its own list says.", advice="Use another backup.")
    return document


def _with_blocks(repository: Repository, found: Checked, told: Watching) -> Checked:
    missing: list[str] = []
    damaged: list[str] = []
    told.begin("Contents", len(found.contents))
    with closing(open_store(repository.blocks)) as store:
        for cid in found.contents:
            try:
                store.verify(cid)
            except NotFound:
                missing.append(cid)
            except Tampered:
                damaged.append(cid)
            told.advance(1)
    return Checked(
        **{name: getattr(found, name) for name in _SAME},
        blocks_missing=tuple(missing),
        blocks_damaged=tuple(damaged),
    )


_SAME: Final = ("name", "header", "plan", "manifest", "small", "contents")


def without_erased(found: Checked, keys: KeyFile) -> Checked:
    """The same, missing nothing that was erased since: it is not to come back."""
    gone = keys.keys.contents | {cid for cid, _ in keys.keys.dropped}
    return Checked(
        **{name: getattr(found, name) for name in _SAME},
        blocks_missing=tuple(cid for cid in found.blocks_missing if cid not in gone),
        blocks_damaged=found.blocks_damaged,
    )


def unlocked(repository: Repository, passphrase: str) -> tuple[KeyFile, KeyStore]:
    """The keys beside the backups; see `keyfile.read`."""
    return keyfile.read(repository, passphrase)
