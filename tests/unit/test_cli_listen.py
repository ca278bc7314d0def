"""`simdes listen` as a real program: clear text, TLS, mutual TLS, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from simdes.commands.feeds import listen
from support import consortium
from support.certificates import Authority, Pair
from support.gateways import free_ports, simdes
from support.mllp import adt, enclosed, listening, msa, sending

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listen") / "network"
    consortium.found(folder)
    return folder / "north"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.vouch("server")


def test_messages_are_durable_when_acknowledged_and_counted_at_the_end(north: Path) -> None:
    with listening(north) as listener:
        with sending(listener.port) as sender:
            assert msa(sender.ask(adt("C1", "clear"))) == ("AA", "C1")
            reading = sqlite3.connect(f"file:{north / 'simdes.sqlite'}?mode=ro", uri=True)
            with closing(reading) as database:
                [(count,)] = database.execute("SELECT count(*) FROM source").fetchall()
            assert count == 1
            assert msa(sender.ask(b"MSH|^~\\&|A|B|C|D|1||ZZZ^Z99|7|P|2.5\rPID|1\r"))[0] == "AR"
            sender.send(enclosed(adt("C2")) + b"\x0bMSH|unfinished")
            assert msa(sender.answer()) == ("AA", "C2")
            counts = listener.stop()
        assert (counts["frames"], counts["accepted"], counts["quarantined"]) == (3, 2, 1)
        assert (counts["connections"], counts["unended"]) == (1, 1)
        [closed] = listener.events("connection closed")
        assert closed["quarantine"] == ["unsupported-message"]
        text = listener.log.read_text()
        assert not [word for word in ("Doe", "Ann", "clear", "C1") if word in text]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_a_signal_ends_it_with_zero(north: Path, number: int) -> None:
    [port] = free_ports(1)
    words = ["listen", "--data", str(north), "--port", str(port)]
    with subprocess.Popen(
        [sys.executable, "-m", "simdes", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        said = program.stdout.readline()
        with sending(port) as idle:
            program.send_signal(number)
            assert idle.closed()
        _, err = program.communicate(timeout=30)
    assert said == f"Hospital North takes HL7 v2 over MLLP on 127.0.0.1:{port} (clear text)\n"
    assert program.returncode == 0
    assert "Traceback" not in err


def test_messages_travel_over_tls(north: Path, authority: Authority, server: Pair) -> None:
    tls = ("--tls-certificate", server.certificate, "--tls-key", server.key)
    with listening(north, *tls) as listener:
        with sending(listener.port, tls=authority.client()) as sender:
            assert sender.connection.version() in ("TLSv1.2", "TLSv1.3")  # type: ignore[attr-defined]
            assert msa(sender.ask(adt("T1"))) == ("AA", "T1")
            for byte in enclosed(adt("T2")):
                sender.send(bytes([byte]))
            assert msa(sender.answer()) == ("AA", "T2")
        with sending(listener.port) as clear:
            clear.send(enclosed(adt("T3")))
            with pytest.raises((EOFError, ConnectionError, AssertionError)):
                clear.answer()
        old = authority.client()
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            sending(listener.port, tls=old).__enter__()
        assert listener.stop()["accepted"] == 2


def test_mutual_tls_takes_nothing_from_a_stranger(
    north: Path, authority: Authority, server: Pair, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger").vouch("somebody")
    words = ("--tls-certificate", server.certificate, "--tls-key", server.key)
    with listening(north, *words, "--client-ca", authority.certificate) as listener:
        for pair in (None, stranger):
            with (
                pytest.raises((ssl.SSLError, ConnectionError, EOFError)),
                sending(listener.port, tls=authority.client(pair)) as sender,
            ):
                sender.ask(adt("M0"))
        known = authority.client(authority.vouch("laboratory"))
        with sending(listener.port, tls=known) as sender:
            assert msa(sender.ask(adt("M1"))) == ("AA", "M1")
        assert listener.stop()["frames"] == 1
        assert len(listener.events("no connection")) >= 2


def test_a_handshake_that_never_ends_keeps_nobody_out(
    north: Path, authority: Authority, server: Pair
) -> None:
    words = ("--tls-certificate", server.certificate, "--tls-key", server.key)
    with (
        listening(north, *words) as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as mute,
    ):
        mute.sendall(b"\x16")
        with sending(listener.port, tls=authority.client()) as sender:
            assert msa(sender.ask(adt("H1"))) == ("AA", "H1")
        began = time.monotonic()
        listener.stop()
        assert time.monotonic() - began < 8, "nor does it hold up the end"


def test_limits_hold_in_the_program(north: Path) -> None:
    with listening(north, "--max-connections", 2, "--max-frame-bytes", 2000) as listener:
        with sending(listener.port) as one, sending(listener.port) as two:
            assert msa(one.ask(adt("L1")))[0] == "AA"
            assert msa(two.ask(adt("L2")))[0] == "AA"
            with sending(listener.port) as three:
                assert three.closed()
            one.send(enclosed(adt("L3", note="x" * 3000)))
            assert msa(one.answer()) == ("AR", "L3")
            assert one.closed()
        counts = listener.stop()
    assert (counts["accepted"], counts["notKept"], counts["turnedAway"]) == (2, 1, 1)


def test_settings_say_where_to_listen_and_flags_come_first(
    north: Path, authority: Authority, server: Pair
) -> None:
    one, other = free_ports(2)
    toml = north / "simdes.toml"
    kept = toml.read_text()
    changed = {
        "listen_port": one,
        "listen_certificate": str(server.certificate),
        "listen_key": str(server.key),
        "listen_client_ca": str(authority.certificate),
        "listen_connections": 1,
    }
    lines = [line for line in kept.splitlines() if line.split(" ")[0] not in changed]
    lines += [f"{name} = {json.dumps(value)}" for name, value in changed.items()]
    toml.write_text("\n".join(lines) + "\n")
    try:
        client = authority.client(authority.vouch("client"))
        for words, port in (((), one), (("--port", other, "--max-connections", 2), other)):
            with listening(north, *words, port=0) as listener:
                with sending(port, tls=client) as first:
                    assert msa(first.ask(adt("S1")))[0] == "AA"
                    if not words:
                        with sending(port) as second:
                            assert second.closed()
                listener.stop()
    finally:
        toml.write_text(kept)


def test_a_port_that_is_taken_is_said(north: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = simdes("listen", "--data", north, "--port", taken.getsockname()[1])
    assert done.returncode == 6
    assert "--port" in done.stderr


def test_the_page_on_authorisation_names_the_listener_and_its_limits() -> None:
    page = (ROOT / "docs/security/authorisation.md").read_text()
    section = page.split("## Feeds\n", 1)[1].split("\n## ", 1)[0]
    for word in ("`simdes listen`", "--client-ca", "--clear-text", "--max-connections"):
        assert word in section, word
    assert listen.__doc__
