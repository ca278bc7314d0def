"""Figures for operators: right, for operators alone, and never about anybody."""

from __future__ import annotations

import dataclasses
import os
import re
from importlib import metadata

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from simdes.access.asking import Because, ask
from simdes.access.categories import Purpose
from simdes.access.messages import ReleaseBody
from simdes.access.requests import hexed, sign_request
from simdes.errors import Forbidden, Unavailable
from simdes.exchange.custody import METHODS, CustodyDesk
from simdes.exchange.operations import Operations
from simdes.gateway.app import Running, create_gateway
from simdes.index.migrations import HEAD
from unit.access.conftest import Scene
from unit.gateway.asgi import send

HERE = {"Host": "127.0.0.1:8400"}
TOKEN = "a token that operators were given"
JOSE = {"Content-Type": "application/jose"}


def gateway(scene: Scene, *, token: str = "") -> Starlette:
    running = Running(operations=Operations(scene.home.custody), metrics_token=token)
    return create_gateway(scene.home.custody, running=running)


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(app: Starlette) -> Samples:
    answer = send(app, "GET", "/metrics", headers=HERE)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def question(scene: Scene, who: str = "doctor") -> bytes:
    return sign_request(
        scene.reader.people[who][1],
        method="release",
        audience=scene.home.id,
        chain=scene.network.ledger.chain_id(),
        body=_release(scene),
        now_seconds=int(scene.network.clock()),
        random=os.urandom,
    ).token


def test_requests_are_counted_by_template_method_and_status(scene: Scene) -> None:
    app = gateway(scene)
    for _ in range(3):
        send(app, "GET", "/healthz")
    send(app, "POST", "/custody/v1/release", content=question(scene), headers=JOSE)
    send(app, "DELETE", "/custody/v1/release")
    send(app, "GET", "/Patient/0123-ada-lovelace?name=ada")
    send(app, "BREW", "/healthz")
    found = scrape(app)
    name = "simdes_requests_total"
    assert value(found, name, route="/healthz", method="GET", status="200") == 3
    route = "/custody/v1/release"
    assert value(found, name, route=route, method="POST", status="403") == 1
    assert value(found, name, route=route, method="DELETE", status="405") == 1
    assert value(found, name, route="other", method="GET", status="404") == 1
    assert value(found, name, route="/healthz", method="other", status="405") == 1
    seconds = "simdes_request_seconds"
    assert value(found, f"{seconds}_count", route="/healthz", method="GET") == 3
    assert value(found, f"{seconds}_bucket", route="/healthz", method="GET", le="+Inf") == 3
    assert value(found, "simdes_requests_under_way") == 1  # this one
    assert value(found, "simdes_process_resident_memory_bytes") > 1 << 20
    assert value(found, "simdes_process_cpu_seconds_total") > 0


def test_what_custody_decides_is_counted_by_reason(scene: Scene) -> None:
    custody = CustodyDesk(scene.home.desk)
    app = create_gateway(custody, running=Running(operations=Operations(custody)))
    send(app, "POST", "/custody/v1/release", content=question(scene), headers=JOSE)
    send(app, "POST", "/custody/v1/release", content=b"rubbish", headers=JOSE)
    scene.network.client.open(scene.home.id, custody.answer)
    with pytest.raises(Forbidden):
        ask(scene.reader.caller("doctor"), scene.home.id, "release", _release(scene))
    ask(scene.home.caller("ada"), scene.home.id, "release", _release(scene, Purpose.PATRQT))
    found = scrape(app)
    name = "simdes_custody_decisions_total"
    refused = {"verb": "release", "outcome": "refused", "reason": "UNKNOWN_HANDLE"}
    assert value(found, name, **refused) == 2
    assert value(found, name, verb="release", outcome="granted", reason="") == 1
    away = [count for (name, _), count in found.items() if name.endswith("turned_away_total")]
    assert away == [1]


def _release(scene: Scene, purpose: Purpose = Purpose.TREAT) -> ReleaseBody:
    return ReleaseBody(
        basis=Because(purpose).basis(scene.vault.tag),
        records=[hexed(scene.written.sealed.record_id)],
        epoch=1,
    )


