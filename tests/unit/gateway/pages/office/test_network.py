"""Health, audit trails and upgrades in a browser."""

from __future__ import annotations

import os

import pytest

from simdes.app import ADMINISTRATOR
from simdes.exchange import findings, governing
from simdes.ledger.abi import artifact
from simdes.ledger.deploy import DEMO, TimelockContract
from support.pages import Visitor
from unit.gateway.pages.conftest import Place


def test_health_says_what_answers_and_who_does_not(place: Place, office: Visitor) -> None:
    place.network.settle()
    well = office.get("/health").text
    assert "They are those that this organisation accepted." in well
    assert "Clinic South: answers" in well
    place.network.down("south")
    try:
        assert "does not answer now" in office.get("/health").text
    finally:
        place.network.up("south")


def test_health_names_what_is_broken(
    place: Place, office: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simdes.errors import Tampered, Unavailable

    def refuse(*_: object) -> None:
        raise Tampered("other code")

    def silent(*_: object) -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(type(place.north.node.desk.pins), "check", refuse)
    monkeypatch.setattr(type(place.north.node.store), "probe", silent)
    text = office.get("/health").text
    assert "simdes doctor --accept" in text
    assert text.count("! not in order") >= 2


def test_findings_are_shown_with_what_to_do_and_closed_with_a_reason(
    place: Place, office: Visitor
) -> None:
    assert "It has not happened yet." in office.get("/trails").text
    node, south = place.north.node, place.network["south"].node.organisation
    about = os.urandom(8)
    [found] = findings.keep(node, [findings.finding(node, "missing", south, about=about)])
    text = office.get("/trails").text
    assert "Clinic South: its trail has no entry" in text and "tell the patient" in text
    question = office.get(f"/trails/close?finding={found.id.hex()}").text
    assert "no names of patients" in question
    fields = {"finding": found.id.hex(), "why": " "}
    assert office.post("/trails/close", fields).status_code == 400
    done = office.post("/trails/close", fields | {"why": "<i>a clock</i>"})
    assert done.headers["location"] == "/trails?done=finding-closed"
    assert "Clinic South" not in office.get("/trails").text
    closed = office.get("/trails?closed=1").text
    assert "&lt;i&gt;a clock&lt;/i&gt;" in closed
    again = office.post("/trails/close", fields | {"why": "again"})
    assert again.status_code == 409
    for id_ in ("ab" * 32, "zz", ""):
        assert office.get(f"/trails/close?finding={id_}").status_code == 404


def scheduled(place: Place) -> bytes:
    """Schedule an upgrade of Records as the network's owner; the operation's id."""
    node = place.north.node
    contracts = node.contracts
    timelock = TimelockContract(contracts.ledger, contracts.addresses.timelock)
    upgrade = artifact("Records").call_data("upgradeToAndCall", contracts.addresses.tags, b"")
    fields = (contracts.addresses.records, 0, upgrade, bytes(32), os.urandom(32))
    owner = node.lane(place.network.session("north", ADMINISTRATOR).key)
    contracts.administrators.carry_out(
        timelock.write("schedule", *fields, DEMO.timelock_seconds),
        salt=os.urandom(32),
        owners=[owner],
    )
    return bytes(timelock.read("hashOperation", *fields))


def test_an_upgrade_that_waits_is_seen_and_stopped_by_an_owner(
    place: Place, office: Visitor, elsewhere: Visitor
) -> None:
    id_ = scheduled(place)
    seen = elsewhere.get("/upgrades").text
    assert "records.upgradeToAndCall" in seen and "new code for a contract" in seen
    assert "/upgrades/decide" not in seen, "whoever is no owner looks on"
    refused = elsewhere.post("/upgrades/decide", {"of": id_.hex(), "what": "stop"})
    assert refused.status_code == 403
    question = office.get(f"/upgrades/decide?of={id_.hex()}&what=stop").text
    assert f"0x{id_.hex()}" in question and "It takes one owner." in question
    done = office.post("/upgrades/decide", {"of": id_.hex(), "what": "stop"})
    assert done.headers["location"] == "/upgrades?done=operation-stopped"
    [one] = [one for one in governing.going_on(place.north.node).operations if one.id == id_]
    assert one.state == "stopped"
    assert office.post("/upgrades/decide", {"of": id_.hex(), "what": "stop"}).status_code == 404


def test_an_open_proposal_is_confirmed_and_carried_out(place: Place, office: Visitor) -> None:
    node = place.north.node
    owner = node.lane(place.network.session("north", ADMINISTRATOR).key)
    south = place.network["south"].node.organisation
    call = node.contracts.accounts.suspend_organisation(south)
    salt = os.urandom(32)
    owner.transact(node.contracts.administrators.propose(call, salt=salt))
    id_ = node.contracts.administrators.proposal_id(call, salt=salt)
    listed = office.get("/upgrades").text
    assert "accounts.suspendOrganisation" in listed and "1 of 1 confirmed" in listed
    done = office.post("/upgrades/decide", {"of": id_.hex(), "what": "confirm"})
    assert done.headers["location"] == "/upgrades?done=proposal-done"
    assert "No proposal is open." in office.get("/upgrades").text
    office.post("/organisations/decide", {"of": south.hex(), "what": "verify"})


def test_what_is_not_going_on_is_not_found(office: Visitor) -> None:
    for of, what in (("ab" * 32, "stop"), ("ab" * 32, "confirm"), ("zz", "stop"), ("", "")):
        assert office.get(f"/upgrades/decide?of={of}&what={what}").status_code == 404
        refused = office.post("/upgrades/decide", {"of": of, "what": what})
        assert refused.status_code == 404, (of, what)
