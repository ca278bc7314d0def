"""Ways to what a patient's own wallet signs, for `tools.screenshots`: one function for a picture.

Each begins signed in as the demo's patient and goes on as another one, whose record a wallet took
that only this program has: at the hospital, with a prescription, a claim and a second number.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Locator, Page

from simdes import app, typed_numbers
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR, Opened
from simdes.crypto.keys import SigningKey
from simdes.demo import desks, people
from simdes.demo.living import passphrase_of
from simdes.exchange import enrolment, rights, wallet_sign_ins, wallets
from simdes.exchange.credentials import Client
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.writing import apply
from simdes.exchange.signin import Session, sign_in
from simdes.exchange.submit import submit
from simdes.mapper import map_bytes

SYSTEM: Final = people.NUMBER[0]
NUMBERS: Final = ("DEMO-3001", "DEMO-3002")
USER: Final = "wanda"
_FRIENDS: Final = {"rosa": "Rosa, my sister", "dr.adams": "Ann", "nurse.kim": "Kim next door"}
_KEY: Final = SigningKey.generate(secrets.token_bytes)
_WAIT_SECONDS: Final = 90


def _as(one: Opened, user: str) -> Session:
    return sign_in(one.node, user, passphrase_of(user))


def _write(north: Opened, resource: dict[str, Any]) -> str:
    asking = rights.ask(north.node, _as(north, "dr.adams"))
    change = Change(method=Method.CREATE, type=resource["resourceType"], resource=resource)
    [made] = apply(north.node, asking, [change], base=f"{north.node.issuer.name}/fhir")
    return "" if made.found is None else made.found.name


def _hl7(north: Opened, name: str, *lines: str) -> None:
    head = f"MSH|^~\\&|REG|NORTH|||20260101120000||{lines[0]}|{name}|P|2.5.1"
    text = "\r".join((head, *lines[1:]))
    submit(north.node, map_bytes(f"{name}.hl7", text.encode(), site=north.node.site))


@cache
def _taken(data: Path) -> bytes:
    """Write a patient's record and let the wallet take it; the number of her account."""
    with app.opened(data / "north") as north, app.opened(data / "east") as east:
        known = {"identifier": [{"system": SYSTEM, "value": NUMBERS[0]}]}
        named = {"name": [{"family": "Moss", "given": ["Wanda"]}], "birthDate": "1961-04-02"}
        reference = _write(north, people.patient() | known | named)
        _write(north, people.order(reference))
        _write(north, desks.covered(reference, east))
        day = datetime.fromtimestamp(north.node.now_seconds(), UTC).date().isoformat()
        visit = _write(north, desks.visit(reference, _write(north, desks.problem(reference)), day))
        _write(north, desks.charge(reference, visit, "99213"))
        vault = enrolment.find_vault(north.node, [(SYSTEM, NUMBERS[0])])
        until = time.monotonic() + _WAIT_SECONDS
        while north.node.contracts.accounts.vault(vault) is None and time.monotonic() < until:
            time.sleep(0.2)
        request = wallets.enrol(
            north.node,
            _as(north, ADMINISTRATOR),
            _KEY.address,
            vault=vault,
            user=USER,
            display="Wanda Moss",
        )
        wallets.send(north.node, request, _KEY.sign(request.data.digest))
    return vault


