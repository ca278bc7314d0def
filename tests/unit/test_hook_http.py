"""Where notifications may go, and what receivers can't do to the one who sends them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from simdes.errors import Invalid, Unavailable
from simdes.hook_http import HttpHooks
from support.receivers import Receiver, receiving, reply


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hooks() -> Iterator[HttpHooks]:
    """What may post to this machine."""
    found = HttpHooks("127.0.0.1, other.example:8443")
    yield found
    found.close()


def post(hooks: HttpHooks, url: str, *, seconds: float = 2.0, **headers: str) -> None:
    hooks.post(url, b"{}", headers, timeout_seconds=seconds)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://10.1.2.3/",
        "https://10.1.2.3/",
        "https://127.0.0.2/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://169.254.169.254/latest/meta-data",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://user@example.org/",
        "https://example.org/#a",
        "https://example.org:0/",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "https://",
        "http://other.example/",
        "https://[::1",
    ],
)
def test_addresses_that_are_not_public_https_are_refused_unless_listed(
    hooks: HttpHooks, url: str
) -> None:
    with pytest.raises(Invalid):
        hooks.check(url)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a?b=c", "http://127.0.0.1:9/x", "http://other.example:8443/"],
)
def test_public_https_and_what_is_listed_is_taken(hooks: HttpHooks, url: str) -> None:
    hooks.check(url)


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"]
)
def test_a_name_that_leads_into_our_network_is_not_connected_to(
    hooks: HttpHooks, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))
    private = (family, socket.SOCK_STREAM, 6, "", (address, 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [public, private])
    monkeypatch.setattr(socket, "create_connection", _never)
    with pytest.raises(Unavailable):
        post(hooks, "https://rebound.example/")


def _never(*_: Any, **__: Any) -> None:
    raise AssertionError("somebody connected")


def test_a_post_arrives_with_its_headers_and_connections_are_used_again(
    hooks: HttpHooks, receiver: Receiver
) -> None:
    for _ in range(3):
        post(hooks, receiver.url, Authorization="Bearer secret")
    assert [one.headers["authorization"] for one in receiver.got] == ["Bearer secret"] * 3
    assert {one.body for one in receiver.got} == {b"{}"}


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 500, 503])
def test_anything_but_2xx_is_a_failure_and_no_redirect_is_followed(
    hooks: HttpHooks, receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda handler: reply(handler, status, location=receiver.url)
    with pytest.raises(Unavailable):
        post(hooks, receiver.url)
    assert len(receiver.got) == 1


def test_a_receiver_that_trickles_or_says_nothing_has_its_time_and_no_more(
    hooks: HttpHooks, receiver: Receiver
) -> None:
    def trickle(handler: Any) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    over = threading.Event()
    for answer in (trickle, lambda _: over.wait(60)):
        receiver.answer = answer
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            post(hooks, receiver.url, seconds=0.5)
        assert time.monotonic() - begun < 5
    over.set()


def test_an_endless_answer_is_left_and_its_status_counts(
    hooks: HttpHooks, receiver: Receiver
) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(1 << 40))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"x" * 65536)
        except OSError:
            return

    receiver.answer = endless
    begun = time.monotonic()
    post(hooks, receiver.url)
    assert time.monotonic() - begun < 1.5


def test_nobody_who_listens_is_a_failure(hooks: HttpHooks) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with pytest.raises(Unavailable):
        post(hooks, f"http://127.0.0.1:{port}/")
