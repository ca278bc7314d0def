"""Ways to what only an answered form shows, for `tools.screenshots`: one function for a picture.

Each begins signed in as somebody of the living demo, in the order of `STEPS`: what one of them did
stands when the next one looks.
"""

from __future__ import annotations

import email
import email.policy
import re
import time
from base64 import b32decode
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Page

from simdes import app
from simdes.access.one_time_codes import code_at
from simdes.demo.living import passphrase_of
from simdes.demo.people import NUMBER
from simdes.exchange import clients, emergencies, enrolment, recovering
from simdes.exchange.clients import Kind
from simdes.exchange.signin import sign_in
from simdes.exchange.submit import submit
from simdes.mapper import map_bytes

_CALLBACK: Final = "https://app.example/callback"
_WAIT_SECONDS: Final = 60


def _preview(page: Page, _: Path) -> None:
    page.goto("/sharing/new")
    south = page.locator("#organisation option", has_text="Clinic South")
    page.locator("#organisation").select_option(south.get_attribute("value"))
    page.locator("#role").select_option("doctor")
    for one in ("observations", "allergies"):
        page.locator(f"#category-{one}").check()
    page.locator("button[value=preview]").click()


def _moving(page: Page, _: Path) -> None:
    page.goto("/account/wallet")
    page.locator("#address").fill(f"0x{'5a' * 20}")
    page.locator("form:has(#address) button[type=submit]").click()


def patient_of(page: Page) -> str:
    """The address of the demo's patient's record, for staff."""
    page.goto("/patients")
    page.locator("#text").fill("Okafor")
    page.locator("form[action='/patients'] button").click()
    return str(page.locator("main a[href*='/patients/record?']").first.get_attribute("href"))


def _visit(page: Page, _: Path) -> None:
    page.goto(patient_of(page).replace("/record?", "/visit?"))
    page.locator("#reason").fill("Palpitations")
    page.locator("#pulse").fill("190")
    page.locator("main form > .choices button").click()


def _checks(page: Page, _: Path) -> None:
    page.goto(patient_of(page).replace("/record?", "/prescribe?"))
    page.locator("#medicine").fill("Amoxicillin 250 mg capsule")
    page.locator("#dosage").fill("1 capsule three times a day")
    page.locator("#amount").fill("30")
    page.locator("#unit").select_option("capsule")
    page.locator(".choices button[value=check]").click()


def _found(page: Page, _: Path) -> None:
    patient_of(page)


def _counter(page: Page, _: Path) -> None:
    page.goto("/counter")
    page.locator("main form[action='/counter/open'] button").last.click()


def _decision(page: Page, _: Path) -> None:
    page.goto("/inbox")
    page.locator("main a[href*='/inbox/claim?']").first.click()
    page.locator("button[value=preview]").click()


def _dispensed(page: Page, data: Path) -> None:
    _counter(page, data)
    page.locator("form[action='/counter/dispense'] button").click()
    page.wait_for_url(re.compile("/counter/dispensed"))


def _decided(page: Page, data: Path) -> None:
    _decision(page, data)
    page.locator("button[value=decide]").click()
    page.wait_for_url(re.compile("done="))


def _billed(page: Page, _: Path) -> None:
    page.goto("/billing?only=all")
    page.locator("main h2 a").first.click()


def _appeal(page: Page, _: Path) -> None:
    until = time.monotonic() + _WAIT_SECONDS
    link = page.locator("main a[href*='/claims/appeal']")
    while not link.count() and time.monotonic() < until:
        page.goto("/claims")
        for one in page.locator("main h2 a[href*='/claims/claim']").all():
            page.goto(str(one.get_attribute("href")))
            if link.count():
                break
            page.go_back()
    link.click()


def _judged(page: Page, _: Path) -> None:
    page.goto("/billing")
    page.locator("main h2 a").first.click()
    page.locator("form[action='/billing/accept']").wait_for()


def _accepted(page: Page, data: Path) -> None:
    _judged(page, data)
    page.locator("form[action='/billing/accept'] button").click()
    page.wait_for_url(re.compile("done="))


def _paid(page: Page, _: Path) -> None:
    page.goto("/inbox?only=decided")
    page.locator("main h2 a").first.click()
    page.locator("form[action='/inbox/settle'] button").click()
    page.wait_for_url(re.compile("done="))
    page.locator("details:has(form[action='/inbox/reverse']) summary").click()


def _reversed(page: Page, _: Path) -> None:
    page.goto("/inbox?only=all")
    page.locator("main h2 a").first.click()
    page.locator("details:has(form[action='/inbox/reverse']) summary").click()
    page.locator("form[action='/inbox/reverse'] button").click()
    page.wait_for_url(re.compile("done="))


def _again(page: Page, _: Path) -> None:
    page.goto("/billing?only=ended")
    page.locator("main h2 a").first.click()
    page.locator("form[action='/billing/again']").wait_for()


def _codes(page: Page, _: Path) -> None:
    page.goto("/account")
    page.locator("form[action='/account/codes/begin'] button").click()


def _second(page: Page, data: Path) -> None:
    _codes(page, data)
    secret = b32decode(str(page.locator("ol code").text_content()).replace(" ", ""))
    page.locator("#code").fill(code_at(secret, int(time.time())))
    page.locator("form[action='/account/codes'] button").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/sign-in")
    page.locator("#user").fill("nurse.kim")
    page.locator("#passphrase").fill(passphrase_of("nurse.kim"))
    page.locator("form[action='/sign-in'] button").click()
    page.wait_for_url(re.compile("/sign-in/second"))


