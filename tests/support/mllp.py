"""A sender of HL7 v2 over MLLP, as hospitals have them, and listeners as real processes."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.gateways import Program, Running, free_ports, variables
from support.starting import starter

START_SECONDS = 60
STOP_SECONDS = 40


def adt(control: str, patient: str = "100", *, header: str = "P|2.5.1", note: str = "") -> bytes:
    """An admission with a control id, of a patient; ``header`` is MSH from MSH-11 on."""
    lines = [
        rf"MSH|^~\&|ADT|NORTH|SIMDES|NORTH|20260101120000||ADT^A01^ADT_A01|{control}|{header}",
        "EVN|A01|20260101120000",
        f"PID|1||{patient}^^^NORTH^MR||Doe^Ann^{note}||19700101|F",
        f"PV1|1|I|WARD^1^1||||||||||||||||{patient}",
    ]
    return "".join(f"{line}\r" for line in lines).encode()


def enclosed(content: bytes) -> bytes:
    """An MLLP frame."""
    return b"\x0b" + content + b"\x1c\r"


@dataclass(slots=True)
class Sender:
    """A connection to a listener."""

    connection: socket.socket
    received: bytes = b""
    waiting: list[bytes] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(data)

    def ask(self, content: bytes) -> str:
        """Send a message in a frame and wait for its acknowledgment."""
        self.send(enclosed(content))
        return self.answer()

    def answer(self) -> str:
        """Wait for the next frame; EOFError where the listener closes instead."""
        while b"\x1c\r" not in self.received:
            data = self.connection.recv(65_536)
            if not data:
                raise EOFError(self.received)
            self.received += data
        frame, _, self.received = self.received.partition(b"\x1c\r")
        assert frame[:1] == b"\x0b"
        return frame[1:].decode()

    def closed(self) -> bool:
        """Wait for the listener to close, without another answer."""
        try:
            return self.connection.recv(65_536) == b"" and not self.received
        except ConnectionError:
            return not self.received


@contextmanager
def sending(
    port: int, *, tls: ssl.SSLContext | None = None, timeout: float = 30
) -> Iterator[Sender]:
    """Connect to a listener on this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as plain:
        if tls is None:
            yield Sender(plain)
            return
        with tls.wrap_socket(plain, server_hostname="localhost") as secured:
            yield Sender(secured)


def msa(answer: str) -> tuple[str, str]:
    """The code and the control id of an acknowledgment."""
    fields = next(line for line in answer.split("\r") if line.startswith("MSA")).split("|")
    return fields[1], fields[2]


@dataclass(slots=True)
class Listening:
    """A `simdes listen` process."""

    program: Program
    port: int
    log: Path

    def stop(self) -> dict[str, Any]:
        """End it gracefully and give what it prints at the end."""
        self.program.send_signal(signal.SIGTERM)
        out, _ = self.program.communicate(timeout=STOP_SECONDS)
        assert self.program.returncode == 0, self.log.read_text()
        counts: dict[str, Any] = json.loads(out)
        return counts

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.program.kill()
        self.program.wait()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines about one kind of event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["event"] == name]


@contextmanager
def listening(data: Path, *words: object, port: int | None = None) -> Iterator[Listening]:
    """`simdes listen --json` for a folder, answering; it is killed where it still runs.

    ``port`` 0 leaves the choice to the settings or to ``words``.
    """
    port = free_ports(1)[0] if port is None else port
    log = data / f"listen-{time.monotonic_ns()}.log"
    words = ("listen", "--data", data, "--json", *(("--port", port) if port else ()), *words)
    with log.open("w") as errors:

        def start(out: int, _: int) -> Running:
            given, file = [*map(str, words)], errors.fileno()
            return starter().start(given, out, file, environment=variables({}))

        program = Program(start)
    try:
        _wait(program, log)
        yield Listening(program, port, log)
    finally:
        program.kill()
        program.wait()


def _wait(program: Program, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and program.poll() is None:
        if '"event": "listening"' in log.read_text():
            return
        time.sleep(0.05)
    raise RuntimeError(f"simdes listen did not answer: {log.read_text()}")
