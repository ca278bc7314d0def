"""A ledger node that lies about state: its blocks are the chain's, what contracts answer is old.

Whoever holds such a node's machine could so show a consent that was revoked since. Everything else
it passes on unchanged.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx


class _Face(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    node: ClassVar[str]
    block: ClassVar[str]
    client: ClassVar[httpx.Client]

    def do_POST(self) -> None:
        """Answer a request or a batch."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = [self._as_of_then(one) for one in (body if isinstance(body, list) else [body])]
        answer = self.client.post(self.node, json=asked if isinstance(body, list) else asked[0])
        self.send_response(answer.status_code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def _as_of_then(self, one: dict[str, Any]) -> dict[str, Any]:
        if one["method"] == "eth_call":
            return one | {"params": [one["params"][0], self.block]}
        return one

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def stale(node: str, block: int) -> Iterator[str]:
    """Serve a node so that every call is answered by the state of an old block; its address."""
    with httpx.Client(timeout=30) as client:
        face = type("Face", (_Face,), {"node": node, "block": hex(block), "client": client})
        server = ThreadingHTTPServer(("127.0.0.1", 0), face)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
