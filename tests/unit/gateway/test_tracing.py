"""Traces: one for a request and what it waits for, in its caller's trace, and of nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from simdes import logs, tracing
from simdes.custody_http import HttpCustody
from simdes.errors import Unavailable
from simdes.exchange.operations import Operations
from simdes.gateway.app import Running, create_gateway
from support.spoiling import http_server
from unit.access.conftest import Scene
from unit.gateway.asgi import send
from unit.gateway.test_metrics import JOSE, question

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Traces are made, and kept here."""
    kept = InMemorySpanExporter()
    end = tracing.begin(SimpleSpanProcessor(kept), service="test")
    yield kept
    end()


def gateway(scene: Scene) -> Any:
    return create_gateway(
        scene.home.custody, running=Running(operations=Operations(scene.home.custody))
    )


def named(kept: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {one.name: one for one in kept.get_finished_spans()}


def ids_of(one: ReadableSpan) -> tuple[str, str, str]:
    assert one.context is not None
    parent = f"{one.parent.span_id:016x}" if one.parent else ""
    return f"{one.context.trace_id:032x}", f"{one.context.span_id:016x}", parent


def test_a_request_goes_on_with_its_callers_trace_down_to_the_database(
    scene: Scene, spans: InMemorySpanExporter
) -> None:
    headers = JOSE | {"traceparent": GIVEN, "tracestate": "vendor=ada-lovelace"}
    answer = send(
        gateway(scene), "POST", "/custody/v1/release", content=question(scene), headers=headers
    )
    found = named(spans)
    server = found["POST /custody/v1/release"]
    trace, own, parent = ids_of(server)
    assert (trace, parent) == (TRACE, PARENT)
    assert answer.headers["traceresponse"] == f"00-{TRACE}-{own}-01"
    assert dict(server.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/custody/v1/release",
        "http.response.status_code": 403,
    }
    verb = found["custody answer"]
    assert ids_of(verb)[2] == own
    assert dict(verb.attributes or {}) == {"rpc.method": "release", "error.type": "forbidden"}
    inner = ids_of(verb)[1]
    written = [one for one in spans.get_finished_spans() if one.name == "transaction"]
    assert written and all(ids_of(one)[0] == TRACE for one in written)
    assert any(ids_of(one)[2] == inner for one in written)


def test_whatever_is_sent_no_span_holds_anything_of_it(
    scene: Scene, spans: InMemorySpanExporter
) -> None:
    app, seeded = gateway(scene), "ada-lovelace"
    for where in (f"/{seeded}", f"/custody/v1/{seeded}", f"/custody/v1/log?patient={seeded}"):
        for method in ("GET", "POST", "ADALOVELACE"):
            headers = {"traceparent": seeded, "tracestate": f"a={seeded}", "X-Request-Id": seeded}
            send(app, method, where, content=seeded.encode(), headers=headers | JOSE)
    send(app, "POST", "/custody/v1/release", content=question(scene), headers=JOSE)
    found = spans.get_finished_spans()
    assert len(found) > 9
    for one in found:
        assert set(one.attributes or {}) <= tracing.KEYS
        assert not one.events and not one.links, "errors' texts may quote what was sent"
        assert one.status.description is None
    told = "".join(one.to_json() for one in found).lower()
    assert "lovelace" not in told
    assert scene.vault.tag.hex() not in told
    for account, _ in scene.reader.people.values():
        assert account.account.hex() not in told


@pytest.mark.parametrize(
    "given", ["", "rubbish", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"]
)
def test_a_trace_that_is_not_well_formed_is_not_gone_on_with(
    scene: Scene, spans: InMemorySpanExporter, given: str
) -> None:
    answer = send(gateway(scene), "GET", "/openapi.json", headers={"traceparent": given})
    version, trace, _, _ = answer.headers["traceresponse"].split("-")
    assert version == "00" and trace not in (TRACE, "0" * 32)


def test_health_and_figures_make_no_traces(scene: Scene, spans: InMemorySpanExporter) -> None:
    for where in ("/healthz", "/readyz", "/metrics"):
        assert "traceresponse" not in send(gateway(scene), "GET", where).headers
    assert [one for one in spans.get_finished_spans() if one.kind is tracing.SERVER] == []


def test_a_custodian_is_told_the_trace(scene: Scene, spans: InMemorySpanExporter) -> None:
    told: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request.headers)
        return httpx.Response(503)

    client = HttpCustody(scene.home.desk.directory, transport=httpx.MockTransport(answer))
    with pytest.raises(Unavailable), tracing.Request("POST", GIVEN):
        client.post(scene.home.id, "release", b"token")
    asked = named(spans)["custody ask"]
    assert told[0]["traceparent"] == f"00-{TRACE}-{ids_of(asked)[1]}-01"
    assert "tracestate" not in told[0]


def test_lines_of_the_log_name_their_trace(
    spans: InMemorySpanExporter, capsys: pytest.CaptureFixture[str]
) -> None:
    before = structlog.get_config()
    try:
        logs.to_standard_error("info", "json")
        with tracing.Request("GET", GIVEN):
            structlog.get_logger().info("inside")
        structlog.get_logger().info("outside")
    finally:
        structlog.configure(**before)
    inside, outside = map(json.loads, capsys.readouterr().err.splitlines())
    assert inside["trace"] == TRACE and len(inside["span"]) == 16
    assert "trace" not in outside


def test_nothing_is_made_and_nothing_is_told_unless_it_was_asked_for(scene: Scene) -> None:
    answer = send(gateway(scene), "GET", "/openapi.json", headers={"traceparent": GIVEN})
    assert "traceresponse" not in answer.headers
    assert tracing.headers() == {} and tracing.ids() == {}
    assert tracing.span("a step") is tracing.span("another"), "no object is made for it"


def test_spans_go_to_a_collector_in_its_own_form() -> None:
    got: list[ExportTraceServiceRequest] = []
    there = threading.Event()

    def collect(path: str, body: bytes) -> tuple[int, bytes]:
        assert path == "/v1/traces"
        got.append(ExportTraceServiceRequest.FromString(_plain(body)))
        there.set()
        return 200, b""

    with http_server(collect) as url:
        end = tracing.start(url, service="simdes", percent=100)
        try:
            with tracing.Request("GET", GIVEN) as request:
                request.answered("/fhir/Patient/{id}", 200)
        finally:
            end()
        assert there.wait(60)
    [resource] = got[0].resource_spans
    assert resource.resource.attributes[0].value.string_value == "simdes"
    [one] = resource.scope_spans[0].spans
    assert (one.name, one.trace_id.hex()) == ("GET /fhir/Patient/{id}", TRACE)


def _plain(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def test_a_share_of_the_traces_is_chosen_by_their_ids_and_by_no_caller() -> None:
    kept = InMemorySpanExporter()
    end = tracing.begin(SimpleSpanProcessor(kept), service="test", percent=10)
    try:
        for number in range(400):
            trace = f"{number:016x}{number * 46_116_860_184_273_879 % (1 << 64):016x}"
            with tracing.Request("GET", f"00-{trace}-{PARENT}-01"):
                pass
    finally:
        end()
    assert 10 <= len(kept.get_finished_spans()) <= 90


def test_a_program_without_the_extra_says_so() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "sys.modules['opentelemetry.exporter'] = None\n"
        "from simdes import tracing\n"
        "from simdes.errors import Invalid\n"
        "try:\n    tracing.start('http://127.0.0.1:1', service='x', percent=1)\n"
        "except Invalid as error:\n    print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert "the extra `traces` is not installed" in done.stdout, done.stderr
