"""A patient's claims as they find them, however much else is in their record."""

from __future__ import annotations

import pytest

from simdes.errors import NotFound
from simdes.exchange import consents
from simdes.exchange.claims import appealing, disclosing
from simdes.exchange.interactions import search
from support.claim_scene import Visit


def test_a_consent_with_a_condition_is_not_taken_for_one_to_read_every_answer(visit: Visit) -> None:
    visit.enrol()
    north = visit.node("north")
    while not visit.requests():
        visit.work()
    claim = visit.request().claim
    what = disclosing.to_let_answer(north, visit.patient, claim)
    assert what is not None
    for limit in (
        {"while_open": (north.contracts.addresses.claims, claim)},
        {"records": [bytes(31) + b"1"]},
    ):
        consents.grant(north, visit.patient.session, **(what | limit))  # type: ignore[typeddict-item]
        assert disclosing.to_let_answer(north, visit.patient, claim) is not None, limit
    consents.grant(north, visit.patient.session, **what)
    assert disclosing.to_let_answer(north, visit.patient, claim) is None


def test_an_old_claim_is_reached_behind_newer_lists_and_claims(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit.enrol()
    old, north = visit.disclosed(), visit.node("north")
    visit.once_more(("99213",))
    while len(visit.requests()) == 1:
        visit.work()
    other = {"status": "current", "mode": "working", "subject": visit.subject}
    for _ in range(2):
        visit.doctor.create({"resourceType": "List", **other})
    visit.network.settle()
    for name in ("PAGE", "MOST"):
        monkeypatch.setattr(search, name, 1)
    newer, older = visit.requests()
    assert older.claim == old != newer.claim
    assert disclosing.own_request(north, visit.patient, old) == older
    assert appealing.own_copy(north, visit.patient, old)
    assert disclosing.withdraw(north, visit.patient, old) == 1
    with pytest.raises(NotFound, match="no such claim of yours"):
        disclosing.own_request(north, visit.patient, bytes(32))
