"""A store in front of another that keeps what was read: for small contents that are always needed.

Organisations' descriptors say where others are reached, also while the own store is down; a content
never changes under its CID, so what was kept once is right for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from simdes.errors import NotFound, Tampered, Unavailable
from simdes.storage.cid import parse
from simdes.storage.store import BlockStore


class RememberedStore(BlockStore):
    """Reads from ``near``, else from ``far``, and keeps it near; writes to both."""

    def __init__(self, near: BlockStore, far: BlockStore) -> None:
        self._near, self._far = near, far

    def put_block(self, codec: int, block: bytes) -> str:
        """See `BlockStore`."""
        self._near.put_block(codec, block)
        return self._far.put_block(codec, block)

    def get_block(self, cid: str) -> bytes:
        """See `BlockStore`."""
        with suppress(NotFound, Tampered, Unavailable):
            return self._near.get_block_here(cid)
        block = self._far.get_block(cid)
        with suppress(Unavailable):  # a full disk here is no reason not to read
            self._near.put_block(parse(cid)[0], block)
        return block

    def get_block_here(self, cid: str) -> bytes:
        """See `Store`."""
        return self._near.get_block_here(cid)

    def has_block(self, cid: str) -> bool:
        """See `BlockStore`."""
        return self._near.has_block(cid)

    def delete_blocks(self, cids: Sequence[str]) -> None:
        """See `BlockStore`."""
        self._near.delete_blocks(cids)
        self._far.delete_blocks(cids)

    def close(self) -> None:
        """See `Store`; the far store is its owner's to close."""
        self._near.close()
