"""What a sender meets: order, back-pressure, limits, and never an answer that is not true."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from simdes.errors import Unavailable
from support.mllp import enclosed, sending
from unit.listener.conftest import Hospital, Log, Start, reasons, shut, wait_for, waiting


def test_messages_that_arrive_glued_or_in_pieces_are_answered_in_order(
    start: Start, hospital: Hospital
) -> None:
    running = start()
    with sending(running.port) as sender:
        sender.send(b"".join(enclosed(b"%d" % n) for n in range(5)))
        assert [sender.answer() for _ in range(5)] == [f"kept {n}" for n in range(5)]
        for byte in enclosed(b"slowly"):
            sender.send(bytes([byte]))
        assert sender.answer() == "kept slowly"
    assert hospital.received == [b"0", b"1", b"2", b"3", b"4", b"slowly"]


def test_a_sender_that_closes_its_side_still_gets_its_answers(start: Start) -> None:
    running = start()
    with sending(running.port) as sender:
        sender.send(enclosed(b"last") + b"\x0bnever ended")
        sender.connection.shutdown(socket.SHUT_WR)
        assert sender.answer() == "kept last"
        assert sender.closed()
    assert running.stop().tally.unended == 1


def test_frames_of_many_connections_share_a_commit(start: Start, hospital: Hospital) -> None:
    running = start()
    with ExitStack() as stack:
        senders = [stack.enter_context(sending(running.port)) for _ in range(11)]
        with shut(hospital):
            for number, sender in enumerate(senders):
                sender.send(enclosed(b"%d" % number))
                wait_for(lambda n=number: hospital.entered == 1 and waiting(running) == n)  # type: ignore[misc]
        assert [sender.answer() for sender in senders] == [f"kept {n}" for n in range(11)]
    assert hospital.groups == [1, 10]


def test_a_full_queue_stops_the_reading(start: Start, hospital: Hospital) -> None:
    running = start(waiting_frames=2, group_frames=1, pipelined_frames=1000)
    frame = enclosed(b"x" * 65_536)
    with sending(running.port, timeout=1) as sender, shut(hospital):
        with pytest.raises(TimeoutError):
            for _ in range(2000):
                sender.send(frame)
        assert hospital.received == []
        wait_for(lambda: waiting(running) == 2)


def test_memory_over_all_connections_is_bounded(start: Start, hospital: Hospital) -> None:
    running = start(held_bytes=300_000, frame_bytes=200_000, frame_seconds=2.0)
    held = running.listener._intake.held
    with sending(running.port) as first, sending(running.port) as second:
        first.send(b"\x0b" + b"a" * 190_000)
        wait_for(lambda: held._used >= 190_000)
        time.sleep(1)  # the second one's time ends that much later
        second.send(enclosed(b"b" * 180_000))
        assert first.closed(), "the slower one makes place"
        assert second.answer().startswith("kept bbb")
    assert running.stop().tally.unended == 1


def test_nothing_is_answered_where_the_database_is_away_and_the_connection_ends(
    start: Start, hospital: Hospital
) -> None:
    running = start(patience_seconds=0.5)
    hospital.failing = Unavailable("away")
    with sending(running.port) as sender:
        sender.send(enclosed(b"one"))
        assert sender.closed()
    hospital.failing = None
    with sending(running.port) as sender:
        assert sender.ask(b"one") == "kept one"
    assert running.stop().tally.unanswered == 1


def test_a_short_absence_of_the_database_is_waited_out(start: Start, hospital: Hospital) -> None:
    running = start(patience_seconds=10)
    hospital.failing = Unavailable("away")
    with sending(running.port) as sender:
        sender.send(enclosed(b"one"))
        threading.Timer(0.4, lambda: setattr(hospital, "failing", None)).start()
        assert sender.answer() == "kept one"
    assert hospital.received == [b"one"]


def test_a_fault_of_ours_is_no_answer_and_the_listener_goes_on(
    start: Start, hospital: Hospital
) -> None:
    running = start()
    hospital.failing = ZeroDivisionError()
    with sending(running.port) as sender:
        sender.send(enclosed(b"one"))
        assert sender.closed()
    hospital.failing = None
    with sending(running.port) as sender:
        assert sender.ask(b"two") == "kept two"


def test_a_frame_beyond_the_limit_is_refused_and_those_before_it_are_kept(
    start: Start, hospital: Hospital
) -> None:
    running = start(frame_bytes=1000)
    with sending(running.port) as sender:
        sender.send(enclosed(b"good") + b"\x0bMSH|" + b"x" * 500_000)
        assert sender.answer() == "kept good"
        assert sender.answer() == "too long MSH|xxxxxx"
        assert sender.closed()
    assert hospital.received == [b"good"]


def test_what_is_no_mllp_is_cut_off(start: Start, hospital: Hospital) -> None:
    running = start(stray_bytes=100)
    with sending(running.port) as sender:
        sender.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"Cookie: " + b"y" * 200)
        assert sender.closed()
    with sending(running.port) as sender:
        assert sender.ask(b"after") == "kept after"
    assert hospital.received == [b"after"]


def test_a_slow_sender_has_its_time_and_no_more(start: Start, log: Log) -> None:
    running = start(frame_seconds=0.5)
    with sending(running.port) as sender:
        began = time.monotonic()
        sender.send(b"\x0bMSH")
        with pytest.raises((EOFError, ConnectionError)):
            for _ in range(400):
                sender.send(b"x")
                sender.connection.settimeout(0.05)
                try:
                    sender.answer()
                except TimeoutError:
                    continue
        assert 0.4 < time.monotonic() - began < 15
    running.stop()
    assert reasons(log) == ["frame not ended in time"]


def test_a_silent_connection_ends_but_not_while_it_waits_for_an_answer(
    start: Start, hospital: Hospital, log: Log
) -> None:
    running = start(idle_seconds=0.4)
    with sending(running.port) as sender:
        with shut(hospital):
            sender.send(enclosed(b"one"))
            time.sleep(1)
        assert sender.answer() == "kept one"
        assert sender.closed()
    running.stop()
    assert reasons(log) == ["idle"]


def test_a_sender_that_takes_no_answers_is_cut_off(
    start: Start, hospital: Hospital, log: Log
) -> None:
    running = start(answer_seconds=0.5)
    hospital.padding = b"x" * 1_000_000
    with sending(running.port) as sender:
        sender.send(enclosed(b"one") * 50)
        wait_for(lambda: bool(reasons(log)))
    running.stop()
    assert reasons(log) == ["acknowledgments not taken"]


def test_the_second_release_says_in_a_block_of_its_own_that_it_is_kept(
    start: Start, hospital: Hospital
) -> None:
    running = start(release=2, patience_seconds=0.1)
    with sending(running.port) as sender:
        assert sender.ask(b"one") == "\x06"
        assert sender.answer() == "kept one"
        hospital.failing = Unavailable("away")
        assert sender.ask(b"two") == "\x15"
        assert sender.closed()
