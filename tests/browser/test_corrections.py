"""A correction goes from a patient of one organisation to who wrote the entry, and comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched
from browser.steps import enter
from simdes.exchange import correction_telling
from support.fhir_api import Api, Json
from support.portal import Enrolled, enrolled, written_elsewhere
from support.served import serving

LOCALES = {"en": ("en-GB", "It was corrected."), "fr": ("fr-FR", "Cela a été corrigé.")}
T = TypeVar("T")


def aside(work: Callable[[], T]) -> T:
    """Do something where Playwright's event loop does not run: a client of FHIR starts one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(work).result()


@pytest.fixture(scope="module")
def south(place: Place) -> Iterator[str]:
    """The pages of clinic south."""
    with serving(place.network["south"]) as url:
        yield url


@pytest.fixture(scope="module")
def ines(place: Place) -> Enrolled:
    """A patient with her account at hospital north."""

    def enrol() -> Enrolled:
        doctor = Api.of(place.north, "dr.north")
        return enrolled(place.network, doctor, "browser-told", user="ines", given="Ines")

    return aside(enrol)


def written(place: Place, ines: Enrolled, day: str) -> Json:
    """A value that clinic south wrote of her."""
    lee = Api.of(place.network["south"], "dr.lee")
    return written_elsewhere(place.network, ines, lee, day)


def tab(browser: Browser, url: str, language: str, watched: Watched) -> Page:
    context = browser.new_context(base_url=url, locale=LOCALES[language][0], viewport=PHONE)
    context.set_default_timeout(10_000)
    page = context.new_page()
    watched.listen(page)
    return page


@pytest.mark.parametrize("language", LOCALES)
def test_a_correction_reaches_who_wrote_the_entry_and_its_answer_the_patient(
    language: str,
    place: Place,
    south: str,
    ines: Enrolled,
    browser: Browser,
    watched: Watched,
    look: Looking,
) -> None:
    entry = aside(lambda: written(place, ines, f"202{list(LOCALES).index(language)}-08-19"))
    place.clock.ahead_seconds += 120  # custodians are asked again

    def judge(page: Page, name: str) -> None:
        look(page, f"corrections-{language}-{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name

    patient = tab(browser, place.url, language, watched)
    enter(patient, ines.user)
    patient.goto(f"/corrections/new?about=Observation/{entry['id']}")
    judge(patient, "ask")
    patient.locator("#text").fill(f"It was 4.2 ({language})")
    patient.locator("form[action='/corrections/new'] button").click()
    expect(patient).to_have_url(re.compile("done=correction$"))
    judge(patient, "on-its-way")

    assert aside(lambda: correction_telling.tell(place.north.node)) == 1
    patient.goto("/corrections")
    expect(patient.locator("main li").first).to_contain_text("Clinic South")
    judge(patient, "received")

    staff = tab(browser, south, language, watched)
    enter(staff, "dr.lee")
    staff.goto("/patients/corrections")
    judge(staff, "queue")
    staff.locator("main li", has_text=f"({language})").locator("a[role='button']").click()
    expect(staff.locator("main")).to_contain_text("Hospital North")
    expect(staff.locator("main")).not_to_contain_text("Okafor")
    judge(staff, "answer")
    staff.locator("[id='v.valueQuantity.value']").fill("4.2")
    staff.locator("section[aria-labelledby='correct'] form button").click()
    expect(staff).to_have_url(re.compile("done=corrected$"))

    aside(place.network.settle)
    place.clock.ahead_seconds += 120
    patient.goto("/corrections")
    expect(patient.locator("main li").first).to_contain_text(LOCALES[language][1])
    judge(patient, "answered")
    patient.context.close()
    staff.context.close()
