"""A record that is longer than a page is read to its end, whoever looks for a claim in it."""

from __future__ import annotations

import pytest

from simdes.claims.status import Standing
from simdes.exchange.claims import answers, appealing, telling
from simdes.exchange.claims.billing import CLAIM_SYSTEM
from simdes.exchange.interactions import search
from simdes.index import claims
from simdes.proofs.openings import number
from support.claim_scene import Visit
from unit.exchange.claims.conftest import Visiting


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page has one resource."""
    for name in ("PAGE", "MOST"):
        monkeypatch.setattr(search, name, 1)


def decided_twice(visit: Visit) -> tuple[bytes, int]:
    """A claim that was decided, appealed and decided; what the ledger had approved at first."""
    claim, north = visit.disclosed(), visit.node("north")
    visit.decide(claim)
    before = north.contracts.claims.claim(number(claim)).approved
    appealing.appeal(north, visit.patient, claim, "Once more, please.")
    visit.network.settle()
    visit.decide(claim)
    visit.work()
    return claim, before


def test_an_answer_is_found_behind_newer_ones(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    visit = visiting()
    claim, before = decided_twice(visit)
    north = visit.node("north")
    with north.database.read() as tx:
        [step] = claims.steps(tx, claim=claim, verb="open")
    assert (whole := answers.answered(north, step, before)) is not None
    request.getfixturevalue("one_at_a_time")
    assert answers.answered(north, step, before) == whole


def test_an_insurer_finds_a_claim_behind_others(
    visiting: Visiting, request: pytest.FixtureRequest
) -> None:
    visit = visiting()
    first = visit.disclosed()
    visit.once_more(("99213",))
    second = visit.disclosed()
    assert first != second
    request.getfixturevalue("one_at_a_time")
    for claim in (first, second):
        shown = visit.shown(claim)
        names = frozenset({(CLAIM_SYSTEM, str(shown.claim["id"]))})
        found = telling.state_of(visit.node("east"), visit.clerk(), names)
        assert found.standing is Standing.OPENED
