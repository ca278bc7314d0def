"""A patient with a wallet discloses, takes back and prefers: told, signed there, and on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

import httpx
import pytest

from simdes.claims.reasons import Group
from simdes.exchange import consents, rights, wallets
from simdes.exchange.claims import disclosing
from simdes.exchange.claims.disclosing import Request
from simdes.exchange.consents import Given
from simdes.exchange.meanings import CLAIM
from simdes.exchange.node import Node
from simdes.ledger.contracts import ClaimState
from support import wallet_owner
from support.claim_scene import Visit
from support.pages import Visitor
from support.wallet_owner import Owner
from unit.gateway.pages.insurer.conftest import Desk


@dataclass(frozen=True, slots=True)
class Insured:
    """A patient with a wallet whose claim waits for their word, and their browser."""

    desk: Desk
    visit: Visit
    owner: Owner
    browser: Visitor

    @property
    def node(self) -> Node:
        return self.desk.network["north"].node

    @property
    def asking(self) -> rights.Asking:
        return rights.ask(self.node, self.owner.session(self.node))

    def request(self) -> Request:
        [found] = disclosing.requests(self.node, self.asking)
        return found

    def standing(self) -> list[Given]:
        listed = consents.listed(self.node, self.visit.vault)
        return [one for one in listed if one.state == "active"]

    def sign(self, asked: httpx.Response) -> httpx.Response:
        """Sign what a page asks for; the page that follows, read."""
        answer = self.owner.agree(self.browser, asked)
        if answer.status_code == 303:
            return self.browser.get(answer.headers["location"])
        return answer


@pytest.fixture(scope="module")
def insured(desk: Desk) -> Iterator[Insured]:
    visit = Visit.of(desk.network, desk.clock, desk.doctor, "by-wallet")
    owner, node = Owner(), desk.network["north"].node
    wallet_owner.enrol(desk.network, visit.vault, owner.key, user="walter")
    desk.network.settle()
    visit.work()
    visit.work()
    yield Insured(desk, visit, owner, owner.sign_in(node, desk.north))  # type: ignore[arg-type]


def form_of(insured: Insured, **more: str) -> dict[str, object]:
    """Every line but the first."""
    request = insured.request()
    lines = [one.reference for one in request.lines[1:]]
    token = insured.browser.token("/account")
    return {"claim": request.claim.hex(), "line": lines, "token": token} | more


def test_lines_are_told_signed_disclosed_and_taken_back_by_the_wallet(insured: Insured) -> None:
    request, before = insured.request(), insured.standing()
    form = insured.browser.get(f"/claims/disclose?claim={request.claim.hex()}").text
    assert form.count('name="line"') == len(request.lines) > 1
    nothing = insured.browser.post("/claims/disclose", {"claim": request.claim.hex()})
    assert nothing.status_code == 400 and "Nothing is left to disclose" in nothing.text
    asked = insured.browser.send("POST", "/claims/disclose", data=form_of(insured, answers="yes"))
    page = unescape(asked.text)
    assert "Insurer East" in page and "Only as long as this claim goes on" in page
    told = re.findall("<li>(.*?)</li>", page[page.index("Of these entries alone") :])
    assert len(told) == len(request.lines) - 1
    assert all(one.why in told[n] for n, one in enumerate(request.lines[1:]))
    assert insured.standing() == before, "nothing stands before the wallet signed"
    stranger = Owner().agree(insured.browser, asked)
    assert stranger.status_code == 403 and insured.standing() == before

    second = insured.sign(asked)
    assert len(insured.standing()) == len(before) + 1
    assert "Hospital North" in second.text and "Let them read?" in second.text
    assert "may read what insurers answer" in second.text
    answer = insured.owner.agree(insured.browser, second)
    assert answer.headers["location"] == "/claims?done=disclosed"
    assert len(insured.standing()) == len(before) + 2
    claim = request.claim
    assert disclosing.disclosed(insured.node, insured.asking, insured.visit.vault) == {claim}

    asked = insured.browser.send("POST", "/claims/disclose", data=form_of(insured, answers="yes"))
    answer = insured.owner.agree(insured.browser, asked)
    assert answer.headers["location"] == "/claims?done=disclosed", "answers may be read already"

    left = insured.browser.post("/claims/withdraw", {"claim": claim.hex()})
    assert "Stop sharing this?" in left.text
    last = insured.sign(left)
    assert "Stop sharing this?" in last.text, "it was disclosed twice"
    answer = insured.owner.agree(insured.browser, last)
    assert answer.headers["location"] == "/claims?done=undisclosed"
    assert disclosing.disclosed(insured.node, insured.asking, insured.visit.vault) == frozenset()


def test_an_insurer_is_preferred_and_given_up_by_the_wallet(insured: Insured) -> None:
    browser, vault = insured.browser, insured.visit.vault
    east = insured.desk.network["east"].node.organisation
    asked = browser.post("/claims/insurer", {"insurer": f"0x{east.hex()}"})
    assert "Insurer East" in asked.text and "Let them read?" in asked.text
    following = insured.owner.agree(browser, asked)
    while following.status_code == 200:  # we may read what insurers answer
        assert "Hospital North" in following.text
        following = insured.owner.agree(browser, following)
    assert following.headers["location"] == "/claims?done=insurer-preferred"
    assert disclosing.preferred(insured.node, insured.asking, vault) == east

    again = browser.post("/claims/insurer", {"insurer": f"0x{east.hex()}"})
    ending = insured.sign(again)
    assert "What is left is the end" in ending.text
    done = insured.owner.agree(browser, ending)
    assert done.headers["location"] == "/claims?done=insurer-preferred"
    assert len(disclosing.all_preferred(insured.node, insured.asking, vault)) == 1

    none = browser.post("/claims/insurer", {"insurer": "none"})
    assert "Stop sharing this?" in none.text
    done = insured.owner.agree(browser, none)
    assert done.headers["location"] == "/claims?done=insurer-not-preferred"
    assert disclosing.preferred(insured.node, insured.asking, vault) is None


def test_no_request_about_another_claim_or_without_its_entries_is_relayed(
    insured: Insured,
) -> None:
    before = insured.standing()
    asked = insured.browser.send("POST", "/claims/disclose", data=form_of(insured))
    claim = insured.request().claim.hex()
    right = {
        "request": unescape(asked.text.split('name="request" value="')[1].split('"')[0]),
        "signature": insured.owner.sign(insured.owner.asked(asked.text)),
        "goal": "show",
        "claim": claim,
    }
    for wrong, status in (
        ({"goal": "everything"}, 404),
        ({"request": "{}"}, 400),
        ({"request": right["request"].replace("hangsOn", "hangs")}, 400),
        ({"request": right["request"].replace(f'"claim", "{claim}"', '"claim", "zz"')}, 400),
        ({"request": right["request"].replace(f'"claim", "{claim}"', '"prescription", "1"')}, 400),
        ({"request": right["request"].replace('"records": [', '"records": [], "others": [')}, 400),
        ({"signature": "0x" + "00" * 65}, 403),
    ):
        assert right["request"] != wrong.get("request")
        assert insured.browser.post("/claims/sign", right | wrong).status_code == status, wrong
    stranger = Visitor(insured.browser.app)
    assert stranger.post("/claims/sign", right).headers["location"].startswith("/sign-in")
    assert insured.standing() == before


def test_the_wallet_lets_the_insurer_read_why_and_so_a_claim_is_appealed(insured: Insured) -> None:
    visit, node, browser = insured.visit, insured.node, insured.browser
    claim = insured.request().claim
    about = {"claim": claim.hex()}
    what = disclosing.to_disclose(node, insured.asking, claim)
    named = (CLAIM, claim.hex())
    insured.owner.agree_to(node, wallets.grant(node, insured.asking, named, **what))
    insured.desk.network.settle()
    visit.work()
    early = browser.post("/claims/appeal", about | {"why": "Now"})
    assert early.status_code == 409 and "not decided yet" in early.text
    visit.decide(claim, deny=(Group.CONTRACT, "50"))

    silent = browser.post("/claims/appeal", about | {"why": "  "})
    assert silent.status_code == 400 and "Say why" in silent.text
    before, lines = insured.standing(), len(insured.request().lines)
    why = "My doctor ordered it. <b>Look</b>"
    asked = browser.post("/claims/appeal", about | {"why": why})
    page = unescape(asked.text)
    assert "Insurer East" in page and why in page and "<b>Look" not in asked.text
    assert "your appeal is sent" in page and "Of your words alone" in page
    assert (visit.state(claim), insured.standing()) == (ClaimState.DENIED, before)

    form = unescape(browser.get(f"/claims/appeal?claim={claim.hex()}").text)
    assert why in form, "what was not signed for waits on the form"
    again = browser.post("/claims/appeal", about | {"why": why})
    assert len(insured.request().lines) == lines + 1, "the same words are written once"

    stranger = Owner().agree(browser, again)
    assert (stranger.status_code, visit.state(claim)) == (403, ClaimState.DENIED)
    done = insured.owner.agree(browser, again)
    assert done.headers["location"].endswith("done=appealed"), done.text
    assert "You appealed." in browser.get(done.headers["location"]).text
    assert visit.state(claim) is ClaimState.APPEALED
    late = insured.owner.agree(browser, asked)
    assert late.status_code == 409 and "appealed already" in late.text
    assert len(insured.standing()) == len(before) + 1
    insured.desk.network.settle()
    [message] = visit.shown(claim).appeals
    assert message["payload"] == [{"contentString": why}]


def test_nothing_but_the_signed_words_of_that_claim_appeals_it(insured: Insured) -> None:
    visit, browser = insured.visit, insured.browser
    claim = insured.request().claim
    about = {"claim": claim.hex()}
    visit.decide(claim, deny=(Group.CONTRACT, "50"))
    before, lines = insured.standing(), len(insured.request().lines)
    for name in "abcde":
        assert browser.post("/claims/appeal", about | {"why": name}).status_code == 200
    full = browser.post("/claims/appeal", about | {"why": "f"})
    assert full.status_code == 429 and "Other words of yours wait" in full.text
    assert len(insured.request().lines) == lines + 5

    entries = browser.send("POST", "/claims/disclose", data=form_of(insured))
    words = browser.post("/claims/appeal", about | {"why": "e"})
    brought = {
        name: {
            "request": unescape(page.text.split('name="request" value="')[1].split('"')[0]),
            "signature": insured.owner.sign(insured.owner.asked(page.text)),
            "step": "send",
        }
        for name, page in (("entries", entries), ("words", words))
    }
    stranger = Visitor(browser.app)
    for who, form, status in (
        (browser, about | brought["entries"], 404),
        (browser, {"claim": "00" * 32} | brought["words"], 404),
        (browser, about | brought["words"] | {"request": "{}"}, 400),
        (browser, about | brought["words"] | {"signature": "0x" + "00" * 65}, 403),
        (stranger, about | brought["words"], 303),
    ):
        assert who.post("/claims/appeal", form).status_code == status
    assert (visit.state(claim), insured.standing()) == (ClaimState.DENIED, before)
