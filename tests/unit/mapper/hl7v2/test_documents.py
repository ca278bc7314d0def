"""MDM: a document, its text, its state and what it replaces (chapter 9)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper.hl7v2 import documents
from unit.mapper.hl7v2.messages import kept, mapped, resource, resources, segment

PID = "PID|1||M1^^^HOSP^MR||Doe^Jane"
PV1 = "PV1|1|I"


def txa(**more: str) -> str:
    fields = {1: "1", 2: "DS", 3: "TX", 12: "DOC1^HOSP"}
    return segment("TXA", {**fields, **{int(name[1:]): value for name, value in more.items()}})


def document(*segments: str, event: str = "T02") -> dict[str, Any]:
    one = mapped("EVN|" + event, PID, PV1, *segments, event=f"MDM^{event}")
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return resource(one, "DocumentReference")


def text_of(attachment: dict[str, str]) -> str:
    return b64decode(attachment["data"]).decode()


def test_the_text_of_all_segments_is_one_document() -> None:
    found = document(
        txa(), "OBX|1|TX|1||HISTORY~of illness", "OBX|2|FT|1||Fever \\T\\ cough\\.br\\no pain"
    )
    (content,) = found["content"]
    assert content["attachment"]["contentType"] == "text/plain"
    lines = text_of(content["attachment"]).splitlines()
    assert lines[:2] == ["HISTORY", "of illness"]
    assert lines[2].startswith("Fever & cough")
    assert lines[-1].endswith("no pain")


def test_a_file_stands_beside_the_text() -> None:
    data = b64encode(b"%PDF-1.4").decode()
    found = document(txa(), "OBX|1|TX|1||See file", f"OBX|2|ED|1||^application^pdf^Base64^{data}")
    text, file = (content["attachment"] for content in found["content"])
    assert text_of(text) == "See file"
    assert file == {"contentType": "application/pdf", "data": data}


def test_a_coded_value_is_an_observation_of_the_documents_context() -> None:
    one = mapped(PID, txa(), "OBX|1|NM|8867-4^Heart rate^LN||72|/min^^UCUM", event="MDM^T02")
    assert resource(one, "Observation")["valueQuantity"]["unit"] == "/min"
    assert len(resource(one, "DocumentReference")["context"]["related"]) == 1


@pytest.mark.parametrize(
    ("event", "sent", "status"),
    [
        ("T02", "", "current"),
        ("T02", "AV", "current"),
        ("T02", "OB", "superseded"),
        ("T02", "CA", "entered-in-error"),
        ("T11", "AV", "entered-in-error"),
    ],
)
def test_the_reference_has_the_status_of_event_and_availability(
    event: str, sent: str, status: str
) -> None:
    assert document(txa(f19=sent), event=event)["status"] == status


@pytest.mark.parametrize(
    ("sent", "status"), [("DI", "preliminary"), ("AU", "final"), ("LA", "final")]
)
def test_the_document_has_the_status_of_its_completion(sent: str, status: str) -> None:
    assert document(txa(f17=sent))["docStatus"] == status


@pytest.mark.parametrize(
    ("event", "code"), [("T05", "appends"), ("T06", "appends"), ("T09", "replaces")]
)
def test_an_addendum_appends_and_a_replacement_replaces(event: str, code: str) -> None:
    (relation,) = document(txa(f13="DOC0^HOSP"), event=event)["relatesTo"]
    assert relation["code"] == code
    assert relation["target"]["identifier"]["value"] == "DOC0"


def test_what_the_notification_says_of_the_document() -> None:
    found = document(
        txa(f4="202401021000+0100", f6="202401021100+0100", f18="R", f25="Discharge letter")
    )
    assert found["type"]["coding"][0]["system"].endswith("v2-0270")
    assert found["date"] == "2024-01-02T11:00:00+01:00"
    assert found["context"]["period"] == {"start": "2024-01-02T10:00:00+01:00"}
    assert found["securityLabel"][0]["coding"][0]["code"] == "R"
    assert found["description"] == "Discharge letter"
    assert found["masterIdentifier"]["value"] == "DOC1"
    assert kept(found)["TXA-3"] == "TX"


def test_who_signed_counts_more_than_who_was_asked_to() -> None:
    one = mapped(PID, txa(f10="1^Asked^A", f22="2^Signed^S"), event="MDM^T02")
    names = {p["id"]: p["name"][0]["family"] for p in resources(one, "Practitioner")}
    signer = resource(one, "DocumentReference")["authenticator"]["reference"]
    assert names[signer.removeprefix("urn:uuid:")] == "Signed"


def test_the_order_a_document_answers_is_related() -> None:
    one = mapped(PID, "ORC|RE|P1|F1", "OBR|1|P1|F1|71020^Chest x-ray^C4", txa(), event="MDM^T02")
    request = resource(one, "ServiceRequest")
    related = resource(one, "DocumentReference")["context"]["related"]
    assert f"urn:uuid:{request['id']}" in {one.get("reference") for one in related}


def test_only_neighbouring_plain_texts_are_joined() -> None:
    def plain(text: str) -> dict[str, Any]:
        data = b64encode(text.encode()).decode()
        return {"attachment": {"contentType": "text/plain", "data": data}}

    url = {"attachment": {"url": "http://example.org/a"}}
    body = {"content": [plain("a"), plain("b"), url, plain("c")]}
    documents.join(body)
    assert body["content"] == [plain("a\nb"), url, plain("c")]
    bare: dict[str, Any] = {"status": "current"}
    documents.join(bare)
    assert bare == {"status": "current"}
