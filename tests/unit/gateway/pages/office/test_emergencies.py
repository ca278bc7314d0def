"""An emergency is reviewed in a browser by an administrator of who opened it."""

from __future__ import annotations

from simdes.access.categories import Role
from simdes.exchange import emergencies
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import enrolled
from unit.gateway.pages.conftest import Place


def test_an_overdue_emergency_stands_first_and_is_judged_on_the_ledger(
    place: Place, office: Visitor, elsewhere: Visitor
) -> None:
    assert "No emergency waits for its review." in elsewhere.get("/emergencies").text
    doctor = Api.of(place.north, "dr.north", app=place.app)
    rosa = enrolled(place.network, doctor, "office-1", user="rosa.office")
    made = emergencies.open_(
        place.network["south"].node,
        place.network.session("south", "dr.lee"),
        vault=rosa.vault,
        reason="other",
        text="<b>nobody</b> to ask",
        name="Dr Lee",
    )
    shown = elsewhere.get("/emergencies").text
    assert "dr.lee" in shown and "&lt;b&gt;nobody&lt;/b&gt; to ask" in shown
    assert "still open" in shown and "1 review" not in shown
    assert made.handle.hex() not in office.get("/emergencies").text, "another organisation's"
    assert office.get(f"/emergencies/review?of={made.handle.hex()}").status_code == 404
    place.clock.ahead_seconds += made.review_due_seconds - made.opened_seconds + 60
    elsewhere.sign_in("admin")
    assert "1 review is overdue." in elsewhere.get("/emergencies").text
    question = elsewhere.get(f"/emergencies/review?of={made.handle.hex()}").text
    assert "Speak with who opened it first." in question
    fields = {"of": made.handle.hex()}
    refused = elsewhere.post("/emergencies/review", fields | {"outcome": "maybe"})
    assert refused.status_code == 400 and "Say whether it was justified." in refused.text
    done = elsewhere.post("/emergencies/review", fields | {"outcome": "unjustified"})
    assert done.headers["location"] == "/emergencies?done=reviewed"
    text = elsewhere.get("/emergencies").text
    assert "It was not justified" in text and "No emergency waits" in text
    again = elsewhere.post("/emergencies/review", fields | {"outcome": "justified"})
    assert again.status_code == 409
    assert elsewhere.get(f"/emergencies/review?of={made.handle.hex()}").status_code == 404


def test_doctors_do_not_review(place: Place) -> None:
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.DOCTOR).user)
    assert visitor.get("/emergencies").status_code == 403
