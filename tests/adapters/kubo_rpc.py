"""A scripted Kubo: its block and pin RPC calls over a dict, and ways to misbehave.

Allowed because the suite that runs on it (`test_store.py`) runs on a real node too.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from simdes.errors import Tampered
from simdes.storage.cid import DAG_CBOR, RAW, cid_of, parse
from simdes.storage.layout import decode_root


class Node:
    """The node's blocks and pins; ``mischief`` names what goes wrong with the next calls."""

    def __init__(self) -> None:
        self.blocks: dict[str, bytes] = {}
        self.pins: set[str] = set()
        self.mischief = ""
        self.queries: list[dict[str, str]] = []
        self.url = ""

    def answer(self, verb: str, query: dict[str, str], block: bytes) -> tuple[int, bytes]:
        """Return status and body, as Kubo 0.42 words them."""
        match self.mischief:
            case "slow":
                time.sleep(1.5)
            case "flood":
                return 200, bytes(3 << 20)
            case "nonsense":
                return 200, b"<html>"
            case "busy":
                return 503, b""
            case "redirect":
                return 302, b""
        calls = {
            "block/put": self._put,
            "block/get": self._get,
            "block/stat": self._stat,
            "block/rm": self._rm,
            "pin/rm": self._unpin,
            "pin/ls": self._pins,
        }
        return calls[verb](query, block)

    def _put(self, query: dict[str, str], block: bytes) -> tuple[int, bytes]:
        assert query["mhtype"] == "sha2-256"
        codec = {"raw": RAW, "dag-cbor": DAG_CBOR}[query["cid-codec"]]
        if self.mischief == "other bytes":
            block += b"!"
        cid = cid_of(block, codec=codec)
        self.blocks[cid] = block
        if query.get("pin") == "true":
            self.pins.add(cid)
        return 200, _json({"Key": cid, "Size": len(block)})

    def _get(self, query: dict[str, str], _: bytes) -> tuple[int, bytes]:
        block = self.blocks.get(query["arg"])
        if block is None:  # a real node asks its peers until the time-out
            return 500, _json({"Message": "block was not found locally (offline): ipld: could not "
                               f"find {query['arg']}", "Code": 0, "Type": "error"})  # fmt: skip
        return 200, block + b"!" if self.mischief == "other bytes" else block

    def _stat(self, query: dict[str, str], block: bytes) -> tuple[int, bytes]:
        status, body = self._get(query, block)
        return (status, body) if status != 200 else (
            200, _json({"Key": query["arg"], "Size": len(body)})
        )  # fmt: skip

    def _rm(self, query: dict[str, str], _: bytes) -> tuple[int, bytes]:
        assert query["force"] == "true"
        held = set(self.pins)
        for pin in self.pins:  # recursive: a pinned root holds what it links
            if parse(pin)[0] == DAG_CBOR:
                held.update(_links(self.blocks[pin]))
        if query["arg"] in held:
            return 200, _json({"Hash": query["arg"], "Error": "pinned: recursive"})
        self.blocks.pop(query["arg"], None)
        return 200, _json({"Hash": query["arg"]})

    def _unpin(self, query: dict[str, str], _: bytes) -> tuple[int, bytes]:
        if query["arg"] not in self.pins:
            return 500, _json(
                {"Message": "not pinned or pinned indirectly", "Code": 0, "Type": "error"}
            )
        self.pins.discard(query["arg"])
        return 200, _json({"Pins": [query["arg"]]})

    def _pins(self, query: dict[str, str], _: bytes) -> tuple[int, bytes]:
        cid = query["arg"]
        assert query["type"] == "recursive"
        if cid not in self.pins:
            return 500, _json(
                {"Message": f"path '{cid}' is not pinned", "Code": 0, "Type": "error"}
            )
        return 200, _json({"Keys": {cid: {"Type": "recursive", "Name": ""}}})


@contextmanager
def running_node() -> Iterator[Node]:
    """Serve a node on a free loopback port."""
    node = Node()

    class Calls(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            node.queries.append(query)
            verb = parts.path.removeprefix("/api/v0/")
            status, answer = node.answer(verb, query, _part(self.headers, body))
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()
                if node.mischief == "trickle":
                    for byte in answer:  # each byte in time, the whole never
                        self.wfile.write(bytes([byte]))
                        time.sleep(0.05)
                self.wfile.write(answer)
            except OSError:
                return  # the client went away, as it should when we flood it

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Calls)
    node.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _part(headers: Any, body: bytes) -> bytes:
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/"):
        return b""
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    [part] = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()  # type: ignore[attr-defined]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def _links(root: bytes) -> tuple[str, ...]:
    try:
        return decode_root(root).links
    except Tampered:
        return ()


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode()
