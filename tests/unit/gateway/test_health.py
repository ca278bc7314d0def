from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from simdes.access.desk import Desk, Limits, PinWatch
from simdes.errors import Unavailable
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.operations import Operations
from simdes.gateway.app import Running, create_gateway
from simdes.gateway.stopping import Stage
from simdes.ledger.network import pins
from simdes.storage.store import open_store
from unit.access.conftest import Scene
from unit.gateway.asgi import send


def test_a_healthy_gateway_is_alive_and_ready(scene: Scene) -> None:
    app = create_gateway(scene.home.custody)
    assert send(app, "GET", "/healthz").json() == {"status": "ok"}
    answer = send(app, "GET", "/readyz")
    assert answer.status_code == 200
    assert set(answer.json().values()) == {"ok"}


def test_a_gateway_without_its_ledger_or_with_changed_contracts_is_alive_but_not_ready(
    scene: Scene,
) -> None:
    class Down:
        def read(self) -> object:
            raise Unavailable("disk gone")

    now = pins(scene.network.ledger, scene.network.town.addresses)
    changed = PinWatch(dataclasses.replace(now, genesis=bytes(32)))
    desk = dataclasses.replace(scene.home.desk, database=Down(), pins=changed)  # type: ignore[arg-type]
    app = create_gateway(CustodyDesk(desk))
    answer = send(app, "GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ledger": "ok",
        "database": "transient",
        "contracts": "security",
        "store": "ok",
        "disk": "ok",
    }
    assert send(app, "GET", "/healthz").status_code == 200


def test_health_tells_nothing_about_the_organisation(scene: Scene) -> None:
    app = create_gateway(scene.home.custody)
    text = send(app, "GET", "/readyz").text + send(app, "GET", "/healthz").text
    assert scene.home.id.hex() not in text
    assert scene.home.name not in text


@pytest.mark.parametrize("stage", [Stage.LEAVING, Stage.CLOSED])
def test_a_gateway_that_is_about_to_stop_is_alive_and_not_ready(scene: Scene, stage: Stage) -> None:
    running = Running(operations=Operations(scene.home.custody))
    app = create_gateway(scene.home.custody, running=running)
    assert send(app, "GET", "/readyz").status_code == 200
    running.stopping.stage = stage
    answer = send(app, "GET", "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"serving": "stopping"})
    assert send(app, "GET", "/healthz").status_code == 200


def test_a_closed_gateway_asks_for_the_request_again_elsewhere(scene: Scene) -> None:
    running = Running(operations=Operations(scene.home.custody))
    app = create_gateway(scene.home.custody, running=running)
    running.stopping.stage = Stage.CLOSED
    answer = send(app, "POST", "/custody/v1/log", content=b"x")
    assert answer.status_code == 503
    assert answer.headers["connection"] == "close"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert running.stopping.under_way == 0


def parts(scene: Scene, desk: Desk, **more: Any) -> dict[str, str]:
    running = Running(operations=Operations(CustodyDesk(desk), **more))
    return dict(send(create_gateway(CustodyDesk(desk), running=running), "GET", "/readyz").json())


def test_a_stale_ledger_is_not_ready(scene: Scene) -> None:
    limits = Limits(stale_after_seconds=60)
    desk = dataclasses.replace(scene.home.desk, limits=limits)
    assert parts(scene, desk)["ledger"] == "ok"
    late = dataclasses.replace(desk, clock=lambda: scene.network.clock() + 100_000)
    assert parts(scene, late)["ledger"] == "transient"
    unlimited = dataclasses.replace(late, limits=Limits())
    assert parts(scene, unlimited)["ledger"] == "ok"


def test_a_store_that_is_gone_is_not_ready(scene: Scene, tmp_path: Path) -> None:
    store = open_store(f"file:{tmp_path / 'blocks'}")
    desk = dataclasses.replace(scene.home.desk, store=store)
    assert parts(scene, desk)["store"] == "ok"
    shutil.rmtree(tmp_path / "blocks")
    assert parts(scene, desk)["store"] == "transient"


def test_a_full_or_missing_disk_is_not_ready(scene: Scene, tmp_path: Path) -> None:
    desk = scene.home.desk
    assert parts(scene, desk, places=(tmp_path,))["disk"] == "ok"
    assert parts(scene, desk, places=(tmp_path,), least_free_bytes=1 << 60)["disk"] == "transient"
    assert parts(scene, desk, places=(tmp_path / "gone",))["disk"] == "transient"


def test_asking_again_at_once_costs_nothing(scene: Scene) -> None:
    asked: list[int] = []

    class Counted(CustodyDesk):
        def ready(self) -> dict[str, str]:
            asked.append(1)
            return super().ready()

    now = scene.network.clock()
    desk = dataclasses.replace(scene.home.desk, clock=lambda: now)
    running = Running(operations=Operations(Counted(desk)))
    app = create_gateway(CustodyDesk(desk), running=running)
    answers = [send(app, "GET", "/readyz").json() for _ in range(20)]
    assert len(asked) == 1
    assert all(one == answers[0] for one in answers)
    now += 2
    send(app, "GET", "/readyz")
    assert len(asked) == 2
