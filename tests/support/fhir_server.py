"""A small FHIR R4 server in memory, over real HTTP, that can misbehave.

It reads, searches by ``_lastUpdated`` and writes histories, in pages with ``next`` links; times
rise by a second with each change. What it is told to do wrong it does once for each telling.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Json = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)
MODES = ("history-system", "history-type", "search")


@dataclass
class Version:
    type: str
    id: str
    number: int
    time: datetime
    resource: Json | None

    @property
    def updated(self) -> str:
        return self.time.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass
class FhirServer:
    """``mode`` is what it offers besides reading and searching."""

    mode: str = "history-system"
    types: tuple[str, ...] = ("Patient", "Practitioner", "Observation", "Condition", "Location")
    path: str = "/fhir"
    port: int = 0
    versions: list[Version] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    subscriptions: list[Json] = field(default_factory=list)
    authorization: str = ""
    tokens: list[dict[str, str]] = field(default_factory=list)
    faults: list[Callable[[_Handler], bool]] = field(default_factory=list)
    sorts: bool = True
    page: Callable[[Json], Json] = lambda bundle: bundle
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def put(self, resource: Json, *, at: datetime | None = None) -> Version:
        """Create or update, as a client of the server would."""
        with self.lock:
            number = 1 + sum(
                (one.type, one.id) == (resource["resourceType"], resource["id"])
                for one in self.versions
            )
            time = at or self.now()
            made = Version(resource["resourceType"], resource["id"], number, time, None)
            meta = {"versionId": str(number), "lastUpdated": made.updated}
            made.resource = {**resource, "meta": meta}
            self.versions.append(made)
            return made

    def delete(self, type_: str, id_: str) -> None:
        with self.lock:
            number = 1 + sum((one.type, one.id) == (type_, id_) for one in self.versions)
            self.versions.append(Version(type_, id_, number, self.now(), None))

    def now(self) -> datetime:
        newest = max((one.time for one in self.versions), default=START)
        return newest + timedelta(seconds=1)

    def current(self) -> dict[tuple[str, str], Version]:
        with self.lock:
            return {(one.type, one.id): one for one in self.versions}

    def count(self, beginning: str) -> int:
        return sum(path.startswith(beginning) for _, path in self.asked)

    # Answers --------------------------------------------------------------------------------

    def capability(self) -> Json:
        codes = ["read", "search-type"]
        if self.mode == "history-type":
            codes.append("history-type")
        system = ["history-system"] if self.mode == "history-system" else []
        return {
            "resourceType": "CapabilityStatement",
            "fhirVersion": "4.0.1",
            "rest": [
                {
                    "mode": "server",
                    "resource": [
                        {"type": one, "interaction": [{"code": code} for code in codes]}
                        for one in (*self.types, "Subscription", "OperationOutcome")
                    ],
                    "interaction": [{"code": code} for code in system],
                }
            ],
        }

    def search(self, type_: str, query: dict[str, str]) -> list[Json]:
        found = [
            one
            for one in self.current().values()
            if one.type == type_ and one.resource is not None and _since(one, query)
        ]
        found.sort(key=lambda one: one.time, reverse=not self.sorts)
        return [
            {"fullUrl": f"{self.base}/{one.type}/{one.id}", "resource": one.resource,
             "search": {"mode": "match"}}
            for one in found
        ]  # fmt: skip

    def history(self, type_: str, query: dict[str, str]) -> list[Json]:
        with self.lock:
            found = [
                one
                for one in reversed(self.versions)
                if type_ in ("", one.type) and _since(one, query)
            ]
        found.sort(key=lambda one: one.time, reverse=True)
        return [self._entry(one) for one in found]

    def _entry(self, one: Version) -> Json:
        entry: Json = {
            "fullUrl": f"{self.base}/{one.type}/{one.id}",
            "request": {"method": "PUT", "url": f"{one.type}/{one.id}"},
            "response": {"status": "200", "lastModified": one.updated},
        }
        if one.resource is None:
            entry["request"]["method"] = "DELETE"
            return entry
        return entry | {"resource": one.resource}

    def paged(self, kind: str, where: str, query: dict[str, str], entries: list[Json]) -> Json:
        size, offset = int(query.get("_count", "50")), int(query.get("_offset", "0"))
        bundle: Json = {
            "resourceType": "Bundle",
            "type": kind,
            "total": len(entries),
            "link": [{"relation": "self", "url": f"{self.base}/{where}"}],
            "entry": entries[offset : offset + size],
        }
        if offset + size < len(entries):
            following = urlencode({**query, "_offset": offset + size})
            bundle["link"].append({"relation": "next", "url": f"{self.base}/{where}?{following}"})
        return self.page(bundle)


def _since(one: Version, query: dict[str, str]) -> bool:
    text = query.get("_since") or query.get("_lastUpdated", "").removeprefix("ge")
    return not text or one.time >= datetime.fromisoformat(text)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fhir: FhirServer

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        where = parts.path.removeprefix(self.fhir.path).strip("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self.fhir.lock:
            self.fhir.asked.append(("GET", f"{where}?{parts.query}"))
            fault = self.fhir.faults.pop(0) if self.fhir.faults else None
        if fault is not None and fault(self):
            return
        shown = self.headers.get("Authorization", "")
        if self.fhir.authorization and shown != self.fhir.authorization:
            self.answer(401, {"resourceType": "OperationOutcome"})
            return
        self.answer(*self._found(where.split("/"), where, query))

    def _found(self, steps: list[str], where: str, query: dict[str, str]) -> tuple[int, Json]:
        fhir = self.fhir
        if where == "metadata":
            return 200, fhir.capability()
        if steps[-1] == "_history":
            type_ = steps[0] if len(steps) == 2 else ""
            return 200, fhir.paged("history", where, query, fhir.history(type_, query))
        if where == "Subscription":
            return 200, fhir.paged(
                "searchset", where, query, [{"resource": one} for one in fhir.subscriptions]
            )
        if len(steps) == 1:
            return 200, fhir.paged("searchset", where, query, fhir.search(where, query))
        found = fhir.current().get((steps[0], steps[1]))
        if found is None:
            return 404, {"resourceType": "OperationOutcome"}
        if found.resource is None:
            return 410, {"resourceType": "OperationOutcome"}
        return 200, found.resource

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with self.fhir.lock:
            self.fhir.asked.append(("POST", self.path))
        if self.path.endswith("/token"):
            self.fhir.tokens.append({k: v[0] for k, v in parse_qs(body.decode()).items()})
            token = f"token-{len(self.fhir.tokens)}"
            self.fhir.authorization = f"Bearer {token}"
            self.answer(200, {"access_token": token, "token_type": "bearer", "expires_in": 300})
            return
        resource = json.loads(body)
        resource["id"] = f"s{len(self.fhir.subscriptions)}"
        self.fhir.subscriptions.append(resource)
        self.answer(201, resource)

    def answer(self, status: int, resource: Json, **headers: str) -> None:
        body = json.dumps(resource).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The server's own time: that of its last change, a second before the next."""
        now = self.fhir.now() - timedelta(seconds=1)
        return super().date_time_string(int(now.timestamp()))


