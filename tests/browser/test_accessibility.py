"""Every page, in both languages, by axe-core; dates, language switch and policy with them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.beyond_axe import BEYOND_AXE
from browser.conftest import WIDTH, Authenticator, Looking, Place, Watched
from browser.steps import (
    add_passkey,
    give_code,
    give_mail_code,
    give_passphrase,
    set_codes_up,
    sign_in,
    told_by_mail,
)
from simdes.access.guardians import Seat
from simdes.exchange import guardians
from simdes.exchange.guardians import Ward
from simdes.gateway.pages.places import PLACES
from support.smart import allow, authorize, register

NARROW = {"width": 320, "height": 640}
LOCALES = {"en": "en-GB", "fr": "fr-FR"}


WARD = Ward(
    account=bytes(range(32)),
    organisation=bytes(32),
    name="Rosa Ito",
    count=3,
    threshold=2,
    seat=Seat(bytes(32), 0, 3, ()),
    waiting=False,
)


@pytest.fixture(params=LOCALES)
def reading(
    request: pytest.FixtureRequest, browser: Browser, place: Place, watched: Watched
) -> Iterator[tuple[str, BrowserContext]]:
    """A browser of a reader of each language."""
    context = browser.new_context(base_url=place.url, locale=LOCALES[request.param], viewport=WIDTH)
    context.set_default_timeout(10_000)
    context.on("page", lambda page: Watched.listen(watched, page))
    yield request.param, context
    context.close()


def test_every_page_is_accessible_in_both_languages(
    reading: tuple[str, BrowserContext],
    place: Place,
    look: Looking,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    language, context = reading
    page, seen = context.new_page(), set()

    def judge(name: str) -> None:
        expect(page.locator("html")).to_have_attribute("lang", language)
        look(page, f"{language}-{name}")
        seen.add(re.sub(r"^https?://[^/]+|[?].*", "", page.url))

    person = place.person(display="Émilie O'Brien")
    page.goto("/sign-in")
    judge("sign-in")
    give_passphrase(page, person.user, "wrong passphrase")
    judge("sign-in-refused")
    for path in ("/lost", "/first", "/own-copy/open", "/wallet", "/sign-in/wallet"):
        page.goto(path)
        judge(path[1:].replace("/", "-"))
    page.goto("/sign-in")
    Authenticator(page, prf=False)
    sign_in(page, person.user)
    judge("account-new")
    page.goto("/account/passkeys/new")
    judge("passkey-new")
    add_passkey(page, "Clé bleue")
    page.goto("/account")
    page.locator("form[action='/account/codes/begin'] button").click()
    judge("codes")
    give_code(page, "123")
    judge("codes-refused")
    _, codes = set_codes_up(page, place.clock)
    judge("recovery-codes")
    page.goto("/account/passphrase")
    judge("passphrase")
    asking = register(place.north.node, f"axe-{language}")
    session = place.network.session("north", "dr.north")
    assert allow(asking, session, "user/Observation.rs")
    request = authorize(asking, scope="launch/patient openid offline_access patient/*.cruds").id
    page.goto(f"/authorize?request={request}")
    judge("authorize")
    page.locator("button[value=allow]").click()
    judge("authorize-refused")
    page.goto("/account?done=passkey")
    judge("account-full")
    page.goto("/account/mail")
    judge("mail")
    page.goto("/account/mail/new")
    judge("mail-new")
    page.locator("#given").fill("no address at all@example")
    page.locator("form[action='/account/mail/new']").evaluate("form => form.noValidate = true")
    page.locator("form[action='/account/mail/new'] button").click()
    judge("mail-new-refused")
    page.locator("#given").fill("emilie@example.net")
    page.locator("form[action='/account/mail/new'] button").click()
    judge("mail-code")
    give_mail_code(place, page)
    judge("mail-full")
    page.goto(told_by_mail(place, person.account))
    judge("mail-stop")
    page.locator("form[action^='/mail/stop'] button").click()
    judge("mail-stopped")
    page.goto("/account/mail")
    judge("mail-full-stopped")
    page.goto("/wards")
    judge("wards")
    # What the form does is tested where somebody has a guardian; here it is looked at.
    monkeypatch.setattr(guardians, "wards", lambda node, account: [WARD])
    page.goto("/wards")
    judge("wards-full")
    page.goto(f"/wards/vouch?ward={WARD.account.hex()}")
    judge("wards-vouch")
    page.goto(f"/wards/freeze?ward={WARD.account.hex()}")
    judge("wards-freeze")
    page.goto("/authorize?request=none")
    judge("trouble")
    place.clock.ahead_seconds += 901
    page.goto("/account/passphrase")
    judge("confirm")
    page.locator("form[action='/sign-out'] button").first.click()
    give_passphrase(page, person.user)
    judge("second")
    give_code(page, codes[0])
    expect(page).to_have_url(re.compile("/home$"))
    judge("home")
    # Those of one role alone are looked at with the role's own tests.
    pages = {one.path for one in PLACES if one.method == "GET" and not one.roles} - {"/"}
    assert seen >= pages, "a page that nobody looked at"


WRONG = """<!doctype html><style>
  a { display: block; line-height: 14px; } :focus { outline: none; } p { position: fixed; }
