"""Every page of every role on a phone without JavaScript, in French, in the dark.

For people who have nothing yet, so that lists are empty and pages that need something say so. What
is in lists, and the same pages in the light, are looked at where each is at work.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import PHONE, Looking, Place, Watched
from browser.steps import enter
from simdes.access.categories import Role
from simdes.gateway.pages.places import PLACES

FILES = {"/log/proof", "/download/everything", "/download/summary", "/erasure/receipt"}
ROLES = tuple(role for role in Role if any(role.name.lower() in place.roles for place in PLACES))
JUDGED_IN_THE_DARK = {Role.PATIENT, Role.DOCTOR, Role.NURSE}
"""In test_patient.py and test_staff_pages.py."""

TWICE_AS_LARGE = """() => {
  document.documentElement.style.setProperty("font-size", "200%", "important");
  return document.documentElement.scrollWidth;
}"""
"""The text of somebody who sees badly (WCAG 2.2, 1.4.4), and how wide the page is then."""


def pages_of(role: Role, *, alone: bool = False) -> list[str]:
    """Where somebody of a role may go; ``alone``: only their role's own pages."""
    name = role.name.lower()
    return sorted(
        {
            one.path
            for one in PLACES
            if one.method == "GET" and (name in one.roles or not (one.roles or alone))
        }
        - FILES
        - {"/"}
    )


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name.lower())
def test_every_page_fits_a_phone_in_the_dark_without_javascript(
    browser: Browser, place: Place, watched: Watched, role: Role
) -> None:
    context = browser.new_context(
        base_url=place.url,
        locale="fr-FR",
        viewport=PHONE,
        color_scheme="dark",
        java_script_enabled=False,
    )
    page = context.new_page()
    watched.listen(page)
    enter(page, place.person(role).user)
    for path in pages_of(role):
        answer = page.goto(path)
        assert answer is not None and answer.status < 500, path
        expect(page.locator("html")).to_have_attribute("lang", "fr")
        expect(page.locator("h1")).to_have_count(1)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path
        width = page.evaluate(TWICE_AS_LARGE)
        assert width <= PHONE["width"], f"{path} with large text"
    context.close()


@pytest.mark.parametrize(
    "role", [one for one in ROLES if one not in JUDGED_IN_THE_DARK], ids=lambda role: role.name
)
def test_every_page_is_accessible_in_the_dark(
    browser: Browser, place: Place, watched: Watched, look: Looking, role: Role
) -> None:
    context = browser.new_context(
        base_url=place.url, locale="en-GB", viewport=PHONE, color_scheme="dark"
    )
    page = context.new_page()
    watched.listen(page)
    enter(page, place.person(role).user)
    name = role.name.lower()
    for path in ["/home", *pages_of(role, alone=True)]:
        page.goto(path)
        look(page, f"dark-{name}{path.replace('/', '-')}")
    context.close()
