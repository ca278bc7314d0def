"""A listener in this process, whose inputs a test makes durable as it likes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from simdes.exchange.feeds import Answered, Input
from simdes.listener.limits import LIMITS
from simdes.listener.server import Listener, bound_socket

Start = Callable[..., Any]
Log = list[MutableMapping[str, Any]]


class Hospital:
    """What stands behind the listener: keeps what it receives, and answers with its last word."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.groups: list[int] = []
        self.entered = 0
        self.open = threading.Event()
        self.open.set()
        self.failing: Exception | None = None
        self.padding = b""

    def receive(self, inputs: Sequence[Input]) -> list[Answered]:
        self.entered += 1
        self.open.wait(30)
        if self.failing is not None:
            raise self.failing
        self.groups.append(len(inputs))
        self.received += [one.content for one in inputs]
        said = [self.padding + b"kept " + one.content[-20:] for one in inputs]
        return [Answered(answers=(answer,), accepted=1) for answer in said]

    def reject(self, head: bytes) -> Answered:
        return Answered(answers=(b"too long " + head[:10],), not_kept=1)


class Running:
    """A listener's thread."""

    def __init__(self, hospital: Hospital, **options: Any) -> None:
        self.hospital = hospital
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(60)

    async def _run(self) -> None:
        limits = {k: v for k, v in self._options.items() if k not in ("tls", "release")}
        others = {k: v for k, v in self._options.items() if k in ("tls", "release")}
        self.listener = Listener(
            receive=self.hospital.receive,
            reject=self.hospital.reject,
            limits=replace(LIMITS, **limits),
            **others,
        )
        self._loop = asyncio.get_running_loop()
        with bound_socket("127.0.0.1", 0) as listening:
            self.port = listening.getsockname()[1]
            await self.listener.run(listening, self._ready.set)

    def begin_to_stop(self) -> None:
        self._loop.call_soon_threadsafe(self.listener.stop)

    def stop(self) -> Listener:
        if self._thread.is_alive():
            self.begin_to_stop()
            self._thread.join(30)
        assert not self._thread.is_alive()
        return self.listener


@pytest.fixture
def hospital() -> Hospital:
    return Hospital()


@pytest.fixture(autouse=True)
def log() -> Iterator[Log]:
    """What the listener writes down."""
    with capture_logs() as lines:
        yield lines


def reasons(log: Log) -> list[str]:
    """Why connections ended."""
    return [line["reason"] for line in log if line["event"] == "connection closed"]


@pytest.fixture
def start(hospital: Hospital) -> Iterator[Start]:
    """Start a listener with limits (and ``tls``, ``release``) of a test's choice."""
    started: list[Running] = []

    def begin(**options: Any) -> Running:
        started.append(Running(hospital, **options))
        return started[-1]

    yield begin
    hospital.open.set()
    for one in started:
        one.stop()


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def waiting(running: Running) -> int:
    """How many frames wait to be stored, apart from those being stored."""
    return running.listener._intake._queue.qsize()


@contextmanager
def shut(hospital: Hospital) -> Iterator[None]:
    """Let nothing become durable while this is open."""
    hospital.open.clear()
    try:
        yield
    finally:
        hospital.open.set()
