"""Reading goes elsewhere when the own store does not give a block, and waits for it once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simdes.errors import NotFound, Tampered, Unavailable
from simdes.storage.cid import cid_of, parse
from simdes.storage.fallback import REST_SECONDS, FallbackStore
from simdes.storage.file import FileStore
from simdes.storage.layout import BLOCK_BYTES
from simdes.storage.remembered import RememberedStore

RECORD = b"a sealed record"


class Away(FileStore):
    """A folder that does not answer while ``away``; every try is counted."""

    away = True
    tries = 0

    def get_block_here(self, cid: str) -> bytes:
        self.tries += 1
        if self.away:
            raise Unavailable("hung")
        return super().get_block_here(cid)


def nobody(cid: str) -> bytes:
    raise NotFound("nobody has it")


@pytest.fixture
def others(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "others")


def damage(folder: Path, cid: str) -> None:
    name = parse(cid)[1].hex()
    (folder / name[:2] / name).write_bytes(b"rubbish")


def test_a_missing_block_comes_from_elsewhere_and_is_reported(
    tmp_path: Path, others: FileStore
) -> None:
    missed: list[str] = []
    store = FallbackStore(FileStore(tmp_path / "own"), others.get_block, missed=missed.append)
    cid = others.put(RECORD)
    assert store.get(cid) == RECORD
    assert missed == [cid]
    assert not store.has(cid)


def test_a_damaged_block_is_never_given_out(tmp_path: Path, others: FileStore) -> None:
    own = FileStore(tmp_path / "own")
    cid = own.put(RECORD)
    damage(tmp_path / "own", cid)
    with pytest.raises(Tampered):
        FallbackStore(own, nobody).get(cid)
    with pytest.raises(Tampered):
        FallbackStore(own, lambda _: b"other bytes").get(cid)
    others.put(RECORD)
    assert FallbackStore(own, others.get_block).get(cid) == RECORD


def test_a_store_that_hangs_is_waited_for_once_and_asked_again_later(
    tmp_path: Path, others: FileStore
) -> None:
    now = [0.0]
    own = Away(tmp_path / "own")
    store = FallbackStore(own, others.get_block, clock=lambda: now[0])
    cid = others.put(RECORD)
    for _ in range(5):
        assert store.get(cid) == RECORD
    assert own.tries == 1
    own.away, now[0] = False, REST_SECONDS + 1
    own.put(RECORD)
    assert store.get(cid) == RECORD
    assert own.tries == 2


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_large_content_is_mended_block_by_block(
    tmp_path: Path, others: FileStore, spoil: Callable[[Path], object]
) -> None:
    content = bytes(2 * BLOCK_BYTES) + b"end"
    own = FileStore(tmp_path / "own")
    cid = own.put(content)
    others.put(content)
    name = parse(cid_of(b"end"))[1].hex()
    spoil(tmp_path / "own" / name[:2] / name)
    store = FallbackStore(own, others.get_block)
    with pytest.raises((NotFound, Tampered)):
        store.verify(cid)
    store.mend(cid)
    assert store.verify(cid) == len(content)


def test_what_was_read_once_is_remembered_when_the_store_is_away(tmp_path: Path) -> None:
    far = Away(tmp_path / "far")
    far.away = False
    cid = far.put(RECORD)
    store = RememberedStore(FileStore(tmp_path / "near"), far)
    assert store.get(cid) == RECORD
    far.delete(cid)
    assert store.get(cid) == RECORD