def test_nobody_and_nothing_is_named_by_any_label(scene: Scene) -> None:
    """Whatever callers send, labels have only values that are known beforehand."""
    app = gateway(scene)
    for number in range(40):
        seeded = f"ada-lovelace-{number}"
        for where in (f"/{seeded}", f"/custody/v1/{seeded}", f"/custody/v1/log?patient={seeded}"):
            for method in ("GET", "POST", seeded.upper().replace("-", "")):
                send(app, method, where, headers={"X-Request-Id": seeded, "User-Agent": seeded})
    send(app, "POST", "/custody/v1/release", content=question(scene), headers=JOSE)
    found = scrape(app)
    routes = {f"/custody/v1/{verb}" for verb in METHODS} | {"/healthz", "/readyz", "/metrics"}
    allowed = {
        "route": routes | {"other"},
        "method": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"},
        "version": {metadata.version("simdes")},
        "schema": {HEAD},
        "status": {str(code) for code in range(200, 600)},
        "verb": set(METHODS),
        "outcome": {"granted", "refused"},
        "part": {"ledger", "database", "contracts", "store", "disk"},
        "state": {"pending", "sealed", "anchored", "free", "claimed"}
        | {"kept", "short", "damaged", "erasing", "held", "fetching", "waiting", "settled"}
        | {"again"},
    }
    for name, labels in found:
        for label, worth in labels:
            if label in allowed:
                assert worth in allowed[label], (name, label, worth)
            else:
                assert label in ("le", "reason", "kind"), (name, label)
                assert re.fullmatch(r"[A-Z_]*|[A-Za-z]+|\+Inf|[0-9.]+", worth), (name, label)
    assert len(found) < 400


def test_what_waits_is_counted(scene: Scene) -> None:
    found = scrape(gateway(scene))
    for state in ("pending", "sealed", "anchored"):
        assert value(found, "simdes_resources", state=state) >= 0
    for name in ("oldest_unanchored_seconds", "copies", "audit_unanchored", "quarantine_open"):
        assert value(found, f"simdes_{name}") >= 0
    for state in ("kept", "short", "damaged", "erasing"):
        assert value(found, "simdes_store_contents", state=state) >= 0
    assert value(found, "simdes_store_kept_for_others", state="held") >= 0
    for name in ("overdue", "kept_for_others_bytes"):
        assert value(found, f"simdes_store_{name}") == 0
    assert value(found, "simdes_ledger_head") > 0
    assert value(found, "simdes_ready", part="ledger") == 1


def test_a_part_that_is_away_costs_its_figures_alone(scene: Scene) -> None:
    class Down:
        def read(self) -> object:
            raise Unavailable("disk gone")

    desk = dataclasses.replace(scene.home.desk, database=Down())  # type: ignore[arg-type]
    found = scrape(create_gateway(CustodyDesk(desk)))
    assert value(found, "simdes_ready", part="database") == 0
    assert value(found, "simdes_ledger_head") > 0
    assert not any(name == "simdes_quarantine_open" for name, _ in found)


# Who may look ---------------------------------------------------------------------------------


def looked(app: Starlette, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return send(app, "GET", "/metrics", headers=named)


def test_without_a_token_only_this_machine_looks(scene: Scene) -> None:
    app = gateway(scene)
    for host in ("127.0.0.1:8400", "localhost:8400", "[::1]:8400"):
        assert looked(app, Host=host).status_code == 200, host
    for host in ("simdes.example", "127.0.0.1.evil.example", "10.0.0.1"):
        assert looked(app, Host=host).status_code == 403, host
    for forwarded in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"):
        refused = send(app, "GET", "/metrics", headers=HERE | {forwarded: "192.0.2.1"})
        assert refused.status_code == 403, forwarded
        assert "simdes_" not in refused.text


def test_with_a_token_its_bearer_looks_from_anywhere_and_nobody_else(scene: Scene) -> None:
    app = gateway(scene, token=TOKEN)
    assert looked(app, Host="simdes.example", Authorization=f"Bearer {TOKEN}").status_code == 200
    assert looked(app, Host="simdes.example", Authorization=f"bearer {TOKEN}").status_code == 200
    wrong = ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \u00e9"]
    for shown in wrong:
        authorization = {"Authorization": shown.encode()}
        answer = send(app, "GET", "/metrics", headers=HERE | authorization)  # type: ignore[arg-type]
        assert answer.status_code == 401, shown
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "simdes_" not in answer.text
    assert send(app, "GET", "/metrics", headers=HERE).status_code == 401


def test_openmetrics_is_given_to_who_asks_for_it(scene: Scene) -> None:
    accepted = "application/openmetrics-text; version=1.0.0"
    answer = send(gateway(scene), "GET", "/metrics", headers=HERE | {"Accept": accepted})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_two_gateways_of_one_process_count_apart(scene: Scene) -> None:
    one, other = gateway(scene), gateway(scene)
    send(one, "GET", "/healthz")
    assert ("simdes_requests_total" in str(scrape(other).keys())) is False
    assert (
        value(scrape(one), "simdes_requests_total", route="/healthz", method="GET", status="200")
        == 1
    )
