"""`simdes serve`: one organisation's gateway, custodian and worker in one process.

Granian carries HTTP, Starlette the routes, a thread the worker. SIGTERM and Ctrl-C end it
gracefully: ``/readyz`` says so first, then nothing new is taken, answers under way go out within
``stop_seconds``, the worker finishes its round, the lane and the ledger close. A second signal ends
it at once; whatever was acknowledged is durable, and the next start goes on from there.

Slow and greedy clients: headers must be there within `HEADER_SECONDS` (which is also how long a
connection may be idle), are `HEADER_BYTES` at most, and ``serve_connections`` are open at a time;
more wait in the system's queue. Bodies are limited by the routes. HTTP/2 and TLS are for the proxy
in front, which is what other machines reach.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Final

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.types import ASGIApp

from simdes import logs, tracing
from simdes.app import Opened, facade
from simdes.backup import keeping
from simdes.config import Settings, places
from simdes.errors import Invalid, Unavailable
from simdes.exchange import reconciling, worker
from simdes.exchange.decision_support import CdsClient, read_clients
from simdes.exchange.facade import ask
from simdes.exchange.operations import Operations
from simdes.exchange.research import passing
from simdes.fhir_http import checked
from simdes.gateway.app import Running, create_gateway
from simdes.gateway.facade import Notified
from simdes.gateway.limits import LIMITS
from simdes.gateway.stopping import Stage, Stopping
from simdes.own_desk import share_of
from simdes.own_store import storekeeper
from simdes.secret_files import secret_of

ADDRESS: Final = "127.0.0.1"
HEADER_SECONDS: Final = 10
HEADER_BYTES: Final = 64 * 1024
BACKLOG: Final = 1024

CLOSE_SECONDS: Final = 10.0
"""How long the worker's round and the closing of ledger and database may take after that."""

AT_ONCE: Final = 70
"""Exit code of a program that was told to stop twice, or that did not stop in time."""

_log = structlog.get_logger("simdes.serving")
_YOUNG_OBJECTS: Final = 10_000
_WAKE_SECONDS: Final = 0.02
_LAST_SECONDS: Final = 1.0
"""How long answers that are complete may take to reach whom they are for."""


def serve(one: Opened, *, port: int, ready: Callable[[], None], address: str = ADDRESS) -> None:
    """Serve until a signal ends it; ``ready`` is called when the worker runs.

    Raises Unavailable when the port is taken, Unauthenticated where others can read a secret's
    file, Invalid where the FHIR server of the settings has no usable address.
    """
    running = _running(one)
    passing.sweep()
    require_free(address, port)
    logs.to_standard_error(one.settings.log_level, one.settings.log_format)
    application = create_gateway(one.custody, running=running, node=one.node)
    stop = threading.Event()
    with _traced(one.settings), _working(one, stop):
        ready()
        _run(application, (address, port), one.settings, running.stopping, stop)
        one.node.aside.end(CLOSE_SECONDS)


def answer(
    one: Opened, *, port: int, address: str, processes: int, ready: Callable[[], None]
) -> None:
    """As `serve`, as one of several ``processes`` on a port, none of which does the worker's steps.

    The system gives each connection to one of them.
    """
    running = _running(one, processes=processes)
    passing.sweep()
    logs.to_standard_error(one.settings.log_level, one.settings.log_format)
    limits = replace(
        LIMITS,
        tokens_per_minute=share_of(LIMITS.tokens_per_minute, processes),
        cds_per_minute=share_of(LIMITS.cds_per_minute, processes),
        websockets=share_of(LIMITS.websockets, processes),
    )
    application = create_gateway(one.custody, limits, running=running, node=one.node)
    settings = replace(
        one.settings, serve_connections=share_of(one.settings.serve_connections, processes)
    )
    with _traced(one.settings):
        ready()
        _run(application, (address, port), settings, running.stopping, threading.Event())
        one.node.aside.end(CLOSE_SECONDS)


