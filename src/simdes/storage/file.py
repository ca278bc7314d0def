"""Content store in a folder: one file a block, named by its digest, in 256 sub-folders.

A block is written beside its place, synced, renamed into it, and the folder synced, so that after
a crash a block is there whole or not at all (https://www.kernel.org/doc/html/latest/filesystems/
ext4/). File names come from digests, never from text that somebody sends.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from simdes.errors import NotFound, Tampered, Unavailable
from simdes.storage.cid import RAW, check, cid_of, parse
from simdes.storage.layout import BLOCK_BYTES
from simdes.storage.store import BlockStore
from simdes.tracing import step

_COMING: Final = "coming"
"""Sub-folder of blocks not yet in place; a crash leaves some, `FileStore` removes them."""
_OLD_SECONDS: Final = 3600


class FileStore(BlockStore):
    """Blocks under a folder; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if needed and drop what crashed writers left long ago.

        Raises:
            Unavailable: it cannot be made or written.

        """
        self._folder = folder
        self._coming = folder / _COMING
        try:
            self._coming.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
            _sync_folder(folder)
        except OSError as error:
            raise _unavailable(error) from error

    @step("store put block")
    def put_block(self, codec: int, block: bytes) -> str:
        """See `BlockStore`."""
        return self._put([(codec, block)])[0]

    def put_many(self, contents: Sequence[bytes]) -> list[str]:
        """See `Store`; small contents are written first and each folder is synced once."""
        small = [content for content in contents if len(content) <= BLOCK_BYTES]
        cids = iter(self._put([(RAW, content) for content in small]))
        return [
            next(cids) if len(content) <= BLOCK_BYTES else self.put(content) for content in contents
        ]

    @step("store get block")
    def get_block(self, cid: str) -> bytes:
        """See `BlockStore`."""
        path = self._path(cid)
        try:
            with path.open("rb") as file:
                block = file.read(BLOCK_BYTES + 1)
        except FileNotFoundError:
            raise NotFound(f"The store has no block {cid}") from None
        except OSError as error:
            raise _unavailable(error) from error
        if len(block) > BLOCK_BYTES:
            raise Tampered(f"The block under {cid} is larger than a block may be")
        return check(cid, block)

    def get_block_here(self, cid: str) -> bytes:
        """See `Store`; a folder asks nobody else anyway."""
        return self.get_block(cid)

    def has_block(self, cid: str) -> bool:
        """See `BlockStore`."""
        return self._path(cid).is_file()

    def probe(self) -> None:
        """See `Store`; a disk that is gone or read-only shows without anything being written."""
        if not os.access(self._coming, os.W_OK | os.X_OK):
            raise _unavailable(OSError(errno.EACCES, "not writable"))

    def delete_blocks(self, cids: Sequence[str]) -> None:
        """See `BlockStore`."""
        try:
            for path in [self._path(cid) for cid in cids]:
                path.unlink(missing_ok=True)
                if path.parent.exists():
                    _sync_folder(path.parent)
        except OSError as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """See `Store`; there is nothing to let go of."""

    def _put(self, blocks: Sequence[tuple[int, bytes]]) -> list[str]:
        cids = [cid_of(block, codec=codec) for codec, block in blocks]
        paths = [self._path(cid) for cid in cids]
        try:
            self._make_folders({path.parent for path in paths})
            for path, (_, block) in zip(paths, blocks, strict=True):
                if not _holds(path, block):
                    self._write(path, block)
            # Also for blocks that were there: whoever wrote them may not have synced yet.
            for folder in {path.parent for path in paths}:
                _sync_folder(folder)
        except OSError as error:
            raise _unavailable(error) from error
        return cids

    def _path(self, cid: str) -> Path:
        name = parse(cid)[1].hex()
        return self._folder / name[:2] / name

    def _make_folders(self, folders: Iterable[Path]) -> None:
        made = False
        for folder in folders:
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                made = True
        if made:
            _sync_folder(self._folder)

    def _write(self, path: Path, block: bytes) -> None:
        coming = self._coming / secrets.token_hex(16)
        try:
            descriptor = os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                view = memoryview(block)
                while view:
                    view = view[file.write(view) :]
                os.fsync(descriptor)
            coming.replace(path)
        finally:
            with suppress(FileNotFoundError):
                coming.unlink()

    def _sweep(self) -> None:
        newest = max((entry.stat().st_mtime for entry in self._coming.iterdir()), default=0.0)
        for entry in self._coming.iterdir():
            # Against the newest, not the clock: a live writer's file is never an hour behind.
            if entry.stat().st_mtime < newest - _OLD_SECONDS:
                entry.unlink(missing_ok=True)


def _holds(path: Path, block: bytes) -> bool:
    """Whether the file is there with these bytes; a damaged one is written again."""
    try:
        return path.stat().st_size == len(block) and path.read_bytes() == block
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(error: OSError) -> Unavailable:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return Unavailable(
        f"The storage folder cannot be used: {reason}",
        advice="Check the folder's rights and the free space on its disk.",
    )
