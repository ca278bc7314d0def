"""Content store on a Kubo node, over its RPC API (https://docs.ipfs.tech/reference/kubo/rpc/).

The gateway computes each CID itself and compares it with the node's. A node waits for ever for a
block that no peer has, so every call carries a time-out, on the node and on the connection.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import httpx

from simdes import tracing
from simdes.budget import left
from simdes.errors import NotFound, Tampered, Unavailable
from simdes.storage.cid import RAW, check, cid_of, parse
from simdes.storage.layout import BLOCK_BYTES
from simdes.storage.store import BlockStore
from simdes.tls import trusted

_CODECS: Final = {RAW: "raw"}
_MISSING: Final = ("not found", "could not find", "no such")
_NOT_PINNED: Final = ("not pinned", "pinned indirectly")
_MAX_ANSWER_BYTES: Final = 64 << 10
_AT_ONCE: Final = 8


class KuboStore(BlockStore):
    """Blocks on one node, each pinned there."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """``url`` is the address of the RPC API, such as ``http://127.0.0.1:5001``."""
        self._timeout = f"{int(timeout_seconds * 1000)}ms"
        # Longer than the node's own time-out, so that the node's answer says what was wrong.
        self._seconds = timeout_seconds + 1
        self._connect = min(timeout_seconds, 2.0)
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v0/",
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=8),
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
        )

    def put_block(self, codec: int, block: bytes) -> str:
        """See `BlockStore`."""
        cid = cid_of(block, codec=codec)
        answer = self._ask(
            "block/put",
            {
                "cid-codec": _CODECS.get(codec, "dag-cbor"),
                "mhtype": "sha2-256",
                "pin": "true",
            },
            block=block,
        )
        if answer.get("Key") != cid:
            raise Tampered("The IPFS node stored a block under another CID than its bytes have")
        return cid

    def put_many(self, contents: Sequence[bytes]) -> list[str]:
        """See `Store`; the node syncs each block, and several at once."""
        if len(contents) < 2:
            return [self.put(content) for content in contents]
        with ThreadPoolExecutor(min(len(contents), _AT_ONCE)) as pool:
            return list(pool.map(self.put, contents))

    def get_block(self, cid: str) -> bytes:
        """See `BlockStore`; the node asks its peers for a block that it does not have itself."""
        try:
            return self.get_block_here(cid)
        except NotFound:
            return check(cid, self._call("block/get", {"arg": cid}, most_bytes=BLOCK_BYTES))

    def get_block_here(self, cid: str) -> bytes:
        """See `Store`; the node looks at its own disk alone, so that it answers at once."""
        parse(cid)
        query = {"arg": cid, "offline": "true"}
        return check(cid, self._call("block/get", query, most_bytes=BLOCK_BYTES))

    def has_block(self, cid: str) -> bool:
        """See `BlockStore`."""
        parse(cid)
        try:
            self._ask("block/stat", {"arg": cid, "offline": "true"})
        except NotFound:
            return False
        return True

    def verify(self, cid: str) -> int:
        """See `Store`; what is not pinned goes with the node's next garbage collection."""
        size = super().verify(cid)
        self._ask("pin/ls", {"arg": cid, "type": "recursive"})
        return size

    def delete_blocks(self, cids: Sequence[str]) -> None:
        """See `BlockStore`; peers that fetched the blocks keep their copies.

        A root's pin holds what it links, so pins go first and from the root down. A block that
        the node's owner pinned otherwise stays.
        """
        for cid in cids:
            parse(cid)
        for cid in reversed(cids):
            with suppress(NotFound):  # not pinned, or not there
                self._ask("pin/rm", {"arg": cid})
        for cid in cids:
            self._call("block/rm", {"arg": cid, "force": "true"}, most_bytes=_MAX_ANSWER_BYTES)

    def close(self) -> None:
        """See `Store`."""
        self._http.close()

    def _ask(
        self, verb: str, query: Mapping[str, str], *, block: bytes | None = None
    ) -> dict[str, Any]:
        raw = self._call(verb, query, block=block, most_bytes=_MAX_ANSWER_BYTES)
        try:
            answer = httpx.Response(200, content=raw).json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Unavailable("The IPFS node's answer makes no sense", advice=_ADVICE)
        return answer

    def _call(
        self,
        verb: str,
        query: Mapping[str, str],
        *,
        block: bytes | None = None,
        most_bytes: int,
    ) -> bytes:
        with tracing.span("ipfs", kind=tracing.CLIENT, rpc_method=verb):
            return self._post(verb, query, block=block, most_bytes=most_bytes)

    def _post(
        self,
        verb: str,
        query: Mapping[str, str],
        *,
        block: bytes | None,
        most_bytes: int,
    ) -> bytes:
        files = None if block is None else {"data": ("block", block, "application/octet-stream")}
        seconds = left(self._seconds)
        if seconds <= 0:
            raise Unavailable("No time is left to ask the IPFS node")
        deadline = time.monotonic() + seconds
        try:
            with self._http.stream(
                "POST",
                verb,
                params={**query, "timeout": self._timeout},
                files=files,
                timeout=httpx.Timeout(seconds, connect=min(self._connect, seconds)),
            ) as response:
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > most_bytes:
                        raise Tampered("The IPFS node answered with more than a block may hold")
                    if time.monotonic() > deadline:  # the connection's limit is for each piece
                        raise Unavailable("The IPFS node answers too slowly", advice=_ADVICE)
        except httpx.TimeoutException:
            raise Unavailable("The IPFS node did not answer in time", advice=_ADVICE) from None
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise Unavailable(f"The IPFS node cannot be reached ({kind})", advice=_ADVICE) from None
        if response.status_code == httpx.codes.OK:
            return bytes(body)
        raise _refusal(response.status_code, bytes(body))


_ADVICE: Final = "Check that Kubo runs and that the storage URL is its RPC address."


def _refusal(status: int, body: bytes) -> NotFound | Unavailable:
    text = body.decode("utf-8", "replace").lower()
    if status == httpx.codes.INTERNAL_SERVER_ERROR and any(
        said in text for said in (*_MISSING, *_NOT_PINNED)
    ):
        return NotFound("The IPFS node does not have this block")
    return Unavailable(f"The IPFS node refused the call (HTTP {status})", advice=_ADVICE)
