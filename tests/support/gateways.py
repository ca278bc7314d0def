"""Real programs: `simdes serve` processes for the members of a network, and `simdes` commands."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from simdes import config
from support.starting import starter

START_SECONDS = 180
STOP_SECONDS = 30
FIRST_PORT, PORTS_EACH = 12_000, 2_000


def _ports_of_this_process() -> Iterator[int]:
    """Below those that the system hands out, apart from other workers', none again for long."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + worker % 10 * PORTS_EACH
    for number in itertools.count(os.getpid() * 7):
        yield first + number % PORTS_EACH


_ports = _ports_of_this_process()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now, nor will until they are used."""
    found: list[int] = []
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def simdes(
    *words: object, timeout: float = 120, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would; environment variables come on top, "" removes one."""
    return starter().run(
        [*map(str, words)], environment=variables(environment), folder=cwd, timeout=timeout
    )


def variables(changed: Mapping[str, str]) -> dict[str, str]:
    """This process's variables without SIMDES's, and what is changed; "" removes one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMDES_")}
    return {name: value for name, value in (kept | changed).items() if value}


@contextmanager
def serving(network: Path, *names: str) -> Iterator[list[Program]]:
    """Serve members of a copied network as processes of their own until the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(serve(network / name)) for name in names]


class Running(Protocol):
    """A process, as `subprocess.Popen` shows one."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...


class Program:
    """A program whose output is read while it runs: a log that nobody reads would hold it up."""

    def __init__(self, start: Callable[[int, int], Running]) -> None:
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        self._process = start(to_out, to_err)
        os.close(to_out)
        os.close(to_err)
        self.pid = self._process.pid
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=_read, args=(file, lines), daemon=True)
            for file, lines in ((out, self.out), (err, self.err))
        ]
        for one in self._readers:
            one.start()

    @classmethod
    def of(cls, *command: object, **environment: str) -> Program:
        """Start a program by its command; variables as `simdes` takes them."""

        def start(out: int, err: int) -> Running:
            return subprocess.Popen(
                [*map(str, command)], stdout=out, stderr=err, env=variables(environment)
            )

        return cls(start)

    @classmethod
    def forked(cls, *words: object, **environment: str) -> Program:
        """Start a command of `simdes` in a process that has loaded it already."""

        def start(out: int, err: int) -> Running:
            given = variables(environment)
            return starter().start([*map(str, words)], out, err, environment=given)

        return cls(start)

    @property
    def returncode(self) -> int | None:
        """Its exit code where somebody waited for its end."""
        return self._process.returncode

    def poll(self) -> int | None:
        """Its exit code where it has ended."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code when it ends."""
        return self._process.wait(timeout)

    def send_signal(self, number: int) -> None:
        """Send it a signal where it still runs."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; everything it wrote."""
        self.wait(timeout)
        for one in self._readers:
            one.join()
        return "".join(self.out), "".join(self.err)


def _read(file: int, lines: list[str]) -> None:
    with os.fdopen(file) as stream:
        lines.extend(stream)


@contextmanager
def serve(data: Path, *words: str) -> Iterator[Program]:
    """`simdes serve` for a folder, answering; SIGTERM at the end where it still runs.

    With ``--processes`` by itself: its processes are forked from one of its own.
    """
    url = config.load(data, {}).custody_url
    command = ("serve", "--data", data, *words)
    if "--processes" in words:
        program = Program.of(sys.executable, "-m", "simdes", *command)
    else:
        program = Program.forked(*command)
    port = words[words.index("--port") + 1] if "--port" in words else url.rpartition(":")[2]
    try:
        _wait(program, int(port))
        yield program
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGTERM)
        try:
            program.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            program.communicate()
            raise


def wait_for_port(port: int) -> None:
    """Wait until somebody listens on a port of this machine."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody answers on port {port}")


def _wait(program: Program, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and program.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    program.kill()
    out, err = program.communicate()
    raise RuntimeError(f"simdes serve did not answer:\n{out}\n{err}")
