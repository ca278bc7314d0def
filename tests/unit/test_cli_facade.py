"""`simdes facade` as real programs: loads that are killed, rounds that somebody asks for."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from adapters.postgres import Databases
from simdes import config
from support import consortium
from support.bundles import bundle
from support.fhir_server import FhirServer, fails, observation, patient, running
from support.gateways import free_ports, serve, simdes
from support.leaks import Scanner
from unit.test_serving import set_up

PATIENTS, RESULTS = 8, 5
KILLED_AT = [(9, 20), pytest.param((5, 14, 16, 7, 11), marks=pytest.mark.accept)]
"""After how many requests to the server a load is killed, in turn: the first three while types are
searched, the others while the history is read, for which about 15 requests are left."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "network"
    consortium.found(folder, names=("north", "south"))
    return folder


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgres_databases: Databases) -> Path:
    folder = tmp_path_factory.mktemp("template-pg") / "network"
    url = postgres_databases.create()
    consortium.found(folder, names=("north", "south"), databases={"north": url})
    return folder


@pytest.fixture
def server() -> Iterator[FhirServer]:
    """A server with some patients and results."""
    with running(FhirServer()) as one:
        for number in range(PATIENTS):
            one.put(patient(number))
            for result in range(RESULTS):
                one.put(observation(f"{number}-{result}", number, str(result)))
        yield one


def rows_of(north: Path, sql: str) -> list[tuple[Any, ...]]:
    url = config.load(north, {}).database_url
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as database:
            return database.execute(sql).fetchall()
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()


def stored(north: Path) -> Counter[tuple[str, str]]:
    found = rows_of(north, "SELECT type, logical_id FROM resource")
    return Counter((str(type_), str(id_)) for type_, id_ in found)


def expected(server: FhirServer) -> set[tuple[str, str]]:
    return {name for name, one in server.current().items() if one.resource is not None}


