"""How many HL7 v2 messages a second `simdes listen` acknowledges as durable.

Run `.venv/bin/python bench/listen.py` on an idle machine. A real listener process on SQLite
(synchronous FULL), admissions of a patient each, senders in this process that wait for each
acknowledgment before they send on. Wall-clock rates; beside them the listener's own CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from simdes import app, config

WORD = "a benchmark's passphrase"


def admission(control: str) -> bytes:
    """An admission of a patient of its own, in its frame."""
    lines = (
        rf"MSH|^~\&|ADT|NORTH|SIMDES|NORTH|20260101120000||ADT^A01^ADT_A01|{control}|P|2.5.1",
        "EVN|A01|20260101120000",
        f"PID|1||{control}^^^NORTH^MR||Doe^Ann||19700101|F",
        f"PV1|1|I|WARD^1^1||||||||||||||||{control}",
    )
    return b"\x0b" + "".join(f"{line}\r" for line in lines).encode() + b"\x1c\r"


def start(data: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A listener of a new organisation, answering."""
    settings = config.Settings(
        name="bench",
        kind="hospital",
        organisation="0x" + secrets.token_hex(32),
        ledger_url="embedded:ledger.sqlite",
        store_url="file:blocks",
        database_url="sqlite:simdes.sqlite",
    )
    app.create(data, settings, passphrase=None, administrator_passphrase=WORD, network=None)
    program = subprocess.Popen(  # noqa: S603 our own interpreter
        [sys.executable, "-m", "simdes", "listen", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    said = program.stdout.readline() if program.stdout else b""
    return program, int(said.split(b" (")[0].rpartition(b":")[2])


def send(port: int, name: str, count: int, milliseconds: list[float]) -> None:
    """Send messages over one connection, each after the last one's acknowledgment."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number in range(count):
            began = time.perf_counter()
            connection.sendall(admission(f"{name}-{number}"))
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += connection.recv(65_536)
            if b"MSA|AA|" not in answer:
                raise SystemExit("a message was refused")
            milliseconds.append(1000 * (time.perf_counter() - began))


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(program: subprocess.Popen[bytes], port: int, connections: int, count: int) -> Any:
    """One line of figures: ``count`` messages over ``connections``."""
    milliseconds: list[float] = []
    senders = [
        threading.Thread(
            target=send, args=(port, f"{connections}.{n}", count // connections, milliseconds)
        )
        for n in range(connections)
    ]
    used, began = cpu_seconds(program.pid), time.perf_counter()
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    seconds = time.perf_counter() - began
    used = cpu_seconds(program.pid) - used
    return {
        "connections": connections,
        "messages": len(milliseconds),
        "acknowledged_per_second": len(milliseconds) / seconds,
        "per_cpu_second": len(milliseconds) / used,
        "p50_ms": statistics.median(milliseconds),
        "p99_ms": statistics.quantiles(milliseconds, n=100)[98],
    }


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--messages", type=int, default=2_000)
    arguments.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program, port = start(Path(folder) / "organisation")
        try:
            measure(program, port, 1, 100)  # the mapping tables are loaded once
            results = [measure(program, port, count, chosen.messages) for count in (1, 20)]
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(60)
    figures = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "results": results,
    }
    if chosen.out:
        chosen.out.write_text(json.dumps(figures, indent=2) + "\n")
    for one in results:
        print(one)


if __name__ == "__main__":
    main()
