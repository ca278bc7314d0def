"""`simdes` commands as processes of their own that need not load the program again.

A process that has loaded every command and has one thread forks for each: its arguments, variables,
folder, output and exit code are a process's, and what takes most of a start is done once.
`python -m simdes` itself is started by `support.gateways.serve` and by tests/unit/test_cli_help.py.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

MOST_BYTES = 200_000


class Starter:
    """The process that forks, seen from a test; one call at a time is handed over."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self._turn = threading.Lock()

    def run(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path | None,
        timeout: float,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; what it wrote, and its exit code."""
        asked = json.dumps(
            {"words": words, "environment": environment, "folder": str(folder or Path.cwd())}
        ).encode()
        told, telling = os.pipe()
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            os.fdopen(told, "rb", buffering=0) as told_,
        ):
            with self._turn:
                fds = [out.fileno(), err.fileno(), telling]
                socket.send_fds(self._ours, [asked], fds)
            os.close(telling)
            pid = int(told_.read(16))
            code = _within(told_.fileno(), timeout)
            if code is None:
                os.kill(pid, signal.SIGKILL)
            for one in (out, err):
                one.seek(0)
            said = (out.read(), err.read())
        if code is None:
            raise subprocess.TimeoutExpired(list(words), timeout, *said)
        return subprocess.CompletedProcess(list(words), code, *said)


def _within(file: int, timeout: float) -> int | None:
    until = time.monotonic() + timeout
    ready, _, _ = select.select([file], [], [], max(until - time.monotonic(), 0))
    return int(os.read(file, 16)) if ready else None


@cache
def starter() -> Starter:
    """The one of this process."""
    return Starter()


# The process that forks -----------------------------------------------------------------------


def _fork_for_each(control: socket.socket) -> list[str]:
    """Fork until nobody asks any more; in the child, the command's arguments come back."""
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control, waking], [], [])
        if waking in ready:
            os.read(waking, 4096)
            _tell_of_ended(running)
        if control not in ready:
            continue
        data, fds, _, _ = socket.recv_fds(control, MOST_BYTES, 3)
        if not data:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (waking, woken, control.detach(), fds[2], *running.values()):
                os.close(one)
            return _become(json.loads(data), *fds[:2])
        running[pid] = fds[2]
        os.write(fds[2], b"%16d" % pid)
        for one in fds[:2]:
            os.close(one)


def _tell_of_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        file = running.pop(pid)
        os.write(file, b"%16d" % os.waitstatus_to_exitcode(status))
        os.close(file)


def _become(asked: dict[str, object], out: int, err: int) -> list[str]:
    for mine, file in ((1, out), (2, err)):
        os.dup2(file, mine)
        os.close(file)
    os.chdir(str(asked["folder"]))
    environment = asked["environment"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    words = asked["words"]
    assert isinstance(words, list)
    return [str(one) for one in words]


if __name__ == "__main__":
    from simdes import cli

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    cli.command_line(None)
    gc.freeze()  # what is loaded is no child's to look through
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "who has threads may not fork"
    sys.argv = ["simdes", *_fork_for_each(socket.socket(fileno=int(sys.argv[1])))]
    cli.main()
