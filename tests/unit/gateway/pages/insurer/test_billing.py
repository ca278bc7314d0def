"""A provider's page of its claims: who bills sees how each stands, accepts, appeals, answers."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from simdes.errors import Forbidden
from simdes.exchange import rights
from simdes.exchange.claims import billed
from simdes.exchange.interactions.found import Found
from simdes.exchange.reached import FRESH_SECONDS
from simdes.fhir.json import dumps, loads
from simdes.gateway.pages.patient import claim as patient_claim
from simdes.gateway.pages.record.loading import Record
from simdes.gateway.pages.staff import billing
from simdes.ledger.contracts import ClaimState
from support.claim_scene import Visit
from support.fhir_api import application
from support.pages import Visitor
from support.two_patients import statements
from unit.gateway.pages.insurer.conftest import Desk
from unit.gateway.pages.insurer.test_claims import LARGEST, disclosed


def biller(desk: Desk) -> Visitor:
    """The browser of a doctor of the hospital."""
    visitor = Visitor(desk.north)  # type: ignore[arg-type]
    assert visitor.sign_in("dr.north").headers["location"] == "/home"
    return visitor


@pytest.fixture(scope="module")
def visit(desk: Desk) -> Visit:
    """A visit whose claim was disclosed."""
    made = desk.visit()
    disclosed(desk, made)
    return made


def decided(desk: Desk, visit: Visit, **how: str) -> str:
    """Have the insurer decide as its plan proposes; the claim's id in hex."""
    claim = visit.mine()[0].claim.hex()
    desk.clerk().post("/inbox/decide", {"claim": claim, "step": "decide", **how})
    passes(desk)
    return claim


def passes(desk: Desk) -> None:
    """Let what the insurer wrote be anchored, and be looked for anew elsewhere."""
    desk.network.settle()
    desk.clock.ahead_seconds += FRESH_SECONDS + 1


def test_what_an_insurer_asks_for_is_offered_or_said_to_be_all(desk: Desk, visit: Visit) -> None:
    claim = visit.mine()[0].claim.hex()
    page = biller(desk)
    assert "No claim waits for somebody here." in page.get("/billing").text
    assert claim[:12] in page.get("/billing?only=waiting").text
    early = page.post("/billing/answer", {"claim": claim, "step": "none"})
    assert early.status_code == 409 and "did not ask for more" in early.text
    desk.clerk().post("/inbox/ask", {"claim": claim, "missing": "The <b>report</b>"})
    passes(desk)
    shown = page.get(f"/billing/claim?claim={claim}").text
    assert "It asks for: The &lt;b&gt;report" in shown
    assert shown.count('name="resource"') >= 1 and "Condition/" in shown
    for step in ({"step": "offer"}, {"step": "later"}, {}):
        nothing = page.post("/billing/answer", {"claim": claim, **step})
        assert nothing.status_code == 400 and "Choose what is to be offered" in nothing.text
    fields = {"claim": claim, "step": "offer", "resource": "Condition/of-somebody-else"}
    strange = page.post("/billing/answer", fields)
    assert strange.status_code == 404 and "not in the patient" in strange.text
    chosen = f"Condition/{visit.condition['id']}"
    offered = page.post("/billing/answer", fields | {"resource": chosen})
    assert offered.headers["location"].endswith("done=more-offered"), offered.text
    assert chosen in [one.reference for one in visit.requests()[0].lines]
    done = page.post("/billing/answer", {"claim": claim, "step": "none"})
    assert done.headers["location"].endswith("done=no-more"), done.text
    assert visit.state(bytes.fromhex(claim)) is ClaimState.DISCLOSED


def test_a_decision_is_shown_with_its_reasons_and_accepted_once(desk: Desk, visit: Visit) -> None:
    claim = decided(desk, visit)
    page = biller(desk)
    listed = page.get("/billing").text
    assert "Insurer East: €320.00" in listed and f"/billing/claim?claim={claim}" in listed
    shown = page.get(f"/billing/claim?claim={claim}")
    assert len(shown.content) < LARGEST
    text = html.unescape(shown.text)
    assert "Okafor" in text and "The insurer pays" in text and "€153.00" in text
    assert "Deductible of the period" in text and "borne by the patient" in text
    assert "the insurer pays €" in text, "line by line"
    done = page.post("/billing/accept", {"claim": claim, "appeals": "0"})
    assert done.headers["location"].endswith("done=decision-accepted"), done.text
    assert "Accepted: the decision is final." in page.get(done.headers["location"]).text
    for path in ("accept", "appeal"):
        again = page.post(f"/billing/{path}", {"claim": claim})
        assert again.status_code == 409, path
    assert "/billing/accept" not in page.get(f"/billing/claim?claim={claim}").text


