"""A client of bulk import, and the file server that it names."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from simdes.exchange.bulk import jobs
from simdes.exchange.bulk.stages import INPUTS
from support.bulk import ASYNC, fetch, work
from support.fhir_api import Api, Json

NDJSON = "application/fhir+ndjson"


def ndjson(resources: Iterable[Mapping[str, Any] | str]) -> bytes:
    """Resources one to a line; texts are lines as they are."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in resources]
    return "".join(f"{line}\n" for line in lines).encode()


@dataclass(slots=True)
class Imported:
    """A finished import: its manifest, and what is told of refused lines, by input's number."""

    name: str
    manifest: Json
    errors: dict[str, list[Json]] = field(default_factory=dict)

    @property
    def good(self) -> list[int]:
        """How many resources of each input were written."""
        return [one["count"] for one in self.manifest["output"]]

    @property
    def bad(self) -> int:
        """How many lines were refused."""
        return sum(one["count"] for one in self.manifest["error"])

    @property
    def lines(self) -> list[int]:
        """The numbers of the lines that were refused, of all inputs."""
        return sorted(
            issue["extension"][0]["valueInteger"]
            for its in self.errors.values()
            for outcome in its
            for issue in outcome["issue"][:1]
            if "extension" in issue
        )

    @property
    def texts(self) -> list[str]:
        """What is told of the refusals."""
        return [
            issue["details"]["text"]
            for its in self.errors.values()
            for outcome in its
            for issue in outcome["issue"]
        ]


def send(api: Api, body: bytes | Json, **headers: str) -> httpx.Response:
    """Ask for an import: of lines, or by a manifest."""
    sent = {**ASYNC, "content-type": NDJSON} | headers
    if not isinstance(body, bytes):
        sent["content-type"] = headers.get("content-type", "application/json")
        body = json.dumps(body).encode()
    return api.send("POST", "$import", content=body, headers=sent)


def begin(api: Api, body: bytes | Json, **headers: str) -> str:
    """Ask for an import; the job's name."""
    answer = send(api, body, **headers)
    assert answer.status_code == 202, answer.text
    return answer.headers["content-location"].rpartition("/")[2]


def finished(api: Api, name: str) -> Imported:
    """The job's manifest and what it tells of refusals."""
    answer = work(api.one, api, name)
    assert answer.status_code == 200, answer.text
    made = Imported(name, answer.json())
    for one in made.manifest["error"]:
        made.errors[one["inputUrl"]] = fetch(api, one["url"])
    return made


def load(api: Api, body: bytes | Json, **headers: str) -> Imported:
    """Import to the end."""
    return finished(api, begin(api, body, **headers))


def manifest(*inputs: tuple[str, str], **others: Any) -> Json:
    """The JSON manifest of inputs, each a type and an address."""
    listed = [{"type": type_, "url": url} for type_, url in inputs]
    return {
        "inputFormat": NDJSON,
        "inputSource": "https://source.example/fhir",
        "input": listed,
    } | others


def left(api: Api) -> list[tuple[str, int]]:
    """What is kept of what came in, but for lists of files: kinds and how many pieces."""
    with api.one.node.database.read() as tx:
        rows = tx.all(
            "SELECT kind, count(*) FROM bulk_part WHERE kind = 'input' AND file <> :list"
            " GROUP BY kind",
            list=INPUTS,
        )
    return [(str(kind), int(count)) for kind, count in rows]


def drain(api: Api, **how: Any) -> None:
    """Let the worker work until there is nothing to do."""
    while jobs.work(api.one.node, worker="test", **how):
        pass


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(slots=True)
class FileServer:
    """Files by path on loopback, or what a path does instead; ``asked`` are the paths asked for."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def put(self, path: str, *resources: Mapping[str, Any] | str) -> str:
        """A file of resources; its address. It is packed where its name says so."""
        content = ndjson(resources)
        self.files[path] = gzip.compress(content) if path.endswith(".gz") else content
        return self.url + path


@contextmanager
def serving_files() -> Iterator[FileServer]:
    """A file server until the end."""
    made = FileServer("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            made.asked.append(self.path)
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.path in made.answers:
                self.close_connection = True
                made.answers[self.path](self)
                return
            content = made.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("content-length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
