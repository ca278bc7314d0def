"""Faults of the folder, its keys, the address and the machine: each is made, and named."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simdes.doctor import folder
from support.certificates import Authority, Pair
from unit.doctor.conftest import Patient


def test_settings_that_are_not_possible_are_named(north: Patient) -> None:
    north.set(time_zone="Mars/Olympus")
    state, said = north.found("settings")
    assert state == "failed" and "Mars/Olympus" in said
    north.set(time_zone="UTC", colour="blue")
    state, said = north.found("settings")
    assert state == "failed" and "colour" in said


@pytest.mark.parametrize("name", ["keystore.json", "passphrase"])
def test_keys_that_others_can_read_are_named(north: Patient, name: str) -> None:
    path = north.folder / name
    mode = path.stat().st_mode
    path.chmod(0o640)
    try:
        state, said = north.found("key-files")
    finally:
        path.chmod(mode)
    assert state == "failed" and name in said and "read by others" in said
    assert north.found("key-files")[0] == "ok"


def test_keys_that_are_missing_are_named(north: Patient) -> None:
    north.set(metrics_token_file="operators.token", facade_credentials_file="facade.json")
    state, said = north.found("key-files")
    assert state == "failed" and "operators.token is missing" in said and "facade.json" in said


def test_a_password_in_open_settings_is_named(north: Patient) -> None:
    north.set(database_url="postgresql://name:word@127.0.0.1/name")
    (north.folder / "simdes.toml").chmod(0o644)
    state, said = north.found("key-files")
    assert (
        state == "failed" and "simdes.toml" in said and "word" not in said.replace("password", "")
    )


def test_another_networks_description_is_named(north: Patient) -> None:
    path = north.folder / "network.json"
    document = json.loads(path.read_text())
    document["accounts"] = "0x" + "11" * 20
    path.write_text(json.dumps(document))
    state, said = north.found("network-files")
    assert state == "failed" and "accounts" in said
    path.write_text("{")
    assert north.found("network-files") == ("failed", "network.json can't be read.")
    path.write_text("{}")
    assert north.found("network-files")[0] == "failed"


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("ftp://simdes.example", "failed"),
        ("https://", "failed"),
        ("https://simdes.example/fhir", "failed"),
        ("https://simdes.example?x=1", "failed"),
        ("https://simdes.example:99999", "failed"),
        ("http://simdes.example", "warning"),
        ("https://198.51.100.7", "warning"),
        ("https://simdes.example", "ok"),
        ("http://127.0.0.1:8400", "ok"),
    ],
)
def test_an_address_that_does_not_work_for_others_is_named(
    north: Patient, url: str, state: str
) -> None:
    north.set(custody_url=url)
    assert north.found("base-url")[0] == state


def test_a_full_disk_is_named(north: Patient) -> None:
    north.set(disk_free_mib=1 << 40)
    state, said = north.found("disk")
    assert state == "failed" and "MiB free" in said


def test_a_disk_that_is_nearly_full_is_named(
    north: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 300 << 20

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    assert north.found("disk")[0] == "warning"


def test_too_few_files_are_named(north: Patient) -> None:
    north.set(serve_connections=1 << 30)
    state, said = north.found("file-limit")
    assert state == "failed" and "files may be open" in said


def test_locks_over_a_network_are_named(
    north: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {north.folder.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(folder, "MOUNTS", mounts)
    state, said = north.found("file-system")
    assert state == "failed" and "sqlite: lies on a file system of type nfs4" in said
    assert "embedded: lies on ext4" in said


def test_the_listeners_certificates_are_looked_at(north: Patient, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    one, other = authority.vouch("one"), authority.vouch("other")
    good = {"listen_certificate": str(one.certificate), "listen_key": str(one.key)}
    north.set(**good)
    state, said = north.found("tls")
    assert state == "warning" and "certificate ends on" in said, "it is good for an hour"
    assert north.found("tls", clock=lambda: time.time() + 86_400)[0] == "failed"
    north.set(**good | {"listen_key": str(other.key)})
    assert north.found("tls") == ("failed", "The listener's key is not its certificate's.")
    north.set(**good | {"listen_key": ""})
    assert north.found("tls")[0] == "failed"
    north.set(**good | {"listen_key": str(one.certificate)})
    assert north.found("tls")[0] == "failed"
    north.set(listen_certificate="", listen_key="", listen_host="0.0.0.0")
    assert north.found("tls") == (
        "warning",
        "HL7 v2 is listened to beyond this machine, without TLS.",
    )


def test_a_certificate_that_nobody_trusts_is_named(north: Patient, tmp_path: Path) -> None:
    with tls_server(Authority(tmp_path, "authority").vouch("gateway")) as url:
        north.set(custody_url=url)
        state, said = north.found("tls")
    assert state == "failed" and "is not good" in said
    state, said = north.found("tls")
    assert state == "warning" and "does not speak TLS now" in said


@pytest.mark.parametrize(("status", "state"), [(200, "failed"), (403, "ok")])
def test_a_proxy_that_shows_what_is_this_machines_is_named(
    north: Patient, tmp_path: Path, status: int, state: str
) -> None:
    with tls_server(Authority(tmp_path, "authority").vouch("gateway"), status) as url:
        north.set(custody_url=url)
        assert north.found("proxy")[0] == state


@contextmanager
def tls_server(pair: Pair, status: int = 200) -> Iterator[str]:
    class Face(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Face)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
