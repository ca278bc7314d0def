"""`simdes serve --processes N`: several processes answer on one port, one does the worker's steps.

The first process opens nothing: it starts the others, restarts one that ends by itself, and takes
signals. The system gives each new connection to one of those that answer (SO_REUSEPORT). The
passphrase goes to each through the pipe by which it is started, never through arguments or the
environment; through another pipe it says that it is ready, and notices when the first one is gone,
whereupon it ends. What is acknowledged is in the database by then, so that an end by force loses
nothing (docs/decisions/0040-processes.md).
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from simdes import app, config, errors, logs, serving
from simdes.access.keystore import PASSPHRASE_VARIABLE, read_passphrase
from simdes.errors import Invalid, SimdesError, Unavailable
from simdes.gateway import shared_metrics

MOST: Final = 64
START_SECONDS: Final = 120.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 60.0
"""After how long a process that ends is started again at once."""

_log = structlog.get_logger("simdes.processes")
_forking: Final = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What each process is told: the folder, where to answer, and how many do."""

    data: Path
    address: str
    port: int
    processes: int


Role = Callable[[Place, str, Connection], None]


@dataclass(slots=True)
class _Part:
    """One process as it is now; ``line`` is closed when it may end."""

    name: str
    role: Role
    process: ForkServerProcess | None = None
    line: Connection | None = None
    started: float = 0.0
    pause: float = 0.0
    due: float = 0.0


