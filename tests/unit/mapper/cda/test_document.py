"""A CDA document becomes a valid FHIR document."""

import base64

import pytest

from simdes.mapper import map_bytes
from simdes.mapper.cda.document import maps_of
from simdes.mapper.model import Sheet, Site
from unit.mapper.cda.samples import NAMES, document, mapped, only, resources, sample


def test_every_sheet_can_be_followed() -> None:
    maps_of(Site()).check()


@pytest.mark.parametrize("name", NAMES)
def test_samples_become_valid_documents(name: str) -> None:
    found = mapped(sample(name))
    first = found.bundle["entry"][0]["resource"]
    assert first["resourceType"] == "Composition"
    assert found.bundle["type"] == ("collection" if name == "no-namespace" else "document")


@pytest.mark.parametrize("name", ["ccd", "synthea"])
def test_the_same_document_gives_the_same_bundle(name: str) -> None:
    assert mapped(sample(name)).bundle == mapped(sample(name)).bundle


@pytest.mark.parametrize("name", ["ccd", "transfer", "synthea", "history"])
def test_whatever_is_in_a_document_can_be_reached_from_its_composition(name: str) -> None:
    bundle = mapped(sample(name)).bundle
    urls = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    waiting, seen = [bundle["entry"][0]["fullUrl"]], set()
    while waiting:
        url = waiting.pop()
        if url not in seen:
            seen.add(url)
            text = str(urls[url])
            waiting += [other for other in urls if other in text]
    left = {urls[url]["resourceType"] for url in urls.keys() - seen}
    people = {"Practitioner", "PractitionerRole", "Organization", "Device", "RelatedPerson"}
    assert left <= people | {"Provenance"}  # which says who wrote, and refers to it


def test_the_bundle_carries_the_documents_id_and_time() -> None:
    found = mapped(document())
    assert found.bundle["identifier"] == {"system": "urn:oid:1.2.36.1", "value": "d1"}
    assert found.bundle["timestamp"] == "2024-01-02T03:04:05+01:00"
    assert found.event == "CDA 34133-9"
    assert found.patient_identifiers == (("urn:oid:1.2.36.4", "p1"),)


def test_a_document_of_a_day_begins_at_midnight_of_the_site() -> None:
    source = document().replace(b"20240102030405+0100", b"20240102")
    found = mapped(source, Site(time_zone="+05:30"))
    assert found.bundle["timestamp"] == "2024-01-02T00:00:00+05:30"
    assert only(found, "Composition")["date"] == "2024-01-02"


def test_a_body_that_is_no_xml_is_an_attachment() -> None:
    found = mapped(sample("unstructured-text"))
    attachment = only(found, "DocumentReference")["content"][0]["attachment"]
    text = base64.b64decode(attachment["data"]).decode()
    assert attachment["contentType"] == "text/plain"
    assert "\n" in text


def test_a_site_may_put_its_rows_in_front() -> None:
    more = "@ Patient : Patient\npatient/sdtc:desc | name.text\n"
    site = Site(sheets=(Sheet("cda", "mine.psv", more),))
    found = mapped(document(patient="<sdtc:desc>Annie</sdtc:desc>"), site)
    assert "Annie" in [name.get("text") for name in only(found, "Patient")["name"]]


def test_an_input_that_is_a_document_is_recognised_and_mapped() -> None:
    mapping = map_bytes("x.xml", document())
    assert mapping.kind == "cda"
    assert len(mapping.messages) == 1


def test_what_no_row_takes_stays_on_its_resource_and_no_value_is_reported() -> None:
    found = mapped(document(patient='<sdtc:novel value="xyzzy"/>'))
    assert "xyzzy" in str(only(found, "Patient")["extension"])
    assert "xyzzy" not in str(found.dropped)


def test_entries_of_no_known_template_become_resources_by_their_class() -> None:
    entries = "<!---->".join(
        (
            '<observation classCode="OBS" moodCode="EVN"><code code="1" codeSystem="1.2"/>'
            '<value xsi:type="PQ" value="1.50" unit="mg"/></observation>',
            '<act classCode="ACT" moodCode="RQO"><code code="2" codeSystem="1.2"/></act>',
            '<procedure classCode="PROC" moodCode="EVN"><code code="3" codeSystem="1.2"/>'
            '<statusCode code="completed"/></procedure>',
            '<encounter classCode="ENC" moodCode="EVN"><code code="4" codeSystem="1.2"/>'
            "</encounter>",
        )
    )
    found = mapped(document(entries))
    assert str(only(found, "Observation")["valueQuantity"]["value"]) == "1.50"
    assert only(found, "ServiceRequest")["intent"] == "order"
    assert only(found, "Procedure")["status"] == "completed"
    assert only(found, "Encounter")["type"][0]["coding"][0]["code"] == "4"
    assert len(only(found, "Composition")["section"][0]["entry"]) == 4
    assert len(resources(found, "Patient")) == 1
