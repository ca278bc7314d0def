"""A patient's own key and copy in a real browser: made, locked and opened there, sent nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from browser.conftest import PHONE, Looking, Place, Watched, tab
from browser.steps import enter
from simdes.exchange import own_copies
from simdes.gateway.pages.static_files import files
from support.fhir_api import Api
from support.portal import Enrolled, enrolled, history
from unit.crypto.test_vectors import read

WORDS = "words of my own key"
HPKE = Path(__file__).parents[1] / "vectors/hpke-mlkem768-x25519.json"
PUBLISHED = """async (vector) => {
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (one) => parseInt(one, 16));
  const suite = new hpke.CipherSuite({
    kem: new hpke.XWing(), kdf: new hpke.HkdfSha256(), aead: new hpke.Chacha20Poly1305(),
  });
  const { privateKey, publicKey } = await suite.kem.generateKeyPairDerand(bytes(vector.skRm));
  const made = new Uint8Array(await suite.kem.serializePublicKey(publicKey));
  const context = await suite.createRecipientContext({
    recipientKey: privateKey, enc: bytes(vector.enc), info: bytes(vector.info),
  });
  const opened = [];
  for (const one of vector.encryptions) {
    const plain = new Uint8Array(await context.open(bytes(one.ct), bytes(one.aad)));
    opened.push(plain.every((byte, at) => byte === bytes(one.pt)[at]));
  }
  return { same: made.every((byte, at) => byte === bytes(vector.pkRm)[at]), opened };
}"""


@pytest.fixture(scope="module")
def rosa(place: Place) -> Enrolled:
    """A patient with a few years of history."""
    # Playwright's event loop may run in this thread already, and a client of FHIR starts one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_rosa, place).result()


def _rosa(place: Place) -> Enrolled:
    doctor = Api.of(place.north, "dr.north")
    who = enrolled(place.network, doctor, "browser-own-copy", user="rosa.own")
    for one in history(who.patient["id"]):
        doctor.create(one)
    place.network.settle()
    return who


@pytest.fixture
def asked(page: Page) -> Iterator[list[str]]:
    """What a tab asks of anybody, and what it sends."""
    seen: list[str] = []

    def note(one: Request) -> None:
        if "/static/icon." not in one.url:  # a tab's picture comes whenever the browser likes
            seen.append(f"{one.method} {one.url} {one.post_data or ''}")

    page.on("request", note)
    yield seen


def save(page: Page, name: str, folder: Path) -> Path:
    """Press a button and keep what it gives."""
    with page.expect_download() as given:
        page.get_by_role("button", name=name).click()
    path = folder / given.value.suggested_filename
    given.value.save_as(path)
    return path


def open_copy(page: Page, copy: Path, key: Path, words: str) -> None:
    """Fill the page in and press its button."""
    page.locator("#copy").set_input_files(copy)
    page.locator("#key").set_input_files(key)
    page.locator("#passphrase").fill(words)
    page.get_by_role("button", name="Open it").click()


def test_a_copy_is_sealed_to_a_key_made_here_and_opened_here(
    page: Page, place: Place, rosa: Enrolled, asked: list[str], tmp_path: Path
) -> None:
    enter(page, rosa.user)
    page.goto("/download")
    page.get_by_role("button", name="Make such a copy").click()
    page.locator("#new-passphrase").fill(WORDS)
    page.locator("#new-again").fill(WORDS)
    key = save(page, "Make the key and save it", tmp_path)
    expect(page.locator("[data-own-key] [role=status]")).to_contain_text("my-key.json")
    page.locator("#understood").check()
    copy = save(page, "Get the sealed copy", tmp_path)
    record = own_copies.opened(copy.read_bytes(), key.read_bytes(), WORDS)
    assert b"Penicillin" in record, "Python opens what the browser's key seals"

    page.get_by_role("button", name="Open a copy that you have").click()
    before = len(asked)
    open_copy(page, copy, key, WORDS)
    expect(page.get_by_role("heading", name="Allergies")).to_be_visible()
    expect(page.get_by_text("Penicillin")).to_be_visible()
    assert asked[before:] == [], "what is opened here goes nowhere"
    clear = save(page, "Save it unsealed", tmp_path)
    assert clear.read_bytes() == record
    seed = json.loads(key.read_text())["locked"]
    assert not [one for one in asked if WORDS in one or seed in one]
    assert not [one for one in asked if not one.split()[1].startswith((place.url, "blob:"))]


def test_a_key_of_the_command_is_used_and_a_later_copy_is_for_the_same_key(
    page: Page, rosa: Enrolled, tmp_path: Path
) -> None:
    made = own_copies.new_key(WORDS)
    key = tmp_path / "key.json"
    key.write_bytes(made.file)
    enter(page, rosa.user)
    page.goto("/own-copy")
    page.locator("#file").set_input_files(key)
    page.locator("#passphrase").fill("other words")
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("alert").filter(has_text="does not open this key")).to_be_visible()
    page.locator("#passphrase").fill(WORDS)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#key")).to_have_value(made.public)


def test_what_does_not_open_is_said_and_nothing_is_shown(page: Page, tmp_path: Path) -> None:
    vector = read("own-copy")
    copy, key, other = tmp_path / "copy", tmp_path / "key", tmp_path / "other"
    key.write_text(vector["key"])
    other.write_bytes(own_copies.new_key(WORDS).file)
    page.goto("/own-copy/open")
    shown = page.locator("[data-own-shown]")

    def refused(said: str, key: Path = key, words: str = vector["passphrase"]) -> None:
        open_copy(page, copy, key, words)
        expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()
        expect(shown).to_be_hidden()

    for why, content in vector["refused"]["copy"].items():
        copy.write_bytes(content)
        refused("no sealed copy" if why in ("version 2", "suite 2", "not padded") else "not open")
    copy.write_bytes(vector["copy"])
    refused("not open", other, WORDS)
    refused("The passphrase does not open this key", words="other words")
    for why, content in vector["refused"]["key"].items():
        key.write_text(content)
        refused("does not open this key" if why == "a flipped bit" else "no key’s file")
    key.write_text(vector["key"])
    open_copy(page, copy, key, vector["passphrase"])
    expect(shown).to_be_visible()
    expect(page.get_by_text("4.00")).to_be_visible(), "as its author wrote it"


def test_a_hostile_record_is_only_text(page: Page, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    entry = {"resource": {"resourceType": "Condition", "code": {"text": hostile}, hostile: hostile}}
    named = [
        {"resource": {"resourceType": name, "status": name, "code": {"text": f"a {name}"}}}
        for name in ("constructor", "__proto__", "toString")
    ]
    made = own_copies.new_key(WORDS)
    key, copy = tmp_path / "key", tmp_path / "copy"
    key.write_bytes(made.file)
    document = {"resourceType": "Bundle", "entry": [entry, {}, {"resource": 7}, *named]}
    bundle = json.dumps(document).encode()
    from simdes.crypto import own_copy

    copy.write_bytes(own_copy.seal_copy(own_copy.read_public(made.public), bundle))
    page.goto("/own-copy/open")
    open_copy(page, copy, key, WORDS)
    expect(page.get_by_text(hostile)).to_be_visible()
    assert page.locator("main img").count() == 0
    main = page.locator("main")
    for one in named:
        expect(main).to_contain_text(one["resource"]["code"]["text"])  # type: ignore[index]
    expect(main).not_to_contain_text("native code")


def test_the_published_vector_of_the_suite_opens_in_the_library(page: Page) -> None:
    vector = json.loads(HPKE.read_text())["vector"]
    page.goto("/own-copy/open")
    page.evaluate(files()["hpke.js"].content.decode() + "; window.hpke = hpke; undefined")
    found = page.evaluate(PUBLISHED, vector)
    assert found["same"] and found["opened"] == [True] * len(vector["encryptions"])


def test_without_javascript_the_pages_tell_the_command(
    browser: Browser, place: Place, rosa: Enrolled, tmp_path: Path, watched: Watched
) -> None:
    context = browser.new_context(
        base_url=place.url, locale="fr-FR", viewport=PHONE, java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/own-copy/open")
    expect(page.locator("code").filter(has_text="simdes own-copy open")).to_be_visible()
    expect(page.locator("#copy")).to_be_hidden()
    enter(page, rosa.user)
    page.goto("/own-copy")
    expect(page.locator("code").filter(has_text="simdes own-copy key")).to_be_visible()
    made = own_copies.new_key(WORDS)
    page.locator("#key").fill(made.public)
    page.locator("#understood").check()
    with page.expect_download() as given:
        page.locator("form[action='/own-copy'] button").click()
    given.value.save_as(tmp_path / "copy")
    record = own_copies.opened((tmp_path / "copy").read_bytes(), made.file, WORDS)
    assert json.loads(record)["resourceType"] == "Bundle"
    context.close()


@pytest.mark.parametrize("language", ["en-GB", "fr-FR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible(
    browser: Browser,
    place: Place,
    rosa: Enrolled,
    look: Looking,
    watched: Watched,
    language: str,
    scheme: str,
    tmp_path: Path,
) -> None:
    page = tab(browser, place, watched, language, scheme)
    enter(page, rosa.user)
    mark = f"own-copy-{language}-{scheme}"
    page.goto("/own-copy")
    look(page, mark)
    page.goto("/own-copy/open")
    look(page, f"{mark}-open")
    vector, key, copy = read("own-copy"), tmp_path / "key", tmp_path / "copy"
    key.write_bytes(own_copies.new_key(WORDS).file)
    copy.write_bytes(_sealed(place, rosa, key.read_bytes()))
    page.locator("#copy").set_input_files(copy)
    page.locator("#key").set_input_files(key)
    page.locator("#passphrase").fill(WORDS)
    page.locator("form[data-own-open] button").click()
    expect(page.locator("[data-own-shown]")).to_be_visible()
    look(page, f"{mark}-opened")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"] and vector  # type: ignore[index]
    page.context.close()


def _sealed(place: Place, who: Enrolled, key: bytes) -> bytes:
    """A copy of a patient's record for a key's file."""
    from simdes.exchange import rights

    session = place.network.session("north", who.user)
    asking = rights.ask(place.north.node, session)
    public = own_copies.public_of(key, WORDS)
    return own_copies.sealed(place.north.node, asking, who.patient["id"], public)
