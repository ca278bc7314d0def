"""A patient's start page, and asking for a new key, ask the database as often where more waits."""

from __future__ import annotations

import pytest

from simdes.access.categories import Role
from simdes.exchange import access_requests, recovering
from simdes.index import claim_news
from simdes.index.claim_news import News
from simdes.ledger.contracts import ClaimState
from support.pages import Visitor
from support.portal import Enrolled
from support.two_patients import statements
from unit.gateway.pages.conftest import Place

STATEMENTS = 40


def test_the_start_page_asks_as_often_when_more_people_ask_for_access(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    def asked() -> int:
        with statements(place.north.node) as count:
            assert browser.get("/home").status_code == 200
        return count[0]

    def request(user: str) -> None:
        access_requests.request(
            place.network["south"].node,
            place.network.session("south", user),
            vault=rosa.vault,
            categories=["observations"],
            purpose="TREAT",
            days=30,
            text="A second opinion.",
            name=user,
        )

    request("dr.lee")
    asked()
    before = asked()
    for user in ("nurse.kim", "dr.lee", "nurse.kim"):
        request(user)
    asked()
    after = asked()
    assert after <= before + 1
    assert after < STATEMENTS


def test_the_start_page_asks_as_often_when_more_claims_were_decided(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    node = place.north.node

    def asked(claims: range) -> int:
        with node.database.transaction() as tx:
            for claim in claims:
                news = News(
                    claim=claim.to_bytes(32, "big"),
                    vault=rosa.vault,
                    insurer=node.organisation,
                    state=ClaimState.DENIED,
                    at_ms=node.now_ms(),
                )
                claim_news.tell(tx, news)
        browser.get("/home")
        with statements(node) as count:
            page = browser.get("/home").text
        assert page.count(f"claim={claims[-1]:064x}") == 1
        return count[0]

    before, after = asked(range(1)), asked(range(1, 20))
    with node.database.transaction() as tx:
        tx.run("DELETE FROM claim_news WHERE vault = :vault", vault=rosa.vault)
    assert after <= before
    assert after < STATEMENTS


def test_asking_for_a_new_key_asks_as_often_however_many_wait(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "MOST_OPEN", 3)
    user = place.person(Role.PATIENT).user
    typed = {"user": user, "passphrase": "one that is new", "again": "one that is new"}
    asked = []
    for _ in range(5):
        with statements(place.north.node) as count:
            assert place.visitor().post("/lost", typed).status_code == 200
        asked.append(count[0])
    assert asked[:3] == [asked[0]] * 3
    assert asked[3] == asked[4] <= asked[0] + 5, "the oldest goes for each"
    assert max(asked) < 20
