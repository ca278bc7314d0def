"""`simdes serve`: one organisation's gateway, custodian and worker in one process, on loopback.

Granian carries HTTP, Starlette the routes, a thread the worker. SIGTERM and Ctrl-C end it
gracefully: answers under way go out, the worker finishes its round, the lane and the ledger close.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable

from granian.constants import Interfaces
from granian.server.embed import Server

from simdes.app import Opened
from simdes.errors import Unavailable
from simdes.exchange import worker
from simdes.gateway.app import create_gateway

ADDRESS = "127.0.0.1"


def serve(one: Opened, *, port: int, ready: Callable[[], None]) -> None:
    """Serve until a signal ends it; ``ready`` is called when the worker runs.

    Raises Unavailable when the port is taken.
    """
    _require_free(port)
    stop = threading.Event()
    working = threading.Thread(target=worker.run, args=(one.node, stop), name="worker")
    working.start()
    ready()
    try:
        asyncio.run(_serve(one, port))
    except (OSError, RuntimeError) as error:
        raise _taken(port) from error
    finally:
        stop.set()
        working.join()


def _require_free(port: int) -> None:
    """Look before anything starts and says that it answers; the server binds it for good."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise _taken(port) from error


def _taken(port: int) -> Unavailable:
    return Unavailable(f"Port {port} can't be used.", advice="Choose another with --port.")


async def _serve(one: Opened, port: int) -> None:
    server = Server(
        create_gateway(one.custody),
        address=ADDRESS,
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    await server.serve()
