"""A client of bulk export and import: kicks off, lets the worker work, fetches the files."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
from starlette.applications import Starlette

from simdes.app import Opened
from simdes.exchange.bulk import jobs
from simdes.exchange.clients import Kind
from support import smart
from support.fhir_api import Api, Json

ASYNC = {"prefer": "respond-async", "accept": "application/fhir+json"}
_NUMBERS = count(1)


@dataclass(slots=True)
class Service:
    """A backend service that signs its assertions, with the token that it has at present."""

    one: Opened
    asking: smart.Asking
    key: Any
    api: Api

    @classmethod
    def of(cls, one: Opened, app: Starlette, scope: str = "system/*.rs") -> Service:
        """Register a service and get it a token through the token endpoint's verb."""
        key = smart.new_key()
        asking = smart.register(
            one.node,
            f"bulk-{next(_NUMBERS)}",
            kind=Kind.BACKEND,
            scope=scope,
            redirects=(),
            keys=smart.public_set(key),
        )
        made = cls(one, asking, key, Api(one, "", app))
        made.renew(scope)
        return made

    def renew(self, scope: str) -> None:
        """Another token."""
        signed = smart.assertion(self.asking, self.key)
        self.api.token = smart.credentials(self.asking, signed, scope=scope)["access_token"]


@dataclass(slots=True)
class Exported:
    """A finished job: its manifest, and its files' lines by type."""

    name: str
    manifest: Json
    files: dict[str, list[Json]] = field(default_factory=dict)
    deleted: list[Json] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """``Type/id`` of every line, in order."""
        return sorted(
            f"{one['resourceType']}/{one['id']}" for its in self.files.values() for one in its
        )


def kick_off(api: Api, path: str, method: str = "GET", body: Json | None = None) -> str:
    """Ask for a job; its name."""
    answer = api.send(method, path, body, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return answer.headers["content-location"].rpartition("/")[2]


def work(one: Opened, api: Api, name: str, *, ahead: Iterator[int] | None = None) -> httpx.Response:
    """Let the worker work until the job is over; the last answer of its status."""
    for _ in range(400):
        jobs.work(one.node, worker="test")
        answer = api.get(f"jobs/{name}")
        if answer.status_code not in (202, 429):
            return answer
        time.sleep(0.02)
    raise AssertionError("The job did not end.")


def fetch(api: Api, url: str) -> list[Json]:
    """The lines of a file."""
    answer = api.get(url.partition("/fhir/")[2], accept="application/fhir+ndjson")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+ndjson"
    assert answer.content == b"" or answer.content.endswith(b"\n")
    return [json.loads(line) for line in answer.content.splitlines()]


def finished(api: Api, name: str) -> Exported:
    """The job's manifest and all its files."""
    answer = work(api.one, api, name)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    made = Exported(name, answer.json())
    for kind in ("output", "error"):
        for one in made.manifest[kind]:
            made.files.setdefault(one["type"], []).extend(fetch(api, one["url"]))
    for one in made.manifest["deleted"]:
        made.deleted += fetch(api, one["url"])
    return made


def export(api: Api, path: str, **request: Any) -> Exported:
    """Ask for an export and fetch it whole."""
    return finished(api, kick_off(api, path, **request))


def parameters(**given: str | Mapping[str, str] | list[Mapping[str, str]]) -> Json:
    """A Parameters resource; mappings are references."""
    listed: list[Json] = []
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            kind = "valueString" if isinstance(one, str) else "valueReference"
            listed.append({"name": name, kind: one})
    return {"resourceType": "Parameters", "parameter": listed}
