"""Doctors, nurses and pharmacists at every page of theirs in a real browser.

In both languages, light and dark, by keyboard, on a phone without JavaScript, judged by axe-core;
the camera at the counter with a detector that reads what a test shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched, tab
from browser.steps import enter
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.exchange import corrections, emergencies, rights
from simdes.exchange.interactions.everything import everything
from simdes.gateway.pages.staff.places import STAFF_PLACES
from support.fhir_api import Api
from support.portal import SYSTEM, Enrolled, enrolled, history

LOCALES = {"en": "en-GB", "fr": "fr-FR"}


@pytest.fixture(scope="module")
def nils(place: Place) -> Iterator[Enrolled]:
    """A patient with a few years of history; what was opened in an emergency is judged at last."""
    # Playwright's event loop may run in this thread already, and a client of FHIR starts one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(_nils, place).result()
    north, session = place.north.node, place.network.session("north", ADMINISTRATOR)
    for one in emergencies.listed(north, session):
        if not one.outcome:
            emergencies.review(north, session, one.handle, outcome="justified")


def _nils(place: Place) -> Enrolled:
    doctor = Api.of(place.north, "dr.north")
    who = enrolled(place.network, doctor, "browser-3", user="nils", given="Nils")
    for one in history(who.patient["id"]):
        doctor.create(one)
    place.network.settle()
    return who


def asked(place: Place, nils: Enrolled) -> str:
    """A correction that the patient waits for."""
    node, patient = place.north.node, nils.patient["id"]
    asking = rights.ask(node, place.network.session("north", nils.user))
    for one in corrections.listed(node, asking, patient):
        return one.id
    [entry, *_] = everything(node, asking, patient, types=("AllergyIntolerance",)).matches
    return corrections.ask(node, asking, patient, entry.name, "It was amoxicillin, in 2018.")


@pytest.fixture(params=LOCALES)
def reading(
    request: pytest.FixtureRequest, browser: Browser, place: Place, watched: Watched
) -> Iterator[tuple[str, BrowserContext]]:
    """A phone without JavaScript, of a reader of each language."""
    context = browser.new_context(
        base_url=place.url, locale=LOCALES[request.param], viewport=PHONE, java_script_enabled=False
    )
    context.set_default_timeout(10_000)
    yield request.param, context
    context.close()


def prescribe(page: Page, patient: str) -> None:
    """Fill the form in and look at what the checks find."""
    page.goto(f"/patients/prescribe?patient={patient}")
    page.locator("#medicine").fill("Amoxicillin 250 mg capsule")
    page.locator("#dosage").fill("1 capsule three times a day")
    page.locator("#amount").fill("30")
    page.locator("#unit").select_option("capsule")
    page.locator(".choices button[value=check]").click()


def break_glass(page: Page, patient: str) -> None:
    """Open an emergency; the record follows."""
    page.goto(f"/patients/emergency/new?patient={patient}")
    page.locator("#reason-unconscious").check()
    page.locator("main form .choices button").click()
    expect(page).to_have_url(re.compile("/patients/emergency[?]handle="))


def test_staff_work_without_javascript_on_a_phone_in_both_languages(
    reading: tuple[str, BrowserContext], place: Place, nils: Enrolled
) -> None:
    language, context = reading
    page, patient = context.new_page(), nils.patient["id"]
    enter(page, place.person(Role.DOCTOR).user)
    named = {one.path for one in STAFF_PLACES if one.method == "GET" and "doctor" in one.roles}
    for path in sorted(
        named
        - {"/patients/emergency", "/patients/emergency/file", "/patients/file", "/billing/claim"}
    ):
        where = f"{path}?patient={patient}&request={asked(place, nils)}"
        answer = page.goto(where)
        assert answer is not None and answer.status == 200, where
        assert len(answer.body()) < 100_000
        expect(page.locator("html")).to_have_attribute("lang", language)
        width = page.locator("body").bounding_box()
        assert width is not None and width["width"] <= PHONE["width"], where
    page.goto(f"/patients/visit?patient={patient}")
    page.locator("#reason").fill("Check-up")
    page.locator("#pulse").fill("72")
    page.locator("main form > .choices button").click()
    expect(page).to_have_url(re.compile("done=written"))
    prescribe(page, patient)
    reason = page.locator("#reason")
    if reason.count():
        reason.fill("No alternative, watched on the ward.")
    page.locator("button[value=sign]").click()
    expect(page).to_have_url(re.compile("done=prescribed"))
    break_glass(page, patient)
    page.goto(f"/patients/request?patient={patient}")
    page.locator("#text").fill("A second opinion.")
    page.locator("main form > .choices button").click()
    expect(page).to_have_url(re.compile("/patients[?]done=requested"))


def test_a_keyboard_alone_writes_a_visit(page: Page, place: Place, nils: Enrolled) -> None:
    enter(page, place.person(Role.NURSE).user)
    page.goto(f"/patients/visit?patient={nils.patient['id']}")
    for _ in range(60):
        page.keyboard.press("Tab")
        at = page.evaluate("document.activeElement.id || document.activeElement.textContent")
        if at == "reason":
            page.keyboard.type("Dressing changed")
        if at == "temperature":
            page.keyboard.type("36.9")
        if at.strip() == "Write it into the record":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("It is written into the record.")
    expect(page.get_by_text("Nurses don't prescribe at this hospital")).to_be_visible()


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_staff_is_accessible(
    browser: Browser,
    place: Place,
    nils: Enrolled,
    look: Looking,
    watched: Watched,
    language: str,
    scheme: str,
) -> None:
    page, patient = tab(browser, place, watched, LOCALES[language], scheme), nils.patient["id"]
    enter(page, place.person(Role.DOCTOR, display="Dr Ann Smith").user)

    def judge(name: str) -> None:
        look(page, f"staff-{language}-{scheme}-{name}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], name  # type: ignore[index]

    break_glass(page, patient)
    judge("emergency")
    pages = {
        "patients": "/patients",
        "record": f"/patients/record?patient={patient}",
        "request": f"/patients/request?patient={patient}",
        "emergency-new": f"/patients/emergency/new?patient={patient}",
        "nowhere": "/patients/request?patient=nobody",
        "elsewhere": "/patients/elsewhere",
        "new": "/patients/new",
        "corrections": "/patients/corrections",
        "correction": f"/patients/corrections/answer?request={asked(place, nils)}",
        "visit": f"/patients/visit?patient={patient}",
    }
    for name, path in pages.items():
        page.goto(path)
        judge(name)
    page.locator("#pulse").fill("190")
    page.locator("#reason").fill("Palpitations")
    page.locator("main form > .choices button").click()
    judge("visit-unusual")
    page.locator("#pulse").fill("1900")
    page.locator("#sure").check()
    page.locator("main form > .choices button").click()
    judge("visit-refused")
    prescribe(page, patient)
    judge("prescribe-checks")
    page.goto("/patients/elsewhere")
    page.locator("#number").fill("browser-3")
    page.locator("#system").fill(SYSTEM)
    page.locator("main form button").click()
    judge("elsewhere-found")
    page.goto("/patients/new")
    for name, value in (("family", "Okafor"), ("given", "Nils"), ("born", "1974-11-30")):
        page.locator(f"#{name}").fill(value)
    page.locator("#gender").select_option("female")
    page.locator("main form > .choices button").click()
    judge("new-known")
    page.context.close()


STUBS = """() => {
  window.shown = "";
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return window.shown ? [{ rawValue: window.shown }] : []; }
  };
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 10, 10);
  navigator.mediaDevices.getUserMedia = async () => {
    if (window.refuses) throw new DOMException("no", "NotAllowedError");
    return canvas.captureStream(5);
  };
}"""


def test_the_camera_fills_the_code_in_where_the_browser_reads_codes(
    page: Page, place: Place, look: Looking
) -> None:
    enter(page, place.person(Role.PHARMACIST).user)
    page.add_init_script(f"({STUBS})()")
    page.goto("/counter")
    page.evaluate("window.refuses = true")
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_text("The camera can't be used.")).to_be_visible()
    page.evaluate("window.refuses = false")
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_role("button", name="Stop the camera")).to_be_focused()
    look(page, "counter-camera")
    page.evaluate("window.shown = 'AAAA-CCCC'")
    expect(page).to_have_url(re.compile("/counter/open$"))
    expect(page.get_by_role("alert").first).to_contain_text("No prescription was submitted")


def test_the_camera_reads_the_number_of_an_account_and_goes_on_to_the_next_field(
    page: Page, place: Place
) -> None:
    enter(page, place.person(Role.ADMINISTRATOR).user)
    page.add_init_script(f"({STUBS})()")
    page.goto("/people/recover")
    page.evaluate(f"window.shown = '0x{'7' * 64}'")
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_label("The code they bring")).to_be_focused()
    expect(page.get_by_label("Number of the patient's account")).to_have_value(f"0x{'7' * 64}")
    expect(page).to_have_url(re.compile("/people/recover$"))


def test_a_browser_that_reads_no_codes_has_no_camera_button(page: Page, place: Place) -> None:
    enter(page, place.person(Role.PHARMACIST).user)
    page.add_init_script("delete window.BarcodeDetector")
    page.goto("/counter")
    expect(page.get_by_label("Code of the patient")).to_be_visible()
    expect(page.get_by_role("button", name="Scan with the camera")).to_be_hidden()
