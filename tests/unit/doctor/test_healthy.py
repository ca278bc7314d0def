"""A healthy network raises nothing; and the table says what the program looks at."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdes import doctor
from simdes.cli import command_line
from support.gateways import simdes
from unit.doctor.conftest import Patient

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "operations" / "doctor.md"


def test_a_healthy_network_raises_nothing(north: Patient) -> None:
    found = north.examine()
    assert [one for one in found if one.state != "ok"] == []
    said = {one.check for one in found}
    quiet = {name for name in doctor.CHECKS if name.split("-")[0] in ("ipfs", "ledger", "stale")}
    quiet |= {"tls", "proxy", "mail", "database-connections", "database-clock"}
    assert set(doctor.CHECKS) - said <= quiet, "what does not apply says nothing, all else speaks"
    assert {"ledger", "ledger-history"} <= said


def told(*words: object) -> tuple[int, str]:
    """What the command prints, in this process."""
    done = CliRunner().invoke(command_line(), ["doctor", *map(str, words)], standalone_mode=False)
    return done.return_value if isinstance(done.return_value, int) else 2, done.stdout


def test_a_command_says_it_as_text_and_as_json(north: Patient) -> None:
    where = ("--data", north.folder, "--check")
    north.set(disk_free_mib=1 << 40, time_zone="Mars/Olympus")
    done = simdes("doctor", *where, "disk", "--check", "settings")
    assert done.returncode == 1, done.stderr
    assert "FAILED  disk: " in done.stdout and "FAILED  settings: " in done.stdout
    code, said = told(*where, "base-url", "--json")
    [one] = json.loads(said)
    assert code == 0
    assert one == {
        "check": "base-url",
        "part": "address",
        "state": "ok",
        "message": one["message"],
        "advice": "",
    }
    assert told(*where, "colour")[0] == 2
    assert told()[0] == 2


def test_the_table_is_what_the_command_lists_and_the_page_shows() -> None:
    listed = json.loads(told("--list", "--json")[1])
    assert [one["check"] for one in listed] == list(doctor.CHECKS)
    rows = re.findall(r"(?m)^\| `([a-z-]+)` \| (.+?) \| (.+) \|$", PAGE.read_text())
    shown = {name: (means, do) for name, means, do in rows}
    assert shown == {one.name: (one.means, one.advice) for one in doctor.CHECKS.values()}


def test_no_secret_is_shown_whatever_is_wrong(north: Patient) -> None:
    secret = "pw-7f3a"
    dead = free_port()
    north.set(
        ledger_url=f"http://name:{secret}@127.0.0.1:{dead}/{secret}",
        store_url=f"ipfs:http://name:{secret}@127.0.0.1:{dead}/{secret}",
        database_url=f"postgresql://name:{secret}@127.0.0.1:{dead}/{secret}",
        custody_url=f"https://name:{secret}@127.0.0.1:{dead}/{secret}",
    )
    found = north.examine()
    assert {"ledger-answers", "ipfs-answers", "database-answers", "base-url", "start"} <= {
        one.check for one in found if one.state == "failed"
    }
    assert secret not in repr(found)
    kept = (north.folder / "passphrase").read_text().strip()
    assert kept not in repr(found)


def test_servers_that_take_a_connection_and_never_answer_do_not_hold_it_up(north: Patient) -> None:
    with silent() as port:
        north.set(
            ledger_url=f"http://127.0.0.1:{port}",
            store_url=f"ipfs:http://127.0.0.1:{port}",
            database_url=f"postgresql://name@127.0.0.1:{port}/name",
        )
        began = time.monotonic()
        found = north.examine()
        took = time.monotonic() - began
    failed = {one.check for one in found if one.state == "failed"}
    assert {"ledger-answers", "ipfs-answers", "database-answers", "start"} <= failed
    assert took < 3 * doctor.SECONDS, "a busy machine included"
    unseen = {one.check for one in found if one.state == "unknown"}
    assert {"custodians", "ledger-chain", "ipfs-private", "database-schema"} <= unseen


def test_a_fault_of_ours_hides_nothing_else(
    north: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: object) -> object:
        raise ZeroDivisionError("with a value of somebody in it")

    monkeypatch.setattr("shutil.disk_usage", break_off)
    found = north.examine("disk", "base-url")
    assert [one.state for one in found] == ["failed", "ok"] or [one.state for one in found] == [
        "ok",
        "failed",
    ]
    assert "ZeroDivisionError" in repr(found) and "somebody" not in repr(found)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()
