"""What a content store does, and which one a URL names.

``file:PATH`` is a folder; ``ipfs:http://127.0.0.1:5001`` a Kubo node's RPC address. What is stored
is sealed before it comes here, so a store may be copied by anybody; what is read is hashed again,
so a store may lie and only be found out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from simdes.errors import Invalid, NotFound, Tampered
from simdes.storage import layout
from simdes.storage.cid import cid_of, cid_of_digest, digest_of_cid, parse

__all__ = ["BlockStore", "Store", "cid_of", "cid_of_digest", "digest_of_cid", "open_store"]

MOST_BYTES: Final = 256 << 20
"""Content that `get` reads into memory unless told otherwise; larger goes by `get_chunks`."""


_NOWHERE: Final = cid_of(b"simdes probe")
"""The CID of a block that nobody stores: whether it is there is all that is asked."""


class Store(Protocol):
    """Content by CID. Safe to share between threads.

    Every verb raises `Unavailable` when the store does not answer in time, and `Invalid` or
    `Unsupported` for a CID of another kind than this network's.
    """

    def put(self, content: bytes | Iterable[bytes]) -> str:
        """Store content and return its CID; durable when it returns, harmless when repeated."""

    def put_many(self, contents: Sequence[bytes]) -> list[str]:
        """Store several contents and return their CIDs in order; cheaper than one by one."""

    def get(self, cid: str, *, most_bytes: int = MOST_BYTES) -> bytes:
        """Read content whole.

        Raises:
            NotFound: the store does not have it.
            Tampered: its bytes are not those the CID names.
            TooLarge: it is longer than ``most_bytes``.

        """

    def get_chunks(self, cid: str) -> Iterator[bytes]:
        """Read content block by block (at most 1 MiB each), each block checked; as `get`."""

    def has(self, cid: str) -> bool:
        """Whether every block of the content is in this store itself."""

    def get_block(self, cid: str) -> bytes:
        """Read one block, wherever it can be had from; as `get`."""

    def get_block_here(self, cid: str) -> bytes:
        """Read one block as it lies in this store itself, without asking anybody else; as `get`."""

    def get_block_near(self, cid: str) -> bytes:
        """Read one block from this store or its own peers (IPFS), from nobody else; as `get`."""

    def verify(self, cid: str) -> int:
        """Read all of the content again as it lies in this store itself; its size in bytes.

        Raises:
            NotFound: a block is missing, or nothing keeps the content from being cleared away.
            Tampered: a block has other bytes than its CID names.

        """

    def mend(self, cid: str) -> None:
        """Make content that `verify` refuses whole here again, where somebody else has it; as
        `get`."""

    def delete(self, cid: str) -> None:
        """Remove the content from this store; nothing happens when it is not there.

        Content that shares blocks with other content may take them along; sealed content shares
        none.
        """

    def probe(self) -> None:
        """Raise Unavailable where nothing can be stored or read now."""

    def close(self) -> None:
        """Let go of connections."""


class BlockStore(ABC):
    """A `Store` over single blocks."""

    @abstractmethod
    def put_block(self, codec: int, block: bytes) -> str:
        """Store one block durably and return its CID."""

    @abstractmethod
    def get_block(self, cid: str) -> bytes:
        """Read one block, hashed again."""

    @abstractmethod
    def get_block_here(self, cid: str) -> bytes:
        """See `Store`."""

    def get_block_near(self, cid: str) -> bytes:
        """See `Store`."""
        return self.get_block(cid)

    @abstractmethod
    def has_block(self, cid: str) -> bool:
        """Whether the block is in this store itself."""

    @abstractmethod
    def delete_blocks(self, cids: Sequence[str]) -> None:
        """Remove blocks in this order, a root behind what it links; absent ones are ignored."""

    def put(self, content: bytes | Iterable[bytes]) -> str:
        """See `Store`."""
        return layout.put(content, self.put_block)

    def put_many(self, contents: Sequence[bytes]) -> list[str]:
        """See `Store`."""
        return [self.put(content) for content in contents]

    def get(self, cid: str, *, most_bytes: int = MOST_BYTES) -> bytes:
        """See `Store`."""
        return layout.get(cid, self.get_block, most_bytes=most_bytes)

    def get_chunks(self, cid: str) -> Iterator[bytes]:
        """See `Store`."""
        return layout.get_chunks(cid, self.get_block)

    def has(self, cid: str) -> bool:
        """See `Store`."""
        if not self.has_block(cid):
            return False
        return all(self.has_block(link) for link in layout.links_of(cid, self.get_block_here))

    def verify(self, cid: str) -> int:
        """See `Store`."""
        return sum(len(chunk) for chunk in layout.get_chunks(cid, self.get_block_here))

    def mend(self, cid: str) -> None:
        """See `Store`; blocks that are missing or wrong are read as `get_block` finds them."""
        self._mend_block(cid, cid)
        for link in layout.links_of(cid, self.get_block_here):
            self._mend_block(link, cid)
        # Once more, so that the whole is kept and not only in reach.
        self.put_block(parse(cid)[0], self.get_block_here(cid))

    def _mend_block(self, cid: str, root: str) -> None:
        try:
            self.get_block_here(cid)
            return
        except (NotFound, Tampered):
            block = self.get_block(cid)
        # The root goes along: a node deletes nothing that a kept root leads to.
        above = self.get_block_here(root) if cid != root else None
        self.delete_blocks([cid] if above is None else [cid, root])
        self.put_block(parse(cid)[0], block)
        if above is not None:
            self.put_block(parse(root)[0], above)

    def delete(self, cid: str) -> None:
        """See `Store`; the root goes last, so that a repeated call finds what is left.

        A damaged root no longer names its blocks: it goes alone.
        """
        try:
            links = layout.links_of(cid, self.get_block_here) if self.has_block(cid) else ()
        except (NotFound, Tampered):
            links = ()
        self.delete_blocks((*links, cid))

    def probe(self) -> None:
        """See `Store`."""
        self.has_block(_NOWHERE)

    @abstractmethod
    def close(self) -> None:
        """See `Store`."""


ANSWER_SECONDS: Final = 3.0
"""How long a node may take to answer: a reader waits for several blocks, and for ten seconds."""


def open_store(url: str, *, timeout_seconds: float = ANSWER_SECONDS) -> BlockStore:
    """Open ``file:PATH`` or ``ipfs:http://HOST:PORT``.

    ``timeout_seconds`` bounds every answer of a node; a block that no peer has is waited for that
    long.

    Raises:
        Invalid: the URL names neither.
        Unavailable: the folder cannot be made.

    """
    kind, _, rest = url.partition(":")
    if kind == "file" and rest:
        from simdes.storage.file import FileStore  # noqa: PLC0415 - it builds on this module

        return FileStore(Path(rest))
    if kind == "ipfs" and rest.startswith(("http://", "https://")):
        from simdes.storage.kubo import KuboStore  # noqa: PLC0415 - the same; and loads httpx

        return KuboStore(rest, timeout_seconds=timeout_seconds)
    raise Invalid(
        "The storage URL is neither file:PATH nor ipfs:http://HOST:PORT",
        advice="Set the storage URL to file:PATH or to ipfs: and the address of Kubo's RPC API.",
    )
