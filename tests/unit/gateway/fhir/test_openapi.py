"""The OpenAPI document, tried: many requests made from it and from FHIR's definitions.

Nothing may answer 5xx, nor with a status, media type or body that the document does not name. The
application is the real one, called without a socket, with a doctor's token.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from simdes.fhir.definitions import resource_types
from simdes.fhir.json import dumps
from simdes.gateway.fhir.routes import endpoints
from simdes.gateway.openapi import document
from simdes.gateway.pages.places import page_routes
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json
from support.fhir_api import request as sent
from unit.fhir.instances import instance

DOCUMENT = document("http://gateway")
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ACCEPT = os.environ.get("SIMDES_ACCEPT") == "1"
CASES = 10_000 if ACCEPT else 1_100
TOKEN_SECONDS = 200


def operations() -> list[tuple[str, str, Json]]:
    return [
        (path, method, one)
        for path, item in DOCUMENT["paths"].items()
        for method, one in item.items()
    ]


def test_the_document_is_openapi_and_is_read_without_a_token(north: Starlette) -> None:
    answer = sent(north, "GET", "/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(answer.json()).validate()


def test_every_endpoint_and_every_route_but_pages_is_in_it(north: Starlette) -> None:
    named = {(path, method.upper()) for path, method, _ in operations()}
    for one in endpoints():
        path = f"/fhir/{one.template}".rstrip("/")
        assert (path, one.method) in named
    pages = {one.path for one in page_routes(mock.sentinel.node) if isinstance(one, Route)}
    for route in north.routes:
        if isinstance(route, WebSocketRoute):
            continue  # OpenAPI describes none
        assert isinstance(route, Route)
        if route.path in pages or route.path.startswith(("/fhir", "/static")):
            continue
        for method in (route.methods or set()) - {"HEAD"}:
            assert (route.path, method) in named, route.path


def test_every_operation_of_fhir_says_how_it_fails() -> None:
    for path, _, one in operations():
        if path.startswith("/fhir/") and "security" in one:
            assert {"400", "401", "403", "404", "429", "503"} <= set(one["responses"])


# Tried ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Caller:
    """A doctor whose token is minted anew before it is too old."""

    doctor: Api
    clock: Clock
    at: float = field(default=-1e9)
    token: str = ""

    def headers(self) -> dict[str, str]:
        if self.clock() - self.at > TOKEN_SECONDS:
            self.at, self.token = self.clock(), Api.of(self.doctor.one, "dr.north").token
        return {"Authorization": f"Bearer {self.token}"}


def typed(case: Case, chance: random.Random) -> Case:
    """In every second case a body of the type that the address is of, made by its definition."""
    is_json = "json" in (case.media_type or "") and isinstance(case.body, dict)
    if not is_json or not case.path.startswith("/fhir") or chance.random() < 0.5:
        return case
    places = case.path_parameters if isinstance(case.path_parameters, dict) else {}
    named = [places.get("type"), *case.path.split("/")[2:3]]
    known = next(
        (one for one in named if isinstance(one, str) and one in resource_types()), "Bundle"
    )
    resource = instance(str(known), chance, depth=2) | {"resourceType": known}
    if known == "Bundle":
        resource["type"] = chance.choice(("batch", "transaction"))
    if isinstance(places.get("id"), str):
        resource["id"] = places["id"]
    case.body = json.loads(dumps(resource))
    return case


@schemathesis.serializer("application/jose")
def as_it_is(_: Any, value: Any) -> bytes:
    """A body of the custody API."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@pytest.fixture(scope="module")
def caller(doctor: Api, founded: tuple[Consortium, Clock]) -> Caller:
    return Caller(doctor, founded[1])


@pytest.fixture(scope="module")
def schema(north: Starlette) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", north)


@pytest.mark.parametrize(
    ("path", "method"),
    [pytest.param(path, method, id=f"{method} {path}") for path, method, _ in operations()],
)
def test_no_request_is_answered_otherwise_than_the_document_says(
    schema: Any, caller: Caller, path: str, method: str, request: pytest.FixtureRequest
) -> None:
    operation = schema[path][method.upper()]
    is_first = ACCEPT or "sqlite" in request.node.name
    cases = max(1, CASES // len(operations()) // (2 if is_first else 10))
    for number, mode in enumerate(GenerationMode):
        attempt(operation, mode, caller, seed=number, cases=cases)


def attempt(operation: Any, mode: GenerationMode, caller: Caller, *, seed: int, cases: int) -> None:
    """Send requests of one operation, right or (NEGATIVE) wrong in something."""
    chance = random.Random(f"{operation.label} {mode.value}")

    @seeded(seed)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: Case) -> None:
        typed(case, chance).call_and_validate(headers=caller.headers(), checks=CHECKS)

    try:
        tried()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing about it can be wrong
