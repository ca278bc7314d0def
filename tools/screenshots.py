"""Pictures of every page, of the living demo, for docs/dapp.md.

    python -m tools.screenshots [--folder docs/dapp] [--steps]

Opens the network of `simdes demo --serve`, signs in as its people in a real Chromium
(`SIMDES_CHROMIUM`, else on the PATH), and goes to each page of their role: by its address, or by
the first link or button on another page that leads there. What only an answered form shows stands
in `screenshot_steps`, what a wallet signs in `screenshot_wallet`. A page is pictured for the first
role that has it. Says at the end which it did not reach.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from tools.screenshot_steps import STEPS, patient_of
from tools.screenshot_wallet import SIGNED

from simdes.demo import living
from simdes.gateway.pages.places import PLACES

FOLDER: Final = Path(__file__).parents[1] / "docs/dapp"
ROLES: Final = (
    *("patient", "doctor", "nurse", "pharmacist", "insurer", "researcher", "administrator"),
)
ALSO: Final = {"nurse": ("/patients/record",)}
"""What another role's page is looked at for, too: a nurse's limits stand there."""
WIDE: Final = {"width": 900, "height": 700}
PHONE: Final = {"width": 360, "height": 740}
TALLEST: Final = 2_000
QUALITY: Final = 60
NO_PAGES: Final = frozenset(
    (
        *("/", "/log/proof", "/download/everything", "/download/summary", "/erasure/receipt"),
        *("/claims/copy", "/record/file", "/patients/file", "/patients/emergency/file"),
    )
)
"""What leads on, and files."""
NOT_IN_THE_DEMO: Final = {
    "/account/passkeys/new": "browsers make passkeys under a host name, and the demo has none",
    "/trails/close": "all trails agree",
    "/wards/freeze": "guardians count when the network's days of delay are over",
    "/wards/vouch": "guardians count when the network's days of delay are over",
}
"""Pages without a picture, and why; tests look at them (tests/browser)."""
OUTSIDE: Final = ("/sign-in", "/sign-in/wallet", "/lost", "/first")
"""Before anybody signed in."""
BY_A_STEP: Final = frozenset(
    (
        *("/account/codes", "/account/mail/code", "/authorize", "/billing/claim"),
        *("/claims/appeal", "/counter/dispensed", "/mail/stop", "/merges", "/merges/answer"),
        "/sign-in/second",
    )
)
"""Pages that an answered form leads to."""
_LINKS: Final = """() => [
  ...[...document.querySelectorAll("main a[href]")].map((one) => one.getAttribute("href")),
  ...[...document.querySelectorAll("main form[method=get], main form:not([method])")].map((one) =>
    new URL(one.action).pathname + "?" + new URLSearchParams(new FormData(one))),
]"""


@dataclass(slots=True)
class Tour:
    """One person's tour: pages still to see, and addresses that other pages named."""

    page: Page
    role: str
    folder: Path
    links: dict[str, str] = field(default_factory=dict)

    def go(self, address: str) -> bool:
        """Open a page; whether it is one and not an error."""
        try:
            answer = self.page.goto(address)
        except PlaywrightError:  # what is handed out as a file is no page
            return False
        fine = answer is not None and answer.status == 200
        if fine:
            for one in self.page.evaluate(_LINKS):
                self.links.setdefault(urlsplit(one).path, one)
        return fine and urlsplit(self.page.url).path == urlsplit(address).path

    def see(self, path: str) -> bool:
        """Picture the page of a path, by its address or one that was named; whether it is there."""
        for address in dict.fromkeys((self.links.get(path, path), path)):
            if self.go(address) and not self.page.locator("main > [role=alert]").count():
                self.picture(f"{self.role}{path.replace('/', '-')}")
                return True
        return False

    def picture(self, name: str) -> None:
        """Keep the page as it stands."""
        keep(self.page, self.folder / f"{name}.webp")


def keep(page: Page, path: Path) -> None:
    """Write a picture of a whole page, its lower end left out where it is long."""
    size = page.evaluate("({width: innerWidth, height: document.body.scrollHeight})")
    clip = {"x": 0, "y": 0, "scale": 1, **size, "height": min(size["height"], TALLEST)}
    asked = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
    session = page.context.new_cdp_session(page)
    path.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", asked)["data"]))
    session.detach()


