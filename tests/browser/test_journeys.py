"""The journeys across roles in a real browser, each person at their own organisation's gateway.

Data exchange (Fig. 3): a doctor elsewhere finds a patient by a number, asks, is let in, reads, and
is shut out again. Prescription (Fig. 4): prescribed, sent to a pharmacy, dispensed once. Nothing is
done but by pages, and the worker's rounds between them. Patients and pharmacist touch no mouse.
Whose key is in a wallet sends a prescription by what the wallet in their browser signs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import WIDTH, Looking, Watched
from browser.providers import Wallet
from browser.steps import enter, press, reach
from simdes.crypto.keys import SigningKey
from simdes.exchange.prescriptions import issuing
from support import consortium, wallet_owner
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.portal import SYSTEM, Enrolled, enrolled, history
from support.prescribing import Ward
from support.served import serving

NUMBER = "journey-1"


@dataclass(slots=True)
class Town:
    """Two hospitals and a pharmacy with their gateways, and a patient of the first."""

    network: Consortium
    clock: Clock
    patient: Enrolled
    urls: dict[str, str] = field(default_factory=dict)

    def issue(self) -> None:
        """Let the hospital's worker issue what was prescribed."""
        node = self.network["north"].node
        self.clock.ahead_seconds += node.rules.batch_seconds
        issuing.work(node)
        self.network.settle()
        for one in self.network.members.values():
            one.node.following.catch_up()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("journeys") / "network", Clock()
    names = ("north", "south", "west")
    consortium.found(folder, names=names)
    with (
        consortium.cheap_locks(),
        consortium.opened(folder, clock=clock) as network,
        ExitStack() as stack,
    ):
        # Playwright's event loop may run in this thread already, a client of FHIR starts one.
        with ThreadPoolExecutor(max_workers=1) as pool:
            made = Town(network, clock, pool.submit(_patient, network).result())
        for name in names:
            made.urls[name] = stack.enter_context(serving(network[name]))
        yield made


def _patient(network: Consortium) -> Enrolled:
    doctor = Api.of(network["north"], "dr.north")
    who = enrolled(network, doctor, NUMBER, user="rosa")
    for one in history(who.patient["id"]):
        if (
            one["resourceType"] == "Observation"
        ):  # an allergy would speak against what is prescribed
            doctor.create(one)
    network.settle()
    return who


@dataclass(slots=True)
class People:
    """Signed-in people, each in a browser profile of their own."""

    browser: Browser
    town: Town
    watched: Watched
    pages: list[Page] = field(default_factory=list)

    def __call__(self, organisation: str, user: str) -> Page:
        """A person's tab, signed in at their organisation."""
        url = self.town.urls[organisation]
        context = self.browser.new_context(base_url=url, locale="en-GB")
        context.set_default_timeout(20_000)
        page = context.new_page()
        self.watched.listen(page)
        enter(page, user)
        self.pages.append(page)
        return page


@pytest.fixture
def people(browser: Browser, town: Town, watched: Watched) -> Iterator[People]:
    made = People(browser, town, watched)
    yield made
    for page in made.pages:
        page.context.close()


