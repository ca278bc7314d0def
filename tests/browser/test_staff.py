"""Staff at work in a real browser: a doctor finds and reads, a pharmacist looks a code up."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched
from browser.steps import enter
from simdes.access.categories import Role
from support.fhir_api import Api
from support.portal import Enrolled, enrolled, history


@pytest.fixture(scope="module")
def ida(place: Place) -> Enrolled:
    """A patient with a few years of history."""
    # Playwright's event loop may run in this thread already, and a client of FHIR starts one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_ida, place).result()


def _ida(place: Place) -> Enrolled:
    doctor = Api.of(place.north, "dr.north")
    who = enrolled(place.network, doctor, "browser-2", user="ida", given="Ida")
    for one in history(who.patient["id"]):
        doctor.create(one)
    place.network.settle()
    return who


def test_a_doctor_finds_a_patient_and_reads_results(
    page: Page, place: Place, ida: Enrolled, look: Looking
) -> None:
    enter(page, place.person(Role.DOCTOR, display="Dr Ann Smith").user)
    look(page, "doctor-home")
    page.get_by_role("link", name="Patients").first.click()
    page.get_by_label("Name or number").fill("Nobody Here")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("Nobody like that")).to_be_visible()
    look(page, "doctor-nobody")
    page.get_by_label("Name or number").fill("Ida Okafor")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/patients$"))
    look(page, "doctor-found")
    page.get_by_role("link", name="Ida Okafor").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ida Okafor")
    look(page, "doctor-record")
    page.get_by_role("link", name=re.compile("^Results")).click()
    expect(page.get_by_role("heading", name="Potassium")).to_be_visible()
    page.get_by_text("Values Potassium").click()
    expect(page.get_by_role("cell", name="5.4 mmol/L")).to_be_visible()


def test_a_nurse_reads_on_a_phone_without_javascript(
    browser: Browser, place: Place, ida: Enrolled, watched: Watched
) -> None:
    context = browser.new_context(
        base_url=place.url, locale="fr-FR", viewport=PHONE, java_script_enabled=False
    )
    page = context.new_page()
    enter(page, place.person(Role.NURSE).user)
    page.goto("/patients")
    page.locator("#text").fill("browser-2")
    page.locator("form[action='/patients'] button").click()
    page.get_by_role("link", name="Ida Okafor").click()
    expect(page.get_by_text("4,9 mmol/L").first).to_be_visible()
    context.close()


def test_a_pharmacists_wrong_code_opens_nothing(page: Page, place: Place, look: Looking) -> None:
    enter(page, place.person(Role.PHARMACIST).user)
    page.goto("/counter")
    look(page, "counter-empty")
    page.get_by_label("Code of the patient").fill("AAAA-BBBB")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("No prescription was submitted")
    look(page, "counter-refused")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
