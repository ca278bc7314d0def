"""Binary over HTTP (https://hl7.org/fhir/R4/binary.html#rest): in and out in its own type."""

from __future__ import annotations

import base64

import httpx
import pytest

from simdes.fhir.json import dumps
from simdes.gateway.fhir.call import Asked, Reply
from simdes.gateway.fhir.content import held
from simdes.index.vaults import Identifier, find
from support.consortium import Consortium
from support.fhir_api import JSON, Api, Json

XML = "application/fhir+xml"
PDF = b"%PDF-1.7\n\x00\xff not really"


def stored(doctor: Api, patient: Json, **headers: str) -> httpx.Response:
    sent = {
        "content-type": "application/pdf",
        "x-security-context": f"Patient/{patient['id']}",
        **headers,
    }
    return doctor.send("POST", "Binary", content=PDF, headers=sent)


def test_content_is_kept_and_comes_back_byte_for_byte(doctor: Api, patient: Json) -> None:
    answer = stored(doctor, patient)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert base64.b64decode(made["data"]) == PDF
    assert made["contentType"] == "application/pdf"
    assert made["securityContext"] == {"reference": f"Patient/{patient['id']}"}
    for headers in ({}, {"accept": "application/pdf"}, {"accept": "*/*"}):
        read = doctor.get(f"Binary/{made['id']}", **headers)
        assert (read.status_code, read.content) == (200, PDF)
        assert read.headers["content-type"] == "application/pdf"
        assert read.headers["content-disposition"] == "attachment"
        assert read.headers["x-content-type-options"] == "nosniff"
        assert read.headers["x-security-context"] == f"Patient/{patient['id']}"
        assert read.headers["etag"] == 'W/"1"'
    assert doctor.get(f"Binary/{made['id']}/_history/1").content == PDF
    head = doctor.send("HEAD", f"Binary/{made['id']}")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(PDF)))


def test_the_resource_comes_where_fhir_is_asked_for(doctor: Api, patient: Json) -> None:
    made = stored(doctor, patient).json()
    path = f"Binary/{made['id']}"
    assert doctor.get(path, accept=JSON).json() == made
    assert doctor.get(path, accept="application/json").json() == made
    assert doctor.get(f"{path}?_format=json").json() == made
    assert doctor.get(path, accept=XML).headers["content-type"].startswith(XML)
    assert doctor.get(f"{path}?_format=odd").status_code == 406


def test_it_lies_in_the_vault_of_its_security_context(
    network: Consortium, doctor: Api, patient: Json, number: str
) -> None:
    made = stored(doctor, patient).json()
    with network["north"].node.database.read() as tx:
        vault = find(tx, Identifier("urn:oid:2.16.840.1.113883.4.1", number))
        rows = tx.all("SELECT vault FROM resource WHERE logical_id = :id", id=made["id"])
    assert rows == [(vault,)]
    colleague = Api.of(network["south"], "dr.lee")
    assert colleague.get(f"Binary/{made['id']}").status_code == 404


def test_a_context_nobody_knows_is_refused(doctor: Api) -> None:
    headers = {"content-type": "text/plain", "x-security-context": "Patient/nobody"}
    answer = doctor.send("POST", "Binary", content=b"x", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_an_update_changes_what_it_holds(doctor: Api, patient: Json) -> None:
    made = stored(doctor, patient).json()
    headers = {
        "content-type": "text/plain; charset=iso-8859-1",
        "if-match": 'W/"1"',
        "x-security-context": f"Patient/{patient['id']}",
    }
    answer = doctor.send("PUT", f"Binary/{made['id']}", content=b"caf\xe9", headers=headers)
    assert answer.status_code == 200, answer.text
    read = doctor.get(f"Binary/{made['id']}")
    assert (read.content, read.headers["content-type"]) == (
        b"caf\xe9",
        "text/plain; charset=iso-8859-1",
    )


@pytest.mark.parametrize("media", [JSON, "application/json"])
def test_a_binary_sent_as_a_resource_is_one(doctor: Api, patient: Json, media: str) -> None:
    resource = {
        "resourceType": "Binary",
        "contentType": "text/html",
        "securityContext": {"reference": f"Patient/{patient['id']}"},
        "data": base64.b64encode(b"<script>alert(1)</script>").decode(),
    }
    answer = doctor.send("POST", "Binary", resource, headers={"content-type": media})
    assert answer.status_code == 201
    read = doctor.get(f"Binary/{answer.json()['id']}", accept="text/html")
    assert read.content == b"<script>alert(1)</script>"
    assert read.headers["content-disposition"] == "attachment"
    assert "default-src 'none'" in read.headers["content-security-policy"]


def test_json_that_is_no_binary_is_content(doctor: Api, patient: Json) -> None:
    headers = {
        "content-type": "application/json",
        "x-security-context": f"Patient/{patient['id']}",
    }
    answer = doctor.send("POST", "Binary", content=b'{"a": "Binary"}', headers=headers)
    assert answer.status_code == 201
    read = doctor.get(f"Binary/{answer.json()['id']}", accept="application/json")
    assert read.content == b'{"a": "Binary"}'


@pytest.mark.parametrize("own", ["no-type", "text/plain;\nx: y", "text/pläin", ""])
def test_a_type_that_is_none_goes_out_as_octets(own: str) -> None:
    """Elsewhere it may have been written by another program than this one."""
    binary = {"resourceType": "Binary", "contentType": own, "data": "QQ=="}
    asked = Asked(method="GET", address="Binary/1", query="", headers={}, body=b"", path="")
    reply = held(Reply(content=dumps(binary)), asked, ())
    assert (reply.content, reply.media_type) == (b"A", "application/octet-stream")


def test_a_deleted_binary_is_gone_in_every_type(doctor: Api, patient: Json) -> None:
    made = stored(doctor, patient).json()
    assert doctor.send("DELETE", f"Binary/{made['id']}").status_code == 204
    for headers in ({}, {"accept": JSON}, {"accept": "application/pdf"}):
        assert doctor.get(f"Binary/{made['id']}", **headers).status_code == 410
