"""`simdes serve --processes N`: several answer on one port, and the end of one loses nothing."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from adapters.postgres import Databases
from simdes import app, config
from simdes.exchange.signin import sign_in
from simdes.index.migrations import migrate
from support import consortium
from support.consortium import passphrase_of
from support.gateways import Program, serve, simdes

USER = "dr.north"
BY_ITSELF_SECONDS = 60
"""How long a process may take to start again on a busy machine."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "network"
    consortium.found(folder)
    consortium.let_read(folder / "north")
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def north(request: pytest.FixtureRequest, template: Path, tmp_path: Path) -> Path:
    """A hospital in a network of its own."""
    folder = consortium.copy(template, tmp_path / "network") / "north"
    if request.param == "postgresql":
        databases: Databases = request.getfixturevalue("postgres_databases")
        _move(folder, databases.create())
    return folder


def _move(folder: Path, url: str) -> None:
    """Begin anew on another database; the key store stays."""
    path = folder / "simdes.toml"
    lines = [one for one in path.read_text().splitlines() if not one.startswith("database_url")]
    path.write_text("\n".join([*lines, f'database_url = "{url}"']) + "\n")
    migrate(url)


def token_of(north: Path) -> str:
    with consortium.own_settings(), app.opened(north) as one:
        return sign_in(one.node, USER, passphrase_of(USER)).token


@pytest.fixture
def several(north: Path) -> Iterator[tuple[Program, str, str]]:
    """Two that answer and a worker; where, and a doctor's token."""
    url = config.load(north, {}).custody_url
    with serve(north, "--processes", "2") as program:
        eventually(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        yield program, url, token_of(north)


def eventually(holds: Callable[[], bool], seconds: float = BY_ITSELF_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come to hold")


def living(program: Program) -> list[psutil.Process]:
    """The processes that do the work, in the order of their start: the worker comes first.

    They are forked from one that does nothing else.
    """
    found = [
        one
        for between in psutil.Process(program.pid).children()
        for one in between.children()
        if one.status() != psutil.STATUS_ZOMBIE
    ]
    return sorted(found, key=lambda one: one.create_time())


def figure(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def patient(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.4.1", "value": f"several-{number}"}],
        "name": [{"family": f"Family{number}"}],
    }


def create(url: str, token: str, number: int) -> str | None:
    """The address of a new Patient; None where the connection broke before the answer."""
    try:
        answer = httpx.post(
            f"{url}/fhir/Patient",
            json=patient(number),
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
    except httpx.HTTPError:
        return None
    assert answer.status_code in (201, 503), answer.text
    return answer.headers["Location"].partition("/_history")[0] if answer.is_success else None


def test_one_killed_by_force_loses_nothing_and_comes_back(
    several: tuple[Program, str, str],
) -> None:
    program, url, token = several
    before = living(program)
    assert len(before) == 3

    def write(number: int) -> str | None:
        if number == 20:
            before[1].kill()
        if number == 30:
            before[0].kill()
        return create(url, token, number)

    with ThreadPoolExecutor(4) as pool:
        made = [one for one in pool.map(write, range(60)) if one]
    assert len(made) >= 20
    eventually(lambda: len(living(program)) == 3)
    headers = {"Authorization": f"Bearer {token}"}
    eventually(lambda: httpx.get(made[0], headers=headers, timeout=30).status_code == 200)
    for address in made:
        assert httpx.get(address, headers=headers, timeout=30).status_code == 200
    search = f"{url}/fhir/Patient?_summary=count"
    total = httpx.get(search, headers=headers).json()["total"]
    assert len(made) <= total <= 60
    # The ledger is in the worker: that requests are answered says that it came back.
    assert httpx.get(f"{url}/readyz").json()["ledger"] == "ok"
    program.send_signal(signal.SIGTERM)
    _, log = program.communicate(timeout=60)
    assert program.returncode == 0, log
    # One that starts while the ledger's process is away ends, and is started once more.
    assert 2 <= log.count('"a process ended"') <= 8


def test_figures_are_those_of_all_processes(several: tuple[Program, str, str]) -> None:
    program, url, _ = several
    for _ in range(24):  # each on a connection of its own, which either of them may get
        assert httpx.get(f"{url}/healthz").status_code == 200
    name = 'simdes_requests_total{method="GET",route="/healthz"'
    assert {figure(url, name) for _ in range(6)} == {24.0}
    assert figure(url, "simdes_processes") == 3
    memory = sum(one.memory_info().rss for one in living(program))
    assert figure(url, "simdes_process_resident_memory_bytes") == pytest.approx(memory, rel=0.2)


def test_no_process_shows_the_passphrase_and_none_outlives_the_first(
    template: Path, tmp_path: Path
) -> None:
    north = consortium.copy(template, tmp_path / "network") / "north"
    kept = (north / "passphrase").read_text().strip()
    (north / "passphrase").unlink()
    command = (sys.executable, "-m", "simdes", "serve", "--data", north, "--processes", "2")
    program = Program.of(*command, SIMDES_PASSPHRASE=kept)
    try:
        url = config.load(north, {}).custody_url
        eventually(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        children = living(program)
        assert len(children) == 3
        for one in children:
            assert kept not in " ".join(one.cmdline())
            assert kept not in str(one.environ())
    finally:
        program.kill()
        program.wait()
    assert psutil.wait_procs(children, timeout=BY_ITSELF_SECONDS)[1] == []


def test_what_keeps_one_from_starting_is_said(template: Path, tmp_path: Path) -> None:
    north = consortium.copy(template, tmp_path / "network") / "north"
    path = north / "simdes.toml"
    path.write_text(path.read_text() + 'facade_url = "http://example.org/fhir?query"\n')
    done = simdes("serve", "--data", north, "--processes", "2")
    assert done.returncode != 0
    assert done.stderr.strip() and "Traceback" not in done.stderr
    assert simdes("serve", "--data", north, "--processes", "0").returncode == 2
