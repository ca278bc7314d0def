"""What only the folder store can show: damage on disk, crashes, other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simdes.errors import NotFound, Tampered, Unavailable
from simdes.storage.cid import cid_of, parse
from simdes.storage.file import FileStore
from simdes.storage.layout import BLOCK_BYTES


def _file(folder: Path, cid: str) -> Path:
    name = parse(cid)[1].hex()
    return folder / name[:2] / name


def test_every_flipped_byte_on_disk_is_found_out(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    cid = store.put(b"a sealed record")
    path = _file(tmp_path, cid)
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :])
        with pytest.raises(Tampered):
            store.get(cid)
    path.write_bytes(good[:-1])
    with pytest.raises(Tampered):
        store.get(cid)
    path.write_bytes(bytes(BLOCK_BYTES + 1))
    with pytest.raises(Tampered):
        store.get(cid)


def test_storing_again_repairs_a_damaged_block(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    cid = store.put(b"a sealed record")
    _file(tmp_path, cid).write_bytes(b"a sealed recorD")
    assert store.put(b"a sealed record") == cid
    assert store.get(cid) == b"a sealed record"


def test_a_missing_block_of_large_content_is_not_found(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    content = os.urandom(2 * BLOCK_BYTES)
    cid = store.put(content)
    _file(tmp_path, cid_of(content[BLOCK_BYTES:])).unlink()
    assert not store.has(cid)
    with pytest.raises(NotFound):
        store.get(cid)


def test_blocks_are_for_the_owner_alone(tmp_path: Path) -> None:
    cid = FileStore(tmp_path / "blocks").put(b"a sealed record")
    path = _file(tmp_path / "blocks", cid)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_nothing_but_whole_blocks_is_left_where_blocks_lie(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for size in (0, 5, BLOCK_BYTES, 2 * BLOCK_BYTES + 7):
        store.put(os.urandom(size))
    assert list((tmp_path / "coming").iterdir()) == []


WRITER = """
import os, sys
from pathlib import Path
from simdes.storage.file import FileStore
store = FileStore(Path(sys.argv[1]))
while True:
    print(store.put(os.urandom(200_000)), flush=True)
"""


def test_a_killed_writer_leaves_whole_blocks_and_every_acknowledged_one(tmp_path: Path) -> None:
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip()]
        time.sleep(0.05)
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().split()
        writer.wait()
        store = FileStore(tmp_path)
        complete = [cid for cid in acknowledged if len(cid) == 59]
        assert all(len(store.get(cid)) == 200_000 for cid in complete)
    names = list(tmp_path.glob("[0-9a-f][0-9a-f]/*"))
    assert len(names) >= 3
    assert all(path.stat().st_size == 200_000 for path in names)


def test_what_crashed_writers_left_is_removed_an_hour_later(tmp_path: Path) -> None:
    FileStore(tmp_path)
    old, fresh = tmp_path / "coming" / "old", tmp_path / "coming" / "fresh"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    FileStore(tmp_path)
    assert not old.exists()
    assert fresh.exists()


def test_a_folder_that_becomes_unwritable_is_unavailable(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    (tmp_path / "coming").rmdir()
    with pytest.raises(Unavailable):
        store.put(b"a sealed record")