def fails(status: int = 500) -> Callable[[_Handler], bool]:
    """Answer once with a status."""

    def fault(handler: _Handler) -> bool:
        handler.answer(status, {"resourceType": "OperationOutcome"})
        return True

    return fault


def truncates(handler: _Handler) -> bool:
    """Promise more than is sent, once."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"resourceType": "Bundle", "type": "history", "entry": [')
    handler.close_connection = True
    return True


def sends(body: bytes, status: int = 200, **headers: str) -> Callable[[_Handler], bool]:
    """Answer once with these bytes."""

    def fault(handler: _Handler) -> bool:
        handler.send_response(status)
        for name, text in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(name, text)
        handler.end_headers()
        handler.wfile.write(body)
        return True

    return fault


def passes(handler: _Handler) -> bool:
    """Answer once as ever."""
    del handler
    return False


@contextmanager
def running(server: FhirServer) -> Iterator[FhirServer]:
    """Serve on a free port of loopback."""
    handler = type("Handler", (_Handler,), {"fhir": server})
    listening = ThreadingHTTPServer(("127.0.0.1", server.port), handler)
    listening.daemon_threads = True
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def patient(number: int | str, *, identified: bool = True, **more: Any) -> Json:
    """A Patient with a medical record number."""
    mrn = [{"system": "urn:hospital:mrn", "value": f"MRN-{number}"}] if identified else []
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        **({"identifier": mrn} if mrn else {}),
        "name": [{"family": f"Family{number}", "given": ["Given"]}],
        **more,
    }


def observation(number: int | str, of: int | str, worth: str = "4.20", **more: Any) -> Json:
    """A result of a patient, named by reference alone."""
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0"}]},
        "subject": {"reference": f"Patient/p{of}"},
        "valueQuantity": {
            "value": float(worth),
            "unit": "mmol/L",
            "system": "http://unitsofmeasure.org",
            "code": "mmol/L",
        },
        **more,
    }


def practitioner(number: int | str) -> Json:
    return {
        "resourceType": "Practitioner",
        "id": f"d{number}",
        "name": [{"family": f"Doctor{number}"}],
    }
