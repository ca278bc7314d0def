"""Real programs: `simdes serve` processes for the members of a network, and `simdes` commands."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from simdes import config

START_SECONDS = 60
STOP_SECONDS = 30


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def simdes(
    *words: object, timeout: float = 120, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would; environment variables come on top, "" removes one."""
    return subprocess.run(
        [sys.executable, "-m", "simdes", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _environment(changed: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMDES_")}
    return {name: value for name, value in (kept | changed).items() if value}


@contextmanager
def serving(network: Path, *names: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Serve members of a copied network as processes of their own until the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(serve(network / name)) for name in names]


@contextmanager
def serve(data: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`simdes serve` for a folder, answering; SIGTERM at the end where it still runs."""
    url = config.load(data, {}).custody_url
    program = subprocess.Popen(
        [sys.executable, "-m", "simdes", "serve", "--data", str(data), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment({}),
    )
    try:
        _wait(program, int(url.rpartition(":")[2]))
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


def _wait(program: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and program.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    program.kill()
    out, err = program.communicate()
    raise RuntimeError(f"simdes serve did not answer:\n{out}\n{err}")