def test_a_doctor_elsewhere_asks_is_let_in_and_is_shut_out_again(
    town: Town, people: People, look: Looking
) -> None:
    doctor, patient = people("south", "dr.lee"), people("north", town.patient.user)
    doctor.get_by_role("link", name="Patients").first.click()
    doctor.get_by_label("Name or number").fill("Okafor")
    doctor.get_by_role("button", name="Find").click()
    expect(doctor.get_by_text("Nobody like that")).to_be_visible()
    doctor.get_by_role("button", name="A patient of others …").click()
    doctor.get_by_label("Number of the patient").fill(NUMBER)
    doctor.get_by_label("Who issued it (its system)").fill(SYSTEM)
    doctor.get_by_role("button", name="Find").click()
    doctor.get_by_role("button", name="Ask the patient for access").click()
    doctor.get_by_label("Why you ask").fill("You are with us for your potassium.")
    doctor.get_by_role("button", name="Ask the patient").click()
    expect(doctor.get_by_role("status")).to_contain_text("The patient was asked.")

    press(patient, "Who may see it")
    expect(patient.get_by_text("You are with us for your potassium.")).to_be_visible()
    look(patient, "journey-asked")
    press(patient, "Look at it and share")
    press(patient, "Show what that opens")
    expect(patient.get_by_text("Potassium").first).to_be_visible()
    press(patient, "Share this")
    expect(patient.get_by_role("status")).to_contain_text("It is shared.")

    doctor.goto("/patients")
    doctor.get_by_label("Name or number").fill("Okafor")
    doctor.get_by_role("button", name="Find").click()
    doctor.get_by_role("link", name="Rosa Okafor").click()
    expect(doctor.get_by_text("4.9 mmol/L").first).to_be_visible()
    look(doctor, "journey-let-in")
    record = doctor.url

    patient.goto("/log?only=all")
    expect(patient.get_by_text("asked you for access").first).to_be_visible()
    patient.goto("/sharing")
    press(patient, "Stop sharing")
    press(patient, "Stop sharing")
    expect(patient.get_by_role("status")).to_contain_text("It has ended.")
    refused = doctor.goto(record)
    assert refused is not None and refused.status == 404
    expect(doctor.get_by_text("4.9 mmol/L")).to_have_count(0)


def test_a_prescription_goes_from_doctor_to_patient_to_pharmacist_once(
    town: Town, people: People, look: Looking
) -> None:
    doctor, patient = people("north", "dr.north"), people("north", town.patient.user)
    doctor.goto(f"/patients/record?patient={town.patient.patient['id']}")
    doctor.get_by_role("button", name="Prescribe").click()
    doctor.get_by_label("Medicine with its strength").fill("Amoxicillin 250 mg capsule")
    doctor.get_by_label("How to take it").fill("1 capsule three times a day")
    doctor.get_by_label("How much at once").fill("30")
    doctor.get_by_label("Unit").select_option("capsule")
    doctor.get_by_role("button", name="Check it").click()
    doctor.get_by_role("button", name="Sign and prescribe").click()
    expect(doctor.get_by_role("status")).to_contain_text("It is prescribed.")
    town.issue()

    patient.goto("/prescriptions")
    press(patient, "Send to a pharmacy")
    reach(patient, "Pharmacy West")
    patient.keyboard.press("Space")
    press(patient, "Send it")
    code = patient.locator(".counter code").inner_text()
    town.network["west"].node.following.catch_up()

    pharmacist = people("west", "ph.west")
    press(pharmacist, "Counter")
    reach(pharmacist, "Code of the patient")
    pharmacist.keyboard.type(code)
    pharmacist.keyboard.press("Enter")
    expect(pharmacist.get_by_role("heading", level=1)).to_contain_text("Amoxicillin")
    look(pharmacist, "journey-counter")
    reach(pharmacist, "Dispense")
    pharmacist.keyboard.press("Enter")
    expect(pharmacist).to_have_url(re.compile("/counter/dispensed"), timeout=60_000)
    expect(pharmacist.get_by_text("Hand out: 30")).to_be_visible()

    town.network["north"].node.following.catch_up()
    patient.goto("/prescriptions")
    expect(patient.get_by_text("handed out").first).to_be_visible()
    pharmacist.goto("/counter")
    pharmacist.get_by_label("Code of the patient").fill(code)
    pharmacist.get_by_role("button", name="Open", exact=True).click()
    expect(pharmacist.get_by_role("button", name="Dispense", exact=True)).to_have_count(0)


@dataclass(frozen=True, slots=True)
class Owner:
    """A patient of north with a wallet and a prescription."""

    wallet: Wallet
    prescription: str


@pytest.fixture(scope="module")
def owner(town: Town) -> Owner:
    network, node = town.network, town.network["north"].node

    def begin() -> Owner:
        ward = Ward.of(network, town.clock, Api.of(network["north"], "dr.north"), "journey-2")
        request = ward.issued()
        key = SigningKey.generate(secrets.token_bytes)
        wallet_owner.enrol(network, ward.vault, key, user="wilma", display="Wilma Okafor")
        network.settle()
        return Owner(Wallet(key, node.contracts.accounts.ledger.chain_id()), request["id"])

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(begin).result()


