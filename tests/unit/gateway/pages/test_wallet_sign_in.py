"""A patient whose key a wallet keeps, on the pages: signs in, reads, and is told what takes it."""

from __future__ import annotations

import html
import json
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import pytest

from adapters.ethereum import Account
from simdes.access.audit_event import Verb
from simdes.access.keystore import Person
from simdes.crypto.keys import SigningKey
from simdes.exchange import credentials, own_copies, wallet_sign_ins
from simdes.exchange.credentials import Client
from simdes.gateway.pages import wallet_sign_in
from simdes.gateway.pages.places import PLACES
from simdes.index.vaults import Identifier, find
from support import wallet_owner
from support.elsewhere import write_at
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import SYSTEM, concept, history, measured
from support.trail import Watched
from unit.gateway.pages.conftest import Place

PATH = wallet_sign_in.PATH
_TAKES = "This takes more than your wallet can sign here yet."


@dataclass(slots=True)
class Owner:
    """A patient with a wallet, and a browser that they sign in with."""

    place: Place
    patient: str
    vault: bytes
    wallet: SigningKey

    @property
    def person(self) -> Person:
        return self.place.north.node.desk.keystore.person("wilma")

    @property
    def address(self) -> str:
        return f"0x{self.wallet.address.hex()}"

    def signature(self, page: httpx.Response, key: SigningKey | None = None) -> dict[str, str]:
        """The fields of the second form, signed over the document that the page hands over."""
        document = json.loads(html.unescape(found(page, r'data-wallet="([^"]+)"')))
        made = Account.sign_typed_data((key or self.wallet).to_bytes(), full_message=document)
        held = found(page, r'name="held" value="([^"]+)"')
        return {"held": held, "signature": f"0x{made.signature.hex()}"}

    def enter(self, visitor: Visitor, **fields: str) -> httpx.Response:
        """Both forms, as somebody without JavaScript sends them."""
        page = visitor.post(PATH, {"address": self.address} | fields)
        assert page.status_code == 200, page.text
        return visitor.post(PATH, self.signature(page) | fields)


def found(page: httpx.Response, pattern: str) -> str:
    match = re.search(pattern, page.text)
    assert match, page.text
    return match.group(1)


@pytest.fixture(scope="module")
def owner(founded_pages: Place) -> Owner:
    """Wilma, with a record at north and an Observation that south's feed wrote."""
    network, north = founded_pages.network, founded_pages.north.node
    doctor = Api.of(founded_pages.north, "dr.north", app=founded_pages.app)
    patient = doctor.create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": SYSTEM, "value": "wallet-1"}],
            "name": [{"family": "Okafor", "given": ["Wilma"]}],
            "gender": "female",
            "birthDate": "1974-11-30",
        }
    )
    for one in history(patient["id"]):
        doctor.create(one)
    network.settle()
    with north.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, "wallet-1"))
    assert vault is not None
    wallet = SigningKey.generate(secrets.token_bytes)
    wallet_owner.enrol(network, vault, wallet, user="wilma", display="Wilma Okafor")
    network.settle()
    seen = measured(patient["id"], "2025-10-01", 4.2)
    seen["code"] = concept("http://loinc.org", "8867-4", "Pulse at the clinic")
    write_at(network, "south", vault, seen)
    return Owner(founded_pages, patient["id"], vault, wallet)


@pytest.fixture
def browser(place: Place, owner: Owner) -> Visitor:
    """Wilma's browser, signed in: not by forms, of which a minute has few."""
    node, visitor = place.north.node, place.visitor()
    asking = wallet_sign_ins.prepare(node, owner.wallet.address, binding="")
    signature = owner.wallet.sign(asking.data.digest)
    client = Client("127.0.0.1", "a browser")
    admitted = wallet_sign_ins.sign_in(node, asking.held, signature, binding="", client=client)
    visitor.plant("session", admitted.cookie)
    return visitor


