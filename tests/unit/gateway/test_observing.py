"""One line for each request, with what operators need and nothing that anybody sent."""

from __future__ import annotations

import os
import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from simdes.exchange.operations import Operations
from simdes.gateway.app import Running, create_gateway
from simdes.gateway.observing import identify
from unit.access.conftest import Scene
from unit.gateway.asgi import send
from unit.gateway.test_metrics import JOSE, question

FIELDS = {
    "event", "log_level", "method", "route", "status", "ms", "request", "account", "organisation",
}  # fmt: skip
UUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


def app_of(scene: Scene, *routes: Route) -> tuple[Starlette, Running]:
    running = Running(operations=Operations(scene.home.custody))
    app = create_gateway(scene.home.custody, running=running)
    app.routes.extend(routes)
    return app, running


def lines_of(app: Starlette, *request: Any, **more: Any) -> tuple[httpx.Response, dict[str, Any]]:
    with capture_logs() as lines:
        answer = send(app, *request, **more)
    [line] = [one for one in lines if one["event"] == "request"]
    assert set(line) == FIELDS
    return answer, line


def test_a_request_is_one_line_with_its_template_status_and_time(scene: Scene) -> None:
    app, _ = app_of(scene, Route("/Patient/{id}", lambda _: Response("x"), methods=["GET"]))
    _, line = lines_of(app, "GET", "/Patient/ada-lovelace?name=Ada%20Lovelace")
    assert (line["method"], line["route"], line["status"]) == ("GET", "/Patient/{id}", 200)
    assert 0 <= line["ms"] < 10_000
    assert line["account"] is None and line["organisation"] is None
    told = {name: value for name, value in line.items() if name != "request"}  # random digits
    assert "ada" not in str(told).lower()


def test_who_asks_is_named_by_the_first_digits(scene: Scene) -> None:
    app, _ = app_of(scene)
    _, line = lines_of(app, "POST", "/custody/v1/release", content=question(scene), headers=JOSE)
    account = scene.reader.people["doctor"][0].account
    assert line["account"] == f"0x{account.hex()[:8]}"
    assert line["organisation"] == f"0x{scene.reader.id.hex()[:8]}"
    assert line["status"] == 403


def test_a_route_that_knows_who_asks_says_so(scene: Scene) -> None:
    who = os.urandom(32)

    def endpoint(request: Request) -> Response:
        identify(request.scope, who, None)
        return Response("x")

    app, _ = app_of(scene, Route("/known", endpoint))
    assert lines_of(app, "GET", "/known")[1]["account"] == f"0x{who.hex()[:8]}"


@pytest.mark.parametrize("given", [UUID, UUID.upper(), UUID.replace("-", "")])
def test_a_callers_request_id_is_kept_where_it_can_be_nothing_else(
    scene: Scene, given: str
) -> None:
    answer, line = lines_of(app_of(scene)[0], "GET", "/healthz", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == line["request"] == given.lower()
    assert "x-correlation-id" not in answer.headers


@pytest.mark.parametrize("given", ["Ada-Lovelace", "19121852", "a" * 200, "x\ty", "é", UUID + "0"])
def test_a_request_id_that_could_be_anything_is_not_written_down(scene: Scene, given: str) -> None:
    headers: Any = {"X-Request-Id": given.encode()}
    answer, line = lines_of(app_of(scene)[0], "GET", "/healthz", headers=headers)
    assert re.fullmatch("[0-9a-f]{32}", line["request"])
    assert answer.headers["x-request-id"] == line["request"]
    plain = given.isascii() and given.isprintable() and len(given) <= 128
    assert answer.headers.get("x-correlation-id") == (given if plain else None)


def test_every_request_has_another_id(scene: Scene) -> None:
    app, _ = app_of(scene)
    ids = {send(app, "GET", "/healthz").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


def test_a_request_is_under_way_until_its_answer_is_out(scene: Scene) -> None:
    seen: list[int] = []

    async def pieces() -> Any:
        seen.append(running.stopping.under_way)
        yield b"x"

    app, running = app_of(scene, Route("/stream", lambda _: StreamingResponse(pieces())))
    assert send(app, "GET", "/stream").status_code == 200
    assert seen == [1]
    assert running.stopping.under_way == 0


def test_a_failure_is_answered_and_named_by_its_class_and_place_alone(scene: Scene) -> None:
    def fails(_: Request) -> Response:
        raise KeyError("Ada Lovelace, born 1815")

    async def breaks_off() -> Any:
        yield b"x"
        raise KeyError("Ada Lovelace, born 1815")

    app, running = app_of(
        scene,
        Route("/fails", fails),
        Route("/breaks", lambda _: StreamingResponse(breaks_off())),
    )
    with capture_logs() as lines:
        answer = send(app, "GET", "/fails", headers={"X-Request-Id": UUID})
        send(app, "GET", "/breaks")
    assert answer.status_code == 500
    assert answer.json()["issue"][0]["code"] == "exception"
    assert answer.headers["x-request-id"] == UUID
    assert answer.headers["x-content-type-options"] == "nosniff"
    failed = [one for one in lines if one["event"] == "failed"]
    assert [one["kind"] for one in failed] == ["KeyError", "KeyError"]
    assert all(one["where"].startswith("test_observing.py:") for one in failed)
    assert failed[0]["request"] == UUID
    assert "Ada" not in str(lines)
    assert [one["status"] for one in lines if one["event"] == "request"] == [500, 500]
    assert running.stopping.under_way == 0