@contextmanager
def entered(
    browser: Browser, town: Town, watched: Watched, owner: Owner, language: str
) -> Iterator[Page]:
    """A tab whose browser has the wallet, signed in by it; in French on a phone, in the dark."""
    french = language != "en-GB"
    context = browser.new_context(
        base_url=town.urls["north"],
        locale=language,
        viewport={"width": 360, "height": 740} if french else WIDTH,  # type: ignore[arg-type]
        color_scheme="dark" if french else "light",
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    watched.listen(page)
    owner.wallet.into(page)
    page.goto("/sign-in/wallet")
    page.locator("[data-connect] button").click()
    page.locator("[data-wallet] button").click()
    page.wait_for_url("**/home")
    yield page
    context.close()


def send_to_west(page: Page, owner: Owner) -> None:
    """From the list to what the wallet has to sign."""
    page.goto("/prescriptions")
    page.locator(f"a[href*='/prescriptions/submit?prescription={owner.prescription}']").click()
    page.get_by_label("Pharmacy West").check()
    page.locator("main button[type=submit]").last.click()
    expect(page.locator("form[action='/prescriptions/sign']")).to_be_visible()


def fits(page: Page) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]


def test_a_wallet_signs_a_prescription_to_a_pharmacy_which_dispenses_it(
    browser: Browser, town: Town, owner: Owner, people: People, look: Looking, watched: Watched
) -> None:
    with entered(browser, town, watched, owner, "en-GB") as page:
        send_to_west(page, owner)
        expect(page.locator("main")).to_contain_text("Amoxicillin 250 mg capsule")
        look(page, "wallet-prescription-sign-en-GB")
        page.locator("[data-wallet] button").click()
        code = page.locator(".counter code").inner_text()
        assert owner.wallet.asked[-1]["primaryType"] == "Grant"
        look(page, "wallet-prescription-code-en-GB")

        town.network["west"].node.following.catch_up()
        pharmacist = people("west", "ph.west")
        pharmacist.goto("/counter")
        pharmacist.get_by_label("Code of the patient").fill(code)
        pharmacist.get_by_role("button", name="Open", exact=True).click()
        pharmacist.get_by_role("button", name="Dispense", exact=True).click()
        expect(pharmacist).to_have_url(re.compile("/counter/dispensed"), timeout=60_000)
        expect(pharmacist.get_by_text("Hand out: 30")).to_be_visible()

        town.network["north"].node.following.catch_up()
        page.goto("/prescriptions")
        expect(page.get_by_text("handed out").first).to_be_visible()
        look(page, "wallet-prescriptions-en-GB")
        page.get_by_role("link", name="Show the code").click()
        expect(page.locator(".counter code")).to_have_text(code)
        page.goto("/prescriptions")
        page.get_by_role("button", name="Take it back").click()
        look(page, "wallet-prescription-back-en-GB")
        page.locator("[data-wallet] button").click()
        expect(page).to_have_url(re.compile("done=withdrawn$"))


def test_what_a_wallet_signs_fits_a_phone_in_french(
    browser: Browser, town: Town, owner: Owner, look: Looking, watched: Watched
) -> None:
    with entered(browser, town, watched, owner, "fr-FR") as page:
        send_to_west(page, owner)
        look(page, "wallet-prescription-sign-fr-FR")
        fits(page)
        page.locator("[data-wallet] button").click()
        expect(page.locator(".counter code")).to_be_visible()
        look(page, "wallet-prescription-code-fr-FR")
        fits(page)
        page.goto("/prescriptions")
        look(page, "wallet-prescriptions-fr-FR")
        fits(page)
        page.locator("form[action='/prescriptions/withdraw'] button").click()
        page.locator("[data-wallet] button").click()
        expect(page).to_have_url(re.compile("done=withdrawn$"))
        page.goto("/research/prefer")
        page.locator("#sponsor").select_option(index=1)
        page.locator("input[name=area]").fill("diabetes")
        page.locator("input[name=category]").first.check()
        page.locator("form[action='/research/prefer'] button").click()
        expect(page.locator("form[action='/research/sign']")).to_be_visible()
        look(page, "wallet-research-sign-fr-FR")
        fits(page)
        page.locator("[data-wallet] button").click()
        expect(page).to_have_url(re.compile("done=stands-by$"))
        look(page, "wallet-research-fr-FR")
