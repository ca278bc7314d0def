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

from simdes.exchange.custody import METHODS
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import dumps
from simdes.gateway.cds.services import SERVICES
from simdes.gateway.fhir.routes import PRESCRIPTIONS, endpoints
from simdes.gateway.openapi import document
from simdes.gateway.pages.places import page_routes
from support.bulk import Service
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json
from support.fhir_api import request as sent
from support.likely import Lived
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
SPARE = 1.4 if ACCEPT else 1.0
"""Of some operations there are fewer different requests than that."""
TOKEN_SECONDS = 200
LIKELY = 0.6
"""The share of right requests that are about something that is there."""
SERVICE_SCOPE = "system/*.cruds"
OF_SERVICES = ("$export", "/jobs/", "Subscription")
NEVER_WELL = frozenset(
    (
        "GET /metrics",
        "POST /facade/notify",
        *(f"POST {one.path}" for one in SERVICES),
        *(f"POST {one.path}/feedback" for one in SERVICES),
        *(f"POST /custody/v1/{verb}" for verb in METHODS),
        "GET /auth/authorize",
        *(
            f"POST /auth/{name}"
            for name in ["authorize", "token", "revoke", "introspect", "launch"]
        ),
        "POST /shl/{secret}",
        "GET /shl/{secret}",
        "GET /shl/file/{ticket}",
        # A patient, a pharmacy and a prescription on the ledger, one after the other: the answers
        # of that journey are held against the document in `test_prescriptions.py`.
        *(f"{one.method} /fhir/{one.template}" for one in PRESCRIPTIONS),
    )
)
"""What takes more than an access token: another's signature, a secret, our address."""
ROUNDS = 12


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
    """Who asks, with tokens minted anew before they are too old; and what came of it."""

    lived: Lived
    clock: Clock
    at: float = field(default=-1e9)
    sent: int = 0
    went_well: set[str] = field(default_factory=set)

    def headers(self, case: Case, chance: random.Random) -> dict[str, str]:
        doctor, service = self.lived.doctor, self.lived.service
        if self.clock() - self.at > TOKEN_SECONDS:
            self.at = self.clock()
            doctor.token = Api.of(doctor.one, "dr.north", app=doctor.app).token
            service.renew(SERVICE_SCOPE)
        is_service = any(one in case.path for one in OF_SERVICES) or chance.random() < 0.5
        token = service.api.token if is_service else doctor.token
        return {"Authorization": f"Bearer {token}"}

    def learn(self, case: Case, answer: Any) -> None:
        self.sent += 1
        if answer.status_code in (200, 201, 202, 204, 303, 304):
            self.went_well.add(case.operation.label)
        self.lived.learn(answer)
        is_gone = answer.status_code in (404, 410)
        if is_gone or (case.method == "DELETE" and answer.status_code in (200, 204)):
            places = case.path_parameters if isinstance(case.path_parameters, dict) else {}
            fixed = case.path.removeprefix("/fhir").strip("/").split("/")[0]
            named = places.get("id") or dict(case.query or {}).get("_id")
            self.lived.forget(str(places.get("type") or fixed), str(named))
        if "$export" in case.path and answer.status_code == 202:
            self.lived.finish_exports()


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


@schemathesis.serializer("application/jose", "application/fhir+ndjson")
def as_it_is(_: Any, value: Any) -> bytes:
    """A body of the custody API, or lines to import."""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@pytest.fixture(scope="module")
def caller(doctor: Api, north: Starlette, founded: tuple[Consortium, Clock]) -> Caller:
    service = Service.of(doctor.one, north, SERVICE_SCOPE)
    own = Api.of(doctor.one, "dr.north", app=north)
    return Caller(Lived.of(own, service), founded[1])


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
    cases = max(1, int(SPARE * CASES) // len(operations()) // (2 if is_first else 10))
    for number, mode in enumerate(GenerationMode):
        attempt(operation, mode, caller, seed=number, cases=cases)
    if not ACCEPT or operation.label in NEVER_WELL:
        return
    for seed in range(2, ROUNDS):
        if operation.label not in caller.went_well:
            attempt(operation, GenerationMode.POSITIVE, caller, seed=seed, cases=4, likely=1.0)
    assert operation.label in caller.went_well, "nothing but refusals was tried"


@pytest.mark.accept
def test_as_many_were_sent_as_were_asked_for(caller: Caller) -> None:
    assert caller.sent >= CASES


def is_minimal(case: Case, answer: Any) -> bool:
    """Whether nothing came back because nothing was asked for, which OpenAPI has no word for."""
    wanted = str((case.headers or {}).get("Prefer", ""))
    return answer.status_code in (200, 201) and not answer.content and "minimal" in wanted


def attempt(
    operation: Any,
    mode: GenerationMode,
    caller: Caller,
    *,
    seed: int,
    cases: int,
    likely: float = LIKELY,
) -> None:
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
        is_likely = mode is GenerationMode.POSITIVE and chance.random() < likely
        made = caller.lived.likely(case) if is_likely else typed(case, chance)
        answer = made.call(headers=caller.headers(made, chance))
        made.validate_response(answer, checks=CHECKS[:2] if is_minimal(made, answer) else CHECKS)
        caller.learn(made, answer)

    try:
        tried()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing about it can be wrong
