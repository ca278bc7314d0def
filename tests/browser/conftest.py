"""A gateway on a real socket and a real Chromium in front of it; one of each for all tests.

The server runs in this process, so that a test can move its clock. Pages are reached as
``localhost``: browsers make passkeys under a host name only.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from browser.beyond_axe import BEYOND_AXE
from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.app import ADMINISTRATOR, Opened
from simdes.exchange import enrolment
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of
from support.served import a_browser, serving

# Read now: an open network keeps the settings in the environment away.
SCREENSHOTS = os.environ.get("SIMDES_SCREENSHOTS", "")
WIDTH: Final[ViewportSize] = {"width": 1000, "height": 900}
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
AXE = """async () => {
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await axe.run(document, { runOnly: { type: "tag", values: rules } });
  return { violations: found.violations, passes: found.passes.length };
}"""
PAINT = """() => ({
  painted_ms: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
  answered_ms: performance.getEntriesByType("navigation")[0].responseEnd,
  bytes: performance.getEntriesByType("navigation")[0].decodedBodySize,
})"""
"""How soon a page was seen (https://www.w3.org/TR/paint-timing/), and how large it is."""
_numbers = itertools.count(1)
expect.set_options(timeout=30_000)  # what holds costs no time, and a busy machine may have it


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway that answers at ``url``, and its clock."""

    network: Consortium
    north: Opened
    url: str
    clock: Clock

    def person(self, role: Role = Role.DOCTOR, *, display: str = "", user: str = "") -> Person:
        """A new person of the organisation; their passphrase is `passphrase_of`."""
        user = user or f"person.{next(_numbers)}"
        administrator = self.network.session("north", ADMINISTRATOR)
        return enrolment.add_person(
            self.north.node,
            administrator,
            user,
            role=role,
            passphrase=passphrase_of(user),
            display=display,
        )


# Not for the session: Playwright keeps an event loop open in this thread, which others start anew.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a file's tests; each has a profile of its own."""
    with a_browser() as started:
        yield started


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A founded network whose first organisation serves its pages."""
    folder, clock = tmp_path_factory.mktemp("browser") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    settings = folder / "north" / "simdes.toml"
    text = settings.read_text().replace("http://127.0.0.1:", "http://localhost:")
    text = text.replace('mail_url = ""', 'mail_url = "file:mails"')
    text = text.replace('mail_from = ""', 'mail_from = "records@hospital.example"')
    settings.write_text(text)
    with (
        consortium.cheap_locks(),
        consortium.opened(folder, clock=clock) as network,
        serving(network["north"]) as url,
    ):
        yield Place(network, network["north"], url, clock)


@pytest.fixture(autouse=True)
def present(place: Place) -> None:
    """Nothing slows a test's tries down."""
    with place.north.node.database.transaction() as tx:
        tx.run("DELETE FROM sign_in_delay")


@dataclass(slots=True)
class Watched:
    """What a page complained about while a test used it."""

    complaints: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", lambda one: self._say(one.type, one.text))
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))

    def _say(self, kind: str, text: str) -> None:
        # A refused form is an answer with 4xx, which Chromium calls an error of its own.
        if kind in ("error", "warning") and not re.match("Failed to load resource", text):
            self.complaints.append(f"{kind}: {text}")


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Fails a test whose pages broke their policy or threw; a test may empty it."""
    seen = Watched()
    yield seen
    assert seen.complaints == []


@pytest.fixture
def context(browser: Browser, place: Place) -> Iterator[BrowserContext]:
    """A fresh browser profile in English."""
    opened = browser.new_context(base_url=place.url, locale="en-GB", viewport=WIDTH)
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


def tab(browser: Browser, place: Place, watched: Watched, language: str, scheme: str) -> Page:
    """A tab in a context of its own, which its test closes: on a phone where it is dark."""
    colours: Any = scheme
    context = browser.new_context(
        base_url=place.url,
        locale=language,
        viewport=WIDTH if scheme == "light" else PHONE,
        color_scheme=colours,
    )
    page = context.new_page()
    watched.listen(page)
    return page


@pytest.fixture
def page(context: BrowserContext, watched: Watched) -> Page:
    """A tab of that profile."""
    opened = context.new_page()
    watched.listen(opened)
    return opened


@dataclass(frozen=True, slots=True)
class Looking:
    """Judges a page by axe-core; keeps a picture of it where ``SIMDES_SCREENSHOTS`` names a folder.

    https://github.com/dequelabs/axe-core, every rule of WCAG 2.2 A and AA and of best practice,
    and what it leaves out (`beyond_axe`).
    """

    axe: str

    def __call__(self, page: Page, name: str) -> None:
        """Fail on any violation."""
        if SCREENSHOTS:
            page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)
            with Path(SCREENSHOTS, "paint.jsonl").open("a") as file:
                file.write(json.dumps({"page": name, **page.evaluate(PAINT)}) + "\n")
        # By the debugger's connection: the page's own policy lets no script in.
        page.evaluate(self.axe)
        found = page.evaluate(AXE)
        told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]
        assert told == [], name
        assert found["passes"] > 10
        assert page.evaluate(BEYOND_AXE) == [], name


@pytest.fixture(scope="session")
def look() -> Looking:
    """Looks at pages."""
    folder = Path(__file__).parents[2] / "node_modules/axe-core"
    return Looking((folder / "axe.min.js").read_text())


class Authenticator:
    """A virtual authenticator in a tab (https://www.w3.org/TR/webauthn-3/#sctn-automation)."""

    def __init__(self, page: Page, *, prf: bool = True) -> None:
        self.session = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "hasPrf": prf,
            "automaticPresenceSimulation": True,
        }
        made = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.id: str = made["authenticatorId"]

    def credentials(self) -> list[dict[str, object]]:
        """What it holds, private keys included: it is a test's."""
        answer = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(answer["credentials"])

    def put(self, credential: dict[str, object]) -> None:
        """Give it a credential in the place of the one it has under this id."""
        named = {"authenticatorId": self.id, "credentialId": credential["credentialId"]}
        self.session.send("WebAuthn.removeCredential", named)
        self.session.send(
            "WebAuthn.addCredential", {"authenticatorId": self.id, "credential": credential}
        )

    def verify_nobody(self) -> None:
        """From now on it does not verify its user."""
        self.session.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": False}
        )
