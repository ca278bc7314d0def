"""Somebody who controls several records says whose, on every page; nothing is guessed."""

from __future__ import annotations

import re

import pytest

from simdes.exchange import consents
from simdes.exchange.consents import Grantee
from simdes.gateway.pages.patient.places import PATIENT_PLACES
from support.fhir_api import Api
from support.pages import Visitor, undrawn
from support.portal import Enrolled, enrolled
from unit.gateway.pages.conftest import Place

ABOUT_ONE = (
    *("/record", "/sharing", "/sharing/new", "/log", "/prescriptions", "/research", "/corrections"),
    *("/links", "/links/new", "/download", "/claims", "/prescriptions/pharmacy"),
)


@pytest.fixture(scope="module")
def mother(founded_pages: Place, doctor: Api) -> tuple[Enrolled, Enrolled]:
    """A mother's own record and her child's, under one account."""
    network = founded_pages.network
    own = enrolled(network, doctor, "pages-mother", user="mara", given="Mara")
    return own, enrolled(network, doctor, "pages-child", user="mara", given="Lio")


@pytest.fixture
def herself(place: Place, mother: tuple[Enrolled, Enrolled]) -> Visitor:
    visitor = place.visitor()
    visitor.sign_in("mara")
    return visitor


@pytest.mark.parametrize("path", ABOUT_ONE)
def test_a_page_asks_whose_record_and_then_keeps_it(
    herself: Visitor, mother: tuple[Enrolled, Enrolled], path: str
) -> None:
    asked = herself.get(path)
    assert asked.status_code == 303 and asked.headers["location"].startswith("/whose?next=")
    choice = herself.get(asked.headers["location"]).text
    assert "Mara Okafor" in choice and "Lio Okafor" in choice
    child = mother[1].patient["id"]
    assert f"{path}?patient={child}" in choice
    page = herself.get(f"{path}?patient={child}")
    assert page.status_code == 200
    forms = re.findall(r"<form.*?</form>", page.text, re.DOTALL)
    assert forms and all(f'name="patient" value="{child}"' in one for one in forms)
    assert f'href="/record?patient={child}"' in page.text, "its links keep it"
    assert "Another record" in page.text


def test_only_the_chosen_record_is_shown(
    herself: Visitor, mother: tuple[Enrolled, Enrolled]
) -> None:
    own, child = (one.patient["id"] for one in mother)
    assert "Mara Okafor" in herself.get(f"/record?patient={own}").text
    assert "Mara Okafor" not in herself.get(f"/record?patient={child}").text


def test_a_form_that_does_not_say_whose_changes_nothing(
    place: Place, herself: Visitor, mother: tuple[Enrolled, Enrolled]
) -> None:
    south, session = place.network["south"].node, place.network.session("north", "mara")
    to = Grantee.role_in(south.organisation, "doctor")
    for one in mother:
        consents.grant(
            place.north.node,
            session,
            vault=one.vault,
            grantee=to,
            categories=["observations"],
            purposes=["TREAT"],
            valid_seconds=86_400,
        )
    refused = herself.post("/sharing/end", {"consent": "all"})
    assert refused.status_code == 400 and "Choose whose record." in refused.text
    own, child = (one.patient["id"] for one in mother)
    assert "Clinic South" in herself.get(f"/sharing?patient={own}").text
    ended = herself.post("/sharing/end", {"consent": "all", "patient": child})
    assert ended.headers["location"].startswith("/sharing?patient=" + child)
    assert "Clinic South" in herself.get(f"/sharing?patient={own}").text, "the other one stands"
    assert "The record of Lio Okafor" in herself.get(f"/sharing?patient={child}").text


@pytest.mark.parametrize("path", ABOUT_ONE)
def test_another_patients_record_is_not_found_by_its_id(
    herself: Visitor, rosa: Enrolled, path: str
) -> None:
    for named in (rosa.patient["id"], "none", rosa.vault.hex(), "<script>"):
        answer = herself.get(f"{path}?patient={named}")
        assert answer.status_code == 404 and "Rosa" not in undrawn(answer.text), named
        assert "<script>" not in answer.text


def test_who_has_one_record_is_asked_nothing(browser: Visitor) -> None:
    for path in ABOUT_ONE:
        assert browser.get(path).status_code == 200, path
    assert "patient=" not in browser.get("/record").text
    assert {one.path for one in PATIENT_PLACES} >= set(ABOUT_ONE)
