"""Whose key a wallet keeps answers and orders on pages: shown in words, signed by the wallet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import Looking, Place, Watched, tab
from browser.providers import Wallet
from simdes.exchange import erasure
from simdes.index.vaults import Identifier, find
from support import wallet_owner
from support.bundles import SYSTEM, bundle
from unit.exchange.test_merging import merge

BOTH = pytest.mark.parametrize(
    ("language", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")], ids=["light", "dark"]
)


@contextmanager
def entered(
    browser: Browser, place: Place, watched: Watched, wallet: Wallet, language: str, scheme: str
) -> Iterator[Page]:
    """A tab whose browser has this wallet, signed in by it; on a phone where it is dark."""
    page = tab(browser, place, watched, language, scheme)
    wallet.into(page)
    page.goto("/sign-in/wallet")
    page.locator("[data-connect] button").click()
    page.locator("[data-wallet] button").click()
    page.wait_for_url("**/home")
    yield page
    page.context.close()


def owner_of(place: Place, user: str) -> Wallet:
    """A wallet that took the account over which this user had here."""
    owner = wallet_owner.Owner()
    session = place.network.session("north", user)
    # Playwright's event loop may run in this thread already.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(owner.take_over, place.north.node, session, place.clock).result()
    return Wallet(owner.key, place.north.node.contracts.accounts.ledger.chain_id())


def fits(page: Page) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]


@BOTH
def test_a_wallet_answers_whether_two_records_are_one_persons(
    browser: Browser, place: Place, look: Looking, watched: Watched, language: str, scheme: str
) -> None:
    user, network = f"mia.{scheme}", place.network
    numbers = [f"wallet-{scheme}-{one}" for one in ("00417", "00932")]
    for one in numbers:
        network.submit("north", f"{one}.json", bundle(one))
    network.settle()
    with place.north.node.database.read() as tx:
        found = [find(tx, Identifier(SYSTEM, one)) for one in numbers]
    for vault in found:
        assert vault is not None
        network.enrol(vault, user)
    network.submit("north", f"{user}.hl7", merge(numbers[1], numbers[0]))
    wallet = owner_of(place, user)
    with entered(browser, place, watched, wallet, language, scheme) as page:
        page.goto("/merges")
        page.locator("main a[href*='/merges/answer']").click()
        expect(page.locator("form[action='/merges/answer']")).to_be_visible()
        page.locator("#understood").check()
        page.locator("button[value=accept]").click()
        expect(page.locator("[data-wallet] button")).to_be_visible()
        fits(page)
        look(page, f"wallet-merge-{language}")
        page.locator("[data-wallet] button").click()
        expect(page.get_by_role("status")).to_be_visible()
        assert wallet.asked[-1]["primaryType"] == "MergeAnswer"
        page.locator("form[action='/merges/withdraw'] button").click()
        page.wait_for_url("**done=merge-withdrawn")


@BOTH
def test_a_wallet_orders_the_erasure_after_the_typed_word(
    browser: Browser, place: Place, look: Looking, watched: Watched, language: str, scheme: str
) -> None:
    user, network, node = f"nell.{scheme}", place.network, place.north.node
    network.submit("north", f"{user}.json", bundle(user))
    network.settle()
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, user))
    assert vault is not None
    network.enrol(vault, user)
    wallet = owner_of(place, user)
    with entered(browser, place, watched, wallet, language, scheme) as page:
        page.goto("/erasure")
        page.locator("input[name=word]").fill("ERASE" if language == "en-GB" else "EFFACER")
        page.locator("form[action='/erasure'] button").click()
        expect(page.locator("[data-wallet] button")).to_be_visible()
        fits(page)
        look(page, f"wallet-erasure-{language}")
        page.locator("[data-wallet] button").click()
        expect(page.get_by_role("status")).to_be_visible()
        assert wallet.asked[-1]["primaryType"] == "EraseVault"
        expect(page.locator("a[href*='/erasure/receipt']")).to_have_count(2)
        look(page, f"wallet-erased-{language}")
    assert erasure.look(node, vault).holds
