"""Staff's pages: finding and reading a patient, and who has no such page."""

from __future__ import annotations

import pytest

from simdes.access.categories import Role
from simdes.gateway.pages.staff.places import STAFF_PLACES
from support.pages import Visitor, undrawn
from support.portal import Enrolled
from unit.gateway.pages.conftest import Place


@pytest.fixture
def desk(place: Place) -> Visitor:
    """A doctor's browser."""
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.DOCTOR).user)
    return visitor


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "okafor rosa"},
        {"text": "Okafor", "born": "1974-11-30"},
        {"text": "pages-1"},
        {"text": "urn:oid:2.16.840.1.113883.4.1|pages-1"},
    ],
    ids=range(4),
)
def test_a_doctor_finds_a_patient_and_reads_the_record(
    desk: Visitor, rosa: Enrolled, fields: dict[str, str]
) -> None:
    found = desk.post("/patients", fields).text
    address = f"/patients/record?patient={rosa.patient['id']}"
    assert f'href="{address}"' in found
    text = desk.get(address).text
    assert "4.9 mmol/L" in text and "Penicillin" in text
    assert f"{address}&amp;part=results" in text


@pytest.mark.parametrize(
    "fields", [{"text": "Nobody"}, {"text": "a,b$c|d\\"}, {"text": "<b>9"}], ids=range(3)
)
def test_who_is_not_there_is_not_found(desk: Visitor, fields: dict[str, str]) -> None:
    answer = desk.post("/patients", fields)
    assert answer.status_code == 200
    assert "Nobody like that" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("fields", [{}, {"born": "yesterday"}, {"text": "x", "born": "1,2"}])
def test_a_search_for_nothing_is_asked_for_again(desk: Visitor, fields: dict[str, str]) -> None:
    assert desk.post("/patients", fields).status_code == 400


def test_a_doctor_elsewhere_sees_nothing_without_consent(place: Place, rosa: Enrolled) -> None:
    from simdes.gateway.app import create_gateway

    south = place.network["south"]
    visitor = Visitor(create_gateway(south.custody, node=south.node))
    visitor.sign_in("dr.lee")
    assert "Nobody like that" in visitor.post("/patients", {"text": "Okafor"}).text
    refused = visitor.get(f"/patients/record?patient={rosa.patient['id']}")
    assert refused.status_code == 404
    assert "Okafor" not in undrawn(refused.text)


def test_markup_in_a_name_is_only_text(desk: Visitor, hostile: Enrolled) -> None:
    for answer in (
        desk.post("/patients", {"text": "pages-2"}),
        desk.get(f"/patients/record?patient={hostile.patient['id']}"),
    ):
        assert "&lt;script&gt;" in answer.text and "<script" not in answer.text


@pytest.mark.parametrize("place_", STAFF_PLACES, ids=lambda one: f"{one.method} {one.path}")
def test_nobody_in_another_role_has_a_page_of_staff(place: Place, place_: object) -> None:
    from simdes.gateway.pages.place import Place as Page

    assert isinstance(place_, Page)
    for role in (Role.PATIENT, Role.ADMINISTRATOR, Role.RESEARCHER):
        assert role.name.lower() not in place_.roles
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.PATIENT).user)
    answer = visitor.get(place_.path) if place_.method == "GET" else visitor.post(place_.path, {})
    assert answer.status_code == 403
    assert "This page is for people in another role." in answer.text
