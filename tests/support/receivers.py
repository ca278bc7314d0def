"""A subscriber's endpoint: a real HTTP server that keeps what it gets, and may misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def bundle(self) -> Json:
        """The body as JSON."""
        found: Json = json.loads(self.body)
        return found

    @property
    def status(self) -> dict[str, Any]:
        """The notification's status by name; ``notification-event`` is a list."""
        return status_of(self.bundle["entry"][0]["resource"])

    @property
    def kind(self) -> str:
        """handshake, heartbeat or event-notification."""
        return str(self.status["type"])

    @property
    def resources(self) -> list[Json]:
        """The resources of the events."""
        return [one["resource"] for one in self.bundle["entry"][1:] if "resource" in one]


def status_of(parameters: Json) -> dict[str, Any]:
    """A status Parameters by name; ``notification-event`` is a list of the same."""
    found: dict[str, Any] = {"notification-event": []}
    for one in parameters["parameter"]:
        if one["name"] == "notification-event":
            found["notification-event"].append({part["name"]: _value(part) for part in one["part"]})
        else:
            found[one["name"]] = _value(one)
    return found


def _value(parameter: Json) -> Any:
    return next(value for name, value in parameter.items() if name.startswith("value"))


@dataclass(slots=True)
class Receiver:
    """What came; ``answer`` is what it does with a request, by default 200."""

    url: str
    got: list[Got] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None

    def wait(self, done: Callable[[list[Got]], bool], seconds: float = 60) -> list[Got]:
        """Wait until what came is enough."""
        deadline = time.monotonic() + seconds
        while not done(list(self.got)):
            assert time.monotonic() < deadline, [one.body[:200] for one in self.got]
            time.sleep(0.02)
        return list(self.got)

    @property
    def events(self) -> list[Got]:
        """What told of events."""
        return [one for one in self.got if one.kind == "event-notification"]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events that came, in order."""
        return [
            int(event["event-number"])
            for one in self.events
            for event in one.status["notification-event"]
        ]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on loopback until the end."""
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Got(self.path, headers, body))
            if receiver.answer is not None:
                receiver.answer(self)
                return
            reply(self, 200)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    """Answer with a status and no body."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-length", "0")
    handler.end_headers()