</style><h1>A</h1><h3>B</h3><main><a href="/a">a</a><a href="/b">b</a><p>c</p>
<div id="trouble" role="alert">Wrong.</div><div class="done">Done.</div>
<form><input type="password" name="word" autocomplete="off" onpaste="return false"></form></main>"""
RIGHT = """<!doctype html><style>
  a { display: block; line-height: 24px; } :focus { outline: 2px solid; }
</style><h1>A</h1><h2>B</h2><main><a href="/a">a</a><a href="/b">b</a><p>c <a href="/c">d</a></p>
<div id="trouble" role="alert">Wrong.</div><div class="done" role="status">Done.</div>
<form aria-describedby="trouble"><input type="password" name="word" autocomplete="new-password">
</form></main>"""


def test_what_axe_leaves_out_is_seen_where_it_is_wrong(page: Page) -> None:
    page.set_content(RIGHT)
    assert page.evaluate(BEYOND_AXE) == []
    page.set_content(WRONG)
    told = {one.partition(":")[0] for one in page.evaluate(BEYOND_AXE)}
    assert told == {
        "a heading skips a level",
        "a target is small and close to another",
        "its focus is not seen",
        "may hide the focus",
        "an error is tied to no field or form",
        "is not announced",
        "can't be filled in by a password manager",
        "takes no paste",
    }


def test_a_page_fits_a_narrow_screen_and_large_text(page: Page, place: Place) -> None:
    """WCAG 2.2, 1.4.10: no scrolling in two directions at 320 CSS pixels."""
    sign_in(page, place.person().user)
    page.set_viewport_size(NARROW)
    for path in ("/account", "/account/passphrase", "/account/passkeys/new", "/account/mail/new"):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW["width"], path


def test_the_dark_scheme_is_accessible_too(page: Page, place: Place, look: Looking) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/sign-in")
    look(page, "dark-sign-in")
    sign_in(page, place.person().user)
    look(page, "dark-account")


def test_a_reader_chooses_the_language_and_keeps_it(page: Page, place: Place) -> None:
    page.goto("/sign-in?next=%2Faccount")
    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter")
    expect(page).to_have_url(re.compile("next=%2Faccount"))
    person = place.person()
    sign_in(page, person.user)
    expect(page.get_by_role("heading", level=1)).to_have_text("Votre compte")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


def test_dates_are_written_as_the_reader_writes_them(
    browser: Browser, place: Place, watched: Watched
) -> None:
    written = {}
    for locale in ("en-GB", "en-US", "fr-FR"):
        context = browser.new_context(base_url=place.url, locale=locale)
        page = context.new_page()
        watched.listen(page)
        sign_in(page, place.person().user)
        written[locale] = page.locator("time").first.inner_text()
        context.close()
    assert re.fullmatch(r"\d+ [A-Z]\w+ \d{4}, \d\d:\d\d", written["en-GB"]), written
    assert re.fullmatch(r"[A-Z]\w+ \d+, \d{4}, \d+:\d\d\s[AP]M", written["en-US"]), written
    assert re.fullmatch(r"\d+ [a-zéû.]+ \d{4}(,| à) \d\d:\d\d", written["fr-FR"]), written


def test_no_page_may_run_what_is_not_ours(page: Page, place: Place, watched: Watched) -> None:
    """The policy is enforced by the browser: an injected script is stopped and reported."""
    page.goto("/sign-in")
    page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'window.bad = 1';"
        " document.body.append(one); document.body.setAttribute('onclick', 'window.bad = 1');"
        " document.body.click(); }"
    )
    assert page.evaluate("window.bad") is None
    assert len(watched.complaints) >= 2
    watched.complaints.clear()
