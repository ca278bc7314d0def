"""`simdes serve` and what any command says of a set-up that is not in order; real programs."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from simdes import config
from support import consortium
from support.bundles import bundle
from support.gateways import free_ports, serve, simdes


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "network"
    consortium.found(folder)
    return folder


@pytest.fixture
def north(template: Path, tmp_path: Path) -> Path:
    """A member's folder in a network of its own."""
    return consortium.copy(template, tmp_path / "network") / "north"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_until_a_signal_ends_it_with_zero(north: Path, number: int) -> None:
    url = config.load(north, {}).custody_url
    with serve(north) as program:
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        ready = httpx.get(f"{url}/readyz")
        assert (ready.status_code, set(ready.json().values())) == (200, {"ok"})
        program.send_signal(number)
        out, err = program.communicate(timeout=20)
    assert program.returncode == 0, err
    assert out == f"Hospital North answers on {url}\n"
    assert "Traceback" not in err


def test_serve_seals_and_anchors_what_others_made_durable(north: Path, tmp_path: Path) -> None:
    (tmp_path / "ada.json").write_bytes(bundle("ada"))
    with serve(north), serve(north.parent / "south"), serve(north.parent / "east"):
        done = simdes("ingest", tmp_path / "ada.json", "--data", north, "--no-wait", "--json")
        assert done.returncode == 0, done.stderr
        assert "anchoring" not in json.loads(done.stdout)
        deadline = time.monotonic() + 30
        with closing(sqlite3.connect(north / "simdes.sqlite")) as database:
            while time.monotonic() < deadline:
                found = database.execute("SELECT DISTINCT state FROM resource").fetchall()
                if found == [("anchored",)]:
                    break
                time.sleep(0.1)
    assert found == [("anchored",)]


def test_serve_ends_at_once_while_a_custodian_is_away_and_work_waits(
    north: Path, tmp_path: Path
) -> None:
    (tmp_path / "ada.json").write_bytes(bundle("ada"))
    with serve(north) as program:
        done = simdes("ingest", tmp_path / "ada.json", "--data", north, "--json")
        assert (done.returncode, json.loads(done.stdout)["anchoring"]) == (0, "waiting")
        assert "not anchored yet" in done.stderr
        program.terminate()
        began = time.monotonic()
        program.communicate(timeout=20)
    assert program.returncode == 0
    assert time.monotonic() - began < 10


def test_serve_says_that_its_port_is_taken(north: Path) -> None:
    [port] = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = simdes("serve", "--data", north, "--port", port, timeout=60)
    assert done.returncode == 6
    assert f"Port {port} can't be used" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    assert "answers on" not in done.stdout


def test_a_fifth_program_of_one_organisation_is_told_to_wait(north: Path) -> None:
    held = "import fcntl,sys,time\n" + "".join(
        f"f{n}=open({str(north / 'lanes' / f'{n}.lock')!r},'a');fcntl.flock(f{n},fcntl.LOCK_EX)\n"
        for n in range(4)
    )
    with subprocess.Popen(
        [sys.executable, "-c", held + "print('held',flush=True);time.sleep(60)"],
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = simdes("organisation", "list", "--data", north)
        other.kill()
    assert done.returncode == 6
    assert "4 programs of this organisation run already" in done.stderr


def _wrong_passphrase(north: Path) -> None:
    (north / "passphrase").write_text("another one\n")


def _no_passphrase(north: Path) -> None:
    (north / "passphrase").unlink()


def _open_passphrase(north: Path) -> None:
    (north / "passphrase").chmod(0o644)


def _no_settings(north: Path) -> None:
    (north / "simdes.toml").unlink()


def _unknown_setting(north: Path) -> None:
    with (north / "simdes.toml").open("a") as file:
        file.write("colour = 'red'\n")


def _damaged_keys(north: Path) -> None:
    (north / "keystore.json").write_text("{}")


def _other_network(north: Path) -> None:
    path = north / "network.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"chain_id": 5}))


def _no_network(north: Path) -> None:
    (north / "network.json").unlink()


def _no_ledger(north: Path) -> None:
    toml = north / "simdes.toml"
    toml.write_text(toml.read_text().replace("embedded:../ledger.sqlite", "http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (_wrong_passphrase, 3, "The passphrase does not open this key store."),
        (_no_passphrase, 3, "The key store's passphrase is missing."),
        (_open_passphrase, 3, "can be read by others"),
        (_no_settings, 4, "holds no organisation"),
        (_unknown_setting, 5, "unknown settings: colour"),
        (_damaged_keys, 5, "is damaged"),
        (_other_network, 8, "The ledger is not the one of this network."),
        (_no_network, 4, "network.json does not exist"),
        (_no_ledger, 6, "does not answer"),
    ],
)
def test_a_set_up_out_of_order_is_named_with_its_exit_code(
    north: Path, spoil: Callable[[Path], None], code: int, said: str
) -> None:
    spoil(north)
    done = simdes("organisation", "list", "--data", north)
    assert done.returncode == code, done.stderr
    warnings, error, text = done.stderr.rpartition("Error: ")
    assert error and all("level='warning'" in line for line in warnings.splitlines())
    assert said in text
    assert "Traceback" not in done.stderr
    assert len(text.splitlines()) >= 2, "what to do stands below"


def test_doctor_names_what_is_wrong_and_does_not_stop_there(north: Path) -> None:
    shutil.move(north / "pins.json", north / "kept.json")
    done = simdes("doctor", "--data", north, "--json")
    assert done.returncode == 1
    assert "pins.json" in done.stdout
    shutil.move(north / "kept.json", north / "pins.json")
    done = simdes("doctor", "--data", north)
    assert done.returncode == 0
    assert "No answer from Clinic South, Insurer East." in done.stdout
