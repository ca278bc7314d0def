"""What people do on the pages, in steps that every language shares."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from simdes.access.one_time_codes import code_at
from simdes.exchange.mail import sending
from simdes.index import mail
from support.consortium import Clock, passphrase_of

if TYPE_CHECKING:
    from browser.conftest import Place


def give_passphrase(page: Page, user: str, passphrase: str = "") -> None:
    """Fill the sign-in form in and send it."""
    page.goto("/sign-in")
    page.locator("#user").fill(user)
    page.locator("#passphrase").fill(passphrase or passphrase_of(user))
    page.locator("form[action='/sign-in'] button").click()


def sign_in(page: Page, user: str) -> None:
    """Sign a person without a second factor in, and go to their account."""
    enter(page, user)
    page.goto("/account")


def enter(page: Page, user: str) -> None:
    """Sign a person without a second factor in; they are at their start page."""
    give_passphrase(page, user)
    expect(page).to_have_url(re.compile("/home$"))


def set_codes_up(page: Page, clock: Clock) -> tuple[bytes, list[str]]:
    """Turn one-time codes on; the secret and the recovery codes."""
    import base64

    page.goto("/account")
    page.locator("form[action='/account/codes/begin'] button").click()
    text = page.locator("main code").inner_text().replace(" ", "")
    secret = base64.b32decode(text)
    page.locator("#code").fill(code_at(secret, int(clock())))
    page.locator("form[action='/account/codes'] button").click()
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    return secret, codes


def give_code(page: Page, code: str) -> None:
    """Fill a one-time or recovery code in and send it."""
    page.locator("#code").fill(code)
    page.locator("form:has(#code) button").click()


def add_passkey(page: Page, label: str) -> None:
    """Make a passkey with the tab's authenticator."""
    page.goto("/account/passkeys/new")
    page.locator("#label").fill(label)
    page.locator("form[data-passkey] button").click()
    expect(page).to_have_url(re.compile("/account[?]done=passkey"))


def use_passkey(page: Page) -> None:
    """Answer the page's challenge with the tab's authenticator."""
    page.locator("form[data-passkey] button").click()


NAMED = """() => {
  const at = document.activeElement;
  const label = at.labels && at.labels[0] ? at.labels[0].textContent : "";
  return (label || at.textContent || "").trim();
}"""
"""What somebody hears of the field, link or button that has the focus."""


def reach(page: Page, name: str, *, most: int = 120) -> None:
    """Go by the Tab key to the field, link or button whose name begins so."""
    heard: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        heard.append(str(page.evaluate(NAMED)))
        if heard[-1].startswith(name):
            return
    raise AssertionError(f"no Tab leads to {name!r}: {heard[:40]}")


def press(page: Page, name: str) -> None:
    """Go there by keyboard, and press Enter; the page that follows is there."""
    reach(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def mails(place: Place) -> list[EmailMessage]:
    """The mails that went out, oldest first; those that are due go out before."""
    while sending.work(place.north.node, name="browser"):
        pass
    found = sorted((place.north.data / "mails").glob("*.eml"))
    return [
        message_from_bytes(one.read_bytes(), _class=EmailMessage, policy=default) for one in found
    ]


def give_mail_code(place: Place, page: Page) -> None:
    """Type the code of the newest mail."""
    expect(page).to_have_url(re.compile("/account/mail/code$"))
    code = re.search(r"\d{4} \d{4}", str(mails(place)[-1].get_content()))
    assert code
    page.locator("#code").fill(code[0])
    page.locator("form[action='/account/mail/code'] button").click()
    expect(page).to_have_url(re.compile("/account/mail[?]done=mail-confirmed$"))


def told_by_mail(place: Place, account: bytes) -> str:
    """Let something be new for an account; the address in the mail that stops mails."""
    node = place.north.node
    node.database.write(lambda tx: mail.note(tx, account, due_ms=node.now_ms(), alarm=0))
    return str(mails(place)[-1]["List-Unsubscribe"]).strip("<>")
