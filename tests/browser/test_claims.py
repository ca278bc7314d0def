"""A claim in a real browser, from the patient's phone to the insurer's desk; a study beside it."""

from __future__ import annotations

import re
import secrets
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import PHONE, WIDTH, Looking, Watched
from browser.providers import Wallet
from browser.steps import enter, press, reach
from simdes.claims.reasons import Group
from simdes.crypto.keys import SigningKey
from simdes.exchange.claims import fingerprint_keys, noticing, remitting
from simdes.exchange.claims.x12 import Interchange
from simdes.exchange.research import answering
from simdes.gateway.pages.study import releases
from simdes.index import fingerprints
from simdes.ledger.contracts import ClaimState
from support import consortium, researching, wallet_owner
from support.claim_scene import SYSTEM, Visit, declare
from support.claiming import unbalanced_835
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.insured import make_key
from support.researching import document
from support.served import serving

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Town:
    """Hospital and insurer at addresses of their own, and a patient with a claim."""

    network: Consortium
    visit: Visit
    north: str
    east: str
    south: str


def aside(work: Callable[[], T]) -> T:
    """Playwright's event loop may run in this thread already, and a client of FHIR starts one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(work).result()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A hospital that claims, an insurer that pays, a clinic that studies."""
    folder, clock = tmp_path_factory.mktemp("claims") / "network", Clock()
    consortium.found(folder, names=("north", "south", "east"))
    for name in ("north", "south", "east"):
        consortium.let_read(folder / name)
        settings = folder / name / "simdes.toml"
        settings.write_text(settings.read_text().replace("http://127.0.0.1:", "http://localhost:"))
    declare(folder)
    with (
        consortium.cheap_locks(),
        consortium.opened(folder, clock=clock) as network,
        serving(network["north"]) as north,
        serving(network["east"]) as east,
        serving(network["south"]) as south,
    ):
        yield Town(network, aside(lambda: _visit(network, clock)), north, east, south)


def _visit(network: Consortium, clock: Clock) -> Visit:
    made = Visit.of(network, clock, Api.of(network["north"], "dr.north"), "browser")
    made.enrol()
    made.work()
    made.work()
    return made


@pytest.fixture
def at(browser: Browser, watched: Watched) -> Callable[..., object]:
    """Opens a tab of a fresh profile at a gateway."""

    @contextmanager
    def opened(url: str, **options: object) -> Iterator[Page]:
        given = {"locale": "en-GB", "viewport": WIDTH} | options
        context = browser.new_context(base_url=url, **given)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        page = context.new_page()
        watched.listen(page)
        yield page
        context.close()

    return opened


def signalled(town: Town) -> None:
    """Have a batch of another insurer, for which the clinic stands, hold a line of the claim."""
    east, south = town.network["east"].node, town.network["south"].node
    key = make_key(town.network, custodians=("north", "south"), persons=[SYSTEM])
    fingerprint_keys.adopt(east, key.encode())
    [row] = town.visit.inbox()
    noticing.notice(east, town.visit.shown(row.claim))
    with east.database.read() as tx:
        line = fingerprints.of_claim(tx, key.public, row.claim.hex())[0]
    batch = fingerprints.Batch(1, line.fingerprint)
    other = south.organisation
    east.database.write(lambda tx: fingerprints.see(tx, key.public, other, batch, size=16))