def _mail_code(page: Page, _: Path) -> None:
    page.goto("/account/mail/new")
    page.locator("#given").fill("rosa@mail.example")
    page.locator("main form button").click()
    page.wait_for_url(re.compile("/account/mail/code"))


def _mail_stop(page: Page, data: Path) -> None:
    """The first mail has the code; the next one, which tells of an emergency, the link."""
    page.goto("/account/mail/code")
    page.locator("#code").fill(_in_mails(data, r"\b(\d{4} ?\d{4})\b"))
    page.locator("main form button").first.click()
    page.wait_for_url(re.compile("done="))
    with app.opened(data / "north") as north:
        emergencies.open_(
            north.node,
            sign_in(north.node, "dr.adams", passphrase_of("dr.adams")),
            vault=enrolment.find_vault(north.node, [NUMBER]),
            reason="unconscious",
            name="Dr Ann Adams",
        )
    page.goto(_in_mails(data, r"(/mail/stop\?\S+)"))


def _in_mails(data: Path, pattern: str) -> str:
    """What stands in the newest mail that has it, once one has."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        for path in sorted((data / "north/mails").glob("*.eml"), reverse=True):
            read = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            text = read.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            if found := re.search(pattern, text):
                return found.group(1)
        time.sleep(0.2)
    raise TimeoutError(f"No mail has {pattern}.")


def _merges(page: Page, data: Path) -> None:
    """The hospital's reception gave the patient a second number, and found out."""
    system, number = NUMBER
    head = r"MSH|^~\&|REG|NORTH|||20260101120000||{event}|{event}|P|2.5.1"
    first, second = (f"{one}^^^&{system}&URI^MR" for one in (number, "DEMO-2044"))
    person = "||Okafor^Rosa||19741130|F"
    admitted = (head.format(event="ADT^A01"), f"PID|1||{second}{person}", "PV1|1|O")
    merged = (head.format(event="ADT^A40"), f"PID|1||{first}{person}", f"MRG|{second}")
    with app.opened(data / "north") as north:
        for name, lines in (("admitted", admitted), ("merged", merged)):
            mapped = map_bytes(f"{name}.hl7", "\r".join(lines).encode(), site=north.node.site)
            submit(north.node, mapped)
    page.goto("/merges")
    page.locator("main a[href*='/merges/answer']").wait_for()


def _merge(page: Page, _: Path) -> None:
    page.goto("/merges")
    page.locator("main a[href*='/merges/answer']").click()
    page.wait_for_url(re.compile("/merges/answer"))


def _recovered(page: Page, data: Path) -> None:
    with app.opened(data / "north") as north:
        code = recovering.begin(north.node, "rosa", "words that are new", address="192.0.2.1").code
    page.goto("/people?only=patients")
    page.locator("main a[href*='/people/recover?of=']").first.click()
    page.locator("#code").fill(code)
    page.locator("#checked").fill("Passport, seen in person")
    page.locator("main form .choices button").click()
    page.locator(".number").wait_for()


def _authorize(page: Page, data: Path) -> None:
    with app.opened(data / "north") as north:
        made = clients.register(
            north.node,
            None,
            name="Growth chart",
            kind=Kind.PUBLIC,
            scope="openid fhirUser offline_access patient/*.rs",
            redirect_uris=[_CALLBACK],
        )
        audience = north.node.issuer.audience
    asked = {
        "response_type": "code",
        "client_id": made.client.id,
        "redirect_uri": _CALLBACK,
        "scope": "openid fhirUser offline_access patient/Observation.rs patient/Immunization.rs",
        "state": "a state of the app",
        "aud": audience,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",  # RFC 7636, appendix B
        "code_challenge_method": "S256",
    }
    page.goto(f"/auth/authorize?{urlencode(asked)}")
    page.wait_for_url(lambda url: urlsplit(url).path == "/authorize")


STEPS: Final[tuple[tuple[str, str, str, Callable[[Page, Path], None]], ...]] = (
    ("patient", "patient-sharing-preview", "wide", _preview),
    ("patient", "patient-sharing-preview-fr-dark-phone", "phone", _preview),
    ("patient", "patient-account-wallet-sign", "wide", _moving),
    ("doctor", "doctor-patients-found", "wide", _found),
    ("doctor", "doctor-visit-unusual", "wide", _visit),
    ("doctor", "doctor-prescribe-checks-fr-dark-phone", "phone", _checks),
    ("pharmacist", "pharmacist-counter-open", "wide", _counter),
    ("insurer", "insurer-decision", "wide", _decision),
    ("insurer", "insurer-decided", "wide", _decided),
    ("doctor", "doctor-billing-claim", "wide", _billed),
    ("patient", "patient-claims-appeal", "wide", _appeal),
    ("doctor", "doctor-billing-decided", "wide", _judged),
    ("doctor", "doctor-billing-accepted", "wide", _accepted),
    ("insurer", "insurer-paid", "wide", _paid),
    ("insurer", "insurer-reversed", "wide", _reversed),
    ("doctor", "doctor-billing-again", "wide", _again),
    ("pharmacist", "pharmacist-counter-dispensed", "wide", _dispensed),
    ("nurse", "nurse-account-codes", "wide", _codes),
    ("nurse", "nurse-sign-in-second", "wide", _second),
    ("patient", "patient-authorize", "wide", _authorize),
    ("patient", "patient-merges", "wide", _merges),
    ("patient", "patient-merges-answer", "wide", _merge),
    ("patient", "patient-merges-answer-fr-dark-phone", "phone", _merge),
    ("patient", "patient-account-mail-code", "wide", _mail_code),
    ("patient", "patient-mail-stop", "wide", _mail_stop),
    ("administrator", "administrator-people-recover-done", "wide", _recovered),
)
"""Role, name, how it is looked at, and the way there."""
