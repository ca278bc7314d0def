from __future__ import annotations

import dataclasses

from simdes.access.desk import PinWatch
from simdes.errors import Unavailable
from simdes.exchange.custody import CustodyDesk
from simdes.gateway.app import create_gateway
from simdes.ledger.network import pins
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
    assert answer.json() == {"ledger": "ok", "database": "transient", "contracts": "security"}
    assert send(app, "GET", "/healthz").status_code == 200


def test_health_tells_nothing_about_the_organisation(scene: Scene) -> None:
    app = create_gateway(scene.home.custody)
    text = send(app, "GET", "/readyz").text + send(app, "GET", "/healthz").text
    assert scene.home.id.hex() not in text
    assert scene.home.name not in text
