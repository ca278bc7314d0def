"""A development node behind a proxy that lets it look like a stranger's Besu network.

    python tests/support/plain_node.py [--node anvil|PATH of geth] [--port N] -- COMMAND…

Runs COMMAND with SIMDES_LEDGER_URL naming the proxy, or stays up without one. The node makes a
block every second, has zero fees and funds nobody; every method that only development nodes or
wallets have is refused, and errors have Besu's codes and words. So what passes here asks nothing
of a node that a consortium's own would not give.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from adapters.ledgers import running_anvil
from support.geth import running_geth

ALLOWED = frozenset(
    {
        "web3_clientVersion",
        "web3_sha3",
        "net_version",
        "net_listening",
        "eth_chainId",
        "eth_syncing",
        "eth_gasPrice",
        "eth_maxPriorityFeePerGas",
        "eth_feeHistory",
        "eth_blockNumber",
        "eth_getBlockByNumber",
        "eth_getBlockByHash",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getTransactionCount",
        "eth_getCode",
        "eth_getBalance",
        "eth_getStorageAt",
        "eth_getLogs",
        "eth_call",
        "eth_estimateGas",
        "eth_sendRawTransaction",
    }
)
LOG_RANGE = 5_000
BATCH = 1_024
_UNKNOWN_BLOCK = {"code": -39001, "message": "Unknown block"}
_INVALID_PARAMS = {"code": -32602, "message": "Invalid params"}
_INTERNAL = {"code": -32603, "message": "Internal error"}
# What the node says, in lower case, and how Besu says it.
_WORDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nonce too low", {"code": -32001, "message": "Nonce too low"}),
    ("already known", {"code": -32000, "message": "Known transaction"}),
    ("already imported", {"code": -32000, "message": "Known transaction"}),
    ("chain id", {"code": -32000, "message": "Wrong chainId"}),
    ("intrinsic gas too low", {"code": -32003, "message": "Intrinsic gas exceeds gas limit"}),
    (
        "exceeds block gas limit",
        {"code": -32005, "message": "Transaction gas limit exceeds block gas limit"},
    ),
    ("out of gas", _INTERNAL),
    ("outofgas", _INTERNAL),
)


class _Face(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    node: ClassVar[str]
    client: ClassVar[httpx.Client]

    def do_POST(self) -> None:
        """Answer a request or a batch."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if isinstance(body, list) and len(body) <= BATCH:
            answer: Any = [self._one(one) for one in body][::-1]
        elif isinstance(body, list):
            error = {"code": -32005, "message": "Number of requests exceeds max batch size"}
            answer = {"jsonrpc": "2.0", "id": None, "error": error}
        else:
            answer = self._one(body)
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _one(self, body: dict[str, Any]) -> dict[str, Any]:
        frame = {"jsonrpc": "2.0", "id": body.get("id")}
        method, params = body["method"], body.get("params") or []
        if method == "eth_accounts":
            return frame | {"result": []}
        if method not in ALLOWED:
            return frame | {"error": {"code": -32601, "message": "Method not found"}}
        if any(tag in ("safe", "finalized") for tag in params if isinstance(tag, str)):
            return frame | {"error": _UNKNOWN_BLOCK}
        if method == "eth_getLogs" and not self._few(params[0]):
            return frame | {"error": _INVALID_PARAMS}
        answer = self.client.post(self.node, json={**body, "params": params}).json()
        if "error" in answer:
            return frame | {"error": _as_besu(answer["error"])}
        return frame | {"result": answer["result"]}

    def _few(self, query: dict[str, Any]) -> bool:
        ends = [query.get(end, "latest") for end in ("fromBlock", "toBlock")]
        if any(not str(end).startswith("0x") for end in ends):
            return True
        first, last = (int(end, 16) for end in ends)
        return 0 <= last - first <= LOG_RANGE

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _as_besu(error: dict[str, Any]) -> dict[str, Any]:
    text = str(error.get("message", "")).lower()
    if "data" in error and ("revert" in text or error.get("code") == 3):
        return {"code": 3, "message": "Execution reverted", "data": error["data"]}
    for words, besu in _WORDS:
        if words in text:
            return besu
    return error


@contextmanager
def besu_like(node: str, *, port: int = 0) -> Iterator[str]:
    """Serve a node through the proxy on loopback; the proxy's address."""
    with httpx.Client(timeout=30, limits=httpx.Limits(max_connections=200)) as client:
        face = type("Face", (_Face,), {"node": node, "client": client})
        server = ThreadingHTTPServer(("127.0.0.1", port), face)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


def main() -> int:
    """Run a command with the address in its environment, or stay up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", default="anvil")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    with ExitStack() as stack:
        node = (
            running_anvil(chain_id=1_337, at_once=False, accounts=0)
            if chosen.node == "anvil"
            else running_geth(Path(chosen.node))
        )
        url = stack.enter_context(besu_like(stack.enter_context(node), port=chosen.port))
        print(url, flush=True)
        if not command:
            threading.Event().wait()
        return subprocess.run(
            command, check=False, env={**os.environ, "SIMDES_LEDGER_URL": url}
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
