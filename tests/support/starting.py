"""`simdes` commands as processes of their own that need not load the program again.

A process that has loaded every command and has one thread forks for each: its arguments, variables,
folder, output and exit code are a process's, and what takes most of a start is done once. What they
make is locked cheaply, as the networks of tests are.
`python -m simdes` itself is started by tests/unit/test_cli_help.py, test_cli_listen.py and
test_processes.py.
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
from contextlib import suppress
from functools import cache
from pathlib import Path

MOST_BYTES = 200_000


class Started:
    """A command that runs, as `subprocess.Popen` shows one."""

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told

    def poll(self) -> int | None:
        """Its exit code where it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code when it ends. Raises TimeoutExpired where that is later."""
        if self.returncode is None:
            ready, _, _ = select.select([self._told], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired("simdes", timeout or 0)
            self.returncode = int(os.read(self._told, 16))
            os.close(self._told)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal where it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ends just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Starter:
    """The process that forks, seen from a test; one call at a time is handed over."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self._turn = threading.Lock()

    def start(
        self,
        words: Sequence[str],
        out: int,
        err: int,
        *,
        environment: Mapping[str, str],
        folder: Path | None = None,
    ) -> Started:
        """Start a command that writes to two files, which stay the caller's."""
        asked = json.dumps(
            {"words": words, "environment": environment, "folder": str(folder or Path.cwd())}
        ).encode()
        told, telling = os.pipe()
        with self._turn:
            socket.send_fds(self._ours, [asked], [out, err, telling])
        os.close(telling)
        return Started(int(os.read(told, 16)), told)

    def run(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path | None,
        timeout: float,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; what it wrote, and its exit code."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            files = (out.fileno(), err.fileno())
            started = self.start(words, *files, environment=environment, folder=folder)
            late = False
            try:
                started.wait(timeout)
            except subprocess.TimeoutExpired:
                late = True
                started.kill()
            code = started.wait()
            for one in (out, err):
                one.seek(0)
            said = (out.read(), err.read())
        if late:
            raise subprocess.TimeoutExpired(list(words), timeout, *said)
        return subprocess.CompletedProcess(list(words), code, *said)


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
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from simdes import cli
    from simdes.access import keystore
    from support.cheap import cheap_lock

    keystore.lock = cheap_lock
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    cli.command_line(None)
    gc.freeze()  # what is loaded is no child's to look through
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "who has threads may not fork"
    sys.argv = ["simdes", *_fork_for_each(socket.socket(fileno=int(sys.argv[1])))]
    cli.main()