def killed_after(north: Path, server: FhirServer, requests: int) -> bool:
    """Kill a load with SIGKILL once the server was asked so often; whether it was still going."""
    server.asked.clear()
    program = subprocess.Popen(
        [sys.executable, "-m", "simdes", "facade", "once", "--data", str(north), "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while program.poll() is None and len(server.asked) < requests:
        time.sleep(0.002)
    program.send_signal(signal.SIGKILL)
    program.wait()
    return program.returncode == -signal.SIGKILL


@pytest.mark.parametrize("kind", ["template", "on_postgresql"])
@pytest.mark.parametrize("killed_at", KILLED_AT, ids=["twice", "five-times"])
def test_a_load_that_is_killed_again_and_again_loses_and_doubles_nothing(
    kind: str,
    killed_at: tuple[int, ...],
    server: FhirServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    north: Path = request.getfixturevalue(kind) / "north"
    if kind == "template":
        north = consortium.copy(north.parent, tmp_path / "network") / "north"
    set_up(north, facade_url=server.base, facade_page_size=7)
    kills = 0
    for number, requests in enumerate(killed_at):
        kills += killed_after(north, server, requests)
        assert max(stored(north).values(), default=1) == 1
        server.put(observation(f"meanwhile-{number}", number))
        _let_go(north)
    assert kills == len(killed_at)
    done = simdes("facade", "once", "--data", north, "--json")
    assert done.returncode == 0, done.stderr
    found = stored(north)
    assert set(found) == expected(server)
    assert set(found.values()) == {1}
    shown = json.loads(simdes("facade", "status", "--data", north, "--json").stdout)
    assert shown["failure"] == "" and shown["running"] is False
    assert all(one["loaded"] for one in shown["streams"])
    again = simdes("facade", "once", "--data", north, "--again", "--json")
    assert json.loads(again.stdout)["resources"] == 0
    assert json.loads(again.stdout)["seen"] >= len(found)
    assert stored(north) == found


def _let_go(north: Path) -> None:
    """What two minutes of waiting do: a killed program's hold ends."""
    url = config.load(north, {}).database_url
    sql = "UPDATE facade_source SET held_until_ms = 0"
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as database:
            database.execute(sql)
            database.commit()
    else:
        with psycopg.connect(url) as connection:
            connection.execute(sql.encode())


@pytest.fixture
def north(template: Path, tmp_path: Path) -> Path:
    return consortium.copy(template, tmp_path / "network") / "north"


def test_serve_reads_the_server_and_a_notification_makes_it_read_at_once(
    north: Path, server: FhirServer
) -> None:
    (north / "notify").write_text("the-secret\n")
    (north / "notify").chmod(0o600)
    url = set_up(
        north,
        facade_url=server.base,
        facade_poll_seconds=3600,
        facade_notify_secret_file="notify",
        facade_notify_url="http://127.0.0.1:1/facade/notify",
    )
    told = {"Authorization": "Bearer the-secret"}
    with serve(north) as program:
        _until(lambda: set(stored(north)) >= expected(server))
        server.put(observation("told", 1))
        assert httpx.post(f"{url}/facade/notify").status_code == 401
        assert httpx.post(f"{url}/facade/notify", headers=told).status_code == 200
        _until(lambda: ("Observation", "otold") in stored(north))
        assert len(server.subscriptions) == len(server.types)
        other = simdes("facade", "status", "--data", north)
        assert other.returncode == 0 and "history-system" in other.stdout
        program.terminate()
        began = time.monotonic()
        _, err = program.communicate(timeout=20)
        assert time.monotonic() - began < 10
    assert program.returncode == 0
    seeded = ("Family11", "MRN-0000001", "Bearer the-secret")
    assert Scanner(seeded).scan([("err", err.encode())]) == []
    assert [one for one in err.splitlines() if '"round"' in one]


def test_run_reads_in_rounds_until_it_is_stopped(north: Path, server: FhirServer) -> None:
    set_up(north, facade_url=server.base, facade_poll_seconds=1)
    program = subprocess.Popen(
        [sys.executable, "-m", "simdes", "facade", "run", "--data", str(north)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _until(lambda: set(stored(north)) >= expected(server))
        server.put(observation("later", 2))
        server.faults = [fails()]
        _until(lambda: ("Observation", "olater") in stored(north))
    finally:
        program.terminate()
    out, err = program.communicate(timeout=20)
    assert program.returncode == 0
    assert out.strip().endswith(f"reads {server.base}")
    assert "Family" not in err and "Traceback" not in err


def test_what_keeps_it_from_reading_is_named(north: Path, server: FhirServer) -> None:
    done = simdes("facade", "once", "--data", north)
    assert (done.returncode, "facade_url" in done.stderr) == (8, True)
    set_up(north, facade_url="http://127.0.0.1:1/fhir")
    done = simdes("facade", "once", "--data", north)
    assert (done.returncode, "does not answer" in done.stderr) == (6, True)
    shown = simdes("facade", "status", "--data", north)
    assert "broken off (transient)" in shown.stderr
    set_up(north, facade_url=server.base)
    server.put(observation("bad", 1, status="no such status"))
    done = simdes("facade", "once", "--data", north)
    assert done.returncode == 5
    assert re.search(r"1 in quarantine", done.stdout)


def test_two_gateways_share_a_folder_and_one_postgresql(
    on_postgresql: Path, server: FhirServer, tmp_path: Path
) -> None:
    """Both seal, anchor, read and answer; one is killed, and the other carries on."""
    north = on_postgresql / "north"
    (north / "notify").write_text("the-secret\n")
    (north / "notify").chmod(0o600)
    url = set_up(
        north,
        facade_url=server.base,
        facade_poll_seconds=3600,
        facade_notify_secret_file="notify",
        facade_page_size=200,
    )
    _let_go(north)
    [port] = free_ports(1)
    told = {"Authorization": "Bearer the-secret"}
    (tmp_path / "ada.json").write_bytes(bundle("ada"))
    with serve(on_postgresql / "south"), serve(north) as first, serve(north, "--port", str(port)):
        _until(lambda: set(stored(north)) >= expected(server))
        for where in (url, f"http://127.0.0.1:{port}"):
            assert httpx.get(f"{where}/readyz").status_code == 200
            server.put(observation(f"told-{len(server.versions)}", 1))
            assert httpx.post(f"{where}/facade/notify", headers=told).status_code == 200
            _until(lambda: set(stored(north)) >= expected(server))
        first.kill()
        first.communicate(timeout=20)
        done = simdes("ingest", tmp_path / "ada.json", "--data", north, "--no-wait", "--json")
        assert done.returncode == 0, done.stderr
        _until(lambda: rows_of(north, "SELECT DISTINCT state FROM resource") == [("anchored",)])
    assert set(stored(north).values()) == {1}
    [(leaves, different)] = rows_of(north, "SELECT count(*), count(DISTINCT resource_id) FROM leaf")
    assert leaves == different == sum(stored(north).values())


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
