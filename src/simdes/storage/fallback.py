"""A store that goes elsewhere for what its own does not give: missing, damaged, down or slow.

Writing stays with the own store: what it does not take is not stored, and whoever writes waits.
Reading a block asks the own disk, then the store's own peers (IPFS), then ``elsewhere``, which asks
other organisations; whatever they give is hashed. A store that did not answer, or took long, is
left alone for some seconds, so that a reader who needs several blocks waits for it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from simdes.errors import NotFound, SimdesError, Tampered, Unavailable
from simdes.storage.cid import check
from simdes.storage.store import BlockStore
from simdes.tracing import step

REST_SECONDS: Final = 5.0
"""How long a store that failed or was slow is left alone."""
SLOW_SECONDS: Final = 1.0

Elsewhere = Callable[[str], bytes]
"""CID -> block; raises `NotFound` or `Unavailable` where nobody gives it."""
Missed = Callable[[str], None]
"""Is told the CID of a block that the own store should be looked at for."""


class FallbackStore(BlockStore):
    """The own store, and elsewhere for what it does not give. Safe to share between threads."""

    def __init__(
        self,
        here: BlockStore,
        elsewhere: Elsewhere,
        *,
        missed: Missed = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.here = here
        self._elsewhere = elsewhere
        self._missed = missed
        self._clock = clock
        self._rests_until = float("-inf")

    def put_block(self, codec: int, block: bytes) -> str:
        """See `BlockStore`; the own store alone."""
        return self.here.put_block(codec, block)

    @step("store put many")
    def put_many(self, contents: Sequence[bytes]) -> list[str]:
        """See `Store`; the own store alone."""
        return self.here.put_many(contents)

    def get_block(self, cid: str) -> bytes:
        """See `BlockStore`; a block that is damaged here is taken from elsewhere, too.

        Raises:
            NotFound: the own store and everybody else say that they do not have it.
            Unavailable: somebody who may have it does not answer now.

        """
        found = self._read_here(cid)
        if isinstance(found, bytes):
            return found
        try:
            block = check(cid, self._elsewhere(cid))
        except NotFound:
            raise found from None
        except Unavailable as error:
            raise (found if isinstance(found, Tampered) else error) from None
        if not isinstance(found, Unavailable):
            self._missed(cid)
        return block

    def get_block_here(self, cid: str) -> bytes:
        """See `Store`."""
        return self.here.get_block_here(cid)

    def get_block_near(self, cid: str) -> bytes:
        """See `Store`."""
        found = self._read_here(cid)
        if isinstance(found, SimdesError):
            raise found
        return found

    def verify(self, cid: str) -> int:
        """See `Store`."""
        return self.here.verify(cid)

    def has_block(self, cid: str) -> bool:
        """See `BlockStore`."""
        return self.here.has_block(cid)

    def delete_blocks(self, cids: Sequence[str]) -> None:
        """See `BlockStore`; copies elsewhere are for whoever keeps them to delete."""
        self.here.delete_blocks(cids)

    def probe(self) -> None:
        """See `Store`; whether anything can be stored is up to the own store."""
        self.here.probe()

    def close(self) -> None:
        """See `Store`."""
        self.here.close()

    def _read_here(self, cid: str) -> bytes | SimdesError:
        """The block, or why the own store did not give it."""
        if self._clock() < self._rests_until:
            return Unavailable("The store is left alone for a moment; it did not answer.")
        begun = self._clock()
        try:
            return self.here.get_block_here(cid)
        except Unavailable as error:
            self._rests_until = self._clock() + REST_SECONDS
            return error
        except Tampered as error:
            return error
        except NotFound as error:
            failure: SimdesError = error
        finally:
            if self._clock() - begun > SLOW_SECONDS:
                self._rests_until = self._clock() + REST_SECONDS
        try:
            return self.here.get_block(cid)  # the node's peers
        except (NotFound, Unavailable, Tampered):
            return failure
