"""A patient moves to a wallet in the browser: what it means, the wallet signs, calling it off."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched, tab
from browser.providers import Wallet
from browser.steps import enter, give_passphrase
from simdes.access.categories import Role
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden
from simdes.exchange import consents, moving, recovering, retrieve
from support.fhir_api import Api
from support.portal import Enrolled, enrolled, history

MOVE = "/account/wallet"


def wallet_of(place: Place) -> Wallet:
    """A fresh wallet in the network's chain."""
    chain = place.north.node.contracts.consents.ledger.chain_id()
    return Wallet(SigningKey.generate(secrets.token_bytes), chain)


def pass_delay(place: Place, account: bytes) -> None:
    """Let the network's delay pass, by the ledger's time, which no test turns back."""
    waiting = recovering.waiting_wallet(place.north.node, account)
    assert waiting is not None
    place.clock.ahead_seconds += waiting.ready_at - place.north.node.now_seconds() + 1
    assert recovering.tend(place.north.node) == 1


@pytest.mark.parametrize(
    ("language", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")], ids=["light", "dark"]
)
def test_the_wallet_in_the_browser_is_taken_signs_and_takes_over_after_the_delay(
    browser: Browser, place: Place, look: Looking, watched: Watched, language: str, scheme: str
) -> None:
    person = place.person(Role.PATIENT, display="Rosa Okafor")
    wallet, node = wallet_of(place), place.north.node
    page = tab(browser, place, watched, language, scheme)
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
    page.context.close()


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
    pass_delay(place, person.account)
    page.goto("/home")
    give_passphrase(page, person.user)
    expect(page.get_by_role("alert")).to_be_visible()
    assert node.desk.keystore.person(person.user).wallet
    context.close()


@pytest.mark.parametrize(
    ("language", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")], ids=["light", "dark"]
)
def test_another_wallet_signs_that_it_is_there_and_the_one_of_today_that_it_takes_over(
    browser: Browser, place: Place, look: Looking, watched: Watched, language: str, scheme: str
) -> None:
    person = place.person(Role.PATIENT, display="Rosa Okafor")
    wallet, node = wallet_of(place), place.north.node
    first, other = wallet.key, wallet_of(place).key
    session = place.network.session("north", person.user)
    data = moving.prepare(node, session, first.address)
    until, signature = int(data.values[3]), first.sign(data.digest)
    moving.move(node, session, first.address, deadline=until, signature=signature)
    pass_delay(place, person.account)
    page = tab(browser, place, watched, language, scheme)
    wallet.into(page)

    def fits(name: str) -> None:
        look(page, f"moving-on-{name}-{language}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"]  # type: ignore[index]

    page.goto("/sign-in/wallet")
    page.locator("[data-connect] button").click()
    page.locator("[data-wallet] button").click()
    page.wait_for_url("**/home")
    page.goto("/account")
    page.locator(f"a[href='{MOVE}']").click()
    expect(page.locator("main")).to_contain_text(f"0x{first.address.hex()}")
    fits("begin")
    wallet.key = other
    page.locator("[data-connect] button").click()
    expect(page.locator("#sure")).to_be_visible()
    fits("there")
    page.locator("#sure").check()
    page.locator("[data-wallet] button").click()
    expect(page.locator("input[name=proof]")).to_be_attached()
    fits("takes-over")
    wallet.key = first
    page.locator("[data-wallet] button").click()
    expect(page.locator("form[action='/account/wallet/off']")).to_be_visible()
    fits("waits")
    page.locator("form[action='/account/wallet/off'] button").click()
    expect(page.locator("[data-wallet] button")).to_be_visible()
    page.locator("[data-wallet] button").click()
    page.wait_for_url("**done=key-back")
    assert recovering.waiting_wallet(node, person.account) is None
    kinds = [one["primaryType"] for one in wallet.asked]
    assert kinds == ["ReadPass", "MoveAccount", "RotateKey", "CancelRotation"]
    page.context.close()


@pytest.fixture(scope="module")
def wanda(place: Place) -> Enrolled:
    """A patient with a record, whose key is kept here."""

    def begin() -> Enrolled:
        doctor = Api.of(place.north, "dr.north")
        who = enrolled(place.network, doctor, "moving-1", user="wanda", given="Wanda")
        for one in history(who.patient["id"]):
            doctor.create(one)
        place.network.settle()
        return who

    # Playwright's event loop may run in this thread already, and a client of FHIR starts one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(begin).result()


def test_from_a_hosted_key_to_a_wallet_that_signs_in_reads_shares_and_ends(
    page: Page, place: Place, wanda: Enrolled, look: Looking
) -> None:
    wallet, node, south = wallet_of(place), place.north.node, place.network["south"].node
    wallet.into(page)
    enter(page, wanda.user)
    page.goto(MOVE)
    page.get_by_role("button", name="Take the wallet in this browser").click()
    page.get_by_label("I know that with the wallet").check()
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("status")).to_contain_text("It is asked for")
    pass_delay(place, wanda.session.actor.account)

    page.goto("/home")
    expect(page).to_have_url(re.compile("/sign-in"))
    page.get_by_role("link", name="My record belongs to a wallet of my own").click()
    page.get_by_role("button", name="Take the wallet in this browser").click()
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")
    page.goto("/record")
    expect(page.locator("main")).to_contain_text("Penicillin")

    share_with_doctors(page, south.organisation)
    expect(page.get_by_role("heading", level=1)).to_have_text("What you are about to share")
    look(page, "signing-preview")
    page.get_by_role("button", name="Share this").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Let them read?")
    look(page, "signing-grant")
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("status")).to_contain_text("It is shared.")
    doctor = place.network.session("south", "dr.lee")
    assert retrieve.retrieve(south, doctor, vault=wanda.vault).resources

    page.get_by_role("button", name=re.compile("^Narrow or change")).click()
    page.locator("#days").select_option("1")
    page.get_by_role("button", name="Show what that opens").click()
    page.get_by_role("button", name="Share this").click()
    expect(page.locator("main")).to_contain_text("The first of two steps")
    look(page, "signing-narrow-1")
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("status")).to_contain_text("One step is left")
    look(page, "signing-narrow-between")
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.locator("main")).to_contain_text("The second of two steps")
    look(page, "signing-narrow-2")
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("status")).to_contain_text("The new one stands")

    page.get_by_role("button", name=re.compile("^Stop sharing")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop sharing?")
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop sharing this?")
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("status")).to_contain_text("It has ended.")
    assert not [g for g in consents.listed(node, wanda.vault) if g.state == "active"]
    with pytest.raises(Forbidden):
        retrieve.retrieve(south, doctor, vault=wanda.vault)
    kinds = [one["primaryType"] for one in wallet.asked]
    assert kinds == ["MoveAccount", "ReadPass", "Grant", "Grant", "Revoke", "Revoke"]


def share_with_doctors(page: Page, organisation: bytes) -> None:
    """Fill the form in and go on to the preview."""
    page.goto("/sharing/new")
    page.locator("#organisation").select_option(f"0x{organisation.hex()}")
    page.locator("#role").select_option("doctor")
    page.locator("#category-observations").check()
    page.locator("button[value=preview]").click()
