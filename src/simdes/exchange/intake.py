"""Files on disk → mappings: the first step of `map` and `ingest`, nothing lost on the way.

A path that can't be read is a quarantined entry with a reason, like any other bad input; a folder
is read recursively in a stable order. Nothing here knows a network or a database.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simdes.errors import Invalid, NotFound, TooLarge
from simdes.mapper import (
    DEFAULT_SITE,
    LIMITS,
    Mapping,
    Quarantined,
    Site,
    check_site,
    map_bytes,
    site_of,
)
from simdes.mapper.tabular import inferring


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to map.

    ``name`` is its path relative to what the user named, with ``/``; bytes that are no UTF-8 are
    written ``\\xff``. Of several files of one name the later ones begin with a number and ``/``.
    """

    name: str
    path: Path


def source_files(paths: Sequence[Path]) -> tuple[SourceFile, ...]:
    """List the files that paths name; folders recursively, in order of their names.

    Symbolic links inside folders are not followed, so that a link can't lead out or round; they
    and folders that can't be read are listed, so that nothing is passed over in silence.
    Raises NotFound naming the first path that does not exist.
    """
    for path in paths:
        if not path.exists():
            raise NotFound(f"{path} does not exist.", advice="Check the path.")
    found: dict[str, SourceFile] = {}
    for number, path in enumerate(paths, 1):
        for file in _below(path):
            name = os.fsencode(file.name).decode("utf-8", "backslashreplace")
            while name in found:
                name = f"{number}/{name}"
            found[name] = SourceFile(name, file.path)
    return tuple(found.values())


def _below(path: Path) -> Iterator[SourceFile]:
    if not path.is_dir():
        yield SourceFile(path.name, path)
        return
    closed: list[str] = []
    for folder, folders, names in os.walk(path, onerror=lambda one: closed.append(one.filename)):
        folders.sort()
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted([*names, *linked]):
            found = Path(folder) / name
            yield SourceFile(found.relative_to(path).as_posix(), found)
    for unread in map(Path, closed):  # so that they show up as what can't be read
        yield SourceFile(unread.relative_to(path).as_posix(), unread)


SITE_BYTES = 16 * 1024 * 1024
"""How much the files of one site may hold together."""


def read_site(folder: Path, *, default: Site = DEFAULT_SITE) -> Site:
    """Read what a site says about its sources (`simdes.mapper.site`).

    Raises NotFound where there is no such folder, Invalid naming the file that is wrong.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is no folder.", advice="Name the folder that has site.toml.")
    files: dict[str, bytes] = {}
    for file in source_files([folder]):
        if not file.path.is_file() or file.path.is_symlink():
            raise Invalid(f"{file.name} is not a regular file", advice="A site has only files.")
        files[file.name] = file.path.read_bytes()
        if sum(map(len, files.values())) > SITE_BYTES:
            raise TooLarge(f"{folder} holds more than {SITE_BYTES:,} bytes")
    site = site_of(files, default=default)
    check_site(site)
    return site


def infer_map(file: Path, *, site: Site = DEFAULT_SITE) -> inferring.Draft:
    """Draft a map for a table. Raises NotFound, Invalid where it is none, TooLarge."""
    if not file.is_file():
        raise NotFound(f"{file} is no file.", advice="Name one CSV or TSV file.")
    if file.stat().st_size > LIMITS.file_bytes:
        raise TooLarge(
            f"{file} is above {LIMITS.file_bytes:,} bytes", advice="Give its first part."
        )
    return inferring.draft(file.name, file.read_bytes(), site=site, limits=LIMITS)


def map_file(
    file: SourceFile, *, kind: str = "auto", site: Site = DEFAULT_SITE, explain: bool = False
) -> Mapping:
    """Map one file; what can't be read at all comes back quarantined, never as an exception."""
    try:
        status = file.path.lstat() if file.path.is_symlink() else file.path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _unread(file, "not-a-file", "This is not a regular file (a link or a device).")
        if status.st_size > LIMITS.file_bytes:
            return _unread(
                file,
                "file-too-large",
                f"The file has {status.st_size:,} bytes; the limit is {LIMITS.file_bytes:,}.",
            )
        data = file.path.read_bytes()
    except OSError as error:
        return _unread(file, "unreadable", f"The file can't be read: {error.strerror}.")
    return map_bytes(file.name, data, kind=kind, site=site, explain=explain)


def _unread(file: SourceFile, code: str, reason: str) -> Mapping:
    return Mapping(
        name=file.name,
        kind="unknown",
        quarantined=(
            Quarantined(
                index=0,
                reason_code=code,
                reason=reason,
                advice="Correct the file and give it again, or leave it out.",
                source=b"",
            ),
        ),
    )
