"""A patient signs in with their wallet, reads what two organisations wrote, and signs out."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import Looking, Place, Watched, tab
from browser.providers import Wallet
from simdes.crypto.keys import SigningKey
from simdes.exchange import credentials, fhir_users
from support import consortium, wallet_owner
from support.elsewhere import write_at
from support.portal import concept, measured

SIGN_IN = "/sign-in/wallet"


@dataclass(frozen=True, slots=True)
class Owner:
    """A patient of north who is known by a wallet alone; something of theirs is of south."""

    user: str
    wallet: Wallet


@pytest.fixture(scope="module")
def owner(place: Place) -> Owner:
    """Enrolled with the wallet's address; the wallet took the vault."""
    network, north = place.network, place.north.node
    for name, message in consortium.sample_messages():
        network.submit("north", name, message)
    network.settle()
    tag = wallet_owner.free_vault(north)
    key = SigningKey.generate(secrets.token_bytes)
    wallet_owner.enrol(network, tag, key, user="wilma", display="Wilma Okafor")
    network.settle()
    person = north.desk.keystore.person("wilma")
    [record] = fhir_users.own_records(north, person.account)
    seen = measured(record.patient, "2025-10-01", 61)
    seen["code"] = concept("http://loinc.org", "8867-4", "Pulse at the clinic")
    write_at(network, "south", tag, seen)
    return Owner("wilma", Wallet(key, north.contracts.accounts.ledger.chain_id()))


def enter(page: Page) -> None:
    """From the sign-in page into the record, by the wallet's buttons."""
    page.goto("/sign-in")
    page.locator(f"a[href='{SIGN_IN}']").click()
    page.locator("[data-connect] button").click()
    page.locator("[data-wallet] button").click()
    expect(page).to_have_url(re.compile("/home$"))


@pytest.mark.parametrize(
    ("language", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")], ids=["light", "dark"]
)
def test_a_wallet_signs_its_owner_in_to_read_and_the_log_says_so(
    browser: Browser,
    place: Place,
    owner: Owner,
    look: Looking,
    watched: Watched,
    language: str,
    scheme: str,
) -> None:
    page = tab(browser, place, watched, language, scheme)
    owner.wallet.into(page)

    def seen(name: str) -> None:
        look(page, f"wallet-{name}-{language}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], name  # type: ignore[index]

    page.goto("/sign-in")
    page.locator(f"a[href='{SIGN_IN}']").click()
    seen("sign-in")
    page.locator("[data-connect] button").click()
    expect(page.locator("[data-wallet] button")).to_be_visible()
    expect(page.locator("main")).to_contain_text(place.north.node.name)
    seen("sign-in-sign")
    page.locator("[data-wallet] button").click()
    expect(page).to_have_url(re.compile("/home$"))
    assert owner.wallet.asked[-1]["primaryType"] == "ReadPass"
    seen("home")

    page.goto("/record?part=all")
    expect(page.locator("main")).to_contain_text("Pulse at the clinic")
    expect(page.locator("main")).to_contain_text("Clinic South")
    page.goto("/log")
    expect(page.locator("main a[href^='/log/proof']").first).to_be_visible()
    seen("log")
    page.goto("/account")
    expect(page.locator("main")).to_contain_text(f"0x{owner.wallet.key.address.hex()}")
    expect(page.locator("a[href='/account/passphrase']")).to_have_count(0)
    seen("account")
    page.goto("/guardians/renew")
    expect(page.locator("form[action='/guardians/renew']")).to_have_count(0)
    seen("signs")

    page.locator("form[action='/sign-out'] button").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto("/record")
    expect(page).to_have_url(re.compile("/sign-in\\?next="))
    page.context.close()


def test_a_fresh_proof_is_another_signature(
    page: Page, place: Place, owner: Owner, look: Looking
) -> None:
    owner.wallet.into(page)
    enter(page)
    before = owner.wallet.asked[-1]["message"]
    place.clock.ahead_seconds += credentials.RECENT_SECONDS + 1
    page.goto("/own-copy")
    expect(page).to_have_url(re.compile(f"{SIGN_IN}\\?next="))
    expect(page.locator("main")).to_contain_text("fresh proof")
    look(page, "wallet-sign-in-again")
    page.locator("[data-wallet] button").click()
    expect(page).to_have_url(re.compile("/own-copy$"))
    after = owner.wallet.asked[-1]["message"]
    assert (after["account"], after["organisation"]) == (before["account"], before["organisation"])
    assert after["key"] != before["key"]


def test_an_unwilling_wallet_and_a_strangers_sign_nobody_in(
    page: Page, place: Place, owner: Owner
) -> None:
    stranger = Wallet(SigningKey.generate(secrets.token_bytes), owner.wallet.chain)
    stranger.into(page)
    page.goto(SIGN_IN)
    page.locator("[data-connect] button").click()
    expect(page.get_by_role("alert").filter(has_text="No patient")).to_be_visible()
    page.locator("#address").fill(f"0x{owner.wallet.key.address.hex()}")
    page.get_by_role("button", name="Go on").click()
    page.locator("[data-wallet] button").click()
    expect(page.get_by_role("alert").filter(has_text="not a signature of that")).to_be_visible()
    stranger.agrees = False
    page.locator("[data-wallet] button").click()
    expect(page.get_by_role("alert").filter(has_text="did not sign")).to_be_visible()
    page.goto("/home")
    expect(page).to_have_url(re.compile("/sign-in"))
