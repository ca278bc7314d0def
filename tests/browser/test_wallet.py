"""A patient's own wallet in a real browser: shown in words, signed by EIP-1193, relayed, refused.

The provider is a script; its signatures are real, by a key that only the test has, over the typed
data that the page hands to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PHONE, Looking, Place, Watched, tab
from browser.providers import Wallet
from simdes.access import consent
from simdes.access.consent import Grantee
from simdes.crypto.keys import OpeningKey, SigningKey
from simdes.exchange import consents, wallets
from simdes.storage.cid import digest_of_cid
from support import consortium, wallet_owner


@pytest.fixture(scope="module")
def owned(place: Place) -> Iterator[tuple[bytes, SigningKey]]:
    """A vault that a wallet took."""
    network, north = place.network, place.north.node
    for name, message in consortium.sample_messages():
        network.submit("north", name, message)
    network.settle()
    tag = wallet_owner.free_vault(north)
    key = SigningKey.generate(secrets.token_bytes)
    wallet_owner.enrol(network, tag, key)
    north.following.catch_up()
    yield tag, key


@pytest.fixture
def wallet(place: Place, owned: tuple[bytes, SigningKey], page: Page) -> Wallet:
    """The owner's wallet, in the tab."""
    made = Wallet(owned[1], place.north.node.contracts.consents.ledger.chain_id())
    made.into(page)
    return made


def asked_for(place: Place, vault: bytes) -> wallets.Request:
    """A grant to the doctors of south."""
    return wallets.grant(
        place.north.node,
        vault=vault,
        grantee=Grantee.role_in(place.network["south"].node.organisation, "doctor"),
        categories=["observations", "allergies"],
        purposes=["TREAT"],
        valid_seconds=86_400,
    )


def hand_in(page: Page, request: wallets.Request) -> None:
    page.goto("/wallet")
    page.locator("#request").fill(wallets.written(request))
    page.get_by_role("button", name="Look at it").click()


def standing(place: Place, vault: bytes) -> list[consents.Given]:
    listed = consents.listed(place.north.node, vault)
    return [one for one in listed if one.state == "active"]


def test_a_grant_is_shown_signed_by_the_wallet_and_relayed_and_everything_stopped(
    page: Page, place: Place, owned: tuple[bytes, SigningKey], wallet: Wallet
) -> None:
    request = asked_for(place, owned[0])
    hand_in(page, request)
    expect(page.get_by_role("heading", level=1)).to_have_text("Let them read?")
    expect(page.locator("main")).to_contain_text("Doctors, Clinic South")
    expect(page.locator("main")).to_contain_text("Allergies")
    expect(page.locator("main")).to_contain_text(
        f"Number of the organisation0x{place.network['south'].node.organisation.hex()}"
    )
    expect(page.get_by_role("note")).to_have_count(0)
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("status")).to_contain_text("on the ledger")
    assert wallet.asked == [request.data.document()], "the wallet saw what was shown"
    [given] = standing(place, owned[0])
    assert given.categories == ("observations", "allergies")

    page.locator("#vault").fill(f"0x{owned[0].hex()}")
    page.get_by_role("button", name="Prepare it").click()
    page.get_by_role("button", name="Sign with my wallet").click()
    expect(page.get_by_role("status")).to_contain_text("on the ledger")
    assert standing(place, owned[0]) == []


def test_a_grant_whose_letter_nobody_here_opens_is_shown_with_a_warning(
    page: Page, place: Place, owned: tuple[bytes, SigningKey], look: Looking
) -> None:
    request, node = asked_for(place, owned[0]), place.north.node
    assert request.drafted is not None
    strangers = [OpeningKey.generate(secrets.token_bytes).public]
    letter = consent.seal_terms(request.drafted, strangers, random=secrets.token_bytes)
    pointer = digest_of_cid(node.store.put(letter))
    data = node.contracts.consents.grant_data(**request.message | {"pointer": pointer})
    hand_in(page, replace(request, data=data, letter=b""))  # it is stored already
    expect(page.get_by_role("note")).to_contain_text("not sealed to this organisation")
    look(page, "wallet-unlisted")


def test_a_wallet_elsewhere_or_of_somebody_else_or_unwilling_changes_nothing(
    page: Page, place: Place, owned: tuple[bytes, SigningKey], wallet: Wallet
) -> None:
    request = asked_for(place, owned[0])
    hand_in(page, request)
    sign = page.get_by_role("button", name="Sign with my wallet")
    wallet.chain += 1
    sign.click()
    expect(page.get_by_role("alert").filter(has_text="another network")).to_be_visible()
    assert wallet.asked == [], "nothing is signed for another chain"
    wallet.chain -= 1
    wallet.agrees = False
    sign.click()
    expect(page.get_by_role("alert").filter(has_text="did not sign")).to_be_visible()
    wallet.agrees, wallet.key = True, SigningKey.generate(secrets.token_bytes)
    sign.click()
    expect(
        page.get_by_role("alert").filter(has_text="not a signature of the wallet")
    ).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Let them read?")
    assert standing(place, owned[0]) == []


def test_without_javascript_a_signature_made_elsewhere_is_typed(
    browser: Browser, place: Place, owned: tuple[bytes, SigningKey], watched: Watched
) -> None:
    context = browser.new_context(
        base_url=place.url,
        locale="fr-FR",
        viewport=PHONE,  # type: ignore[arg-type]
        java_script_enabled=False,
    )
    page, request = context.new_page(), asked_for(place, owned[0])
    page.goto("/sign-in")
    page.locator("a[href='/sign-in/wallet']").click()
    page.locator("a[href='/wallet']").click()
    page.locator("#request").fill(wallets.written(request))
    page.locator("form:has(#request) button").click()
    expect(page.locator("[data-wallet]")).to_be_hidden()
    page.locator("#signature").fill(f"0x{owned[1].sign(request.data.digest).hex()}")
    page.locator("form:has(#signature) button").click()
    expect(page.get_by_role("status")).to_contain_text("registre")
    assert len(standing(place, owned[0])) == 1
    context.close()


@pytest.mark.parametrize("language", ["en-GB", "fr-FR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible(
    browser: Browser,
    place: Place,
    owned: tuple[bytes, SigningKey],
    look: Looking,
    watched: Watched,
    language: str,
    scheme: str,
) -> None:
    page = tab(browser, place, watched, language, scheme)
    Wallet(owned[1], 1).into(page)
    mark = f"wallet-{language}-{scheme}"
    page.goto("/wallet")
    look(page, mark)
    page.locator("#request").fill(wallets.written(asked_for(place, owned[0])))
    page.locator("form:has(#request) button").click()
    page.locator("summary").click()
    look(page, f"{mark}-request")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]
    page.locator("#signature").fill("0x12")
    page.locator("form:has(#signature) button").click()
    look(page, f"{mark}-refused")
    page.context.close()
