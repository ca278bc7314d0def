"""Folders for what is de-identified and not anonymous yet: gone with the block that made them.

A program that is ended at once leaves them. Each holds a lock that the system lets go of with its
process, whatever ended that: so the next start finds those that nobody uses any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KINDS: Final = ("release", "order", "open", "run")
_LOCK: Final = "lock"


@contextmanager
def folder(kind: str) -> Iterator[Path]:
    """A new folder of one of `KINDS` that this user alone can read, until the block is left."""
    made = tempfile.TemporaryDirectory(prefix=f"simdes-{kind}-")
    drafted = Path(made.name) / ".lock"
    with drafted.open("xb") as held, made as name:
        fcntl.flock(held, fcntl.LOCK_EX)
        drafted.rename(Path(name) / _LOCK)  # so it is never there without being held
        yield Path(name)


def sweep() -> int:
    """Delete the folders of programs that were ended at once, of this user; how many there were."""
    place = Path(tempfile.gettempdir())
    found = [one for kind in KINDS for one in place.glob(f"simdes-{kind}-*")]
    return sum(_gone(one) for one in found)


def _gone(place: Path) -> bool:
    """Delete a folder, if it is ours and no process holds its lock."""
    try:
        status = place.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            return False
        held = os.open(place / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(place)
    except OSError:
        return False
    finally:
        os.close(held)
    return True
