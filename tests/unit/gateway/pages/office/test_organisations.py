"""Organisations in a browser: owners decide, k of n; whoever is no owner looks on."""

from __future__ import annotations

import dataclasses

from simdes.app import ADMINISTRATOR
from simdes.exchange import members, membership
from support.pages import Visitor
from unit.gateway.pages.conftest import Place


def state(place: Place, name: str) -> str:
    wanted = place.network[name].node.organisation
    return next(one.state for one in members.listed(place.north.node) if one.id == wanted)


def test_an_owner_suspends_an_organisation_and_verifies_it_again(
    place: Place, office: Visitor
) -> None:
    south = place.network["south"].node.organisation.hex()
    listed = office.get("/organisations").text
    assert "One owner of the network decides" in listed and "You are one of them." in listed
    question = office.get(f"/organisations/decide?of={south}&what=suspend").text
    assert f"0x{south}" in question and "0 of 1" in question
    done = office.post("/organisations/decide", {"of": south, "what": "suspend"})
    assert done.headers["location"] == "/organisations?done=organisation-suspended"
    assert state(place, "south") == "suspended"
    assert "suspended" in office.get("/organisations").text
    try:
        done = office.post("/organisations/decide", {"of": south, "what": "verify"})
        assert done.headers["location"] == "/organisations?done=organisation-verified"
    finally:
        membership.verify_organisation(
            place.north.node, place.network.session("north", ADMINISTRATOR).key,
            bytes.fromhex(south),
        )  # fmt: skip
    assert state(place, "south") == "verified"


def test_who_owns_nothing_sees_where_each_stands_and_decides_nothing(
    place: Place, elsewhere: Visitor
) -> None:
    north = place.north.node.organisation.hex()
    listed = elsewhere.get("/organisations").text
    assert "You are none of them" in listed and "Hospital North" in listed
    assert "/organisations/decide" not in listed
    refused = elsewhere.post("/organisations/decide", {"of": north, "what": "suspend"})
    assert refused.status_code == 403
    assert "Only the network&#39;s owners decide this." in refused.text
    assert state(place, "north") == "verified"


def test_what_can_not_be_decided_is_not_found(place: Place, office: Visitor) -> None:
    south = place.network["south"].node.organisation.hex()
    for of, what in ((south, "verify"), (south, "x"), (south, ""), ("ab" * 32, "verify"), ("", "")):
        assert office.get(f"/organisations/decide?of={of}&what={what}").status_code == 404
        refused = office.post("/organisations/decide", {"of": of, "what": what})
        assert refused.status_code == 404, (of, what)


def test_a_council_says_who_sits_in_it(place: Place) -> None:
    owner = place.network.session("north", ADMINISTRATOR).actor.address
    council = membership.council(place.north.node, owner)
    assert council == membership.Council(owners=1, threshold=1, seated=True)
    stranger = membership.council(place.north.node, b"\1" * 20)
    assert stranger == dataclasses.replace(council, seated=False)
