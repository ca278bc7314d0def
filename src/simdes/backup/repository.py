"""A folder of backups of one organisation: where each part lies, written whole or not at all.

=================  ==============================================================
``repository``     JSON: version, organisation
``keys``           keys that keep no history (`keyfile`), twice: a disk may spoil one
``archives/``      one encrypted file a backup
``blocks/``        what lies in the content store, sealed already, by CID
``lock``           one program at a time writes here
=================  ==============================================================
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from simdes.crypto import archive
from simdes.errors import Conflict, Invalid, NotFound, SimdesError, Unavailable, Unsupported

VERSION: Final = 1
_ABOUT: Final = "repository"
_ARCHIVE: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_SUFFIX: Final = ".backup"
_COMING: Final = ".coming"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A backup as its header in clear describes it; ``problem`` says why that can't be read."""

    name: str
    bytes: int
    created_ms: int
    release: str = ""
    revision: str = ""
    dialect: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """Backups of ``organisation`` in a folder."""

    folder: Path
    organisation: bytes

    @property
    def blocks(self) -> str:
        """The URL of the store of blocks."""
        return f"file:{self.folder / 'blocks'}"

    @property
    def archives(self) -> Path:
        """The folder of the encrypted files."""
        return self.folder / "archives"

    def path(self, name: str) -> Path:
        """The file of a backup. Raises Invalid for what is no backup's name."""
        if not _ARCHIVE.fullmatch(name):
            raise Invalid(
                f"{name!r} is no backup's name.", advice="`simdes backup list` shows them."
            )
        return self.archives / (name + _SUFFIX)

    def listed(self) -> list[Archived]:
        """Every backup, oldest first."""
        names = sorted(
            path.name.removesuffix(_SUFFIX)
            for path in self.archives.glob(f"*{_SUFFIX}")
            if _ARCHIVE.fullmatch(path.name.removesuffix(_SUFFIX))
        )
        return sorted(map(self._described, names), key=lambda one: (one.created_ms, one.name))

    def _described(self, name: str) -> Archived:
        path = self.path(name)
        at = datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        named = Archived(name=name, bytes=0, created_ms=int(at.timestamp() * 1000))
        try:
            with path.open("rb") as file:
                header = archive.read_header(file)
            return replace(
                named,
                created_ms=int(header["created_ms"]),
                bytes=path.stat().st_size,
                release=str(header["release"]),
                revision=str(header["revision"]),
                dialect=str(header["dialect"]),
            )
        except OSError as error:
            return replace(named, problem=os.strerror(error.errno or 0))
        except (SimdesError, KeyError, ValueError, TypeError) as error:
            words = error.message if isinstance(error, SimdesError) else "Its header is damaged."
            return replace(named, bytes=path.stat().st_size, problem=words)

    def chosen(self, name: str | None, *, until_ms: int | None) -> Archived:
        """The backup of a name, else the newest, or the newest made until a time.

        Raises NotFound where there is none.
        """
        found = [
            one
            for one in self.listed()
            if (name is None or one.name == name)
            and (until_ms is None or one.created_ms <= until_ms)
        ]
        if name is None:
            found = [one for one in found if not one.problem] or found
        if not found:
            raise NotFound(
                "There is no such backup." if name or until_ms else "There is no backup yet.",
                advice="`simdes backup list` shows which there are.",
            )
        return found[-1]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one program that writes here; removes what broken-off ones left behind."""
        with self._locked():
            for left in self.archives.glob(f"*{_COMING}"):
                left.unlink(missing_ok=True)
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with translated(self.folder), (self.folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Conflict(
                    "Another backup is being written into this folder.",
                    advice="Wait until it is done.",
                ) from None
            yield


def new_name(now_ms: int) -> str:
    """A name for a backup made now; in the order of time."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{at}-{secrets.token_hex(4)}"


def open_repository(
    folder: Path, *, organisation: bytes | None = None, create: bool = False
) -> Repository:
    """Open a folder of backups; with ``create`` make one where there is none.

    Raises NotFound where it holds none, Conflict where they are another organisation's,
    Unsupported for a later release's, Unavailable where the folder can't be used.
    """
    with translated(folder):
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            found = bytes.fromhex(about["organisation"].removeprefix("0x"))
            version = about["v"]
        except FileNotFoundError:
            if not create or organisation is None:
                raise NotFound(
                    f"{folder} holds no backups.",
                    advice="Name the folder `simdes backup` wrote to.",
                ) from None
            return _made(folder, organisation)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Invalid(f"{folder / _ABOUT} is damaged.") from None
    if version != VERSION:
        raise Unsupported("The folder of backups was written by a later release.")
    if organisation is not None and found != organisation:
        raise Conflict(
            f"{folder} holds the backups of another organisation.", advice="Name another folder."
        )
    return Repository(folder, found)


def _made(folder: Path, organisation: bytes) -> Repository:
    if folder.is_dir() and any(folder.iterdir()):
        raise Conflict(
            f"{folder} holds other things.", advice="Name an empty folder, or one to be made."
        )
    (folder / "archives").mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    about: dict[str, Any] = {"v": VERSION, "organisation": "0x" + organisation.hex()}
    put(folder / _ABOUT, lambda file: file.write(json.dumps(about).encode() + b"\n"))
    return Repository(folder, organisation)


def put(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place, for its owner alone, and move it there when it is durable.

    Raises Unavailable where the folder takes it not, for want of room for one; nothing of it stays.
    """
    coming = path.with_name(path.name + _COMING)
    with translated(path.parent):
        try:
            with open(coming, "wb", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            coming.replace(path)
        except BaseException:
            with suppress(OSError):
                coming.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed or removed in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """The system's errors about a folder as ours."""
    try:
        yield
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else type(error).__name__
        raise Unavailable(
            f"{folder} can't be used: {words}.",
            advice="Check the folder's rights and the free space on its disk.",
        ) from error
