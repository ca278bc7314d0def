"""Files of imports over HTTP: from where an operator lets them come, and from nowhere else."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from simdes.errors import (
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from simdes.fhir_credentials import read_hosts
from simdes.import_http import PIECE_BYTES, HttpFiles
from support.imports import FileServer, serving_files


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving_files() as found:
        yield found


@pytest.fixture
def files() -> Iterator[HttpFiles]:
    """What may read from this machine, and from a name."""
    found = HttpFiles("127.0.0.1, localhost files.example, other.example:8443 [::1], 10.1.0.0/16")
    yield found
    found.close()


def read(files: HttpFiles, url: str, *, most: int = 1 << 20, seconds: float = 3.0) -> bytes:
    return b"".join(files.read(url, most_bytes=most, seconds=seconds))


def raw(content: bytes, **headers: str) -> Any:
    """An answer with a body that says how it is encoded."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "ftp://files.example/a",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "/etc/passwd",
        "",
        "http://files.example/a",
        "http://other.example:8443/a",
        "http://10.1.2.3/a",
        "https://other.example/a",
        "https://other.example:8444/a",
        "https://elsewhere.example/a",
        "https://files.example.evil.example/a",
        "https://8.8.8.8/a",
        "https://10.2.0.1/a",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://user:word@files.example/a",
        "https://files.example@evil.example/a",
        "https://files.example/a#b",
        "https://files.example:0/a",
        "https://files.example/a b",
        "https://files.example\\@evil.example/",
        "https://files.example/\r\nX: y",
        "https://[::1",
    ],
)
def test_nothing_is_fetched_from_an_address_that_is_not_listed(files: HttpFiles, url: str) -> None:
    with pytest.raises(Invalid):
        files.check(url)
    with pytest.raises(Invalid):
        read(files, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/a?sig=b",
        "https://FILES.example:9443/a",
        "https://other.example:8443/a",
        "http://127.0.0.1:9/a",
        "http://localhost:9/a",
        "http://[::1]:9/a",
        "https://10.1.2.3/a",
    ],
)
def test_what_is_listed_is_taken_by_https_or_from_this_machine(files: HttpFiles, url: str) -> None:
    files.check(url)


def test_without_hosts_nothing_is_fetched(server: FileServer) -> None:
    with pytest.raises(Invalid):
        read(HttpFiles(), server.put("/a", {}))
    assert server.asked == []


@pytest.mark.parametrize(
    "address", ["10.2.0.1", "127.0.0.2", "169.254.169.254", "fd00::1", "::ffff:10.2.0.1"]
)
def test_a_listed_name_that_leads_into_our_network_is_not_connected_to(
    files: HttpFiles, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))
    private = (family, socket.SOCK_STREAM, 6, "", (address, 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [public, private])
    monkeypatch.setattr(socket, "create_connection", _never)
    with pytest.raises(Unavailable):
        read(files, "https://files.example/a")


def test_a_listed_name_may_lead_to_a_listed_network(
    files: HttpFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 443))
    met: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> None:
        met.append(address)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [ours])
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Unavailable):
        read(files, "https://files.example/a")
    assert met == [("10.1.2.3", 443)]


def _never(*_: Any, **__: Any) -> None:
    raise AssertionError("somebody connected")


def test_a_file_comes_as_it_is(files: HttpFiles, server: FileServer) -> None:
    server.files["/a?b=c"] = b'{"a": 1}\n' * 50_000
    assert read(files, server.url + "/a?b=c") == server.files["/a?b=c"]
    assert "authorization" not in server.headers[0]


def test_a_credential_is_shown_to_the_server_of_the_files(
    files: HttpFiles, server: FileServer
) -> None:
    url = server.put("/a", {})
    b"".join(files.read(url, credential="ann:öffne", most_bytes=99, seconds=3))
    assert server.headers[0]["authorization"] == "Basic YW5uOsO2ZmZuZQ=="


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "identity", "GZIP"])
def test_gzip_is_unpacked_whoever_says_so(
    files: HttpFiles, server: FileServer, encoding: str
) -> None:
    text = b"line\n" * 100_000
    packed = gzip.compress(text[:77]) + gzip.compress(text[77:])
    server.answers["/a"] = raw(packed, content_encoding=encoding)
    assert read(files, server.url + "/a") == text


@pytest.mark.parametrize("content", [b"", b"\x1f", b"{}", b"{}\n"])
def test_short_files_are_files(files: HttpFiles, server: FileServer, content: bytes) -> None:
    server.files["/a"] = content
    assert read(files, server.url + "/a") == content


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_gzip_that_ends_early_or_is_none_is_refused(
    files: HttpFiles, server: FileServer, cut: int
) -> None:
    server.files["/a"] = gzip.compress(b"line\n" * 1000)[:-cut]
    server.files["/b"] = b"\x1f\x8b" + b"no gzip at all"
    for path in ("/a", "/b"):
        with pytest.raises(Invalid):
            read(files, server.url + path)