def work(one: Opened, *, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Do the worker's steps alone, until ``stop`` is set."""
    logs.to_standard_error(one.settings.log_level, one.settings.log_format)
    with _traced(one.settings), _working(one, stop):
        ready()
        stop.wait()


@contextmanager
def _traced(settings: Settings) -> Iterator[None]:
    """Send traces where the settings name a collector; what is left is sent at the end."""
    if not settings.traces_url:
        yield
        return
    end = tracing.start(settings.traces_url, service="simdes", percent=settings.traces_percent)
    try:
        yield
    finally:
        end()


@contextmanager
def _working(one: Opened, stop: threading.Event) -> Iterator[None]:
    """The worker's threads, which end with what is done meanwhile."""
    with ExitStack() as stack:
        threads = [
            threading.Thread(target=worker.run, args=(one.node, stop), name="worker"),
            threading.Thread(target=worker.tell, args=(one.node, stop), name="subscriptions"),
            threading.Thread(target=worker.take_in, args=(one.node, stop), name="imports"),
            threading.Thread(
                target=reconciling.run,
                args=(one.node, stop),
                kwargs={"at": one.settings.reconcile_at, "time_zone": one.settings.time_zone},
                name="reconciling",
            ),
            threading.Thread(target=storekeeper(one).run, args=(stop,), name="storekeeper"),
            threading.Thread(target=worker.write_mails, args=(one.node, stop), name="mails"),
            threading.Thread(target=worker.tell_authors, args=(one.node, stop), name="corrections"),
        ]
        if one.node.claims.pays or one.node.rules.dispenses:
            threads.append(
                threading.Thread(target=worker.hear, args=(one.node, stop), name="hearing")
            )
        if one.settings.backup_folder:
            threads.append(threading.Thread(target=keeping.run, args=(one, stop), name="keys"))
        if one.settings.facade_url:
            reader = stack.enter_context(facade(one))
            threads.append(threading.Thread(target=reader.run, args=(stop,), name="facade"))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _run(
    application: ASGIApp,
    place: tuple[str, int],
    settings: Settings,
    stopping: Stopping,
    stop: threading.Event,
) -> None:
    _keep_what_stays()
    open_many_files()
    try:
        asyncio.run(_serve(application, place, settings, stopping, stop))
    except (OSError, RuntimeError) as error:
        raise _taken(place[1]) from error


def _keep_what_stays() -> None:
    """Let the collector of garbage leave alone what is there from the start and never goes.

    FHIR's definitions are most of the objects here; to go through them costs each search a tenth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)


def _running(one: Opened, *, processes: int = 1) -> Running:
    settings = one.settings
    operations = Operations(
        one.custody,
        places=places(one.data, settings),
        least_free_bytes=settings.disk_free_mib * 1024 * 1024,
    )
    return Running(
        operations=operations,
        metrics_token=secret_of(one.data, settings.metrics_token_file),
        random=one.node.random,
        notified=_notified(one),
        processes=processes,
        cds_clients=_cds_clients(one),
    )


def _cds_clients(one: Opened) -> tuple[CdsClient, ...]:
    """The clinical systems of the settings' file; none where no file is named."""
    if not one.settings.cds_clients_file:
        return ()
    path = one.data / one.settings.cds_clients_file
    try:
        return read_clients(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} can't be read.") from error


def _notified(one: Opened) -> Notified | None:
    """What `/facade/notify` does; None where no other server is read, or nobody may tell of it."""
    settings = one.settings
    secret = secret_of(one.data, settings.facade_notify_secret_file)
    if not settings.facade_url or not secret:
        return None
    url = checked(settings.facade_url)
    return Notified(secret, functools.partial(ask, one.node, url))


def open_many_files() -> None:
    """Let as many files be open as the system allows at all; the usual start is with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def require_free(address: str, port: int) -> None:
    """Look before anything starts and says that it answers; the server binds it for good."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except (OSError, OverflowError) as error:
            raise _taken(port) from error


def _taken(port: int) -> Unavailable:
    return Unavailable(f"Port {port} can't be used.", advice="Choose another with --port.")


async def _serve(
    application: ASGIApp,
    place: tuple[str, int],
    settings: Settings,
    stopping: Stopping,
    stop: threading.Event,
) -> None:
    server = Server(
        application,
        address=place[0],
        port=place[1],
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=True,
        backlog=BACKLOG,
        backpressure=settings.serve_connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=HEADER_BYTES
        ),
        log_enabled=False,
    )
    told = asyncio.Event()
    _listen_to_signals(told)
    serving = asyncio.ensure_future(server.serve())
    waiting = asyncio.ensure_future(told.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if told.is_set():
        _end_anyway_after(settings.leave_seconds + settings.stop_seconds + CLOSE_SECONDS)
        await _leave(settings, stopping, stop)
        server.stop()  # type: ignore[no-untyped-call]
    with suppress(TimeoutError):  # whoever is still being answered by then is left
        await asyncio.wait_for(serving, _LAST_SECONDS if told.is_set() else None)


def _listen_to_signals(told: asyncio.Event) -> None:
    """The first signal is taken as a wish, the second as an order."""

    def signalled() -> None:
        if told.is_set():
            _log.warning("stopped at once")
            os._exit(AT_ONCE)
        told.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled)


async def _leave(settings: Settings, stopping: Stopping, stop: threading.Event) -> None:
    """Go through the stages, then wait for what is under way, as long as that may take."""
    _log.info("leaving", seconds=settings.leave_seconds)
    stopping.stage = Stage.LEAVING
    await asyncio.sleep(settings.leave_seconds)
    stopping.stage = Stage.CLOSED
    stop.set()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.stop_seconds
    while stopping.under_way and loop.time() < deadline:
        await asyncio.sleep(_WAKE_SECONDS)
    _log.info("closed", unfinished=stopping.under_way)


def _end_anyway_after(seconds: float) -> None:
    """End the program where a thread that answers somebody, or the worker, does not come back."""

    def end() -> None:
        _log.error("did not stop in time")
        os._exit(AT_ONCE)

    late = threading.Timer(seconds, end)
    late.daemon = True
    late.start()
