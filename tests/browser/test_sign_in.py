"""People sign in with a real browser: passphrase, one-time code, recovery code, passkey."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.conftest import Authenticator, Place, Watched
from browser.steps import (
    add_passkey,
    give_code,
    give_passphrase,
    set_codes_up,
    sign_in,
    use_passkey,
)
from simdes.access.one_time_codes import code_at

START = re.compile("/home$")
SECOND = re.compile("/sign-in/second")


def test_a_person_signs_in_with_a_passphrase_and_out_again(page: Page, place: Place) -> None:
    person = place.person(display="Dr Ann Smith")
    page.goto("/account")
    expect(page).to_have_url(re.compile("/sign-in[?]next=%2Faccount"))
    sign_in(page, person.user)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    expect(page.get_by_text("Dr Ann Smith")).to_be_visible()
    expect(page.get_by_text(f"0x{person.account.hex()}")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.goto("/account")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_an_unknown_user_and_a_wrong_passphrase_get_the_same_page(page: Page, place: Place) -> None:
    person = place.person()
    said = []
    for user in (person.user, "nobody.here"):
        give_passphrase(page, user, "not the passphrase")
        said.append(page.get_by_role("alert").first.inner_text())
        assert page.locator("#user").input_value() == user
        assert page.locator("#passphrase").input_value() == ""
    assert said[0] == said[1] == "User name or passphrase is wrong.\n\nCheck both and try again."


def test_a_code_is_asked_for_besides_and_is_good_once(page: Page, place: Place) -> None:
    person = place.person()
    sign_in(page, person.user)
    secret, _ = set_codes_up(page, place.clock)
    page.get_by_role("button", name="Sign out", exact=True).click()
    place.clock.ahead_seconds += 30
    give_passphrase(page, person.user)
    expect(page).to_have_url(SECOND)
    page.goto("/account")
    expect(page).to_have_url(SECOND)
    code = code_at(secret, int(place.clock()))
    give_code(page, code)
    expect(page).to_have_url(re.compile("/account$"))

    page.get_by_role("button", name="Sign out", exact=True).click()
    give_passphrase(page, person.user)
    give_code(page, code)
    expect(page.get_by_role("alert").first).to_contain_text("it was used before")
    place.clock.ahead_seconds += 30
    give_code(page, code_at(secret, int(place.clock())))
    expect(page).to_have_url(START)


def test_a_recovery_code_stands_in_once(page: Page, place: Place) -> None:
    person = place.person()
    sign_in(page, person.user)
    _, codes = set_codes_up(page, place.clock)
    for code, accepted in ((codes[0], True), (codes[0], False), (codes[1].upper(), True)):
        page.goto("/account")
        page.get_by_role("button", name="Sign out", exact=True).click()
        give_passphrase(page, person.user)
        give_code(page, code)
        if accepted:
            expect(page).to_have_url(START)
        else:
            expect(page.get_by_role("alert").first).to_be_visible()
            give_code(page, codes[2])
            expect(page).to_have_url(START)
    page.goto("/account")
    expect(page.get_by_text("You have 7 recovery codes left.")).to_be_visible()


def test_a_passkey_signs_in_by_itself_and_counts_as_two_factors(page: Page, place: Place) -> None:
    person = place.person()
    Authenticator(page)
    sign_in(page, person.user)
    add_passkey(page, "My laptop")
    expect(page.get_by_role("status")).to_contain_text("it signs you in by itself")
    page.get_by_role("button", name="Sign out", exact=True).click()
    use_passkey(page)
    expect(page).to_have_url(START)
    page.goto("/account")
    expect(page.get_by_role("heading", name="My laptop")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    give_passphrase(page, person.user)
    expect(page).to_have_url(SECOND)
    use_passkey(page)
    expect(page).to_have_url(START)


def test_a_passkey_without_prf_proves_who_it_is_and_the_passphrase_unlocks(
    page: Page, place: Place
) -> None:
    person = place.person()
    Authenticator(page, prf=False)
    sign_in(page, person.user)
    add_passkey(page, "Old key")
    expect(page.get_by_role("status")).to_contain_text("can't unlock your account by itself")
    page.get_by_role("button", name="Sign out", exact=True).click()
    use_passkey(page)
    expect(page).to_have_url(SECOND)
    expect(page.get_by_text("Your passphrase does that.")).to_be_visible()
    page.locator("#passphrase").fill(f"the passphrase of {person.user}")
    page.locator("form:has(#passphrase) button").click()
    expect(page).to_have_url(START)


def test_a_copied_passkey_is_refused_from_then_on(page: Page, place: Place) -> None:
    person = place.person()
    authenticator = Authenticator(page)
    sign_in(page, person.user)
    add_passkey(page, "Copied")
    [copy] = authenticator.credentials()
    page.get_by_role("button", name="Sign out", exact=True).click()
    use_passkey(page)
    expect(page).to_have_url(START)
    page.get_by_role("button", name="Sign out", exact=True).click()
    authenticator.put(copy)
    use_passkey(page)
    expect(page.get_by_role("alert").first).to_contain_text("its counter went back")
    page.goto("/sign-in")
    for _ in range(3):
        with page.expect_navigation():  # the page before says the same
            use_passkey(page)
        expect(page.locator("#trouble")).to_contain_text("not accepted any more")
    give_passphrase(page, person.user)
    expect(page).to_have_url(SECOND)
    expect(page.locator("form[data-passkey]")).to_have_count(0)


def test_a_passkey_that_verifies_nobody_is_refused(
    page: Page, place: Place, watched: Watched
) -> None:
    person = place.person()
    authenticator = Authenticator(page)
    sign_in(page, person.user)
    add_passkey(page, "Mine")
    page.get_by_role("button", name="Sign out", exact=True).click()
    authenticator.verify_nobody()
    use_passkey(page)
    expect(page.locator("form[data-passkey] [role=alert]")).to_be_visible()
    expect(page).to_have_url(re.compile("/sign-in"))


def test_what_needs_a_fresh_proof_asks_for_the_second_factor_again(
    page: Page, place: Place
) -> None:
    person = place.person()
    sign_in(page, person.user)
    secret, _ = set_codes_up(page, place.clock)
    place.clock.ahead_seconds += 901
    page.goto("/account/passphrase")
    expect(page).to_have_url(re.compile("/sign-in/confirm[?]next=%2Faccount%2Fpassphrase"))
    expect(page.locator("#passphrase")).to_have_count(0)
    good = {code_at(secret, int(place.clock()) + 30 * step) for step in range(-2, 5)}
    give_code(page, next(code for n in range(8) if (code := f"{n:06}") not in good))
    expect(page.get_by_role("alert").first).to_be_visible()
    give_code(page, code_at(secret, int(place.clock())))
    expect(page).to_have_url(re.compile("/account/passphrase$"))
    page.locator("#passphrase").fill("quite another passphrase")
    page.locator("#again").fill("quite another passphrase")
    page.locator("form[action='/account/passphrase'] button").click()
    expect(page.get_by_role("status")).to_contain_text("Your passphrase is changed.")


def test_a_changed_passphrase_ends_every_other_session(
    page: Page, place: Place, browser: Browser, watched: Watched
) -> None:
    person = place.person()
    sign_in(page, person.user)
    other = browser.new_context(base_url=place.url)
    there = other.new_page()
    watched.listen(there)
    sign_in(there, person.user)
    page.goto("/account/passphrase")
    page.locator("#passphrase").fill("quite another passphrase")
    page.locator("#again").fill("quite another passphrase")
    page.locator("form[action='/account/passphrase'] button").click()
    expect(page).to_have_url(re.compile("done=passphrase"))
    there.goto("/account")
    expect(there).to_have_url(re.compile("/sign-in"))
    give_passphrase(there, person.user)
    expect(there.get_by_role("alert").first).to_be_visible()
    give_passphrase(there, person.user, "quite another passphrase")
    expect(there).to_have_url(START)
    there.goto("/account")
    there.locator("form:has(input[value='others']) button").click()
    page.goto("/account")
    expect(page).to_have_url(re.compile("/sign-in"))
    other.close()


def test_everything_but_passkeys_works_without_javascript(
    browser: Browser, place: Place, watched: Watched
) -> None:
    person = place.person()
    context = browser.new_context(base_url=place.url, java_script_enabled=False)
    page = context.new_page()
    watched.listen(page)
    sign_in(page, person.user)
    secret, _ = set_codes_up(page, place.clock)
    page.goto("/account/passkeys/new")
    expect(page.get_by_text("takes a browser with passkeys and JavaScript")).to_be_visible()
    page.locator("button[value=fr]").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.locator("form[action='/sign-out'] button").click()
    place.clock.ahead_seconds += 30
    give_passphrase(page, person.user)
    give_code(page, code_at(secret, int(place.clock())))
    expect(page.locator("h1")).to_have_text(f"Bonjour, {person.user}")
    context.close()


def test_the_way_in_is_open_to_a_keyboard_alone(context: BrowserContext, place: Place) -> None:
    person = place.person()
    page = context.new_page()
    page.goto("/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type(person.user)
    page.keyboard.press("Tab")
    page.keyboard.type(f"the passphrase of {person.user}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(START)
    page.goto("/account")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Set up one-time codes":
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/account/codes$"))
