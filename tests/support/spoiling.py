"""Servers that stand before real ones and say some things otherwise: nodes that lie or lag."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Answer = Callable[[Any], Any]
"""From what the node said to what is said instead."""


@contextmanager
def node_that_says(url: str, instead: Mapping[str, Answer]) -> Iterator[str]:
    """A JSON-RPC node before another one, which changes what some methods answer."""

    def one(question: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        change = instead.get(question["method"])
        if change is None:
            return answer
        return {"jsonrpc": "2.0", "id": question["id"], "result": change(answer.get("result"))}

    def reply(path: str, body: bytes) -> tuple[int, bytes]:
        document = json.loads(body)
        said = httpx.post(url, json=document, trust_env=False).json()
        if isinstance(document, list):
            by_id = {entry["id"]: entry for entry in said}
            return 200, json.dumps([one(q, by_id[q["id"]]) for q in document]).encode()
        return 200, json.dumps(one(document, said)).encode()

    with http_server(reply) as place:
        yield place


@contextmanager
def http_server(reply: Callable[[str, bytes], tuple[int, bytes]]) -> Iterator[str]:
    """A server on this machine that answers GET and POST with what ``reply`` gives; its address."""

    class Face(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, content = reply(
                self.path, self.rfile.read(int(self.headers["content-length"] or 0))
            )
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Face)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