def test_a_denial_is_appealed(desk: Desk) -> None:
    visit = desk.visit()
    disclosed(desk, visit)
    claim = decided(desk, visit, deny="CO-50", note="Not this time.")
    page = biller(desk)
    shown = page.get(f"/billing/claim?claim={claim}").text
    assert "Not found necessary" in shown and "Not this time." in shown
    for path in ("accept", "appeal"):
        for seen in ("1", "", "x"):
            stale = page.post(f"/billing/{path}", {"claim": claim, "appeals": seen})
            assert stale.status_code == 409 and "decided anew" in stale.text, (path, seen)
    done = page.post("/billing/appeal", {"claim": claim, "appeals": "0"})
    assert done.headers["location"].endswith("done=decision-appealed"), done.text
    assert visit.state(bytes.fromhex(claim)) is ClaimState.APPEALED
    french = page.get("/billing?only=waiting", **{"Accept-Language": "fr"}).text
    assert "Nos demandes" in french and "un recours" in french


def test_what_an_insurer_writes_beside_a_denial_is_read_with_care(desk: Desk) -> None:
    """The ledger has no amount that such an answer would open: anybody could write one."""
    visit = desk.visit()
    disclosed(desk, visit)
    page, about = biller(desk), f"/billing/claim?claim={decided(desk, visit, deny='CO-50')}"
    assert "Not found necessary" in page.get(about).text
    for wrong, right in (
        (b'"code":"253"', b'"code":"50"'),
        (b'"code":"unheard"', b'"code":"submitted"'),
        (b'{"processNote": {"text": "x"}, "error": ["no object"]}', b""),
        (b'{"item": ["no object"]}', b""),
        (b'{"total": ["no object", {"amount": {"currency": "EUR"}}]}', b""),
    ):

        def lied(content: bytes, wrong: bytes = wrong, right: bytes = right) -> object:
            found = loads(content)
            if found["resourceType"] not in ("ClaimResponse", "ExplanationOfBenefit"):
                return found
            return loads(dumps(found).replace(right, wrong)) if right else found | loads(wrong)

        with mock.patch.object(billed, "loads", lied):
            shown = page.get(about)
        assert shown.status_code == 200, shown.text
        assert ("CO-253" in shown.text) == (b"253" in wrong)
        assert ("Not found necessary" in shown.text) == (b"processNote" in wrong)
    read = billed._found

    def elsewhere(*given: Any) -> tuple[Found, ...]:
        return tuple(
            one
            if one.type in ("Claim", "Patient")
            else replace(one, source="https://third.example")
            for one in read(*given)
        )

    with mock.patch.object(billed, "_found", elsewhere):
        shown = page.get(about)
    assert "Not found necessary" not in shown.text, "a third party's word is no answer"


def test_a_patient_reads_what_their_insurer_wrote_and_nobody_else(desk: Desk) -> None:
    visit = desk.visit()
    disclosed(desk, visit)
    claim = decided(desk, visit, deny="CO-50", note="Not this time.")
    patient, about = desk.patient(visit), f"/claims/claim?claim={claim}"
    assert "Not this time." in patient.get(about).text
    read = patient_claim.load

    def altered(how: Callable[[Any], Any]) -> Callable[..., Record]:
        def load(*given: Any, **more: Any) -> Record:
            whole = read(*given, **more)
            sources = [replace(one, resource=how(one.resource)) for one in whole.sources]
            return replace(whole, sources=tuple(sources))

        return load

    third = {"meta": {"source": "https://third.example"}}
    with mock.patch.object(patient_claim, "load", altered(lambda one: one | third)):
        assert "Not this time." not in patient.get(about).text
    wrong = {"total": [{"amount": {"value": 1}}], "error": ["no object"]}
    with mock.patch.object(patient_claim, "load", altered(lambda one: one | wrong)):
        shown = patient.get(about)
    assert shown.status_code == 200 and "Not this time." in shown.text


def test_a_claim_is_ended_and_made_once_more(desk: Desk) -> None:
    visit = desk.visit()
    claim = disclosed(desk, visit)
    page, address = biller(desk), f"/billing/claim?claim={claim.hex()}"
    named = {"claim": claim.hex()}
    early = page.post("/billing/again", named)
    assert early.status_code == 409 and "Reverse the claim first." in early.text
    shown = page.get(address).text
    assert "/billing/end" in shown and "/billing/again" not in shown
    done = page.post("/billing/end", named)
    assert done.headers["location"].endswith("done=claim-ended"), done.text
    assert visit.state(claim) is ClaimState.REVERSED
    assert page.post("/billing/end", named).status_code == 409
    ended = page.get(done.headers["location"]).text
    assert "The claim has ended." in ended and "/billing/end" not in ended
    assert "/billing/again" in ended
    done = page.post("/billing/again", named)
    assert done.headers["location"].endswith("done=claimed-again"), done.text
    coming = page.get(done.headers["location"]).text
    assert "a new claim opens by itself" in coming and "/billing/again" not in coming
    desk.network.settle()
    for _ in range(3):
        visit.work()
    _, second = sorted(visit.mine(), key=lambda one: one.claim != claim)
    assert second.state is ClaimState.OPENED
    page = biller(desk)  # the proof was too old
    older = html.unescape(page.get(address).text)
    assert f"/billing/claim?claim={second.claim.hex()}" in older and "newer claim" in older
    assert page.post("/billing/again", named).status_code == 409


