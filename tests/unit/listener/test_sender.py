"""Sending over MLLP: until it is answered, the same bytes each time; a refusal is final."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from simdes.errors import Conflict, Forbidden, Invalid, Unavailable
from simdes.listener import sender
from simdes.listener.frame import ACCEPTED, REFUSED, Frames, enclose
from simdes.listener.sender import Destination, control_of, destination, send
from support import certificates

MESSAGE = b"MSH|^~\\&|SIMDES|North|RX|West|20261123||RDE^O11|c-17|P|2.5.1\rPID|1||7\r"
Answer = Callable[[bytes], bytes | None]
"""What is written back to a message; None: the connection ends."""


def acknowledge(code: str, control: str = "c-17") -> Answer:
    text = f"MSH|^~\\&|RX|West|SIMDES|North|20261123||ACK|1|P|2.5.1\rMSA|{code}|{control}\r"
    return lambda _: enclose(text.encode())


@contextmanager
def pharmacy(
    *answers: Answer, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[Destination, list[bytes]]]:
    """A receiver that answers each connection in turn; what it received."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, answers, tls, received))
        thread.start()
        yield Destination(host="127.0.0.1", port=server.getsockname()[1]), received
        thread.join(60)
    assert not thread.is_alive()


def _serve(
    server: socket.socket,
    answers: Sequence[Answer],
    tls: ssl.SSLContext | None,
    received: list[bytes],
) -> None:
    for answer in answers:
        wire, _ = server.accept()
        try:
            with wire if tls is None else tls.wrap_socket(wire, server_side=True) as one:
                frames = Frames(frame_bytes=10_000, stray_bytes=10)
                while not (whole := frames.feed(one.recv(10))):
                    pass
                received.extend(whole)
                said = answer(whole[0])
                if said is not None:
                    one.sendall(said)
                    one.recv(1)
        except OSError:
            pass


def sent(to: Destination, **others: float) -> str:
    pauses: list[float] = []
    return send(MESSAGE, to, pause=pauses.append, **{"answer_seconds": 0.5} | others)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_a_message_is_sent_once_and_its_answer_told(code: str) -> None:
    with pharmacy(acknowledge(code)) as (to, received):
        assert sent(to) == code
    assert received == [MESSAGE]


def test_what_is_not_answered_is_sent_again_as_it_was() -> None:
    silent: Answer = lambda _: b""  # noqa: E731
    gone: Answer = lambda _: None  # noqa: E731
    not_stored: Answer = lambda _: enclose(REFUSED)  # noqa: E731
    with pharmacy(gone, silent, not_stored, acknowledge("AA")) as (to, received):
        assert sent(to) == "AA"
    assert received == [MESSAGE] * 4


def test_pauses_grow_and_end() -> None:
    pauses: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unavailable, match="5 times") as ended:
        send(MESSAGE, Destination(host="127.0.0.1", port=port), pause=pauses.append)
    assert pauses == [1, 2, 4, 8]
    assert "may have arrived" in ended.value.advice


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR", "??"])
def test_a_refusal_is_final(code: str) -> None:
    with pharmacy(acknowledge(code)) as (to, received), pytest.raises(Conflict):
        sent(to)
    assert len(received) == 1


def test_answers_to_others_and_commit_acknowledgments_are_passed_over() -> None:
    def several(message: bytes) -> bytes:
        other = acknowledge("AE", "c-16")(message) or b""
        return enclose(ACCEPTED) + other + b"\n" + (acknowledge("AA")(message) or b"")

    with pharmacy(several) as (to, _):
        assert sent(to) == "AA"


def test_an_answer_without_an_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_MOST_BYTES", 1_000)
    endless: Answer = lambda _: b"\x0bMSH" + b"x" * 5_000  # noqa: E731
    with pharmacy(endless, acknowledge("AA")) as (to, received):
        assert sent(to) == "AA"
    assert len(received) == 2


def test_over_tls_to_whom_the_authority_vouches_for(tmp_path: Path) -> None:
    ours, theirs = (certificates.Authority(tmp_path, name) for name in ("ours", "theirs"))
    own = ours.vouch("pharmacy")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(own.certificate, own.key)
    with pharmacy(acknowledge("AA"), tls=serving) as (at, received):
        url = f"mllps://127.0.0.1:{at.port}"
        assert sent(destination(url, authority=ours.certificate)) == "AA"
    assert received == [MESSAGE]
    with pharmacy(acknowledge("AA"), tls=serving) as (at, received):
        url = f"mllps://127.0.0.1:{at.port}"
        with pytest.raises(Unavailable):
            sent(destination(url, authority=theirs.certificate), attempts=1)
    assert received == []


@pytest.mark.parametrize(
    "rubbish", [b"", b"MSH", b"MSH|^~\\&|a|b", b"PID|1", MESSAGE.replace(b"c-17", b"")]
)
def test_what_is_no_message_is_not_sent(rubbish: bytes) -> None:
    with pytest.raises(Invalid):
        control_of(rubbish)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pharmacy",
        "mllps://",
        "mllps://host",
        "mllps://host:x",
        "https://host:1",
        "mllp://h:1/x",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        destination(url)


def test_clear_text_leaves_this_machine_only_where_that_is_asked_for() -> None:
    with pytest.raises(Forbidden, match="TLS"):
        destination("mllp://pharmacy.example:2575")
    assert destination("mllp://pharmacy.example:2575", clear_text=True).tls is None
    assert destination("mllp://127.0.0.1:2575").tls is None
    assert destination("mllps://pharmacy.example:2575").tls is not None


def test_certificates_that_are_none_are_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="certificates"):
        destination("mllps://host:1", authority=tmp_path / "nothing.pem")
