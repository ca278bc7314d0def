"""The embedded ledger's JSON-RPC endpoint, for other processes of this machine.

Listens on loopback alone. The path holds a random word that only readers of the endpoint file
know; requests that a browser sends on a page's behalf are refused (`Host` against DNS rebinding,
`Origin`, content type), and sizes, connections and waiting times are bounded.
"""

from __future__ import annotations

import hmac
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, create_connection, socket
from typing import Any

from simdes.ledger.rpc import RpcFace

BODY_LIMIT_OCTETS = 8 << 20
CONNECTION_LIMIT = 64
TURN_SECONDS = 0.1
"""How often a server that nobody calls looks whether it is to stop."""
_IDLE_SECONDS = 30


class Endpoint:
    """A running server; `url` is where it listens."""

    def __init__(self, face: RpcFace, *, word: str, port: int = 0) -> None:
        """Start listening; `word` becomes the path. Raises `OSError` when the port is taken."""
        self._server = _Server(("127.0.0.1", port), _Connection)
        self._server.face = face
        self._server.path = f"/{word}"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(TURN_SECONDS,),
            name="ledger-endpoint",
            daemon=True,
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/{word}"

    def close(self) -> None:
        """Stop listening and hang up on everybody, so that they look for the next holder."""
        stopping = threading.Thread(target=self._server.shutdown)
        stopping.start()
        with suppress(OSError):  # a call wakes the server, which would see it at its next turn
            here = ("127.0.0.1", self._server.server_port)
            create_connection(here, timeout=TURN_SECONDS).close()
        stopping.join()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = CONNECTION_LIMIT
    face: RpcFace
    path: str

    def __init__(self, *arguments: Any) -> None:
        self._places = threading.BoundedSemaphore(CONNECTION_LIMIT)
        self._connected: set[socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self._connected.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connected.discard(request)
            self._places.release()

    def hang_up(self) -> None:
        for connection in list(self._connected):
            with suppress(OSError):  # already gone
                connection.shutdown(SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no news."""


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    connection: socket
    protocol_version = "HTTP/1.1"
    server_version = "simdes"
    sys_version = ""
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        refusal = self._refusal()
        if refusal is not None:
            self._answer(refusal, b"")
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(HTTPStatus.OK, self.server.face.reply(body))

    def _refusal(self) -> HTTPStatus | None:
        """Return the status with which to refuse, None to go on."""
        port = self.server.server_port
        length = self.headers.get("Content-Length", "")
        checks = (
            (
                self.headers.get("Host") in (f"127.0.0.1:{port}", f"localhost:{port}"),
                HTTPStatus.FORBIDDEN,
            ),
            ("Origin" not in self.headers, HTTPStatus.FORBIDDEN),
            (
                hmac.compare_digest(self.path.encode(), self.server.path.encode()),
                HTTPStatus.NOT_FOUND,
            ),
            (
                self.headers.get_content_type() == "application/json",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            ),
            (length.isdecimal() and len(length) < 12, HTTPStatus.LENGTH_REQUIRED),
        )
        for holds, status in checks:
            if not holds:
                return status
        return None if int(length) <= BODY_LIMIT_OCTETS else HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        if status is not HTTPStatus.OK:
            self.close_connection = True  # its body was not read
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the ledger's users log what they do."""
