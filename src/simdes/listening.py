"""`simdes listen`: one organisation's MLLP listener in a process of its own.

It makes messages durable and acknowledges them; `simdes serve` seals and anchors. SIGTERM and
Ctrl-C end it gracefully. Its log is one JSON document a line on standard error, without patient
data: connections, counts and reason codes.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import resource
import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from simdes import logs
from simdes.app import Opened
from simdes.errors import Invalid
from simdes.exchange import feeds
from simdes.listener.limits import ListenerLimits
from simdes.listener.server import Listener, bound_socket, tls_context

_log = structlog.get_logger("simdes.listener")

_SPARE_FILES = 128
"""File descriptors for everything but connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen and how: ``certificate`` None without TLS, ``release`` MLLP's."""

    host: str
    port: int
    certificate: Path | None
    key: Path | None
    client_authority: Path | None
    clear_text: bool
    release: int


def listen(
    one: Opened, address: Address, limits: ListenerLimits, ready: Callable[[str], None]
) -> dict[str, int]:
    """Listen until a signal ends it, and give the counts; ``ready`` is told the address.

    Raises Invalid for TLS files that can't be used and for an address beyond this machine without
    TLS, Unavailable where the address can't be used.
    """
    tls = _tls(address)
    _provide_files(limits.connections)
    with bound_socket(address.host, address.port) as listening:
        if tls is None and not address.clear_text:
            _require_loopback(listening)
        logs.to_standard_error(one.settings.log_level, one.settings.log_format)
        return asyncio.run(_listen(one, listening, tls, limits, address.release, ready))


async def _listen(
    one: Opened,
    listening: socket.socket,
    tls: ssl.SSLContext | None,
    limits: ListenerLimits,
    release: int,
    ready: Callable[[str], None],
) -> dict[str, int]:
    listener = Listener(
        receive=functools.partial(feeds.receive, one.node),
        reject=functools.partial(feeds.reject, one.node, limit_bytes=limits.frame_bytes),
        limits=limits,
        tls=tls,
        release=release,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, listener.stop)
    host, port = listening.getsockname()[:2]

    def begun() -> None:
        _log.info("listening", host=host, port=port, tls=tls is not None)
        ready(f"{host}:{port}")

    await listener.run(listening, begun)
    return {
        "connections": listener.connections,
        "turnedAway": listener.turned_away,
        **{_camel(name): value for name, value in asdict(listener.tally).items()},
    }


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _tls(address: Address) -> ssl.SSLContext | None:
    if address.certificate is not None and address.key is not None:
        return tls_context(address.certificate, address.key, address.client_authority)
    if address.certificate or address.key or address.client_authority:
        raise Invalid(
            "TLS needs a certificate and its key.",
            advice="Give --tls-certificate and --tls-key; --client-ca comes on top of them.",
        )
    return None


def _require_loopback(listening: socket.socket) -> None:
    """Patient data crosses a network in clear text only where somebody said so."""
    if not ipaddress.ip_address(listening.getsockname()[0]).is_loopback:
        raise Invalid(
            "Without TLS the listener answers on this machine alone.",
            advice="Give --tls-certificate and --tls-key, or --clear-text on a network of its own.",
        )


def _provide_files(connections: int) -> None:
    """Raise the process's limit on open files where the connections need it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_FILES
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise Invalid(
            f"{connections} connections are more than this system allows a process.",
            advice=f"Give --max-connections {max(hard - _SPARE_FILES, 1)} or raise `ulimit -n`.",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
