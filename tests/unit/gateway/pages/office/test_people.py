"""People of the organisation in a browser: added, verified and suspended by their administrator."""

from __future__ import annotations

import re

import pytest

from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.exchange import colleagues
from simdes.gateway.pages.office.places import OFFICE_PLACES
from support.pages import Visitor
from unit.gateway.pages.conftest import Place


def state(place: Place, user: str) -> str:
    session = place.network.session("north", ADMINISTRATOR)
    [one] = [one for one in colleagues.listed(place.north.node, session) if one.user == user]
    return one.state


def account(place: Place, user: str) -> str:
    return place.north.node.desk.keystore.person(user).account.hex()


def test_somebody_new_signs_in_with_what_the_page_shows_once(place: Place, office: Visitor) -> None:
    fields = {"user": "Dr.Moss", "display": "Dr <b>Moss</b>", "role": "doctor"}
    added = office.post("/people/new", fields)
    assert added.status_code == 200
    assert added.headers["cache-control"] == "no-store"
    assert "Dr &lt;b&gt;Moss&lt;/b&gt; is added" in added.text
    found = re.search(r"<code>([a-z2-7-]{29})</code>", added.text)
    assert found
    assert state(place, "dr.moss") == "verified"
    assert place.visitor().sign_in("dr.moss", found.group(1)).headers["location"] == "/home"
    assert found.group(1) not in office.get("/people").text
    taken = office.post("/people/new", fields)
    assert taken.status_code == 409 and "The user name is taken." in taken.text
    assert 'value="Dr.Moss"' in taken.text, "what was typed is kept"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"user": "no spaces", "role": "nurse"}, "A user name is 1 to 64"),
        ({"user": "", "role": "nurse"}, "A user name is 1 to 64"),
        ({"user": "who.knows", "role": "patient"}, "Choose a role."),
        ({"user": "who.knows", "role": "agent"}, "Choose a role."),
        ({"user": "who.knows"}, "Choose a role."),
    ],
)
def test_a_form_that_is_wrong_adds_nobody(
    place: Place, office: Visitor, fields: dict[str, str], said: str
) -> None:
    before = len(place.north.node.desk.keystore.people())
    refused = office.post("/people/new", fields)
    assert refused.status_code == 400 and said in refused.text
    assert len(place.north.node.desk.keystore.people()) == before


def test_a_suspended_person_is_out_at_once_and_back_when_verified(
    place: Place, office: Visitor
) -> None:
    nurse = place.person(Role.NURSE, display="Nurse Ito")
    of, theirs = account(place, nurse.user), place.visitor()
    theirs.sign_in(nurse.user)
    question = office.get(f"/people/decide?of={of}").text
    assert "Suspend: Nurse Ito" in question
    done = office.post("/people/decide", {"of": of, "what": "suspend"})
    assert done.headers["location"] == "/people?done=person-suspended"
    assert state(place, nurse.user) == "suspended"
    assert theirs.get("/home").status_code == 403
    again = office.post("/people/decide", {"of": of, "what": "suspend"})
    assert again.status_code == 409, "the page was old: it says verify now"
    office.post("/people/decide", {"of": of, "what": "verify"})
    assert state(place, nurse.user) == "verified"


def test_administrators_do_not_decide_about_themselves_or_others_people(
    place: Place, office: Visitor
) -> None:
    own = account(place, ADMINISTRATOR)
    assert f"of={own}" not in office.get("/people").text
    south = place.network["south"].node.desk.keystore.person("dr.lee").account.hex()
    for of in (own, south, "ab" * 32, "zz", ""):
        assert office.get(f"/people/decide?of={of}").status_code == 404, of
        refused = office.post("/people/decide", {"of": of, "what": "suspend"})
        assert refused.status_code == 404, of


def test_patients_and_who_waits_have_lists_of_their_own(place: Place, office: Visitor) -> None:
    assert "Nobody waits to be verified." in office.get("/people?only=waiting").text
    person = place.person(Role.PATIENT, display="Sam Waters")
    assert "Sam Waters" in office.get("/people?only=patients").text
    assert "Sam Waters" not in office.get("/people").text
    assert office.get("/people?only=<x>&page=99999").status_code == 200
    assert person.user


PATHS = [one.path for one in OFFICE_PLACES if one.method == "GET"]


@pytest.mark.parametrize("path", PATHS)
def test_pages_of_the_office_are_for_administrators_alone(place: Place, path: str) -> None:
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.DOCTOR).user)
    refused = visitor.get(path)
    assert refused.status_code == 403 and "for people in another role" in refused.text
    assert visitor.post(path, {"of": "ab" * 32}).status_code in (403, 405)


@pytest.mark.parametrize("path", ["/people/new", "/people/decide", "/organisations/decide"])
def test_deciding_needs_a_form_of_ours_and_a_fresh_proof(
    place: Place, office: Visitor, path: str
) -> None:
    forged = office.post(path, {"of": "ab" * 32}, token="x" * 43)
    assert forged.status_code == 403
    place.clock.ahead_seconds += 901
    assert office.get(path).headers["location"].startswith("/sign-in/confirm?next=")
    assert office.post(path, {}).headers["location"].startswith("/sign-in/confirm?next=")
