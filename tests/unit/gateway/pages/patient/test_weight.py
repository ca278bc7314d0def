"""A patient's start page asks the database as often where more waits for them."""

from __future__ import annotations

from simdes.exchange import access_requests
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
