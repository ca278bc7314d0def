"""A patient reads their own record in a browser: theirs alone, as text, on record."""

from __future__ import annotations

import re

import pytest

from simdes.access.categories import Role
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, measured
from support.two_patients import statements
from unit.gateway.pages.conftest import Place

PAGES = ("/record", "/record?part=all", "/record?part=results")
LARGEST = 100_000


def test_the_start_page_leads_a_patient_to_their_pages(browser: Visitor) -> None:
    assert browser.get("/").headers["location"] == "/home"
    text = browser.get("/home").text
    assert 'href="/record"' in text
    assert "My record" in text


def test_a_patient_reads_what_was_written_about_them(browser: Visitor) -> None:
    text = browser.get("/record").text
    for said in ("Rosa Okafor", "Potassium", "4.9 mmol/L", "Penicillin", "Lisinopril 10 mg tablet"):
        assert said in text, said
    assert "<svg" in text
    assert "Hospital North" in text


def test_a_reader_of_french_gets_french(browser: Visitor) -> None:
    text = browser.get("/record", **{"Accept-Language": "fr-FR"}).text
    assert "4,9 mmol/L" in text
    assert "septembre 2025" in text
    assert "Mon dossier" in text


def test_another_patients_record_is_not_to_be_had(
    place: Place, browser: Visitor, hostile: Enrolled
) -> None:
    refused = browser.get(f"/record?patient={hostile.patient['id']}")
    assert refused.status_code == 404
    assert "Mallory" not in refused.text


@pytest.mark.parametrize("path", PAGES)
def test_markup_in_a_record_is_only_text(place: Place, hostile: Enrolled, path: str) -> None:
    visitor = place.visitor()
    visitor.sign_in(hostile.user)
    answer = visitor.get(path)
    assert answer.status_code == 200
    assert "&lt;script&gt;" in answer.text
    assert not re.search("<script|<img|onerror=[^&]*>|>49<", answer.text.replace("&#34;&gt;", ""))
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy and "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_who_is_no_patient_has_no_such_page(place: Place) -> None:
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.DOCTOR).user)
    assert visitor.get("/record").status_code == 403
    assert 'href="/record"' not in visitor.get("/home").text


def test_a_patient_without_a_record_is_told_what_to_do(place: Place) -> None:
    visitor = place.visitor()
    visitor.sign_in(place.person(Role.PATIENT).user)
    answer = visitor.get("/record")
    assert answer.status_code == 404
    assert "No record is linked to your account yet." in answer.text


def test_reading_leaves_an_entry_in_the_trail(place: Place, browser: Visitor) -> None:
    def entries() -> int:
        with place.north.node.database.read() as tx:
            row = tx.one("SELECT count(*) FROM audit_entry")
        assert row is not None
        return int(row[0])

    before = entries()
    browser.get("/record")
    assert entries() > before


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_small_and_asks_the_database_as_often_for_a_longer_record(
    place: Place, doctor: Api, rosa: Enrolled, browser: Visitor, path: str
) -> None:
    def asked() -> tuple[int, int]:
        with statements(place.north.node) as count:
            answer = browser.get(path)
        return count[0], len(answer.content)

    asked()
    before, _ = asked()
    for day in range(1, 13):
        doctor.create(measured(rosa.patient["id"], f"2023-{day:02}-01", 4.0))
    place.network.settle()
    asked()
    after, size = asked()
    assert after <= before + 2, "as many statements for three times as many records"
    assert size < LARGEST
    assert after < 60
