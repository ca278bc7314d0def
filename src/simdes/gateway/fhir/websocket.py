"""``/fhir/ws``: notifications over a websocket (RFC 6455).

https://hl7.org/fhir/uv/subscriptions-backport/channels.html#websockets. A client says
``bind-with-token`` with a token of ``$get-ws-binding-token`` and is told from then on; a further
token binds further, or longer. The token is said, never part of an address or a cookie, so a page
of another site has nothing to open it with. What is told is decided by `exchange` for every single
notification. Whoever says nothing valid, says too much, or does not take what is sent, is closed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio import to_thread
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from simdes.errors import SimdesError, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.subscriptions import asking
from simdes.exchange.subscriptions.asking import Listener
from simdes.gateway.fhir.subscriptions import PATH
from simdes.gateway.limits import GatewayLimits

BIND: Final = "bind-with-token"
POLICY, TOO_BIG, BUSY = 1008, 1009, 1013
"""Close codes (RFC 6455, 7.4.1, and 1013 of the IANA registry)."""
MOST_BINDINGS: Final = 16
LOOK_SECONDS: Final = 0.3


@dataclass(slots=True)
class _Open:
    """How many are open."""

    count: int = 0


@dataclass(slots=True)
class _Line:
    """One connection."""

    node: Node
    limits: GatewayLimits
    socket: WebSocket
    listeners: list[Listener] = field(default_factory=list)
    sending: anyio.Lock = field(default_factory=anyio.Lock)

    async def run(self) -> None:
        """Take what is said and tell what happens, until either ends."""
        await self.socket.accept()
        code = 0
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._hear)
                group.start_soon(self._tell)
        except* _Closed as closed:
            code = max(one.code for one in closed.exceptions if isinstance(one, _Closed))
        except* (WebSocketDisconnect, RuntimeError):
            code = 0  # the other side left
        if code:
            with anyio.move_on_after(self.limits.websocket_seconds), suppress(RuntimeError):
                await self.socket.close(code)

    async def _hear(self) -> None:
        with anyio.move_on_after(self.limits.body_seconds):
            await self._message()
        if not self.listeners:
            raise _Closed(POLICY)
        while True:
            await self._message()

    async def _message(self) -> None:
        message = await self.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        text = message.get("text")
        if text is None:
            raise _Closed(POLICY)
        if len(text) > self.limits.websocket_bytes:
            raise _Closed(TOO_BIG)
        word, _, token = text.strip().partition(" ")
        if word == "ping":
            await self._send(text.strip().replace("ping", "pong", 1))
        elif word == BIND and token and len(self.listeners) < MOST_BINDINGS:
            await self._bind(token.strip())
        else:
            raise _Closed(POLICY)

    async def _bind(self, token: str) -> None:
        try:
            listener, notes = await to_thread.run_sync(asking.listen, self.node, token)
        except SimdesError as error:
            raise _Closed(POLICY) from error
        for older in self.listeners:  # told once, by the newest binding
            for name in listener.told.keys() & older.told.keys():
                listener.told[name] = older.told.pop(name)
        self.listeners = [one for one in self.listeners if one.told] + [listener]
        for note in notes:
            await self._send(note)

    async def _tell(self) -> None:
        while True:
            await anyio.sleep(LOOK_SECONDS)
            for listener in list(self.listeners):
                try:
                    notes = await to_thread.run_sync(asking.heard, self.node, listener)
                except Unavailable:
                    continue  # tried again; nothing is lost
                except SimdesError as error:
                    raise _Closed(POLICY) from error
                for note in notes:
                    await self._send(note)

    async def _send(self, text: str) -> None:
        try:
            with anyio.fail_after(self.limits.websocket_seconds):
                async with self.sending:
                    await self.socket.send_text(text)
        except TimeoutError as error:
            raise _Closed(POLICY) from error


class _Closed(Exception):
    """We end the connection, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


def websocket_route(node: Node, limits: GatewayLimits, prefix: str) -> WebSocketRoute:
    """The route of the websocket."""
    lines = _Open()

    async def endpoint(socket: WebSocket) -> None:
        if lines.count >= limits.websockets:
            await socket.close(BUSY)
            return
        lines.count += 1
        try:
            await _Line(node, limits, socket).run()
        finally:
            lines.count -= 1

    return WebSocketRoute(prefix + PATH, endpoint)
