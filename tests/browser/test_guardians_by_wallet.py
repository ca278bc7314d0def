"""Who has a wallet appoints guardians, and stops a recovery that they did not ask for, in a real
browser with a wallet in it."""

from __future__ import annotations

import os
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import Looking, Place, Watched, tab
from browser.providers import Wallet
from simdes import typed_numbers
from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.exchange import guardians, recovering
from support.wallet_owner import Owner


def enter(page: Page) -> None:
    """From the page of wallets into the portal, by its buttons."""
    page.goto("/sign-in/wallet")
    page.locator("[data-connect] button").click()
    page.locator("[data-wallet] button").click()
    expect(page).to_have_url(re.compile("/home$"))


def appoint(page: Page, friends: list[Person]) -> None:
    """The form of guardians, filled in and sent."""
    page.goto("/guardians")
    page.locator("a[href='/guardians/new']").click()
    for place, one in enumerate(friends, start=1):
        page.locator(f"#label-{place}").fill(f"Friend {place}")
        page.locator(f"#number-{place}").fill(" ".join(typed_numbers.printed(one.account)))
    page.locator("#needed").select_option("2")
    page.locator("#name").fill("Wanda Wallet")
    page.locator("form[action='/guardians/new'] button[type=submit]").click()


def attack(place: Place, owner: Person, friends: list[Person]) -> bytes:
    """The guardians let in a key that the owner did not ask for."""
    begun = recovering.begin(
        place.north.node, owner.user, "words that nobody guesses", address="192.0.2.9"
    )
    for one in friends:
        session = place.network.session("north", one.user)
        recovering.vouch(place.north.node, session, owner.account, begun.code)
    recovering.tend(place.north.node)
    waiting = place.north.node.contracts.accounts.pending_recovery(owner.account)
    assert waiting is not None
    return waiting.key


@pytest.mark.parametrize(
    ("language", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")], ids=["light", "dark"]
)
def test_a_wallets_owner_appoints_guardians_and_stops_their_recovery(
    browser: Browser, place: Place, look: Looking, watched: Watched, language: str, scheme: str
) -> None:
    node, accounts = place.north.node, place.north.node.contracts.accounts
    owner = place.person(Role.PATIENT, user=f"wanda.{os.urandom(3).hex()}")
    friends = [place.person(Role.PATIENT) for _ in range(2)]
    held = Owner()
    held.take_over(node, place.network.session("north", owner.user), place.clock)
    place.network.sessions.clear()
    wallet = Wallet(held.key, accounts.ledger.chain_id())
    page = tab(browser, place, watched, language, scheme)
    wallet.into(page)

    def seen(name: str) -> None:
        look(page, f"wallet-{name}-{language}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], name  # type: ignore[index]

    enter(page)
    appoint(page, friends)
    expect(page.locator("[data-wallet] button")).to_be_visible()
    for one in friends:
        for line in typed_numbers.printed(one.account):
            expect(page.locator("main ol")).to_contain_text(line)
    seen("guardians-sign")
    page.locator("[data-wallet] button").click()
    expect(page).to_have_url(re.compile("/guardians[?]done=appointed$"))
    assert wallet.asked[-1]["primaryType"] == "SetGuardians"
    waiting = accounts.pending_guardians(owner.account)
    assert waiting is not None and (waiting.count, waiting.threshold) == (2, 2)
    seen("guardians-waiting")

    place.clock.ahead_seconds += accounts.delay_seconds() + 1
    place.network.sessions.clear()
    guardians.put_in_force(node)
    key = attack(place, owner, friends)
    page.goto("/guardians")
    page.locator("form[action='/guardians/veto'] button").click()
    expect(page.locator("main")).to_contain_text(f"0x{key.hex()}")
    expect(page.locator("[data-wallet] button")).to_be_visible()
    seen("veto-sign")
    page.locator("[data-wallet] button").click()
    expect(page).to_have_url(re.compile("/guardians[?]done=vetoed$"))
    asked = wallet.asked[-1]
    assert (asked["primaryType"], asked["message"]["key"]) == ("VetoRecovery", f"0x{key.hex()}")
    assert accounts.pending_recovery(owner.account) is None
    seen("vetoed")
    page.context.close()