def _enter(page: Page, data: Path) -> bytes:
    """Sign in by the wallet, in the place of who is signed in; the number of the record."""
    vault = _taken(data)
    with app.opened(data / "north") as north:
        asking = wallet_sign_ins.prepare(north.node, _KEY.address, binding="a browser")
        admitted = wallet_sign_ins.sign_in(
            north.node,
            asking.held,
            _KEY.sign(asking.data.digest),
            binding="a browser",
            client=Client("127.0.0.1", "a browser"),
        )
    page.context.clear_cookies()
    cookie = {"name": "simdes-session", "value": admitted.cookie, "url": page.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    page.add_init_script("window.ethereum = { request: async () => [] }")
    return vault


def _once_there(page: Page, address: str, selector: str) -> Locator:
    """What stands on a page as soon as the workers have brought it there."""
    until = time.monotonic() + _WAIT_SECONDS
    found = page.locator(selector)
    page.goto(address)
    while not found.count() and time.monotonic() < until:
        time.sleep(0.5)
        page.reload()
    return found.first


def _asked(page: Page) -> None:
    page.locator("[name=signature]").wait_for()


def _request(page: Page, data: Path) -> None:
    vault = _enter(page, data)
    with app.opened(data / "north") as north, app.opened(data / "south") as south:
        request = wallets.grant(
            north.node,
            vault=vault,
            grantee=Grantee.role_in(south.node.organisation, "doctor"),
            categories=["observations", "allergies"],
            purposes=["TREAT"],
            valid_seconds=30 * 86_400,
        )
    page.goto("/wallet")
    page.locator("#request").fill(wallets.written(request))
    page.locator("form:has(#request) button").click()
    _asked(page)
    page.locator("main summary").click()


def _account(page: Page, data: Path) -> None:
    _enter(page, data)
    page.goto("/account")


def _guardians(page: Page, data: Path) -> None:
    _enter(page, data)
    with app.opened(data / "north") as north:
        friends = {one: _as(north, one).actor.account for one in ("rosa", "dr.adams", "nurse.kim")}
    page.goto("/guardians/new")
    for at, (user, account) in enumerate(friends.items(), start=1):
        page.locator(f"#label-{at}").fill(_FRIENDS[user])
        page.locator(f"#number-{at}").fill(" ".join(typed_numbers.printed(account)))
    page.locator("#needed").select_option("2")
    page.locator("form[action='/guardians/new'] button[type=submit]").click()
    _asked(page)


def _prescription(page: Page, data: Path) -> None:
    _enter(page, data)
    _once_there(page, "/prescriptions", "main a[href*='/prescriptions/submit']").click()
    page.locator("input[name=pharmacy]").first.check()
    page.locator("main form .choices button").click()
    _asked(page)


def _claim(page: Page, data: Path) -> None:
    _enter(page, data)
    _once_there(page, "/claims", "main a[href*='/claims/disclose']").click()
    page.locator("main form .choices button").click()
    _asked(page)


def _area(page: Page, data: Path) -> None:
    _enter(page, data)
    page.goto("/research/prefer")
    page.locator("#sponsor").select_option(index=1)
    page.locator("#area").fill("asthma")
    page.locator("#category-conditions").check()
    page.locator("main form .choices button").click()
    _asked(page)


def _merge(page: Page, data: Path) -> None:
    _taken(data)
    with app.opened(data / "north") as north:
        first, second = (f"{one}^^^&{SYSTEM}&URI^MR" for one in NUMBERS)
        person = "||Moss^Wanda||19610402|F"
        _hl7(north, "again", "ADT^A01", f"PID|1||{second}{person}", "PV1|1|O")
        _hl7(north, "joined", "ADT^A40", f"PID|1||{first}{person}", f"MRG|{second}")
    _enter(page, data)
    _once_there(page, "/merges", "main a[href*='/merges/answer']").click()
    page.locator("#understood").check()
    page.locator("button[value=accept]").click()
    _asked(page)


def _erasure(page: Page, data: Path) -> None:
    _enter(page, data)
    page.goto("/erasure")
    page.locator("input[name=word]").fill("ERASE")
    page.locator("form[action='/erasure'] button").click()
    _asked(page)


SIGNED: Final[tuple[tuple[str, str, str, Callable[[Page, Path], None]], ...]] = (
    ("patient", "wallet-request", "wide", _request),
    ("patient", "patient-by-wallet-account", "wide", _account),
    ("patient", "patient-by-wallet-guardians", "wide", _guardians),
    ("patient", "patient-by-wallet-prescription", "wide", _prescription),
    ("patient", "patient-by-wallet-claim", "wide", _claim),
    ("patient", "patient-by-wallet-research", "wide", _area),
    ("patient", "patient-by-wallet-merge", "wide", _merge),
    ("patient", "patient-by-wallet-erasure", "wide", _erasure),
)
"""Role, name, how it is looked at, and the way there."""
