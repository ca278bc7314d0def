"""An administrator at work in a real browser: people, organisations, quarantine, health, trails,
upgrades."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched
from browser.steps import enter
from simdes import typed_numbers
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.exchange import attesting, emergencies, enrolment, findings, recovering
from support.fhir_api import Api
from support.portal import SYSTEM, enrolled

PAGES = (
    *("/home", "/people", "/organisations", "/quarantine", "/emergencies", "/health", "/trails"),
    "/upgrades",
)


@pytest.fixture(scope="module", autouse=True)
def something_to_see(place: Place) -> None:
    """A message that was refused, a finding and an emergency."""
    lines = (
        r"MSH|^~\&|REG|SITE|||20260101120000||ADT^A01|office1|P|2.5.1",
        "EVN||20260101120000",
        "PV1|1|I",
    )
    place.network.submit("north", "ward-3.hl7", "\r".join(lines).encode())
    south = place.network["south"].node.organisation
    node = place.north.node
    findings.keep(node, [findings.finding(node, "silent", south, about=os.urandom(8))])
    # Playwright's event loop may run in this thread already, and a client of FHIR starts one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(_emergency, place).result()


def _emergency(place: Place) -> None:
    who = enrolled(place.network, Api.of(place.north, "dr.north"), "browser-office", user="ola")
    emergencies.open_(
        place.north.node,
        place.network.session("north", "dr.north"),
        vault=who.vault,
        reason="unconscious",
        name="Dr North",
    )


def test_an_administrator_adds_somebody_and_suspends_them(
    page: Page, place: Place, look: Looking
) -> None:
    enter(page, ADMINISTRATOR)
    look(page, "office-home")
    page.get_by_role("link", name="People").first.click()
    look(page, "office-people")
    page.get_by_role("button", name="Add somebody").click()
    look(page, "office-person-new")
    page.get_by_label("User name").fill("Not A Name")
    page.get_by_label("Role").select_option("nurse")
    page.get_by_role("button", name="Add and verify").click()
    expect(page.get_by_role("alert")).to_contain_text("A user name is 1 to 64")
    look(page, "office-person-refused")
    page.get_by_label("User name").fill("kit.browser")
    page.get_by_label("Name shown to colleagues").fill("Kit Browser")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Kit Browser is added")
    look(page, "office-person-added")
    page.get_by_role("button", name="Back to the people").click()
    page.get_by_role("button", name="Suspend Kit Browser").click()
    look(page, "office-person-decide")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("status")).to_have_text("The account is suspended.")


def test_a_patient_gets_a_slip_and_signs_in_first(page: Page, place: Place, look: Looking) -> None:
    network, user = place.network, "nia.browser"
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(_registered, place).result()
    enrolment.trust_checks(
        network["south"].node,
        network.session("south", ADMINISTRATOR),
        checked_by=place.north.node.organisation,
        valid_seconds=8 * 86_400,
    )
    enter(page, ADMINISTRATOR)
    page.goto("/people?only=patients")
    page.get_by_role("button", name="An account for a patient").click()
    look(page, "office-patient-find")
    page.get_by_label("Number of the patient").fill("browser-slip")
    page.get_by_label("Who issued it").fill(SYSTEM)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nia Slip")).to_be_visible()
    look(page, "office-patient-new")
    page.get_by_label("How you know").fill("Passport, seen in person.")
    page.get_by_label("User name").fill(user)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nia Slip: your access")
    look(page, "office-patient-slip")
    code = page.locator("code").nth(2).inner_text()
    page.goto("/people/patient")
    look(page, "office-patient-waits")
    page.context.clear_cookies()
    page.goto("/sign-in")
    page.get_by_role("link", name="I have a slip with a code").click()
    page.get_by_label("User name").fill(user)
    page.get_by_label("Code on the slip").fill(code[:-1])
    page.get_by_label("New passphrase", exact=True).fill("a lantern in the rain")
    page.get_by_label("New passphrase once more").fill("a lantern in the rain")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("User name or code is wrong")
    look(page, "first-refused")
    page.get_by_label("Code on the slip").fill(code)
    page.get_by_label("New passphrase", exact=True).fill("a lantern in the rain")
    page.get_by_label("New passphrase once more").fill("a lantern in the rain")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Your account and your record are yours.")
    look(page, "first-account")


def test_an_administrator_lets_a_patient_in_again(page: Page, place: Place, look: Looking) -> None:
    node = place.north.node
    user = f"lost-{os.urandom(3).hex()}"
    session = place.network.session("north", ADMINISTRATOR)
    enrolment.add_person(node, session, user, role=Role.PATIENT, passphrase="words to be lost")
    code = recovering.begin(node, user, "words that are new", address="192.0.2.77").code
    enter(page, ADMINISTRATOR)
    page.goto("/people?only=patients")
    page.get_by_role("button", name=f"Let them in again {user}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Let a patient in again")
    look(page, "office-recover")
    page.get_by_label("The code they bring").fill("0" * 16)
    page.get_by_label("How you know").fill("Passport, seen in person.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("under this code")
    page.get_by_label("The code they bring").fill(code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Another organisation must, too.")
    look(page, "office-recover-done")
    page.emulate_media(media="print")
    look(page, "office-recover-printed")
    page.emulate_media(media="screen")
    page.goto("/people/recover")
    look(page, "office-recover-elsewhere")


@dataclass(frozen=True, slots=True)
class Lost:
    """A patient of the clinic: what their own organisation printed for them."""

    code: str
    lines: list[str]


@pytest.fixture
def lost(place: Place) -> Lost:
    """The clinic saw them and their papers; the hospital is the second organisation."""
    node, user = place.network["south"].node, f"lost-{os.urandom(3).hex()}"
    session = place.network.session("south", ADMINISTRATOR)
    made = enrolment.add_person(node, session, user, role=Role.PATIENT, passphrase="words lost")
    code = recovering.begin(node, user, "words that are new", address="192.0.2.78").code
    attesting.attest(node, session, made.account, code, checked="Passport.")
    return Lost(code, typed_numbers.printed(made.account))


def test_the_second_organisation_types_what_was_printed_on_a_phone_without_javascript(
    browser: Browser, place: Place, lost: Lost
) -> None:
    context = browser.new_context(
        base_url=place.url,
        viewport=PHONE,
        color_scheme="dark",
        java_script_enabled=False,
    )
    page = context.new_page()
    enter(page, ADMINISTRATOR)
    page.goto("/people/recover")
    expect(page.get_by_role("button", name="Scan with the camera")).to_be_hidden()
    number = page.get_by_label("Number of the patient's account")
    wrong = f"{lost.lines[0][:-1]}x"
    number.fill(wrong)
    page.get_by_label("The code they bring").fill(lost.code)
    page.get_by_label("How you know").fill("Passport, seen in person.")
    button = page.get_by_role("button", name="I saw them and their papers")
    button.click()
    assert page.url.endswith("/people/recover")
    expect(page.get_by_role("alert")).to_have_count(0)  # the browser says so before it is sent
    number.fill(" ".join([*lost.lines[:2], lost.lines[2][::-1], lost.lines[3]]))
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("The third line is not as it was printed.")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    number.fill(" ".join(lost.lines))
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Two organisations did.")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()


def test_a_wrong_line_is_told_before_it_is_sent_and_a_scanner_types_the_number(
    page: Page, lost: Lost, look: Looking
) -> None:
    enter(page, ADMINISTRATOR)
    page.goto("/people/recover")
    number = page.get_by_label("Number of the patient's account")
    number.fill(" ".join([*lost.lines[:3], lost.lines[3][::-1]]))
    said = number.evaluate("field => field.validationMessage")
    assert said == "Line 4 is not as it was printed."
    # A scanner types what the picture holds, and Enter: the form waits for the fields that follow.
    plain = "".join(line.replace(" ", "")[:16] for line in lost.lines)
    number.fill("")
    number.focus()
    page.keyboard.type(f"0x{plain}")
    page.keyboard.press("Enter")
    expect(page.get_by_label("The code they bring")).to_be_focused()
    page.get_by_label("The code they bring").fill(lost.code)
    page.get_by_label("How you know").fill("Passport, seen in person.")
    look(page, "office-recover-typed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Two organisations did.")


def _registered(place: Place) -> None:
    Api.of(place.north, "dr.north").create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": SYSTEM, "value": "browser-slip"}],
            "name": [{"family": "Slip", "given": ["Nia"]}],
            "birthDate": "1990-01-02",
            "gender": "female",
        }
    )
    place.network.settle()


def test_an_administrator_corrects_and_replays_a_message(page: Page, look: Looking) -> None:
    enter(page, ADMINISTRATOR)
    page.goto("/quarantine")
    look(page, "office-quarantine")
    page.get_by_role("link", name="ward-3.hl7").click()
    look(page, "office-document")
    page.get_by_role("button", name="Show the content").click()
    look(page, "office-content")
    field = page.get_by_label("Content", exact=True)
    first, event, rest = field.input_value().split("\n", 2)
    field.fill("\n".join([first, event, "PID|1||77^^^SITE^MR||Doe^Ann||19700101|F", rest]))
    page.get_by_label("What was corrected, and why").fill("The number was missing.")
    page.get_by_role("button", name="Keep this copy").click()
    expect(page.get_by_role("status")).to_have_text("A replay would accept it.")
    look(page, "office-document-corrected")
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("It was accepted.")


def test_health_trails_upgrades_and_organisations_are_readable_by_everybody(
    page: Page, look: Looking
) -> None:
    enter(page, ADMINISTRATOR)
    page.goto("/emergencies")
    look(page, "office-emergencies")
    page.get_by_role("button", name=re.compile("^Review")).click()
    look(page, "office-emergency-review")
    page.get_by_label("It was justified").check()
    page.get_by_role("button", name="Put it on the ledger").click()
    expect(page.get_by_role("status")).to_have_text("Your judgement stands on the ledger.")
    look(page, "office-emergencies-reviewed")
    for name in ("health", "trails", "upgrades", "organisations"):
        page.goto(f"/{name}")
        look(page, f"office-{name}")
    page.get_by_role("button", name=re.compile("^Suspend Clinic")).click()
    look(page, "office-organisation-decide")
    page.goto("/trails")
    page.get_by_role("button", name=re.compile("^Close")).click()
    look(page, "office-trail-close")
    page.get_by_label(re.compile("^Why")).fill("Their machine was down.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The finding is closed.")
    look(page, "office-trails-empty")


def test_everything_works_on_a_phone_in_french_without_javascript(
    browser: Browser, place: Place, watched: Watched, look: Looking
) -> None:
    context = browser.new_context(
        base_url=place.url,
        locale="fr-FR",
        viewport=PHONE,
        color_scheme="dark",
        java_script_enabled=False,
    )
    page = context.new_page()
    watched.listen(page)
    enter(page, ADMINISTRATOR)
    for path in PAGES:
        answer = page.goto(path)
        assert answer is not None and len(answer.body()) < 100_000
        expect(page.locator("html")).to_have_attribute("lang", "fr")
        box = page.locator("main").bounding_box()
        assert box is not None and box["x"] + box["width"] <= PHONE["width"], path
    context.close()


def test_nothing_is_wider_than_a_phone_and_every_page_is_reached_by_keyboard(
    page: Page, look: Looking
) -> None:
    enter(page, ADMINISTRATOR)
    page.set_viewport_size(PHONE)
    for path in PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    look(page, "office-upgrades-phone")
    page.goto("/home")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == "/people":
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/people$"))
