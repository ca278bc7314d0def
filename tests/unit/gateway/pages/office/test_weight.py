"""Pages of the office are small, and ask the database as often for longer lists."""

from __future__ import annotations

import os

import pytest

from simdes.access.categories import Role
from simdes.exchange import findings
from support.pages import Visitor
from support.two_patients import statements
from unit.gateway.pages.conftest import Place

LARGEST = 100_000
STATEMENTS = 60
PAGES = ("/people", "/organisations", "/quarantine", "/emergencies", "/health", "/trails")


@pytest.mark.parametrize("path", [*PAGES, "/upgrades"])
def test_a_page_is_small_and_asks_the_database_as_often_for_a_longer_list(
    place: Place, office: Visitor, path: str
) -> None:
    def asked() -> tuple[int, int]:
        with statements(place.north.node) as count:
            answer = office.get(path)
        assert answer.status_code == 200
        return count[0], len(answer.content)

    asked()
    before, _ = asked()
    lines = (r"MSH|^~\&|REG|SITE|||20260101120000||ADT^A01|{}|P|2.5.1", "EVN||20260101120000")
    feed = "\r".join("\r".join(lines).format(f"{path}{number}") for number in range(50))
    place.network.submit("north", f"{path[1:]}.hl7", feed.encode())
    south = place.network["south"].node.organisation
    node = place.north.node
    findings.keep(
        node,
        [findings.finding(node, "silent", south, about=os.urandom(8)) for _ in range(50)],
    )
    place.person(Role.NURSE)
    asked()
    after, size = asked()
    assert after <= before + 2, "as many statements for fifty more of everything"
    assert size < LARGEST
    assert after < STATEMENTS
