"""The patient's log in a browser, proofs, and files to take along."""

from __future__ import annotations

import html
import json
import re

from simdes.access import evidence
from simdes.errors import Forbidden
from simdes.exchange import retrieve
from support.pages import Visitor
from support.portal import Enrolled
from unit.gateway.pages.conftest import Place

POLICY = "default-src 'none'; sandbox"


def test_the_log_shows_who_was_refused_why_and_hands_out_its_proof(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    south = place.network["south"].node
    stranger = place.network.session("south", "dr.lee")
    try:
        retrieve.retrieve(south, stranger, vault=rosa.vault)
        raise AssertionError("nobody let them in")
    except Forbidden:
        pass
    place.network.settle()
    text = browser.get("/log?only=refused").text
    assert "Doctor, Clinic South" in text
    assert "the patient gave no consent for this" in text
    french = browser.get("/log?only=refused", **{"Accept-Language": "fr"}).text
    assert "le patient n’y a pas consenti" in french
    found = re.search(r'href="(/log/proof[^"]+)" download', text)
    assert found
    proof = browser.get(html.unescape(found.group(1)))
    assert proof.headers["content-disposition"].startswith('attachment; filename="simdes-proof-')
    assert proof.headers["content-security-policy"] == POLICY
    shown = evidence.verify_audit_proof(json.loads(proof.text), place.north.node.contracts)
    assert shown is not None


def test_what_is_no_entry_of_this_record_is_not_found(browser: Visitor, place: Place) -> None:
    own = place.north.node.organisation.hex()
    for query in (f"of={own}&entry={'ab' * 32}", "of=zz&entry=zz", f"of={own}", ""):
        assert browser.get(f"/log/proof?{query}").status_code == 404, query


def test_an_organisation_that_does_not_answer_is_named(browser: Visitor, place: Place) -> None:
    place.network.down("south")
    try:
        text = browser.get("/log").text
    finally:
        place.network.up("south")
    assert "These did not answer just now" in text and "Clinic South" in text


def test_everything_and_the_summary_are_files_of_fhir(browser: Visitor, rosa: Enrolled) -> None:
    whole = browser.get("/download/everything")
    assert whole.headers["content-disposition"] == 'attachment; filename="my-record.json"'
    assert whole.headers["content-type"] == "application/fhir+json"
    bundle = json.loads(whole.text)
    assert bundle["type"] == "collection"
    types = {one["resource"]["resourceType"] for one in bundle["entry"]}
    assert {"Patient", "Observation", "AllergyIntolerance", "DocumentReference"} <= types
    assert all(one["fullUrl"].endswith(f"/{one['resource']['id']}") for one in bundle["entry"])
    brief = json.loads(browser.get("/download/summary").text)
    assert brief["entry"][0]["resource"]["resourceType"] == "Composition"


def test_taking_everything_along_needs_a_fresh_proof(browser: Visitor, place: Place) -> None:
    place.clock.ahead_seconds += 901
    for path in ("/download/everything", "/download/summary"):
        assert browser.get(path).headers["location"].startswith("/sign-in/confirm?next=")
    assert browser.get("/download").status_code == 200