def test_two_forms_sign_a_wallets_owner_in_and_the_trail_says_so(
    place: Place, owner: Owner, visitor: Visitor
) -> None:
    watched = Watched(place.north.node)
    shown = visitor.get("/sign-in").text
    assert f'href="{PATH}"' in shown
    page = visitor.post(PATH, {"address": owner.address})
    assert place.north.node.name in page.text and "ReadPass" in page.text
    answer = visitor.post(PATH, owner.signature(page) | {"next": "/record?part=all"})
    assert answer.headers["location"] == "/record?part=all"
    home = visitor.get("/home")
    assert home.status_code == 200 and "Hello, Wilma Okafor" in home.text
    assert "Signed in with your wallet, to read, until" in home.text
    entered = [one.attempt for one in watched.entries()]
    last = [one for one in entered if one.account == owner.person.account][-1]
    assert (last.verb, last.reason, last.address) == (Verb.SIGN_IN, "", owner.wallet.address)
    assert visitor.post("/sign-out", {}).headers["location"].startswith("/sign-in")
    assert visitor.get("/record").headers["location"].startswith("/sign-in?")


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("0x12", 400, "That is no address of a wallet."),
        ("<script>", 400, "That is no address of a wallet."),
        ("0x" + "ab" * 20, 404, "No patient of this organisation has this wallet."),
        ("0x" + "00" * 20, 404, "No patient of this organisation has this wallet."),
    ],
)
def test_an_address_that_is_nobodys_is_said_so(
    visitor: Visitor, address: str, status: int, said: str
) -> None:
    answer = visitor.post(PATH, {"address": address})
    assert answer.status_code == status
    assert said in answer.text and "<script>" not in answer.text.replace("<script src", "")


def test_a_wrong_signature_another_browsers_and_one_that_was_used_sign_nobody_in(
    place: Place, owner: Owner, visitor: Visitor
) -> None:
    page = visitor.post(PATH, {"address": owner.address})
    stranger = owner.signature(page, SigningKey.generate(secrets.token_bytes))
    refused = visitor.post(PATH, stranger)
    assert refused.status_code == 401 and "not a signature of that wallet" in refused.text
    assert visitor.post(PATH, stranger | {"signature": "0x12"}).status_code == 400
    right = owner.signature(refused)
    other = place.visitor().post(PATH, right)
    assert other.status_code == 401 and "too old" in other.text
    assert visitor.post(PATH, right).headers["location"] == "/home"
    visitor.post("/sign-out", {})
    assert visitor.post(PATH, right).status_code == 401


def test_without_a_form_of_ours_nothing_happens(owner: Owner, visitor: Visitor) -> None:
    answer = visitor.post(PATH, {"address": owner.address}, token="another")
    assert answer.status_code == 403
    from_elsewhere = visitor.post(PATH, {"address": owner.address}, Origin="https://evil.example")
    assert from_elsewhere.status_code == 403


def test_an_address_has_so_many_forms_a_minute(visitor: Visitor) -> None:
    token = visitor.token()

    def status() -> int:
        headers = {"X-Forwarded-For": "192.0.2.8"}
        return visitor.post(PATH, {"address": ""}, token=token, **headers).status_code

    # Twice as many as a minute has, and one: a minute may end between them.
    said = [status() for _ in range(2 * wallet_sign_in.PER_MINUTE + 1)]
    assert said[: wallet_sign_in.PER_MINUTE] == [400] * wallet_sign_in.PER_MINUTE and 429 in said


def test_a_passphrase_signs_nobody_in_whose_key_a_wallet_keeps(
    owner: Owner, visitor: Visitor
) -> None:
    for passphrase in ("", "a whole passphrase"):
        answer = visitor.sign_in("wilma", passphrase or " ")
        assert answer.status_code == 401 and "User name or passphrase is wrong." in answer.text


READ = {
    "/home", "/record", "/sharing", "/corrections", "/log", "/prescriptions",
    "/guardians", "/research", "/claims", "/links", "/download", "/own-copy",
    "/account", "/account/mail", "/account/mail/new", "/merges", "/wards", "/whose", "/wallet",
}  # fmt: skip
"""What a wallet's session reads; each answers with its page."""