def paths_of(role: str) -> list[str]:
    """The pages that are pictured for a role: those that no role before it has."""
    before = set(ROLES[: ROLES.index(role)])
    return sorted(
        {
            one.path
            for one in PLACES
            if one.method == "GET"
            and one.path not in NO_PAGES
            and one.path not in NOT_IN_THE_DEMO
            and one.path not in OUTSIDE
            and ((role in one.roles and not one.roles & before) or (not one.roles and not before))
        }
        | {"/home", *ALSO.get(role, ())}
    )


LOOKS: Final[dict[str, dict[str, Any]]] = {
    "wide": {"viewport": WIDE, "locale": "en-GB"},
    "phone": {"viewport": PHONE, "locale": "fr-FR", "color_scheme": "dark"},
}


def signed_in(browser: Browser, person: dict[str, str], look: str = "wide") -> Page:
    """A tab of somebody."""
    context = browser.new_context(base_url=person["url"], **LOOKS[look])
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto("/sign-in")
    page.locator("#user").fill(person["user"])
    page.locator("#passphrase").fill(person["passphrase"])
    page.locator("form[action='/sign-in'] button").click()
    page.wait_for_url(re.compile("/home$"))
    return page


def tour(browser: Browser, person: dict[str, str], folder: Path) -> Iterator[str]:
    """Picture the pages of a person's role; the paths that were not reached."""
    role = person["role"]
    page = signed_in(browser, person)
    made = Tour(page, role, folder)
    left = [path for path in paths_of(role) if path not in BY_A_STEP]
    if role in ("doctor", "nurse"):
        made.go(patient_of(page))
    while left:
        missed = [path for path in left if not made.see(path)]
        if len(missed) == len(left):
            break
        left = missed
    page.context.close()
    yield from left


def visit(facts: dict[str, Any], folder: Path, data: Path, *, steps: bool) -> None:
    """Picture everything. ``data`` has the organisations' folders."""
    people: dict[str, dict[str, str]] = {}
    for one in facts["people"]:
        people.setdefault(one["role"], one)
    named = os.environ.get("SIMDES_CHROMIUM") or shutil.which("chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=named, args=arguments)
        page = browser.new_page(base_url=people["patient"]["url"], **LOOKS["wide"])
        for path in OUTSIDE:
            page.goto(path)
            keep(page, folder / f"{path.strip('/').replace('/', '-')}.webp")
        for role in () if steps else ROLES:
            for path in tour(browser, people[role], folder):
                print(f"not reached: {path} ({role})", flush=True)
        for role, name, look, way in (*STEPS, *SIGNED):
            page = signed_in(browser, people[role], look)
            try:
                way(page, data)
                keep(page, folder / f"{name}.webp")
            except PlaywrightError as error:
                print(f"not reached: {name} ({error.message.splitlines()[0]})")
            page.context.close()


def gallery(folder: Path) -> str:
    """A page that shows every picture of a folder, by role."""
    names = sorted(path.stem for path in folder.glob("*.webp"))
    parts = ["# Every page", "", "Of the living demo, by `python -m tools.screenshots`.", ""]
    for role in ("", *ROLES):
        own = [one for one in names if role_of(one) == role]
        parts += [f"## {role.capitalize() or 'Before signing in'}", ""] if own else []
        parts += [
            f'<img src="{one}.webp" width="410" alt="{one.replace("-", " ")}">' for one in own
        ] + ([""] if own else [])
    parts += ["## Without a picture", ""]
    parts += [f"- `{path}`: {why}" for path, why in NOT_IN_THE_DEMO.items()]
    return "\n".join(parts).rstrip() + "\n"


def role_of(name: str) -> str:
    """Whose page a picture shows, "" before anybody signed in."""
    role = name.partition("-")[0]
    return role if role in ROLES else ""


def main() -> None:
    """Open the network, picture it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--steps", action="store_true", help="only what an answered form shows")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        looking = partial(visit, folder=asked.folder, data=Path(place), steps=asked.steps)
        living.serve(Path(place), print, stay=looking)
    (asked.folder / "pages.md").write_text(gallery(asked.folder))


if __name__ == "__main__":
    main()