def test_of_a_decision_that_was_taken_back_nothing_is_paid(desk: Desk) -> None:
    visit = desk.visit()
    disclosed(desk, visit)
    claim = decided(desk, visit)
    doctor, address = biller(desk), f"/billing/claim?claim={claim}"
    assert "The insurer pays" in doctor.get(address).text
    desk.clerk().post("/inbox/reverse", {"claim": claim})
    passes(desk)
    page = doctor.get(address).text
    assert "Claim once more" in page and "Claimed: €" in page
    assert "the insurer pays" not in page.lower()


def test_a_list_says_whose_each_claim_is_and_how_many_there_are(desk: Desk, visit: Visit) -> None:
    shown = biller(desk).get("/billing?only=all").text
    assert f"Okafor-{visit.number}" in shown
    assert re.search(r"\d+ in all", shown)


def test_a_claim_that_was_decided_since_it_was_shown_is_not_ended(desk: Desk) -> None:
    visit = desk.visit()
    disclosed(desk, visit)
    claim = visit.mine()[0].claim.hex()
    page = biller(desk)
    assert 'name="state" value="disclosed"' in page.get(f"/billing/claim?claim={claim}").text
    decided(desk, visit)
    state = visit.state(bytes.fromhex(claim))
    for seen in ("disclosed", ""):
        stale = page.post("/billing/end", {"claim": claim, "state": seen})
        assert stale.status_code == 409 and "decided anew" in stale.text
    assert visit.state(bytes.fromhex(claim)) is state
    seen = state.name.lower()
    assert page.post("/billing/end", {"claim": claim, "state": seen}).status_code == 303


def test_a_list_asks_as_little_for_many_as_for_few(desk: Desk, visit: Visit) -> None:
    page = biller(desk)
    with statements(desk.network["north"].node) as count:
        page.get("/billing?only=all")
    few = count[0]
    known = billing.billing_desk.billed

    def many(*given: object) -> list[object]:
        return 100 * known(*given)[:2]  # type: ignore[arg-type]

    with (
        mock.patch.object(billing.billing_desk, "billed", many),
        statements(desk.network["north"].node) as more,
    ):
        shown = page.get("/billing?only=all").text
    assert shown.count("<li>\n<h2>") == billing.ROWS
    assert "200 in all" in shown and "page 1 of 10" in shown
    assert more[0] - few <= 2 * billing.ROWS, "what was kept of each is opened"
    assert more[0] < 80


def test_nobody_else_sees_or_moves_what_is_billed_here(desk: Desk, visit: Visit) -> None:
    claim = visit.mine()[0].claim.hex()
    about = f"?claim={claim}"
    stranger = Visitor(application_of(desk, "south"))  # type: ignore[arg-type]
    assert stranger.sign_in("dr.lee").headers["location"] == "/home"
    assert claim[:12] not in stranger.get("/billing?only=all").text
    assert stranger.get(f"/billing/claim{about}").status_code == 404
    nurse = Visitor(application_of(desk, "south"))  # type: ignore[arg-type]
    nurse.sign_in("nurse.kim")
    for visitor, status in ((stranger, 404), (nurse, 403), (desk.clerk(), 403)):
        for path in ("accept", "appeal", "answer", "end", "again"):
            fields = {"claim": claim, "step": "none"}
            assert visitor.post(f"/billing/{path}", fields).status_code == status, path
    assert nurse.get("/billing").status_code == 403
    assert "/billing" not in nurse.get("/home").text
    assert desk.patient(visit).get("/billing").status_code == 403
    east = desk.network["east"].node
    clerk = rights.ask(east, desk.network.session("east", "clerk.poe"))
    with pytest.raises(Forbidden) as refused:
        billing.billing_desk.billed(east, clerk)
    assert "consent" not in refused.value.advice, "a patient's word would not help"
    assert biller(desk).get("/billing/claim?claim=zz").status_code == 404
    desk.clock.ahead_seconds += 901
    asked = stranger.get(f"/billing/claim{about}")
    assert asked.headers["location"].startswith("/sign-in/confirm?next=")
    for path in ("end", "again"):
        asked = stranger.post(f"/billing/{path}", {"claim": claim})
        assert asked.headers["location"].startswith("/sign-in/confirm?next="), path


def application_of(desk: Desk, name: str) -> object:
    """The gateway of another organisation."""
    return application(desk.network[name])
