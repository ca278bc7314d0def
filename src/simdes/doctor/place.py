"""What can be looked at before the organisation is open: its folder, and what its URLs name.

Each server is asked once, by whichever check comes first; the others look at the same answers.
Addresses may hold a password: what is shown of one is host and port.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from simdes.config import Settings
from simdes.tls import trusted

ASK_SECONDS: Final = 3.0
MOST_BYTES: Final = 4 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """What a ledger node says of itself; None where it did not say, ``error`` "" if it answers."""

    place: str
    url: str
    error: str
    chain_id: int | None = None
    genesis: bytes | None = None
    number: int | None = None
    timestamp: int | None = None
    base_fee: int | None = None
    gas_price: int | None = None
    peers: int | None = None
    syncing: bool = False
    client: str = ""


class Place:
    """An organisation's folder with its settings. Safe for several threads."""

    def __init__(self, data: Path, settings: Settings, clock: Callable[[], float]) -> None:
        self.data = data
        self.settings = settings
        self.clock = clock
        self.http = httpx.Client(
            timeout=ASK_SECONDS, follow_redirects=False, trust_env=False, verify=trusted()
        )
        self._lock = threading.Lock()
        self._known: dict[str, tuple[threading.Lock, list[Any]]] = {}

    def close(self) -> None:
        """Close connections."""
        self.http.close()

    def once(self, name: str, find: Callable[[], T]) -> T:
        """What ``find`` gives, looked for by the first who asks."""
        with self._lock:
            lock, kept = self._known.setdefault(name, (threading.Lock(), []))
        with lock:
            if not kept:
                kept.append(find())
            found: T = kept[0]
            return found

    def json_file(self, name: str) -> dict[str, Any] | None:
        """One of the folder's documents; None where it can't be read as one."""
        with suppress(OSError, ValueError):
            found = json.loads((self.data / name).read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else None
        return None

    # Ledger nodes ------------------------------------------------------------------------------

    def node_urls(self) -> list[str]:
        """The addresses of ledger nodes; none on the embedded ledger."""
        named = self.settings.ledger_url.replace(",", " ").split()
        return [one for one in named if urlsplit(one).scheme in ("http", "https")]

    def nodes(self) -> list[NodeView]:
        """All of them, asked side by side."""
        urls = self.node_urls()

        def find() -> list[NodeView]:
            if not urls:
                return []
            with ThreadPoolExecutor(len(urls)) as pool:
                return list(pool.map(self._node, urls))

        return self.once("nodes", find)

    def rpc(self, url: str, *calls: tuple[str, list[Any]]) -> list[Any]:
        """Ask a node several things; None for each that it does not answer.

        Raises `httpx.HTTPError` or `ValueError` where no JSON-RPC node answers.
        """
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        answer = self.http.post(url, json=body)
        answers = answer.json()
        if not isinstance(answers, list):
            raise ValueError("no batch")
        known = {one.get("id"): one.get("result") for one in answers if isinstance(one, dict)}
        return [known.get(number) for number in range(len(calls))]

    def _node(self, url: str) -> NodeView:
        place = host_of(url)
        try:
            found = self.rpc(
                url,
                ("eth_chainId", []),
                ("eth_getBlockByNumber", ["0x0", False]),
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_gasPrice", []),
                ("eth_syncing", []),
                ("web3_clientVersion", []),
                ("net_peerCount", []),
            )
            return _read_node(place, url, found)
        except httpx.HTTPError as error:
            return NodeView(place=place, url=url, error=type(error).__name__)
        except (ValueError, TypeError, KeyError, AttributeError):
            return NodeView(place=place, url=url, error="its answer is not JSON-RPC")

    # IPFS --------------------------------------------------------------------------------------

    def kubo_url(self) -> str | None:
        """The address of the IPFS node's RPC API; None on the file store."""
        url = self.settings.store_url
        return url.removeprefix("ipfs:").rstrip("/") if url.startswith("ipfs:") else None

    def kubo(self, verb: str, **query: str) -> dict[str, Any] | str:
        """Ask the IPFS node something; a text says why there is no answer."""
        url = self.kubo_url()
        named = "&".join(f"{name}={value}" for name, value in sorted(query.items()))
        return self.once(f"kubo {verb}?{named}", lambda: self._kubo(f"{url}/api/v0/{verb}", query))

    def _kubo(self, url: str, query: dict[str, str]) -> dict[str, Any] | str:
        try:
            answer = self.http.post(url, params=query)
        except httpx.HTTPError as error:
            return type(error).__name__
        if answer.status_code != httpx.codes.OK:
            return f"HTTP {answer.status_code}"
        try:
            found = answer.json()
        except ValueError:
            return "its answer is not JSON"
        return found if isinstance(found, dict) else "its answer is not an object"


def host_of(url: str) -> str:
    """Host and port of an address, and nothing else of it."""
    parts = urlsplit(url)
    with suppress(ValueError):
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return str(parts.hostname)


def _read_node(place: str, url: str, found: list[Any]) -> NodeView:
    chain, genesis, head, price, syncing, client, peers = found
    if chain is None:
        return NodeView(place=place, url=url, error="it does not say its chain")
    head = head if isinstance(head, dict) else {}
    return NodeView(
        place=place,
        url=url,
        error="",
        chain_id=_number(chain),
        genesis=bytes.fromhex(genesis["hash"][2:]) if isinstance(genesis, dict) else None,
        number=_number(head.get("number")),
        timestamp=_number(head.get("timestamp")),
        base_fee=_number(head.get("baseFeePerGas")),
        gas_price=_number(price),
        peers=_number(peers),
        syncing=bool(syncing),
        client=str(client or ""),
    )


def _number(value: Any) -> int | None:
    return int(value, 16) if isinstance(value, str) else None
