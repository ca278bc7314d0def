"""The nodes of a network that an organisation may ask, and which of them it asks now.

The first in the list is the organisation's own and preferred; another one is asked while it does
not answer, is behind, or is on another chain. No exchange lasts longer than `DEADLINE_SECONDS`,
whatever a node, or what stands between, does: a slow drip counts as silence.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog

from simdes import tracing
from simdes.budget import latest_end
from simdes.errors import Unavailable
from simdes.ledger.ledger import OtherChain
from simdes.tls import trusted

DEADLINE_SECONDS = 9.0
"""For one verb, over all the nodes that are tried for it."""
ANSWER_SECONDS = 5.0
"""For one exchange; the last part of an answer may come `SILENCE_SECONDS` later."""
SILENCE_SECONDS = 4.0
CONNECT_SECONDS = 1.5
MOST_OCTETS = 64 << 20
"""Of one answer."""
_FIRST_REST_SECONDS = 0.5
_LONGEST_REST_SECONDS = 8.0
_LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=16)
_BUSY = frozenset({429, 502, 503, 504})
_ENCODER = msgspec.json.Encoder()
_log = structlog.get_logger("simdes.ledger")

T = TypeVar("T")


class NodeFailed(Exception):
    """This node can't be asked now; another one may."""

    def __init__(
        self, why: str, *, slow: bool = False, behind: bool = False, other_chain: bool = False
    ) -> None:
        super().__init__(why)
        self.behind = behind
        self.why = why
        self.slow = slow
        self.other_chain = other_chain


class Node:
    """One address, and what is known of whoever answers there."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        # An address may hold a password, which no message or log may.
        self.place = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        self.rests_until = 0.0
        self.failures = 0
        self.slow = False

    def failed(self, failure: NodeFailed, now: float) -> None:
        """Let the node rest, longer each time."""
        rest = min(_LONGEST_REST_SECONDS, _FIRST_REST_SECONDS * 2 ** min(self.failures, 6))
        self.rests_until = now + rest
        if not self.failures or failure.other_chain:
            tell = _log.error if failure.other_chain else _log.warning
            tell("ledger node failed", node=self.place, why=failure.why)
        self.failures += 1
        self.slow = failure.slow

    def answered(self) -> None:
        """Ask it again as before."""
        if self.failures:
            _log.info("ledger node answers again", node=self.place)
        self.failures, self.rests_until, self.slow = 0, 0.0, False


class Nodes:
    """Sends to one node at a time. Safe for threads."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        find: Callable[[], str | None] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`find` is asked for a new address when a node's connection breaks."""
        self.all = [Node(url) for url in urls]
        self._find = find
        self._client = httpx.Client(limits=_LIMITS, verify=trusted(), transport=transport)
        self._lock = threading.Lock()
        self.monotonic = time.monotonic

    def run(self, work: Callable[[Node, float], T]) -> T:
        """Let `work(node, deadline)` be done with the first node that can.

        Raises `OtherChain` where only nodes of another chain answer, `Unavailable` where none does.
        """
        deadline = latest_end(DEADLINE_SECONDS, self.monotonic)
        refused: Unavailable | None = None
        failures: list[NodeFailed] = []
        for node in self._ready():
            if self.monotonic() >= deadline:
                break
            try:
                result = work(node, deadline)
            except NodeFailed as failure:
                self.rest(node, failure)
                failures.append(failure)
            except Unavailable as error:
                refused = error  # it answers; another one may know more
            else:
                node.answered()
                return result
        raise refused or _unavailable(failures)

    def rest(self, node: Node, failure: NodeFailed) -> None:
        """Ask others for a while."""
        with self._lock:
            node.failed(failure, self.monotonic())

    def others(self, node: Node) -> list[Node]:
        """Return the nodes besides this one that don't rest."""
        now = self.monotonic()
        return [one for one in self.all if one is not node and one.rests_until <= now]

    def _ready(self) -> list[Node]:
        """Return the nodes to try, in order.

        Where all rest, whoever is first to be asked again is tried all the same, but not a node
        that let us wait in vain a moment ago: what is asked then is refused at once.
        """
        now = self.monotonic()
        ready = [node for node in self.all if node.rests_until <= now]
        if ready:
            return ready
        resting = sorted(self.all, key=lambda node: node.rests_until)
        return [node for node in resting if not node.slow]

    def post(self, node: Node, body: object, *, deadline: float) -> Any:
        """Send a request or a batch to a node and return what its answer says. Raises `NodeFailed`.

        It is sent once more where the connection broke: every request may be repeated.
        """
        with tracing.span("ledger ask", kind=tracing.CLIENT):
            return self._post(node, _ENCODER.encode(body), deadline)

    def _post(self, node: Node, content: bytes, deadline: float) -> Any:
        try:
            try:
                status, answer = self._exchange(node, content, deadline)
            except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
                # The holder of an embedded ledger may have come back on another port.
                node.url = (self._find() if self._find is not None else None) or node.url
                status, answer = self._exchange(node, content, deadline)
        except httpx.TimeoutException as error:
            raise NodeFailed(type(error).__name__, slow=True) from None
        except httpx.HTTPError as error:
            raise NodeFailed(type(error).__name__) from None
        if status in _BUSY:
            raise NodeFailed(f"HTTP {status}")
        try:
            return msgspec.json.decode(answer)
        except (msgspec.DecodeError, RecursionError):
            raise NodeFailed(f"its answer is not JSON (HTTP {status})") from None

    def _exchange(self, node: Node, content: bytes, deadline: float) -> tuple[int, bytes]:
        left = deadline - self.monotonic()
        if left <= 0:
            raise NodeFailed("no time is left to ask it", slow=True)
        half = left / 2  # a read that began in time may last as long again
        timeout = httpx.Timeout(min(SILENCE_SECONDS, half), connect=min(CONNECT_SECONDS, half))
        until = self.monotonic() + min(ANSWER_SECONDS, half)
        parts: list[bytes] = []
        size = 0
        with self._client.stream(
            "POST",
            node.url,
            content=content,
            headers={"content-type": "application/json"},
            timeout=timeout,
        ) as response:
            for part in response.iter_bytes():
                size += len(part)
                if size > MOST_OCTETS:
                    raise NodeFailed("its answer is too large")
                if self.monotonic() > until:
                    raise NodeFailed("its answer takes too long", slow=True)
                parts.append(part)
        return response.status_code, b"".join(parts)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _unavailable(failures: Sequence[NodeFailed]) -> Unavailable:
    if failures and all(failure.other_chain for failure in failures):
        return OtherChain(f"the ledger node is not of this network: {failures[0].why}")
    why = failures[0].why if failures else "it let us wait in vain a moment ago"
    return Unavailable(
        f"the ledger node does not answer ({why})",
        advice="Check that the node runs and that its address is right.",
    )
