"""Accepting and ending."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from simdes.errors import Invalid, Unavailable
from simdes.listener.server import bound_socket, tls_context
from support.mllp import enclosed, sending
from unit.listener.conftest import Hospital, Start, shut, wait_for


def test_a_graceful_end_stores_and_answers_what_was_read(start: Start, hospital: Hospital) -> None:
    running = start()
    with sending(running.port) as sender, sending(running.port) as idle:
        with shut(hospital):
            sender.send(enclosed(b"one") + enclosed(b"two") + b"\x0bthree")
            wait_for(lambda: running.listener._intake.held._used == len("onetwothree"))
            running.begin_to_stop()
            wait_for(running.listener._stopping.is_set)
            with pytest.raises(ConnectionError), sending(running.port) as late:
                late.ask(b"late")
        assert (sender.answer(), sender.answer()) == ("kept one", "kept two")
        assert sender.closed()
        assert idle.closed()
    listener = running.stop()
    assert hospital.received == [b"one", b"two"]
    assert (listener.tally.frames, listener.tally.unended) == (2, 1)


def test_an_end_does_not_wait_for_a_database_that_is_away(start: Start, hospital: Hospital) -> None:
    running = start(patience_seconds=60)
    hospital.failing = Unavailable("away")
    with sending(running.port) as sender:
        sender.send(enclosed(b"one"))
        wait_for(lambda: hospital.entered > 0)
        began = time.monotonic()
        running.stop()
        assert sender.closed()
    assert time.monotonic() - began < 30


def test_thousands_of_connections_cost_those_that_are_there_nothing(
    start: Start, hospital: Hospital
) -> None:
    running = start(connections=20)
    with ExitStack() as stack:
        known = [stack.enter_context(sending(running.port)) for _ in range(20)]
        for number, sender in enumerate(known):
            assert sender.ask(b"%d" % number) == f"kept {number}"
        for _ in range(2000):
            with sending(running.port) as turned_away:
                assert turned_away.closed()
        assert known[0].ask(b"still") == "kept still"
    wait_for(lambda: not running.listener._sessions)
    with sending(running.port) as sender:
        assert sender.ask(b"place") == "kept place"
    assert running.stop().turned_away == 2000


def test_connections_that_come_and_go_in_the_middle_leave_nothing_behind(
    start: Start, hospital: Hospital
) -> None:
    running = start()

    def annoy(number: int) -> None:
        for turn in range(20):
            with sending(running.port) as sender:
                sender.send(enclosed(b"%d-%d" % (number, turn))[: 3 + turn % 6])

    annoying = [threading.Thread(target=annoy, args=(n,)) for n in range(5)]
    for one in annoying:
        one.start()
    for one in annoying:
        one.join()
    wait_for(lambda: not running.listener._sessions)
    assert running.listener._intake.held._used == 0
    with sending(running.port) as sender:
        assert sender.ask(b"after") == "kept after"


def test_a_port_that_is_taken_is_said() -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(Unavailable, match="can't be used"):
            bound_socket("127.0.0.1", taken.getsockname()[1])


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1"):
        bound_socket("192.0.2.1", 0)


def test_tls_files_that_are_none_are_said(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    for name in ("x.pem", "missing.pem"):
        with pytest.raises(Invalid, match="can't be used"):
            tls_context(tmp_path / name, tmp_path / name, None)