def test_a_bomb_is_unpacked_no_further_than_the_limit(files: HttpFiles, server: FileServer) -> None:
    packing = zlib.compressobj(9, wbits=31)
    packed = b"".join(packing.compress(bytes(1 << 20)) for _ in range(200)) + packing.flush()
    assert len(packed) < 1 << 20
    server.files["/bomb"] = packed
    size = 0
    with pytest.raises(TooLarge):
        for piece in files.read(server.url + "/bomb", most_bytes=4 << 20, seconds=10):
            assert len(piece) <= PIECE_BYTES
            size += len(piece)
    assert size <= 4 << 20


def test_an_endless_file_is_left_at_the_limit(files: HttpFiles, server: FileServer) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            return

    server.answers["/a"] = endless
    with pytest.raises(TooLarge):
        read(files, server.url + "/a", most=1 << 20, seconds=10)


def test_a_source_that_trickles_has_its_time_and_no_more(
    files: HttpFiles, server: FileServer
) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    server.answers["/a"] = trickle
    begun = time.monotonic()
    with pytest.raises(TooLarge):
        read(files, server.url + "/a", seconds=0.5)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(files: HttpFiles, server: FileServer, status: int) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("location", server.url + "/b")
        handler.send_header("content-length", "0")
        handler.end_headers()

    server.answers["/a"] = redirect
    server.put("/b", {})
    with pytest.raises(NotFound):
        read(files, server.url + "/a")
    assert server.asked == ["/a"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(204, NotFound), (401, NotFound), (404, NotFound), (429, Unavailable), (503, Unavailable)],
)
def test_what_is_no_file_is_not_taken_for_one(
    files: HttpFiles, server: FileServer, status: int, error: type[Exception]
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", "0")
        handler.end_headers()

    server.answers["/a"] = answer
    with pytest.raises(error):
        read(files, server.url + "/a")


def test_an_encoding_that_is_not_known_is_refused(files: HttpFiles, server: FileServer) -> None:
    server.answers["/a"] = raw(b"x", content_encoding="br")
    with pytest.raises(Unsupported):
        read(files, server.url + "/a")


def test_a_file_that_breaks_off_may_be_whole_the_next_time(
    files: HttpFiles, server: FileServer
) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        handler.wfile.write(b"{}\n")

    server.answers["/a"] = broken
    with pytest.raises(Unavailable):
        read(files, server.url + "/a")


def test_our_credentials_are_shown_to_the_host_that_they_are_for_alone(
    server: FileServer, tmp_path: Path
) -> None:
    path = tmp_path / "imports.toml"
    path.write_text('["127.0.0.1".basic]\nuser = "ann"\npassword = "secret"\n')
    with pytest.raises(Unauthenticated):
        read_hosts(path)  # others can read it
    path.chmod(0o600)
    server.put("/f", "{}")
    port = server.url.rpartition(":")[2]
    files = HttpFiles("127.0.0.1, localhost", credentials=read_hosts(path))
    read(files, server.url + "/f")
    assert server.headers[-1]["authorization"] == "Basic YW5uOnNlY3JldA=="
    read(files, f"http://localhost:{port}/f")
    assert "authorization" not in server.headers[-1]
    list(files.read(server.url + "/f", credential="bob:x", most_bytes=99, seconds=3))
    assert server.headers[-1]["authorization"] == "Basic Ym9iOng="
    files.close()


@pytest.mark.parametrize("text", ["nonsense", '["h".other]', '["h".basic]', "h = 1"])
def test_credentials_that_can_not_be_read_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "imports.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Invalid):
        read_hosts(path)
    assert read_hosts(None) == {}


@pytest.mark.parametrize(("said", "waited"), [("0", 1.0), ("7", 7.0), ("9999", 120.0), ("", 10.0)])
def test_how_long_to_wait_for_an_export_is_bounded(
    files: HttpFiles, server: FileServer, said: str, waited: float
) -> None:
    def later(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(202)
        handler.send_header("retry-after", said)
        handler.send_header("content-length", "0")
        handler.end_headers()

    server.answers["/state"] = later
    assert files.state(server.url + "/state", most_bytes=99, seconds=3) == waited


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_export_that_can_not_be_asked_about_now_may_be_later(
    files: HttpFiles, server: FileServer, status: int
) -> None:
    def busy(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", "0")
        handler.end_headers()

    server.answers["/state"] = busy
    for ask in (files.begin, files.end):
        with pytest.raises(Unavailable):
            ask(server.url + "/state", seconds=3)
    with pytest.raises(Unavailable):
        files.state(server.url + "/state", most_bytes=99, seconds=3)