def accepted(town: Town, page: Page, look: Looking) -> None:
    """A doctor of the provider reads the decision, without a mouse, and takes it as final."""
    aside(town.network.settle)
    enter(page, "dr.north")
    press(page, "Our claims")
    look(page, "billing")
    press(page, "Insurer East")
    expect(page.locator("main")).to_contain_text("Deductible of the period")
    look(page, "billing-claim")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    press(page, "Accept the decision")
    expect(page.get_by_role("status")).to_contain_text("Accepted: the decision is final.")
    page.get_by_role("link", name="Back to the claims").click()
    expect(page.get_by_text("No claim waits for somebody here.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def remitted(town: Town) -> list[Interchange]:
    """The insurer's clerk writes the 835, and the hospital's software sees the payment."""
    town.network.settle()
    town.visit.work()
    return remitting.remit(town.visit.node("east"), town.visit.clerk(), remitting.Span())


def appeal(page: Page, look: Looking) -> None:
    """The patient is not content, and says why."""
    page.goto("/claims")
    page.get_by_role("link", name="Hospital North → Insurer East").click()
    look(page, "claims-claim")
    page.get_by_role("button", name="Appeal").click()
    page.get_by_label("Why").fill("My doctor ordered it.")
    look(page, "claims-appeal")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="Appeal").click()
    expect(page.get_by_role("status")).to_contain_text("You appealed.")


@pytest.fixture(autouse=True)
def present() -> None:
    """The network of other tests stays as it is."""


def test_a_claim_goes_from_the_patients_phone_to_its_payment_and_back(
    town: Town, at: Callable[..., Iterator[Page]], look: Looking
) -> None:
    user = f"p.{town.visit.number}"
    with at(town.north, viewport=PHONE, java_script_enabled=False) as page:  # type: ignore[attr-defined]
        enter(page, user)
        page.goto("/claims")
        page.get_by_role("button", name=re.compile("^Look and disclose")).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("What may Insurer East see?")
        page.get_by_role("button", name="Disclose what is ticked").click()
        expect(page.get_by_role("status")).to_contain_text("until the claim ends")
    with at(town.north, viewport=PHONE) as page:  # type: ignore[attr-defined]
        enter(page, user)
        for path in ("claims", "claims/insurer"):
            page.goto(f"/{path}")
            look(page, path.replace("/", "-"))
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.goto("/claims")
        page.get_by_role("button", name=re.compile("^Look again")).click()
        look(page, "claims-disclose")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    aside(lambda: (town.network.settle(), town.visit.work(), signalled(town)))
    with at(town.east) as page:  # type: ignore[attr-defined]
        enter(page, "clerk.poe")
        press(page, "Claims")  # no mouse from here to the decision
        look(page, "inbox")
        press(page, "Hospital North")
        signals = page.get_by_role("region", name="Look at this before you decide")
        expect(signals).to_contain_text("the same service and day")
        look(page, "inbox-claim")
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.set_viewport_size(WIDTH)
        reach(page, "A word for the patient")
        page.keyboard.type("Get well soon.")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Decide so?")
        look(page, "inbox-decision")
        press(page, "Decide")
        expect(page.get_by_role("status")).to_contain_text("It is decided.")
        look(page, "inbox-decided")
        page.get_by_role("link", name="Back to the claims").click()
        expect(page.get_by_text("No claim waits for your decision.")).to_be_visible()
        look(page, "inbox-empty")
    aside(town.network.settle)
    with at(town.north, viewport=PHONE) as page:  # type: ignore[attr-defined]
        enter(page, user)
        appeal(page, look)
    aside(town.network.settle)
    with at(town.east) as page:  # type: ignore[attr-defined]
        enter(page, "clerk.poe")
        page.goto("/inbox")
        page.get_by_role("link", name=re.compile("^Hospital North")).click()
        appeals = page.get_by_role("region", name="The patient appealed")
        expect(appeals).to_contain_text("My doctor ordered it.")
        look(page, "inbox-appealed")
        page.get_by_role("button", name="Show the decision").click()
        page.get_by_role("button", name="Decide", exact=True).click()
        with at(town.north) as doctor:  # type: ignore[attr-defined]
            accepted(town, doctor, look)
        page.goto("/inbox?only=decided")
        page.get_by_role("link", name=re.compile("^Hospital North")).click()
        page.get_by_role("button", name="Pay €153.00").click()
        expect(page.get_by_role("status")).to_contain_text("move the money now, once")
    [remittance] = aside(lambda: remitted(town))
    assert unbalanced_835(remittance.content) == [] and b"*153.00~" in remittance.content
    with at(town.north, viewport=PHONE, java_script_enabled=False) as page:  # type: ignore[attr-defined]
        enter(page, user)
        page.get_by_role("link", name="A claim was paid").click()
        expect(page.locator("main")).to_contain_text("The insurer pays€153.00")
    with at(town.north, viewport=PHONE, locale="fr-FR") as page:  # type: ignore[attr-defined]
        enter(page, user)
        look(page, "home-claim-fr")
        page.get_by_role("link", name=re.compile("^Une demande .* payée")).click()
        look(page, "claims-claim-fr")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_study_is_counted_registered_and_approved(
    town: Town,
    at: Callable[..., Iterator[Page]],
    look: Looking,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Drawn at random, the noise alone is often above the smallest count that is told.
    monkeypatch.setattr(answering.counting, "noisy_count", lambda count, epsilon: count + 3)
    text = msgspec.json.encode(document(town.network)).decode()
    with at(town.south) as page:  # type: ignore[attr-defined]
        enter(page, "prof.ray")
        page.get_by_role("link", name="Studies").first.click()
        look(page, "studies-empty")
        page.get_by_role("button", name="Open a study's document").click()
        page.get_by_label(re.compile("^The document")).fill("{}")
        page.get_by_role("button", name="Show what the document says").click()
        expect(page.get_by_role("alert")).to_be_visible()
        look(page, "study-refused")
        page.get_by_label(re.compile("^The document")).fill(text)
        page.get_by_role("button", name="Show what the document says").click()
        page.get_by_role("button", name="About how many patients?").click()
        expect(page.get_by_role("status")).to_contain_text("Too few patients for a number")
        look(page, "study")
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("button", name="Register it on the ledger").click()
        expect(page.get_by_role("status")).to_contain_text("It is registered.")
        look(page, "studies")
    with at(town.north, locale="fr-FR") as page:  # type: ignore[attr-defined]
        enter(page, "dr.north")
        page.goto("/studies/study")
        page.locator("#document").fill(text)
        page.get_by_role("button", name="Montrer ce que dit le document").click()
        page.get_by_role("button", name="Approuver").click()
        expect(page.get_by_role("status")).to_contain_text("figure au registre")
        look(page, "studies-fr")
    with at(town.south, viewport=PHONE) as page:  # type: ignore[attr-defined]
        enter(page, "prof.ray")
        page.goto("/studies")
        page.get_by_role("link", name="Sugar in the blood").click()
        expect(page.get_by_text("running · 1 of 1 approvals")).to_be_visible()
        expect(page.get_by_text("Nothing was released yet.")).to_be_visible()
        look(page, "study-running")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_small_release_is_made_on_a_phone_and_taken_part_in_by_its_title(
    town: Town,
    at: Callable[..., Iterator[Page]],
    look: Looking,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = researching.pairs()
    monkeypatch.setattr(releases, "policy", lambda name: pairs)
    node, made = town.network["south"].node, researching.running(town.network, title="Small")
    doctor = Api.of(town.network["north"], "dr.north")
    people = aside(
        lambda: [researching.patient(town.network, doctor, f"small-{one}") for one in range(3)]
    )
    for url, user in ((town.south, "prof.ray"), (town.north, "dr.north")):
        with at(url) as page:  # type: ignore[attr-defined]
            enter(page, user)
            page.goto("/studies/study")
            page.get_by_label(re.compile("^The document")).fill(researching.written(made).decode())
            page.get_by_role("button", name="Show what the document says").click()
    for one in people:
        with at(town.north, viewport=PHONE, java_script_enabled=False) as page:  # type: ignore[attr-defined]
            enter(page, one.user)
            page.goto("/research")
            page.get_by_role("link", name="Small").click()
            page.get_by_role("button", name="Take part", exact=True).click()
            expect(page.get_by_role("heading", name="Small")).to_be_visible()
    with at(town.north, viewport=PHONE) as page:  # type: ignore[attr-defined]
        enter(page, people[0].user)
        page.goto("/research")
        look(page, "research-listed")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    with at(town.south, viewport=PHONE) as page:  # type: ignore[attr-defined]
        enter(page, "prof.ray")
        page.goto("/studies")
        look(page, "studies-listed")
        page.get_by_role("link", name="Small").click()
        page.get_by_role("button", name="Make a release").click()
        expect(page.get_by_role("status")).to_contain_text("It is being made.")
        node.aside.wait(60)
        page.get_by_role("link", name="Look again").click()
        expect(page.get_by_role("heading", name="Made · Release 1")).to_be_visible()
        look(page, "study-released")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("button", name="Open and keep the files").click()
        expect(page.get_by_role("alert")).to_contain_text("terms were not accepted")
        page.get_by_role("checkbox", name="I accept the terms").check()
        with page.expect_download() as kept:
            page.get_by_role("button", name="Open and keep the files").click()
        with zipfile.ZipFile(kept.value.path()) as file:
            assert "accepted-terms.json" in file.namelist()
        with page.expect_download() as kept:
            page.get_by_role("button", name="What it changed, in pictures").click()
        assert b"<svg" in kept.value.path().read_bytes()


@pytest.mark.parametrize(
    ("language", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")], ids=["light", "dark"]
)
def test_a_wallet_signs_what_an_insurer_sees_line_by_line_and_why_it_should_decide_again(
    town: Town, at: Callable[..., object], look: Looking, language: str, scheme: str
) -> None:
    key, network = SigningKey.generate(secrets.token_bytes), town.network
    wallet = Wallet(key, network["north"].node.contracts.accounts.ledger.chain_id())

    def begin() -> Visit:
        doctor = Api.of(network["north"], "dr.north")
        made = Visit.of(network, town.visit.clock, doctor, f"by-wallet-{scheme}")
        wallet_owner.enrol(network, made.vault, key, user=f"walter.{scheme}")
        network.settle()
        made.work()
        made.work()
        return made

    visit = aside(begin)

    def denied(claim: bytes) -> None:
        network.settle()
        visit.work()
        visit.decide(claim, deny=(Group.CONTRACT, "50"))

    viewport = WIDTH if scheme == "light" else PHONE
    with at(town.north, locale=language, viewport=viewport, color_scheme=scheme) as page:  # type: ignore[attr-defined]
        wallet.into(page)
        page.goto("/sign-in/wallet")
        page.locator("[data-connect] button").click()
        page.locator("[data-wallet] button").click()
        page.wait_for_url("**/home")
        page.goto("/claims")
        page.locator("main a[href*='/claims/disclose']").first.click()
        claim = page.locator("input[name=claim]").first.input_value()
        page.locator("input[name=line]").last.uncheck()
        page.locator("form[action='/claims/disclose'] button").click()
        for name in ("disclose", "answers"):
            expect(page.locator("[data-wallet] button")).to_be_visible()
            look(page, f"wallet-claim-{name}-{language}")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= page.viewport_size["width"]
            number = page.locator("input[name=request]").input_value()
            page.locator("[data-wallet] button").click()
            page.wait_for_function(
                "before => document.querySelector('input[name=request]')?.value !== before",
                arg=number,
            )
        page.wait_for_url("**done=disclosed")
        aside(lambda: denied(bytes.fromhex(claim)))
        page.goto(f"/claims/appeal?claim={claim}")
        page.locator("#why").fill("My doctor ordered it.")
        page.locator("form[action='/claims/appeal'] button").click()
        expect(page.locator("[data-wallet] button")).to_be_visible()
        expect(page.locator("main")).to_contain_text("My doctor ordered it.")
        look(page, f"wallet-claim-appeal-{language}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"]
        page.locator("[data-wallet] button").click()
        page.wait_for_url("**done=appealed")
    kinds = [one["primaryType"] for one in wallet.asked]
    assert kinds == ["ReadPass", "Grant", "Grant", "Grant"]
    assert visit.state(bytes.fromhex(claim)) is ClaimState.APPEALED
