"""A patient's main tasks in a real browser: read, share, see who looked, take along.

In both languages, by keyboard, on a narrow screen, without JavaScript, judged by axe-core.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched, tab
from browser.steps import enter, give_mail_code
from simdes.exchange import consents
from simdes.gateway.pages.patient.places import PATIENT_PLACES
from support.fhir_api import Api
from support.portal import Enrolled, enrolled, history

LOCALES = {"en": "en-GB", "fr": "fr-FR"}
FILES = {
    "/claims/copy",
    "/record/file",
    "/log/proof",
    "/download/everything",
    "/download/summary",
    "/erasure/receipt",
}
CLAIMS = {"/claims/claim", "/claims/appeal", "/claims/disclose", "/claims/insurer"}
"""Looked at in test_claims.py."""
WITH_MORE = CLAIMS | {
    *("/prescriptions/submit", "/prescriptions/code"),
    *("/corrections/new", "/links/code", "/merges/answer"),
}
"""Looked at with what they are about."""


@pytest.fixture(scope="module")
def rosa(place: Place) -> Enrolled:
    """A patient with a few years of history."""
    # Playwright's event loop may run in this thread already, and a client of FHIR starts one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_rosa, place).result()


def _rosa(place: Place) -> Enrolled:
    doctor = Api.of(place.north, "dr.north")
    who = enrolled(place.network, doctor, "browser-1", user="rosa")
    for one in history(who.patient["id"]):
        doctor.create(one)
    place.network.settle()
    return who


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


def share(page: Page, place: Place, categories: tuple[str, ...]) -> None:
    """Fill the form in and go on to the preview."""
    page.goto("/sharing/new")
    south = place.network["south"].node.organisation
    page.locator("#organisation").select_option(f"0x{south.hex()}")
    page.locator("#role").select_option("doctor")
    for one in categories:
        page.locator(f"#category-{one}").check()
    page.locator("button[value=preview]").click()


def test_a_record_is_shared_and_closed_again_in_two_taps(
    page: Page, place: Place, rosa: Enrolled
) -> None:
    enter(page, rosa.user)
    page.get_by_role("link", name="Who may see it").first.click()
    page.get_by_role("button", name="Share with somebody").click()
    share(page, place, ("observations", "allergies"))
    expect(page.get_by_role("heading", level=1)).to_have_text("What you are about to share")
    expect(page.get_by_text("Penicillin")).to_be_visible()
    expect(page.get_by_text("Lisinopril 10 mg tablet")).to_have_count(0)
    page.get_by_role("button", name="Share this").click()
    expect(page.get_by_role("status")).to_contain_text("It is shared.")
    [one] = [g for g in consents.listed(place.north.node, rosa.vault) if g.state == "active"]
    assert one.categories == ("observations", "allergies")

    page.get_by_role("button", name=re.compile("^Stop sharing")).click()
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("status")).to_contain_text("It has ended.")
    assert not [g for g in consents.listed(place.north.node, rosa.vault) if g.state == "active"]


def test_a_keyboard_alone_reaches_the_record_and_what_is_shared(page: Page, rosa: Enrolled) -> None:
    enter(page, rosa.user)
    page.goto("/home")
    for name, path in (("My record", "/record"), ("Who may see it", "/sharing")):
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == name:
                break
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(f"{path}$"))


def test_every_page_works_without_javascript_on_a_phone_in_both_languages(
    reading: tuple[str, BrowserContext], place: Place, rosa: Enrolled
) -> None:
    language, context = reading
    page, seen = context.new_page(), set[str]()
    enter(page, rosa.user)
    for path in sorted({one.path for one in PATIENT_PLACES if one.method == "GET"} - FILES):
        if path in WITH_MORE:
            continue
        where = f"{path}?consent=all" if path == "/sharing/end" else path
        answer = page.goto(where)
        assert answer is not None and answer.status == 200, where
        assert len(answer.body()) < 100_000
        expect(page.locator("html")).to_have_attribute("lang", language)
        width = page.locator("body").bounding_box()
        assert width is not None and width["width"] <= PHONE["width"], where
        seen.add(path)
    share(page, place, ("observations",))
    page.locator("button[value=share]").click()
    expect(page).to_have_url(re.compile("/sharing[?]done=granted"))
    page.locator("a[href*='/sharing/end?consent=']").first.click()
    page.locator("form[action='/sharing/end'] button").click()
    expect(page).to_have_url(re.compile("/sharing[?]done=ended"))


def test_who_lost_a_passphrase_gets_a_code_without_javascript(
    reading: tuple[str, BrowserContext],
) -> None:
    _, context = reading
    page = context.new_page()
    page.goto("/sign-in")
    page.locator("a[href='/lost']").click()
    page.locator("#user").fill("rosa")
    for field in ("#passphrase", "#again"):
        page.locator(field).fill("words that nobody guesses")
    page.locator("form[action='/lost'] button[type=submit]").click()
    expect(page.locator("code")).to_have_text(re.compile("^([0-9A-Z]{4}-){3}[0-9A-Z]{4}$"))


def test_the_page_of_who_lost_a_passphrase_is_accessible(page: Page, look: Looking) -> None:
    page.goto("/lost")
    look(page, "lost")


def test_a_patient_chooses_what_mails_come_about_without_javascript(
    reading: tuple[str, BrowserContext], place: Place, rosa: Enrolled
) -> None:
    language, context = reading
    page = context.new_page()
    enter(page, rosa.user)
    page.goto("/account/mail")
    page.locator("a[href='/account/mail/new']").click()
    page.locator("#given").fill(f"rosa.{language}@example.net")
    page.keyboard.press("Enter")
    give_mail_code(place, page)
    page.locator("#kind-access").check()
    page.locator("#most").fill("2")
    page.locator("form[action='/account/mail/choose'] button").click()
    expect(page.locator("#kind-access")).to_be_checked()
    expect(page.locator("#most")).to_have_value("2")


def test_the_choice_about_mails_is_accessible(
    page: Page, place: Place, rosa: Enrolled, look: Looking
) -> None:
    enter(page, rosa.user)
    page.goto("/account/mail/new")
    page.locator("#given").fill("rosa@example.net")
    page.keyboard.press("Enter")
    give_mail_code(place, page)
    look(page, "patient-mail")


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(
    browser: Browser,
    place: Place,
    rosa: Enrolled,
    look: Looking,
    watched: Watched,
    language: str,
    scheme: str,
) -> None:
    page = tab(browser, place, watched, LOCALES[language], scheme)
    enter(page, rosa.user)
    mark = f"patient-{language}-{scheme}"
    look(page, f"{mark}-home")
    pages = {
        "record": "/record",
        "results": "/record?part=results",
        "all": "/record?part=all",
        "sharing": "/sharing",
        "log": "/log?only=all",
        "prescriptions": "/prescriptions",
        "pharmacy": "/prescriptions/pharmacy",
        "guardians": "/guardians",
        "guardians-new": "/guardians/new",
        "guardians-renew": "/guardians/renew",
        "wards": "/wards",
        "corrections": "/corrections",
        "research": "/research",
        "research-join": "/research/join",
        "research-prefer": "/research/prefer",
        "erasure": "/erasure",
        "links": "/links",
        "links-new": "/links/new",
        "download": "/download",
        "end": "/sharing/end?consent=all",
        "refused": "/sharing/end?consent=none",
        "whose": "/whose",
    }
    for name, path in pages.items():
        page.goto(path)
        look(page, f"{mark}-{name}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], name  # type: ignore[index]
    page.goto("/record?part=all")
    page.locator("a[href*='/corrections/new']").first.click()
    look(page, f"{mark}-correction")
    share(page, place, ("observations", "medications"))
    look(page, f"{mark}-preview")
    page.locator("button[value=edit]").click()
    look(page, f"{mark}-new")
    page.locator("button[value=preview]").click()
    page.locator("button[value=share]").click()
    look(page, f"{mark}-shared")
    consents.revoke_all(
        place.north.node, place.network.session("north", rosa.user), vault=rosa.vault
    )
    page.context.close()