@pytest.mark.parametrize("path", sorted(READ))
def test_what_reads_is_there_for_a_wallets_session(browser: Visitor, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    assert _TAKES not in answer.text


SIGNED = sorted({(one.path, one.method) for one in PLACES if one.signs})


@pytest.mark.parametrize(("path", "method"), SIGNED)
def test_what_takes_a_key_says_so_before_a_form_is_filled_in(
    browser: Visitor, path: str, method: str
) -> None:
    answer = browser.get(path) if method == "GET" else browser.post(path, {})
    assert answer.status_code == 403
    assert _TAKES in answer.text and '<form method="post" action="/sharing' not in answer.text
    assert "<h1>A wallet can’t do this here yet</h1>" in answer.text


@pytest.mark.parametrize("path", sorted({path for path, method in SIGNED if method == "GET"}))
def test_it_says_so_before_a_fresh_proof_is_asked_for_too(
    place: Place, browser: Visitor, path: str
) -> None:
    place.clock.ahead_seconds += credentials.RECENT_SECONDS + 1
    assert _TAKES in browser.get(path).text


def test_the_record_its_files_and_its_log_with_proofs(owner: Owner, browser: Visitor) -> None:
    record = browser.get("/record").text
    assert "Penicillin" in record and "Potassium" in record
    papers = browser.get("/record?part=documents").text
    file = html.unescape(
        found(browser.get("/record?part=documents"), r'href="(/record/file[^"]+)"')
    )
    assert "Letter" in papers
    assert browser.get(file).content == b"Dear colleague, all is well."
    log = browser.get("/log")
    proof = browser.get(html.unescape(found(log, r'href="(/log/proof[^"]+)"')))
    assert proof.status_code == 200 and proof.json()
    everything = browser.get("/download/everything")
    assert everything.json()["resourceType"] == "Bundle"
    assert browser.get("/download/summary").json()["resourceType"] == "Bundle"


def test_what_another_organisation_wrote_is_opened_by_the_pass_at_its_custodians(
    place: Place, owner: Owner, browser: Visitor
) -> None:
    page = browser.get("/record?part=all").text
    assert "Pulse at the clinic" in page and "Clinic South" in page
    for name in ("north", "south"):
        node = place.network[name].node
        asked = [
            one.attempt
            for _, one in node.desk.trail.entries(node.database, vault=owner.vault)
            if one.attempt.account == owner.person.account
        ]
        verbs = {(one.verb, one.reason, one.address) for one in asked}
        assert (Verb.RELEASE, "", owner.wallet.address) in verbs
        assert {one.reason for one in asked} == {""}
    assert "Pulse at the clinic" in browser.get("/download/everything").text


def test_the_account_page_tells_of_the_wallet_and_of_no_passphrase(
    owner: Owner, browser: Visitor
) -> None:
    text = browser.get("/account").text
    assert owner.address in text and "in a wallet of your own" in text
    for gone in ("/account/passphrase", "/account/passkeys/new", "/account/codes/begin"):
        assert gone not in text
    assert "Where you are signed in" in text


def test_a_copy_is_sealed_a_correction_asked_for_and_no_link_outlives_the_session(
    browser: Visitor,
) -> None:
    key = own_copies.new_key("words of my own key")
    copy = browser.post("/own-copy", {"key": key.public, "understood": "yes"})
    assert b"Penicillin" in own_copies.opened(copy.content, key.file, "words of my own key")
    page = browser.get("/record?part=all")
    about = html.unescape(found(page, r'href="/corrections/new\?about=(AllergyIntolerance/[^"]+)"'))
    sent = browser.post("/corrections/new", {"about": about, "text": "It was another medicine"})
    assert sent.status_code == 303
    assert "It was another medicine" in browser.get("/corrections").text
    refused = browser.post("/links/new", {"label": "For the road", "days": "7"})
    assert refused.status_code == 403 and "For the road" not in browser.get("/links").text


def test_a_wallets_owner_is_told_not_to_become_a_guardian(owner: Owner, browser: Visitor) -> None:
    text = browser.get("/wards").text
    assert f"0x{owner.person.account.hex()}" not in text
    assert "let yourself be appointed" in text


def test_a_fresh_proof_is_asked_of_the_wallet(place: Place, owner: Owner, browser: Visitor) -> None:
    place.clock.ahead_seconds += credentials.RECENT_SECONDS + 1
    asked = browser.get("/own-copy").headers["location"]
    assert asked.startswith("/sign-in/confirm?")
    moved = browser.get(asked).headers["location"]
    assert moved == f"{PATH}?{urlencode({'next': '/own-copy'})}"
    page = browser.get(moved)
    assert "fresh proof" in page.text and "passphrase" not in page.text.lower()
    before = browser.cookie("session")
    answer = browser.post(PATH, owner.signature(page) | {"next": "/own-copy"})
    assert answer.headers["location"] == "/own-copy"
    assert browser.cookie("session") != before
    assert browser.get("/own-copy").status_code == 200


def test_who_is_signed_in_by_a_passphrase_has_nothing_to_sign_here(place: Place) -> None:
    person, visitor = place.person(), place.visitor()
    visitor.sign_in(person.user)
    assert visitor.get(PATH).headers["location"] == "/home"
    assert visitor.post(PATH, {"address": "0x" + "ab" * 20}).headers["location"] == "/home"
