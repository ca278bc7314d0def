"""Accept connections, up to a number, over TCP or TLS; end gracefully.

A graceful end accepts no more, reads no more, stores and acknowledges what was read, and closes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import structlog

from simdes.errors import Invalid, Unavailable
from simdes.listener.intake import Intake, Receive
from simdes.listener.limits import LIMITS, ListenerLimits
from simdes.listener.session import Reject, Session, Tally

_log = structlog.get_logger("simdes.listener")
T = TypeVar("T")
_BACKLOG = 128
_ACCEPT_PAUSE_SECONDS = 0.1
_LAST_PORT = 65_535


def tls_context(certificate: Path, key: Path, client_authority: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later; with ``client_authority`` senders must show a certificate of it.

    Raises Invalid where one of the PEM files can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
        if client_authority is not None:
            context.load_verify_locations(client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise Invalid(
            "The TLS certificate, its key or the clients' authority can't be used"
            f" ({type(error).__name__}).",
            advice="Give PEM files that belong together; the key without a passphrase.",
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("The key is locked with a passphrase.")


class Listener:
    """A listening socket, its connections and their intake."""

    def __init__(
        self,
        *,
        receive: Receive,
        reject: Reject,
        limits: ListenerLimits = LIMITS,
        tls: ssl.SSLContext | None = None,
        release: int = 1,
    ) -> None:
        """``release`` is MLLP's: 2 adds its commit acknowledgments."""
        self._intake = Intake(receive, limits)
        self._reject = reject
        self._limits = limits
        self._tls = tls
        self._release = release
        self._stopping = asyncio.Event()
        self._sessions: set[asyncio.Task[None]] = set()
        self._full = False
        self.tally = Tally()
        self.connections = 0
        self.turned_away = 0

    def stop(self) -> None:
        """End gracefully; may be called from a signal's callback."""
        self._stopping.set()

    async def run(self, listening: socket.socket, ready: Callable[[], None]) -> None:
        """Serve a bound socket until stopped; closes it."""
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        storing = asyncio.ensure_future(self._intake.run())
        accepting = asyncio.ensure_future(self._accept(listening))
        stopped = asyncio.ensure_future(self._stopping.wait())
        ready()
        try:
            # The other two never end by themselves; where one fails, so does the listener.
            await asyncio.wait((stopped, storing, accepting), return_when=asyncio.FIRST_COMPLETED)
            _log.info("stopping", connections=len(self._sessions))
        finally:
            self._stopping.set()
            listening.close()
            self._intake.hurry()
            await self._finish()
            self._intake.close()
            for task in (accepting, storing):
                await _ended(task)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError as error:  # no file descriptor is left, or the sender has gone already
                _log.warning("not accepted", kind=type(error).__name__)
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            if len(self._sessions) >= self._limits.connections:
                self._turn_away(connection)
                continue
            self._full = False
            self.connections += 1
            session = asyncio.ensure_future(self._converse(connection, str(address[0])))
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)

    def _turn_away(self, connection: socket.socket) -> None:
        self.turned_away += 1
        if not self._full:  # said once until there is place again
            _log.warning("full", connections=self._limits.connections)
        self._full = True
        connection.close()

    async def _converse(self, connection: socket.socket, origin: str) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            reader, writer = await self._unless_stopped(self._streams(connection))
        except asyncio.CancelledError:
            connection.close()
            return
        except (OSError, TimeoutError) as error:  # TLS failures are OSErrors
            connection.close()
            _log.warning("no connection", origin=origin, kind=type(error).__name__)
            return
        session = Session(
            reader,
            writer,
            origin=f"mllp:{origin}",
            intake=self._intake,
            reject=self._reject,
            limits=self._limits,
            release=self._release,
            stopping=self._stopping,
        )
        try:
            await session.run()
        finally:
            self._count(session, origin)

    async def _unless_stopped(self, opening: Coroutine[Any, Any, T]) -> T:
        """Wait for a handshake, but not beyond the listener's end: CancelledError then."""
        opened = asyncio.ensure_future(opening)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((opened, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not opened.done():
                opened.cancel()
        return await opened

    async def _streams(
        self, connection: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._tls,
            ssl_handshake_timeout=self._limits.handshake_seconds if self._tls else None,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def _count(self, session: Session, origin: str) -> None:
        mine = asdict(session.tally)
        for name, value in mine.items():
            setattr(self.tally, name, getattr(self.tally, name) + value)
        _log.info(
            "connection closed",
            origin=origin,
            reason=session.reason,
            quarantine=sorted(session.reasons),
            **mine,
        )

    async def _finish(self) -> None:
        """Let connections end by themselves, then end them."""
        if self._sessions:
            await asyncio.wait(set(self._sessions), timeout=self._limits.stop_seconds)
        for session in set(self._sessions):
            await _ended(session)


async def _ended(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def bound_socket(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; Unavailable where the port is taken or the address is not ours."""
    found: socket.socket | None = None
    try:
        if not 0 <= port <= _LAST_PORT:  # getaddrinfo would take it modulo 65,536
            raise OverflowError
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except (OSError, OverflowError) as error:
        if found is not None:
            found.close()
        raise Unavailable(
            f"Address {host}, port {port} can't be used.",
            advice="Choose others with --host and --port.",
        ) from error
    return found
