"""Registering a patient on a page: who it may be already is shown before anything is written."""

from __future__ import annotations

import re

import pytest

from simdes.access.categories import Role
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import SYSTEM, Enrolled
from unit.gateway.pages.conftest import Place

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def desk(place: Place) -> Visitor:
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.NURSE).user)
    return visitor


def fields(desk: Visitor, **others: str) -> dict[str, str]:
    text = desk.get("/patients/new").text
    found = re.search(r'name="form" value="([0-9a-f-]{36})"', text)
    assert found
    usual = {"family": "Moreau", "given": "Lea Anne", "born": "1988-02-29", "gender": "female"}
    return usual | {"form": found.group(1)} | others


def test_somebody_new_is_registered_once_and_opened(desk: Visitor, doctor: Api) -> None:
    typed = fields(desk, number="new-1", system=SYSTEM)
    for _ in range(2):
        done = desk.post("/patients/new", typed)
        if done.status_code == 200:  # sent again, it is found
            assert "certainly the same" in done.text or "probably the same" in done.text
    [made] = doctor.found("Patient?family=Moreau")
    assert made["name"][0]["given"] == ["Lea", "Anne"]
    text = desk.get(f"/patients/record?patient={made['id']}&done=registered").text
    assert "Lea Anne Moreau" in text and "The patient is registered here." in text


def test_who_it_may_be_is_shown_first_and_a_number_is_given_once(
    desk: Visitor, rosa: Enrolled, doctor: Api
) -> None:
    before = len(doctor.found("Patient?family=Okafor"))
    typed = fields(desk, family="Okafor", given="Rosa", born="1974-11-30")
    asked = desk.post("/patients/new", typed)
    assert asked.status_code == 200 and "Is it one of these?" in asked.text
    assert f"/patients/record?patient={rosa.patient['id']}" in asked.text
    shown = re.search(r'name="new" value="([^"]+)"', asked.text)
    assert shown
    same = desk.post(
        "/patients/new", typed | {"new": shown.group(1), "number": "pages-1", "system": SYSTEM}
    )
    assert same.status_code in (200, 409), "the number is somebody's"
    assert len(doctor.found("Patient?family=Okafor")) == before
    done = desk.post("/patients/new", typed | {"new": shown.group(1)})
    assert done.status_code == 303
    assert len(doctor.found("Patient?family=Okafor")) == before + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"family": ""},
        {"given": HOSTILE, "born": "yesterday"},
        {"born": "2974-11-30"},
        {"gender": "none"},
        {"gender": ""},
        {"number": "1"},
        {"system": "urn:x"},
        {"form": "x"},
    ],
    ids=range(8),
)
def test_what_is_missing_is_asked_for_again(desk: Visitor, wrong: dict[str, str]) -> None:
    typed = fields(desk, family="Nobody", given="Nowhere") | wrong
    answer = desk.post("/patients/new", typed)
    assert answer.status_code == 400
    assert "<script" not in answer.text
