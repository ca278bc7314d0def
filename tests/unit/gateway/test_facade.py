"""`POST /facade/notify`: the server that is read sets off a round, and nobody sets off more."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from simdes.errors import Unavailable
from simdes.exchange.operations import Operations
from simdes.gateway.app import Running, create_gateway
from simdes.gateway.facade import Notified
from unit.access.conftest import Scene
from unit.gateway.asgi import send

PATH = "/facade/notify"
SECRET = "what the server shows"
SHOWN = {"Authorization": f"Bearer {SECRET}"}


def test_the_servers_word_sets_off_a_round_whatever_it_says(scene: Scene) -> None:
    asked: list[int] = []
    running = Running(
        operations=Operations(scene.home.custody),
        notified=Notified(SECRET, lambda: asked.append(1)),
    )
    app = create_gateway(scene.home.custody, running=running)
    with capture_logs() as lines:
        for content in (b"", b'{"resourceType":"Patient","name":[{"family":"Lovelace"}]}'):
            answer = send(app, "POST", PATH, content=content, headers=SHOWN)
            assert (answer.status_code, answer.content) == (200, b"")
    assert len(asked) == 2
    assert "Lovelace" not in str(lines) and SECRET not in str(lines)


@pytest.mark.parametrize("shown", ["", "Bearer", f"Basic {SECRET}", f"Bearer {SECRET}x", SECRET])
def test_nobody_else_sets_off_anything(scene: Scene, shown: str) -> None:
    asked: list[int] = []
    running = Running(
        operations=Operations(scene.home.custody),
        notified=Notified(SECRET, lambda: asked.append(1)),
    )
    app = create_gateway(scene.home.custody, running=running)
    answer = send(app, "POST", PATH, headers={"Authorization": shown})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not asked


def test_where_no_server_is_read_there_is_nothing(scene: Scene) -> None:
    assert send(create_gateway(scene.home.custody), "POST", PATH, headers=SHOWN).status_code == 404


def test_a_database_that_is_away_asks_the_server_to_tell_again(scene: Scene) -> None:
    def away() -> None:
        raise Unavailable("disk gone")

    running = Running(operations=Operations(scene.home.custody), notified=Notified(SECRET, away))
    answer = send(create_gateway(scene.home.custody, running=running), "POST", PATH, headers=SHOWN)
    assert answer.status_code == 503
