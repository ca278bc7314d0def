"""A patient with a wallet discloses, takes back and prefers: told, signed there, and on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

import httpx
import pytest

from simdes.exchange import consents, rights
from simdes.exchange.claims import disclosing
from simdes.exchange.claims.disclosing import Request
from simdes.exchange.consents import Given
from simdes.exchange.node import Node
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
