"""`simdes serve` as operators meet it: figures, log, limits of connections, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from simdes import config, serving
from simdes.index import mail
from simdes.index.database import open_database
from support import consortium
from support.gateways import free_ports, serve, simdes
from support.leaks import Scanner

SEEDED = (
    "Lovelace-1815",
    "ada.lovelace@example.org",
    "urn:oid:1.2.840.19121852",
    "MRN-4711-0815",
)
"""What a careless client sends where no patient data belongs."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "network"
    consortium.found(folder)
    return folder


@pytest.fixture
def north(template: Path, tmp_path: Path) -> Path:
    """A member's folder in a network of its own."""
    return consortium.copy(template, tmp_path / "network") / "north"


@pytest.fixture(scope="module")
def answering(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a gateway answers that no test stops."""
    north = consortium.copy(template, tmp_path_factory.mktemp("answering") / "network") / "north"
    [port] = free_ports(1)  # copies of one network share its ports
    with serve(north, "--port", str(port)):
        yield f"http://127.0.0.1:{port}"


def set_up(north: Path, **settings: object) -> str:
    """Change settings; where the gateway answers."""
    path = north / "simdes.toml"
    lines = [line for line in path.read_text().splitlines() if line.split(" = ")[0] not in settings]
    lines += [f"{name} = {json.dumps(worth)}" for name, worth in settings.items()]
    path.write_text("\n".join(lines) + "\n")
    return config.load(north, {}).custody_url


def connect(url: str, *, timeout: float = 20) -> socket.socket:
    parts = httpx.URL(url)
    return socket.create_connection((parts.host, parts.port or 80), timeout=timeout)


HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BEGUN = (
    b"POST /custody/v1/log HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/jose\r\n"
    b"Content-Length: 10\r\n\r\nbegun"
)
"""A request whose body is not all there: under way until the rest comes."""


def begun(url: str) -> socket.socket:
    """A connection with a request under way."""
    connection = connect(url)
    connection.sendall(BEGUN)
    until(lambda: "simdes_requests_under_way 2.0" in httpx.get(f"{url}/metrics").text)
    return connection


def until(so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


def log_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# How it ends ----------------------------------------------------------------------------------


def test_ready_says_first_that_the_gateway_leaves_while_it_still_answers(north: Path) -> None:
    url = set_up(north, leave_seconds=4)
    with serve(north) as program:
        assert httpx.get(f"{url}/readyz").status_code == 200
        program.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{url}/readyz").status_code == 503)
        assert httpx.get(f"{url}/readyz").json() == {"serving": "stopping"}
        still = httpx.post(f"{url}/custody/v1/log", headers={"Content-Type": "application/jose"})
        assert still.status_code == 400
        program.communicate(timeout=20)
    assert program.returncode == 0


def test_what_is_under_way_is_answered_and_nothing_new_begins(north: Path) -> None:
    url = set_up(north)
    with serve(north) as program:
        connection, idle = begun(url), httpx.Client()
        assert idle.get(f"{url}/healthz").status_code == 200
        program.send_signal(signal.SIGTERM)
        until(lambda: idle.post(f"{url}/custody/v1/log").status_code == 503)
        refused = idle.post(f"{url}/custody/v1/log")
        assert refused.json()["resourceType"] == "OperationOutcome"
        connection.sendall(b"-rest")
        assert b" 400 " in until_closed(connection).splitlines()[0]
        _, err = program.communicate(timeout=20)
    assert program.returncode == 0
    events = [line["event"] for line in log_of(err)]
    assert events[-1] == "closed" or "closed" in events
    assert [line["unfinished"] for line in log_of(err) if line["event"] == "closed"] == [0]


def test_what_takes_longer_than_the_limit_is_left(north: Path) -> None:
    url = set_up(north, stop_seconds=1)
    with serve(north) as program:
        connection = begun(url)
        program.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, err = program.communicate(timeout=20)
        assert time.monotonic() - began < 1 + serving.CLOSE_SECONDS
        connection.close()
    assert program.returncode in (0, serving.AT_ONCE)
    assert [line["unfinished"] for line in log_of(err) if line["event"] == "closed"] == [1]
    assert_starts_again(north, url)


def test_a_second_signal_ends_it_at_once_and_leaves_everything_usable(north: Path) -> None:
    url = set_up(north, stop_seconds=600)
    with serve(north) as program:
        connection, idle = begun(url), httpx.Client()
        assert idle.get(f"{url}/healthz").status_code == 200
        program.send_signal(signal.SIGTERM)
        until(lambda: idle.get(f"{url}/readyz").status_code == 503)
        assert program.poll() is None
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)
        connection.close()
    assert program.returncode == serving.AT_ONCE
    assert_starts_again(north, url)


def assert_starts_again(north: Path, url: str) -> None:
    """The lane, the ledger and the database are free."""
    with serve(north) as program:
        assert httpx.get(f"{url}/readyz").status_code == 200
        program.terminate()
        program.communicate(timeout=20)
    assert program.returncode == 0
    done = simdes("doctor", "--data", north, "--json")
    assert '"failed"' not in done.stdout, done.stdout


def test_a_start_deletes_what_a_forced_end_left_of_a_release(
    north: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "simdes-release-left"
    left.mkdir()
    for name in ("lock", "Patient.ndjson"):
        (left / name).touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serve(north):
        assert not left.exists()


# Figures --------------------------------------------------------------------------------------


def test_metrics_are_this_machines_or_the_token_bearers(north: Path) -> None:
    url = set_up(north)
    with serve(north):
        assert "simdes_resources" in httpx.get(f"{url}/metrics").text
        assert httpx.get(f"{url}/metrics", headers={"Host": "simdes.example"}).status_code == 403
    (north / "operators").write_text("0123456789abcdef\n")
    (north / "operators").chmod(0o600)
    url = set_up(north, metrics_token_file="operators")
    with serve(north):
        assert httpx.get(f"{url}/metrics").status_code == 401
        shown = {"Authorization": "Bearer 0123456789abcdef"}
        assert httpx.get(f"{url}/metrics", headers=shown).status_code == 200


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("token"), "can be read by others"),
        (lambda path: (path.touch(), path.chmod(0o600)), "holds no secret"),
        (lambda path: None, "holds no secret"),
    ],
    ids=["readable", "empty", "missing"],
)
def test_a_token_that_is_none_keeps_it_from_starting(
    north: Path, make: Callable[[Path], object], said: str
) -> None:
    set_up(north, metrics_token_file="operators")
    make(north / "operators")
    done = simdes("serve", "--data", north)
    assert done.returncode == 3
    assert said in done.stderr


# The log --------------------------------------------------------------------------------------


def test_whatever_is_sent_the_log_holds_nothing_of_it(north: Path) -> None:
    url = set_up(north, log_level="debug")
    seeded = "-".join(SEEDED)
    with serve(north) as program:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", SEEDED[0].upper()):
            for where in ("/healthz", "/custody/v1/log", "/metrics", "/", f"/Patient/{seeded}"):
                httpx.request(
                    method,
                    f"{url}{where}",
                    params={"name": seeded, "identifier": SEEDED[2]},
                    content=seeded.encode(),
                    headers={
                        "Content-Type": "application/jose",
                        "X-Request-Id": SEEDED[3],
                        "User-Agent": seeded,
                        "Referer": f"http://example.org/{seeded}",
                        "Authorization": f"Bearer {seeded}",
                        "Cookie": f"who={seeded}",
                    },
                )
        with connect(url) as broken:
            broken.sendall(f"GET /{seeded} HTTP/9.9\r\n{seeded}\r\n\r\n".encode())
            until_closed(broken)
        program.terminate()
        out, err = program.communicate(timeout=20)
    assert Scanner(SEEDED).scan([("out", out.encode()), ("err", err.encode())]) == []
    requests = [line for line in log_of(err) if line["event"] == "request"]
    assert len(requests) == 35
    assert {line["status"] for line in requests} >= {200, 400, 404, 405}
    assert all(isinstance(line["ms"], float) and line["request"] for line in requests)


def test_the_environment_says_how_much_is_logged(north: Path) -> None:
    url = set_up(north, log_level="error")
    with serve(north) as program:
        httpx.get(f"{url}/healthz")
        program.terminate()
        _, err = program.communicate(timeout=20)
    assert err == ""


# Slow and greedy clients ----------------------------------------------------------------------


def test_headers_that_do_not_come_cost_the_connection_and_nobody_else(answering: str) -> None:
    slow = [connect(answering) for _ in range(50)]
    for number, one in enumerate(slow):
        one.sendall(HEAD if number % 2 else b"")
    began = time.monotonic()
    assert httpx.get(f"{answering}/healthz").status_code == 200
    assert time.monotonic() - began < serving.HEADER_SECONDS - 1
    for one in slow:
        until_closed(one)
        one.close()
    assert time.monotonic() - began > serving.HEADER_SECONDS - 1


@pytest.mark.parametrize(
    "header",
    [b"A: " + b"x" * 3 * serving.HEADER_BYTES, b"".join(b"A%d: x\r\n" % n for n in range(500))],
    ids=["long", "many"],
)
def test_headers_beyond_the_limit_are_refused(answering: str, header: bytes) -> None:
    with connect(answering) as greedy:
        with suppress(ConnectionError):  # it may be refused before all of it is sent
            greedy.sendall(HEAD + header.removesuffix(b"\r\n") + b"\r\n\r\n")
        received = b""
        with suppress(ConnectionError):
            received = until_closed(greedy)
        assert b" 431 " in received.splitlines()[0]
    assert httpx.get(f"{answering}/healthz").status_code == 200


def test_connections_beyond_the_limit_wait_and_are_answered(north: Path) -> None:
    url = set_up(north, serve_connections=4)
    with serve(north):
        held = [connect(url) for _ in range(4)]
        for one in held:
            one.sendall(HEAD)  # not ended: these four take all there is
        waiting = connect(url)
        waiting.sendall(HEAD + b"Connection: close\r\n\r\n")
        waiting.settimeout(0.5)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        held[0].close()
        waiting.settimeout(10)
        assert b" 200 " in until_closed(waiting).splitlines()[0]
        for one in held[1:]:
            one.close()


def test_many_at_once_are_all_answered(answering: str) -> None:
    answers: list[int] = []

    def ask() -> None:
        with httpx.Client() as client:
            answers.extend(client.get(f"{answering}/healthz").status_code for _ in range(20))

    askers = [threading.Thread(target=ask) for _ in range(16)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    assert answers == [200] * 320


# Several processes ----------------------------------------------------------------------------


def test_a_gateway_that_is_killed_leaves_nothing_locked(north: Path) -> None:
    url = set_up(north)
    with serve(north) as program:
        program.kill()
        program.communicate(timeout=20)
    assert program.returncode == -signal.SIGKILL
    assert_starts_again(north, url)


def test_an_address_that_waits_for_its_code_goes_where_no_mails_are_sent_any_more(
    north: Path,
) -> None:
    code = mail.Code(
        account=bytes(32),
        address_wrapped=b"wrapped",
        nonce=bytes(32),
        language="en",
        tries=5,
        expires_ms=1,
    )
    assert not config.load(north, {}).mail_url
    with closing(open_database(config.load(north, {}).database_url)) as database:
        database.write(lambda tx: mail.put_code(tx, code))
        with serve(north):
            until = time.monotonic() + 60
            while database.write(lambda tx: mail.is_over(tx, now_ms=2, day=0)):
                assert time.monotonic() < until
                time.sleep(0.05)
