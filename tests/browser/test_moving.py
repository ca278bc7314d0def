"""A patient moves to a wallet in the browser: what it means, the wallet signs, calling it off."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import WIDTH, Looking, Place, Watched
from browser.providers import Wallet
from browser.steps import enter, give_passphrase
from simdes.access.categories import Role
from simdes.crypto.keys import SigningKey
from simdes.exchange import recovering

PHONE = {"width": 360, "height": 740}
MOVE = "/account/wallet"


def wallet_of(place: Place) -> Wallet:
    """A fresh wallet in the network's chain."""
    chain = place.north.node.contracts.consents.ledger.chain_id()
    return Wallet(SigningKey.generate(secrets.token_bytes), chain)


@pytest.mark.parametrize(
    ("language", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")], ids=["light", "dark"]
)
def test_the_wallet_in_the_browser_is_taken_signs_and_takes_over_after_the_delay(
    browser: Browser, place: Place, look: Looking, watched: Watched, language: str, scheme: str
) -> None:
    person = place.person(Role.PATIENT, display="Rosa Okafor")
    wallet, node = wallet_of(place), place.north.node
    context = browser.new_context(
        base_url=place.url,
        locale=language,
        viewport=WIDTH if scheme == "light" else PHONE,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    watched.listen(page)
    wallet.into(page)
    enter(page, person.user)
    page.goto("/account")
    page.locator(f"a[href='{MOVE}']").click()
    look(page, f"moving-{language}")
    page.locator("[data-connect] button").click()
    expect(page.locator("#sure")).to_be_visible()
    expect(page.locator("main")).to_contain_text(f"0x{wallet.key.address.hex()}")
    look(page, f"moving-sign-{language}")
    page.locator("[data-wallet] button").click()
    assert wallet.asked == [], "nothing is signed before the box is ticked"
    page.locator("#sure").check()
    page.locator("[data-wallet] button").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert wallet.asked[0]["primaryType"] == "MoveAccount"
    for path in ("/home", "/account", MOVE):
        page.goto(path)
        expect(page.locator("form[action='/account/wallet/off']")).to_be_visible()
        look(page, f"moving-waits{path.replace('/', '-')}-{language}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"]  # type: ignore[index]
    page.locator("form[action='/account/wallet/off'] button").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert recovering.waiting_wallet(node, person.account) is None
    context.close()


def test_without_javascript_address_and_signature_are_typed(
    browser: Browser, place: Place, watched: Watched
) -> None:
    person, wallet = place.person(Role.PATIENT), wallet_of(place)
    node = place.north.node
    context = browser.new_context(
        base_url=place.url,
        viewport=PHONE,
        java_script_enabled=False,  # type: ignore[arg-type]
    )
    page: Page = context.new_page()
    enter(page, person.user)
    page.goto(MOVE)
    page.locator("#address").fill(f"0x{wallet.key.address.hex()}")
    page.locator("form:has(#address) button[type=submit]").click()
    document = page.locator("[data-wallet]").get_attribute("data-wallet")
    assert document is not None
    page.locator("#sure").check()
    page.locator("#signature").fill(
        wallet.answer("eth_signTypedData_v4", [f"0x{wallet.key.address.hex()}", document])
    )
    page.locator("form:has(#signature) button[type=submit]").click()
    expect(page.get_by_role("status")).to_be_visible()
    place.clock.ahead_seconds += node.contracts.accounts.delay_seconds() + 1
    assert recovering.tend(node) == 1
    page.goto("/home")
    give_passphrase(page, person.user)
    expect(page.get_by_role("alert")).to_be_visible()
    assert node.desk.keystore.person(person.user).wallet
    context.close()
