"""A guardian freezes an account in a real browser, and its owner reads what happened."""

from __future__ import annotations

import os
import re

from playwright.sync_api import Browser, Page, expect

from browser.conftest import Looking, Place
from browser.steps import enter, give_passphrase
from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.app import ADMINISTRATOR
from simdes.exchange import enrolment, freezing, guardians
from simdes.exchange.guardians import Chosen
from support.consortium import passphrase_of


def _person(place: Place, start: str) -> Person:
    user = f"{start}-{os.urandom(3).hex()}"
    admin = place.network.session("north", ADMINISTRATOR)
    return enrolment.add_person(
        place.north.node, admin, user, role=Role.PATIENT, passphrase=passphrase_of(user)
    )


def test_a_guardian_freezes_an_account_and_its_owner_is_told(
    browser: Browser, page: Page, place: Place, look: Looking
) -> None:
    node, ward = place.north.node, _person(place, "ward")
    friends = [_person(place, start) for start in ("first", "second")]
    chosen = [Chosen(account=one.account, label=f"Friend {one.user}") for one in friends]
    session = place.network.session("north", ward.user)
    guardians.appoint(node, session, chosen, threshold=2, name="Wanda Ward")
    place.clock.ahead_seconds += node.contracts.accounts.delay_seconds() + 1
    place.network.sessions.clear()
    guardians.put_in_force(node)

    for number, friend in enumerate(friends):
        # A phone without JavaScript.
        context = browser.new_context(
            base_url=place.url, viewport={"width": 360, "height": 740}, java_script_enabled=False
        )
        context.set_default_timeout(10_000)
        held = context.new_page()
        enter(held, friend.user)
        held.goto("/wards")
        held.get_by_role("button", name="Freeze their account Wanda Ward").click()
        expect(held.get_by_role("heading", level=1)).to_have_text(
            "Freeze the account of Wanda Ward"
        )
        held.get_by_role("button", name="Freeze it, as their guardian").click()
        expect(held).to_have_url(re.compile("/wards[?]done=freeze-"))
        if number == 0:
            expect(held.get_by_role("status")).to_contain_text("You asked.")
            enter(page, ward.user)
            expect(page.get_by_role("main")).to_contain_text(f"1 of 2 guardians: {chosen[0].label}")
            look(page, "freeze-home")
            page.goto("/guardians")
            expect(page.get_by_role("main")).to_contain_text(chosen[0].label)
            look(page, "freeze-guardians")
        else:
            expect(held.get_by_role("status")).to_contain_text("Enough guardians asked")
        context.close()
    assert freezing.tend(node) == 1
    page.goto("/record")
    expect(page.get_by_role("heading", level=1)).to_have_text("The account is frozen")
    expect(page.get_by_role("main")).to_contain_text("frozen by its guardians")
    expect(page.get_by_role("link", name="Ask for a new key")).to_have_attribute("href", "/lost")
    look(page, "freeze-trouble")
    give_passphrase(page, ward.user)
    expect(page.get_by_role("alert")).to_contain_text("frozen by its guardians")
    expect(page.locator("#passphrase")).to_have_accessible_description(
        re.compile("frozen by its guardians")
    )
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    look(page, "freeze-sign-in")
    page.get_by_role("button", name="Ask for a new key").click()
    expect(page).to_have_url(re.compile("/lost$"))
