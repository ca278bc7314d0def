"""Staff of another hospital: a patient found by a number, asked for access, opened in emergency."""

from __future__ import annotations

import re

import pytest

from simdes.app import ADMINISTRATOR
from simdes.exchange import access_requests, emergencies
from simdes.gateway.app import create_gateway
from support.pages import Visitor, undrawn
from support.portal import SYSTEM, Enrolled
from unit.gateway.pages.conftest import Place

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def lee(place: Place) -> Visitor:
    """A doctor of the other hospital, who may read nothing of the patient."""
    south = place.network["south"]
    visitor = Visitor(create_gateway(south.custody, node=south.node))
    visitor.sign_in("dr.lee")
    return visitor


def found(lee: Visitor, number: str = "pages-1") -> str:
    """The vault behind a number, by the page."""
    text = lee.post("/patients/elsewhere", {"number": number, "system": SYSTEM}).text
    tags = re.findall(r"/patients/request\?vault=([0-9a-f]{64})", text)
    assert tags, text
    return str(tags[0])


def test_a_patient_of_others_is_found_by_a_number_and_shown_by_nothing(
    lee: Visitor, rosa: Enrolled
) -> None:
    assert 'list="systems"' in lee.get("/patients/elsewhere").text
    text = lee.post("/patients/elsewhere", {"number": "pages-1", "system": SYSTEM}).text
    assert f"vault={rosa.vault.hex()}" in text and "Hospital North" in text
    assert "Okafor" not in undrawn(text) and "Rosa" not in undrawn(text)
    nobody = lee.post("/patients/elsewhere", {"number": HOSTILE, "system": SYSTEM})
    assert "Nobody in the network" in nobody.text and "<script" not in nobody.text
    assert lee.post("/patients/elsewhere", {"number": "", "system": ""}).status_code == 400


def test_a_patient_is_asked_and_reads_who_asks_why(
    place: Place, lee: Visitor, rosa: Enrolled
) -> None:
    vault = found(lee)
    assert lee.get(f"/patients/request?vault={vault}").status_code == 200
    for wrong in ({"text": ""}, {"days": "3000"}, {"category": ""}):
        fields = {"vault": vault, "text": "Why.", "days": "30", "category": "observations"}
        assert lee.post("/patients/request", fields | wrong).status_code == 400, wrong
    done = lee.post(
        "/patients/request",
        {"vault": vault, "text": f"Knee. {HOSTILE}", "days": "30", "category": "observations"},
    )
    assert done.headers["location"] == "/patients?done=requested"
    assert "The patient was asked" in lee.get("/patients?done=requested").text
    session = place.network.session("north", rosa.user)
    [asked] = access_requests.waiting(place.north.node, session, rosa.vault)
    assert (asked.text, asked.categories, asked.name) == (
        f"Knee. {HOSTILE}", ("observations",), "dr.lee",
    )  # fmt: skip
    access_requests.decline(place.north.node, session, rosa.vault, asked.id)


def test_an_emergency_opens_the_record_until_it_is_judged(
    place: Place, lee: Visitor, rosa: Enrolled
) -> None:
    vault, south = found(lee), place.network["south"].node
    form = lee.get(f"/patients/emergency/new?vault={vault}").text
    assert "The patient is told at once" in form and "Hospital North" in form
    for wrong in ({}, {"reason": "curiosity"}, {"reason": "other"}):
        assert lee.post("/patients/emergency/new", {"vault": vault} | wrong).status_code == 400
    done = lee.post("/patients/emergency/new", {"vault": vault, "reason": "unconscious"})
    assert done.status_code == 303, done.text
    address = done.headers["location"]
    shown = lee.get(address)
    assert "Opened in an emergency." in shown.text
    assert "4.9 mmol/L" in shown.text and "Penicillin" in shown.text
    assert "Letter of discharge" not in shown.text, "documents stay closed"
    assert len(shown.content) < 100_000
    assert address in lee.get("/patients").text

    nurse = Visitor(lee.app)
    nurse.sign_in("nurse.kim")
    assert nurse.get(address).status_code == 404, "it is for who opened it alone"
    assert address not in nurse.get("/patients").text

    [one] = [
        one
        for one in emergencies.listed(south, place.network.session("south", ADMINISTRATOR))
        if one.open
    ]
    emergencies.review(
        south, place.network.session("south", ADMINISTRATOR), one.handle, outcome="unjustified"
    )
    over = lee.get(address)
    assert over.status_code == 403 and "4.9 mmol/L" not in over.text
    assert address not in lee.get("/patients").text


@pytest.mark.parametrize(
    "address",
    [
        "/patients/request",
        "/patients/request?vault=zz",
        "/patients/request?patient=nobody",
        "/patients/emergency/new?vault=" + "00" * 32,
        "/patients/emergency",
        "/patients/emergency?handle=" + "ab" * 32,
    ],
    ids=range(6),
)
def test_what_is_nowhere_is_not_found(lee: Visitor, address: str) -> None:
    assert lee.get(address).status_code == 404


def test_glass_is_broken_only_by_who_just_proved_who_they_are(
    place: Place, lee: Visitor, rosa: Enrolled
) -> None:
    vault, south = found(lee), place.network["south"].node
    before = len(emergencies.listed(south, place.network.session("south", ADMINISTRATOR)))
    place.clock.ahead_seconds += 1_000
    led = lee.get(f"/patients/emergency/new?vault={vault}").headers["location"]
    assert led.startswith("/sign-in/confirm?next=")
    refused = lee.post("/patients/emergency/new", {"vault": vault, "reason": "unconscious"})
    assert refused.headers["location"].startswith("/sign-in/confirm")
    after = emergencies.listed(south, place.network.session("south", ADMINISTRATOR))
    assert len(after) == before
