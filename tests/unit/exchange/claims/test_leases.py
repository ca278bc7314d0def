"""A step whose lease ends while its worker still proves: it is written down once all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from simdes.claims.reasons import Group
from simdes.errors import Conflict
from simdes.exchange.claims import freeing, steps
from simdes.exchange.node import Node
from simdes.index import claims, vaults
from simdes.index.claims import Step
from simdes.ledger.contracts import ClaimState
from support.claim_scene import Visit
from unit.exchange.claims.conftest import Visiting
from unit.exchange.claims.test_twice import happened, meanwhile, written

DENIED = (Group.CONTRACT, "50")


def lose(visit: Visit, node: Node, then: Callable[[], object] | None = None) -> None:
    """Let the lease of what was just begun end, and another worker find that it is not there."""
    visit.clock.ahead_seconds += steps.LEASE_MS // 1_000 + 1
    assert steps.settle(node) == 1
    if then is not None:
        then()


def test_a_claim_that_lands_after_its_lease_goes_on(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visiting()
    meanwhile(monkeypatch, steps, "_begin", lambda: lose(visit, visit.node("north")))
    for _ in range(3):
        visit.work()
    [asked] = visit.requests()
    assert visit.state(asked.claim) is ClaimState.OPENED
    assert happened(visit)["ClaimOpened"] == 1
    assert written(visit) == {"Claim": 1, "DocumentReference": 1, "List": 1}


def test_a_step_that_another_worker_begins_anew_is_done_once(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What both expect of the ledger is the same: that the claim is denied."""
    visit = visiting()
    claim, east = visit.disclosed(), visit.node("east")

    def deny() -> None:
        visit.decide(claim, deny=DENIED)

    meanwhile(monkeypatch, steps, "_begin", lambda: lose(visit, east, then=deny))
    deny()
    with east.database.read() as tx:
        assert len(claims.steps(tx, claim=claim, verb="adjudicate")) == 1
        assert claims.begun(tx, now_ms=2**60) == []


def test_a_step_that_lands_after_its_lease_and_whose_worker_died_is_written_down(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visiting()
    north = visit.node("north")
    with monkeypatch.context() as patch:
        meanwhile(patch, steps, "_begin", lambda: lose(visit, north))
        patch.setattr(steps, "finish", died)
        with pytest.raises(KeyboardInterrupt):
            for _ in range(3):
                visit.work()
    assert written(visit) == {}
    visit.clock.ahead_seconds += steps.LEASE_MS // 1_000 + 1
    for _ in range(3):
        visit.work()
    [asked] = visit.requests()
    assert visit.state(asked.claim) is ClaimState.OPENED
    assert happened(visit)["ClaimOpened"] == 1
    assert written(visit) == {"Claim": 1, "DocumentReference": 1, "List": 1}


def test_a_denial_that_landed_is_written_down_once_however_often_it_was_begun(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visiting()
    claim, east = visit.disclosed(), visit.node("east")
    with monkeypatch.context() as patch:
        meanwhile(patch, steps, "_begin", lambda: lose(visit, east))
        patch.setattr(type(east.contracts.claims), "adjudicate", refuses)
        with pytest.raises(Conflict):
            visit.decide(claim, deny=DENIED)
    with monkeypatch.context() as patch:
        meanwhile(patch, steps, "_begin", lambda: lose(visit, east))
        patch.setattr(steps, "finish", died)
        with pytest.raises(KeyboardInterrupt):
            visit.decide(claim, deny=DENIED)
    visit.clock.ahead_seconds += 3 * steps.LEASE_MS // 1_000
    for _ in range(2):
        steps.settle(east)
    with east.database.read() as tx:
        assert len(claims.steps(tx, claim=claim, verb="adjudicate")) == 1


def test_a_step_that_the_ledger_refused_is_looked_for_ever_more_seldom(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visiting()
    claim, east = visit.disclosed(), visit.node("east")
    with monkeypatch.context() as patch:
        patch.setattr(type(east.contracts.claims), "adjudicate", refuses)
        with pytest.raises(Conflict):
            visit.decide(claim, deny=DENIED)
    asked: list[bytes] = []

    def took(_: Node, row: Step) -> bool:
        asked.append(row.claim)
        return False

    monkeypatch.setattr(steps, "took", took)
    for _ in range(200):
        visit.clock.ahead_seconds += steps.LEASE_MS // 1_000
        steps.settle(east)
    assert 4 <= asked.count(claim) <= 10


def died(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def refuses(*_: object, **__: object) -> None:
    raise Conflict("The ledger refused it.")


def unknown(*_: object, **__: object) -> None:
    raise Conflict("The ledger knows a total of this encounter that is not known here.")


def test_a_total_that_is_not_known_here_is_told_in_the_log(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visiting()
    monkeypatch.setattr(freeing, "total_of", unknown)
    with capture_logs() as told:
        assert visit.work().opened == 0
    lines = [one for one in told if one["event"] == "claim waits"]
    assert {(one["log_level"], one["kind"]) for one in lines} == {("warning", "Conflict")}


def test_claims_of_an_erased_vault_wait_for_nothing(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = visiting()
    north = visit.node("north")

    def left() -> list[int]:
        with north.database.read() as tx:
            rows = (claims.running(tx), claims.waiting(tx))
        return [sum(one.vault == visit.vault for one in each) for each in rows]

    visit.disclosed()
    monkeypatch.setattr(freeing, "total_of", unknown)
    visit.once_more(("99213",))
    visit.work()
    assert left() == [1, 1]
    north.database.write(lambda tx: vaults.erase(tx, visit.vault))
    assert left() == [0, 0]