@dataclass(slots=True)
class Processes:
    """The processes of one gateway. One thread at a time may use it."""

    place: Place
    passphrase: str = field(repr=False)
    parts: list[_Part] = field(default_factory=list)

    def start(self) -> None:
        """Start them all, the worker first: it holds an embedded ledger, which the others ask.

        Raises what kept one of them from starting.
        """
        self.parts = [_Part("worker", work)]
        self.parts += [_Part(f"gateway {n + 1}", answer) for n in range(self.place.processes)]
        for part in self.parts[:1]:
            self._begin(part)
            self._await(part)
        for part in self.parts[1:]:
            self._begin(part)
        for part in self.parts[1:]:
            self._await(part)

    def _begin(self, part: _Part) -> None:
        ours, theirs = _forking.Pipe()
        part.process = _forking.Process(
            target=part.role, args=(self.place, self.passphrase, theirs), name=part.name
        )
        part.process.start()
        theirs.close()
        part.line, part.started = ours, time.monotonic()

    def _await(self, part: _Part) -> None:
        """Wait until a process is ready; raise what it says instead."""
        assert part.line is not None  # noqa: S101 (begun)
        try:
            said = part.line.recv() if part.line.poll(START_SECONDS) else None
        except EOFError:
            said = None
        if said is None:
            raise Unavailable(f"The process {part.name} did not start.")
        if said:
            name, message, advice = said
            raise getattr(errors, name)(message, advice=advice)

    def mend(self) -> None:
        """Start again what ended by itself, with pauses where it ends again and again."""
        now = time.monotonic()
        for part in self.parts:
            if part.process is not None and not part.process.is_alive():
                self._mourn(part, now)
            if part.process is None and part.due <= now:
                self._begin(part)

    def _mourn(self, part: _Part, now: float) -> None:
        process = part.process
        assert process is not None  # noqa: S101 (just looked at)
        _log.error("a process ended", name=part.name, code=process.exitcode)
        if process.pid is not None:
            shared_metrics.left(process.pid)
        if part.line is not None:
            part.line.close()
        steady = now - part.started > _STEADY_SECONDS
        part.pause = (
            0.0 if steady else min(2 * part.pause + _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        )
        part.process, part.due = None, now + part.pause

    def alive(self) -> list[ForkServerProcess]:
        """Those that run."""
        return [one.process for one in self.parts if one.process and one.process.is_alive()]

    def next_seconds(self) -> float | None:
        """Until something is to be started; None while nothing is."""
        waiting = [one.due for one in self.parts if one.process is None]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def stop(self, answer_seconds: float, at_once: Callable[[float], bool]) -> bool:
        """End those that answer, then the worker; whether all ended by themselves and well.

        ``at_once(seconds)`` waits a little and says whether everything has to end now.
        """
        rounds = (
            (self.parts[1:], answer_seconds + 2 * serving.CLOSE_SECONDS),
            (self.parts[:1], 2 * serving.CLOSE_SECONDS),
        )
        well = True
        for parts, seconds in rounds:
            running = [one.process for one in parts if one.process and one.process.is_alive()]
            for process in running:
                process.terminate()
            well = well and _ended(running, seconds, at_once)
        for process in self.alive():
            process.kill()
            process.join()
        return well


def _ended(
    running: Sequence[ForkServerProcess], seconds: float, at_once: Callable[[float], bool]
) -> bool:
    deadline = time.monotonic() + seconds
    while any(one.is_alive() for one in running):
        if at_once(0.05) or time.monotonic() > deadline:
            return False
    # One that was still starting ends by the signal itself; it has taken nothing.
    return all(one.exitcode in (0, -signal.SIGTERM) for one in running)


# The first process ----------------------------------------------------------------------------


def serve(place: Place, ready: Callable[[], None]) -> int:
    """Serve with several processes until a signal ends it; the exit code.

    Raises Invalid for a number of processes that can't be, and as `serving.serve`.
    """
    if not 2 <= place.processes <= MOST:
        raise Invalid(f"A gateway has 1 to {MOST} processes.")
    settings = config.load(place.data)
    serving.require_free(place.address, place.port)
    passphrase = read_passphrase(app.passphrase_file(place.data))
    os.environ.pop(PASSPHRASE_VARIABLE, None)  # no child inherits it
    logs.to_standard_error(settings.log_level, settings.log_format)
    # What all need is loaded once, by a process that the others are forked from.
    _forking.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory(prefix="simdes-") as folder, _signals() as told:
        os.environ[shared_metrics.FOLDER] = folder
        all_ = Processes(place, passphrase)
        try:
            all_.start()
            ready()
            _watch(all_, told)
            well = all_.stop(settings.leave_seconds + settings.stop_seconds, told)
        finally:
            for process in all_.alive():
                process.kill()
    return 0 if well else serving.AT_ONCE


def _watch(all_: Processes, told: _Told) -> None:
    """Mend what breaks until a signal comes."""
    while not told.count:
        sentinels = [one.sentinel for one in all_.alive()]
        wait([*sentinels, told.pipe], timeout=all_.next_seconds())
        told(0)
        if not told.count:
            all_.mend()


class _Told:
    """How many signals asked for the end so far."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.count = 0

    def __call__(self, seconds: float) -> bool:
        """Listen for so long; whether a second one came."""
        if select.select([self.pipe], [], [], seconds)[0]:
            self.count += len(os.read(self.pipe, 64))
        return self.count > 1


@contextmanager
def _signals() -> Iterator[_Told]:
    """Take SIGTERM and Ctrl-C as bytes in a pipe, which can be waited for with everything else."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writing)
    handlers = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield _Told(reading)
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


# The others -----------------------------------------------------------------------------------


def answer(place: Place, passphrase: str, line: Connection) -> None:
    """Answer requests; a process's whole life."""
    count = place.processes
    with _own_life(line), app.opened(place.data, passphrase=passphrase, processes=count) as one:
        serving.answer(
            one,
            port=place.port,
            address=place.address,
            processes=count,
            ready=lambda: line.send(()),
        )


def work(place: Place, passphrase: str, line: Connection) -> None:
    """Do the worker's steps; a process's whole life."""
    stop = threading.Event()
    with _own_life(line):
        # In a thread: the handler may find this one in the midst of waiting for the event.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop.set).start())
        shared_metrics.join(CollectorRegistry())
        with app.opened(place.data, passphrase=passphrase) as one:
            serving.work(one, stop=stop, ready=lambda: line.send(()))


@contextmanager
def _own_life(line: Connection) -> Iterator[None]:
    """Apart from the terminal's signals, and no longer than the first process lives."""
    os.setpgrp()
    try:
        with _ending_with(line):
            yield
    except SimdesError as error:
        with suppress(OSError):
            line.send((type(error).__name__, error.message, error.advice))
        raise SystemExit(1) from None


@contextmanager
def _ending_with(line: Connection) -> Iterator[None]:
    """End this process as a signal would, when the other end of the pipe is closed."""

    def watch() -> None:
        with suppress(EOFError, OSError):
            line.recv_bytes()  # nothing is ever said: it ends with who could say it
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="line", daemon=True).start()
    yield
