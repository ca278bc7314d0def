"""What of an organisation's folder goes into a backup, and where it goes on the way back.

Everything that is a file, but for what has a copy of its own (database, ledger's journal, store,
key store), what belongs to running programs, and the passphrase: it opens the backup, so it is kept
apart from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from simdes.app import RESTORING
from simdes.backup.repository import put
from simdes.config import Settings
from simdes.errors import Tampered

_NAMES: Final = frozenset(("passphrase", "keystore.json", "keystore.json.lock", RESTORING))
_FOLDERS: Final = frozenset(("lanes", "descriptors"))
_OF_PROGRAMS: Final = ("-wal", "-shm", "-journal", "-turn", ".lock", ".endpoint", ".coming")


def journal_of(settings: Settings) -> Path | None:
    """The embedded ledger's file; None where the ledger is a node."""
    kind, _, rest = settings.ledger_url.partition(":")
    return Path(rest.partition("?")[0]) if kind == "embedded" else None


def database_of(settings: Settings) -> Path | None:
    """The database's file; None where it is a server."""
    kind, _, rest = settings.database_url.partition(":")
    return Path(rest) if kind == "sqlite" else None


def kept_files(data: Path, settings: Settings) -> Iterator[tuple[str, Path]]:
    """(name below the folder, file) of what is backed up, in order; links are left out."""
    apart = [one for one in (journal_of(settings), database_of(settings)) if one is not None]
    kind, _, store = settings.store_url.partition(":")
    stores = {Path(store).resolve()} if kind == "file" else set()
    for at, folders, files in os.walk(data):
        here = Path(at)
        folders[:] = sorted(
            name
            for name in folders
            if not (here == data and name in _FOLDERS)
            and (here / name).resolve() not in stores
            and not (here / name / "archives").is_dir()
        )
        for name in sorted(files):
            path = here / name
            if (
                path.is_symlink()
                or not path.is_file()
                or (here == data and name in _NAMES)
                or name.startswith(".keystore-")
                or any(name.startswith(one.name) and here == one.parent for one in apart)
                or name.endswith(_OF_PROGRAMS)
            ):
                continue
            yield path.relative_to(data).as_posix(), path


def place_file(data: Path, name: str, content: bytes) -> bool:
    """Put a file back; False where one is there, which stays. Raises Tampered for a name that
    leads out of the folder."""
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise Tampered("A file's name in the backup leads out of the folder.")
    path = data.joinpath(*parts)
    if path.exists() or path.is_symlink():
        return False
    for above in reversed(path.relative_to(data).parents[:-1]):
        (data / above).mkdir(mode=0o700, exist_ok=True)
    put(path, lambda file: file.write(content))
    return True
