"""Two records that are said to be one person's, answered in a real browser."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched
from browser.steps import enter
from simdes.app import ADMINISTRATOR
from simdes.exchange import consents
from simdes.exchange.consents import Grantee
from simdes.index.vaults import Identifier, find
from support.bundles import SYSTEM, bundle
from unit.exchange.test_merging import merge

NUMBERS = ("browser-merge-00417", "browser-merge-00932")


@pytest.fixture(scope="module")
def uma(place: Place) -> str:
    """A patient with two numbers at north, which says that they are one person's."""
    # Playwright's event loop may run in this thread already, and a client of FHIR starts one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_uma, place).result()


def _uma(place: Place) -> str:
    network, node = place.network, place.north.node
    for one in NUMBERS:
        network.submit("north", f"{one}.json", bundle(one))
    network.settle()
    with node.database.read() as tx:
        found = [find(tx, Identifier(SYSTEM, one)) for one in NUMBERS]
    for vault in found:
        assert vault is not None
        network.enrol(vault, "uma")
    assert found[1] is not None
    consents.grant(
        node,
        network.session("north", "uma"),
        vault=found[1],
        grantee=Grantee.role_in(network["south"].node.organisation, "doctor"),
        categories=["observations", "conditions"],
        purposes=["TREAT"],
        valid_seconds=86_400,
    )
    network.submit("north", "same-person.hl7", merge(NUMBERS[1], NUMBERS[0]))
    return "uma"


def test_a_patient_reads_what_accepting_opens_and_the_administrator_joins_the_records(
    page: Page, browser: Browser, place: Place, watched: Watched, uma: str, look: Looking
) -> None:
    enter(page, uma)
    page.get_by_role("link", name="You are asked whether two records are both yours").click()
    look(page, "merges")
    page.get_by_role("button", name=re.compile("^Look at it and answer")).click()
    expect(page.get_by_text("Doctors, Clinic South")).to_be_visible()
    look(page, "merge")
    page.get_by_role("button", name="Accept, and sign it").click()
    expect(page.get_by_role("alert")).to_contain_text("Read first what accepting opens.")
    page.get_by_label("Both records are mine").check()
    page.get_by_role("button", name="Accept, and sign it").click()
    expect(page.get_by_role("status")).to_contain_text("You accepted.")
    look(page, "merges-accepted")

    context = browser.new_context(base_url=place.url, viewport=PHONE)
    office = context.new_page()
    watched.listen(office)
    enter(office, ADMINISTRATOR)
    office.goto("/quarantine?code=merge-accepted")
    office.locator("main a[href*='/quarantine/document?id=']").first.click()
    expect(office.locator("main")).to_contain_text("uma: accepted")
    look(office, "merge-office")
    office.get_by_role("button", name="Replay", exact=True).click()
    expect(office).to_have_url(re.compile("done=document-replayed"))
    context.close()
    page.goto("/merges")
    expect(page.get_by_text("They were joined.")).to_be_visible()


def test_the_question_fits_a_phone_in_french_and_in_the_dark(
    browser: Browser, place: Place, watched: Watched, uma: str, look: Looking
) -> None:
    context = browser.new_context(
        base_url=place.url,
        locale="fr-FR",
        viewport=PHONE,
        color_scheme="dark",
    )
    page = context.new_page()
    watched.listen(page)
    enter(page, uma)
    page.goto("/merges")
    page.locator("main a[href*='/merges/answer']").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    look(page, "merge-fr-dark-phone")
    context.close()
