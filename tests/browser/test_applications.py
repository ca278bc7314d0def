"""An app sends a person to the gateway; they answer, look at what they allow, take it back."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import Place
from browser.steps import sign_in
from simdes.access.categories import Role
from simdes.exchange import authorization
from support.bundles import bundle
from support.smart import CALLBACK, Asking, a_patient, answer, authorize, register

WIDE = "openid fhirUser offline_access user/Observation.cruds user/MedicationRequest.rs"


@pytest.fixture
def asking(place: Place, request: pytest.FixtureRequest) -> Asking:
    """An app that is registered at north."""
    return register(place.north.node, "app-" + re.sub(r"\W", "-", request.node.name)[:80])


@pytest.fixture
def back(page: Page) -> list[str]:
    """The addresses at which the app was reached again; it answers with a page of its own.

    By the debugger's connection: Playwright's routes leave out what a redirect leads to.
    """
    reached: list[str] = []
    session = page.context.new_cdp_session(page)

    def serve(paused: dict[str, Any]) -> None:
        reached.append(paused["request"]["url"])
        answer = {
            "requestId": paused["requestId"],
            "responseCode": 200,
            "responseHeaders": [{"name": "Content-Type", "value": "text/html"}],
            "body": b64encode(b"<title>App</title>the app").decode(),
        }
        session.send("Fetch.fulfillRequest", answer)

    session.on("Fetch.requestPaused", serve)
    session.send("Fetch.enable", {"patterns": [{"urlPattern": f"{CALLBACK}*"}]})
    return reached


def ask(page: Page, asking: Asking, scope: str) -> None:
    page.goto(f"/authorize?request={authorize(asking, scope=scope).id}")


def test_a_person_allows_some_of_it_and_takes_it_back(
    page: Page, place: Place, asking: Asking, back: list[str]
) -> None:
    person = place.person()
    ask(page, asking, WIDE)
    expect(page).to_have_url(re.compile("/sign-in[?]next=%2Fauthorize"))
    page.locator("#user").fill(person.user)
    page.locator("#passphrase").fill(f"the passphrase of {person.user}")
    page.locator("form[action='/sign-in'] button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Allow Growth chart?")
    expect(page.get_by_text("at https://app.example asks Hospital North")).to_be_visible()
    see = page.get_by_role("group", name="See", exact=True)
    expect(see.get_by_role("checkbox")).to_have_count(2)
    change = page.get_by_role("group", name="Add, change and delete")
    change.get_by_role("checkbox", name="Measurements and test results").uncheck()
    page.get_by_label("Also while you are not using it").uncheck()
    page.get_by_role("button", name="Allow what is ticked").click()
    page.wait_for_url(f"{CALLBACK}**")
    given = answer(back[0])
    assert given["state"] == asking.state and len(given["code"]) == 43

    page.goto(f"{place.url}/account")
    app = page.get_by_role("listitem").filter(has_text="Growth chart")
    expect(app.get_by_text("Add, change and delete")).to_have_count(0)
    expect(app.get_by_text("Medicines")).to_be_visible()
    app.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_have_text("The app can't use your account any more.")
    expect(page.get_by_text("You allow no app anything.")).to_be_visible()


def test_a_person_allows_nothing(page: Page, place: Place, asking: Asking, back: list[str]) -> None:
    sign_in(page, place.person().user)
    ask(page, asking, WIDE)
    page.get_by_role("button", name="Allow nothing").click()
    page.wait_for_url(f"{CALLBACK}**")
    assert answer(back[0])["error"] == "access_denied"
    page.goto(f"{place.url}/account")
    expect(page.get_by_text("You allow no app anything.")).to_be_visible()


def test_ticking_nothing_off_asks_again_and_lets_the_person_go(
    page: Page, place: Place, asking: Asking, back: list[str]
) -> None:
    sign_in(page, place.person().user)
    ask(page, asking, "user/Observation.rs")
    page.get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Allow what is ticked").click()
    expect(page.get_by_role("alert").first).to_contain_text("not some of what the app asked for")
    expect(page.get_by_role("checkbox")).not_to_be_checked()
    page.get_by_role("button", name="Allow nothing").click()
    page.wait_for_url(f"{CALLBACK}**")
    assert back


def test_a_doctor_names_the_patient_whose_records_the_app_gets(
    page: Page, place: Place, asking: Asking, back: list[str]
) -> None:
    person = place.person()
    _, patient = a_patient(place.network, "b900")
    sign_in(page, person.user)
    ask(page, asking, "launch/patient patient/*.rs")
    page.locator("#patient").fill("nobody")
    page.get_by_role("button", name="Allow what is ticked").click()
    expect(page.get_by_role("alert").first).to_contain_text("No such patient here.")
    page.locator("#patient").fill(patient)
    page.get_by_role("button", name="Allow what is ticked").click()
    page.wait_for_url(f"{CALLBACK}**")
    page.goto(f"{place.url}/account")
    expect(page.get_by_text(f"Patient/{patient}")).to_be_visible()


def test_a_patient_gives_their_own_records_alone(
    page: Page, place: Place, asking: Asking, back: list[str]
) -> None:
    [accepted] = place.network.submit("north", "ada.json", bundle("ada"))
    place.network.settle()
    place.network.enrol(accepted.vault, "ada")
    sign_in(page, "ada")
    ask(page, asking, "launch/patient patient/*.rs")
    expect(page.get_by_role("radio")).to_be_checked()
    page.get_by_role("button", name="Allow what is ticked").click()
    page.wait_for_url(f"{CALLBACK}**")
    session = place.network.session("north", "ada")
    [grant] = authorization.grants(place.north.node, session)
    assert grant.vault == accepted.vault


def test_an_administrator_has_no_patient_to_give(page: Page, place: Place, asking: Asking) -> None:
    _, patient = a_patient(place.network, "b901")
    sign_in(page, place.person(Role.ADMINISTRATOR).user)
    ask(page, asking, "launch/patient patient/*.rs")
    page.locator("#patient").fill(patient)
    page.get_by_role("button", name="Allow what is ticked").click()
    expect(page.get_by_role("alert").first).to_contain_text("Only staff who treat or bill")


def test_an_app_that_wants_a_newer_sign_in_gets_one(
    page: Page, place: Place, asking: Asking, back: list[str]
) -> None:
    person = place.person()
    sign_in(page, person.user)
    place.clock.ahead_seconds += 120
    page.goto(f"/authorize?request={authorize(asking, max_age='60').id}")
    expect(page).to_have_url(re.compile("/sign-in/confirm"))
    page.locator("#passphrase").fill(f"the passphrase of {person.user}")
    page.locator("form:has(#passphrase) button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Allow Growth chart?")


def test_an_unknown_request_is_said_to_be_gone(page: Page, place: Place) -> None:
    sign_in(page, place.person().user)
    page.goto("/authorize?request=nothing")
    expect(page.get_by_text("was answered already, or is too old")).to_be_visible()
    assert urlsplit(page.url).path == "/authorize"
