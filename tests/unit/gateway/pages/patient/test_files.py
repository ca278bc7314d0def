"""Files of documents from a record's pages: saved by who may read them, run by nobody's browser."""

from __future__ import annotations

import base64
import html
import re
from typing import Any

import pytest

from simdes.access.categories import Role
from simdes.exchange import consents
from simdes.exchange.consents import Grantee
from simdes.gateway.app import create_gateway
from support.fhir_api import Api, Json
from support.pages import Visitor
from support.portal import Enrolled, enrolled
from unit.gateway.pages.conftest import Place

PDF = b"%PDF-1.7\n\x00\xff not really"
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def letter(of: Enrolled, **attachment: Any) -> Json:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"text": "Letter"},
        "subject": {"reference": f"Patient/{of.patient['id']}"},
        "date": "2026-01-02T15:00:00Z",
        "content": [{"attachment": attachment}],
    }


def data(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture(scope="module")
def finn(founded_pages: Place, doctor: Api) -> Enrolled:
    """A patient with nothing but papers."""
    return enrolled(founded_pages.network, doctor, "pages-finn", user="finn", given="Finn")


@pytest.fixture
def himself(place: Place, finn: Enrolled) -> Visitor:
    visitor = place.visitor()
    visitor.sign_in(finn.user)
    return visitor


def of(made: Json, at: object = 0) -> str:
    return f"/record/file?of=DocumentReference/{made['id']}&at={at}"


def test_a_letter_is_saved_as_what_it_is(doctor: Api, finn: Enrolled, himself: Visitor) -> None:
    made = doctor.create(
        letter(finn, contentType="application/pdf", title='Lette"r\r\nX: é.pdf', data=data(PDF))
    )
    page = himself.get("/record?part=all").text
    [address] = [
        html.unescape(one)
        for one in re.findall(r'href="(/record/file\?[^"]+)"', page)
        if made["id"] in one
    ]
    answer = himself.get(address)
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="Lette-r-X.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    ("declared", "given"),
    [
        ("text/html", "text/plain; charset=utf-8"),
        ("image/svg+xml", "text/plain; charset=utf-8"),
        ("application/xhtml+xml; charset=x", "text/plain; charset=utf-8"),
        ("text/xml", "text/plain; charset=utf-8"),
        ("TEXT/HTML", "text/plain; charset=utf-8"),
        ("application/javascript", "application/octet-stream"),
        ("application/x-shockwave-flash", "application/octet-stream"),
        ("image/png", "image/png"),
    ],
)
def test_nothing_that_a_browser_runs_is_sent_as_such(
    doctor: Api, finn: Enrolled, himself: Visitor, declared: str, given: str
) -> None:
    made = doctor.create(letter(finn, contentType=declared, title="x.html", data=data(SCRIPT)))
    answer = himself.get(of(made))
    assert answer.content == SCRIPT and answer.headers["content-type"] == given
    named = answer.headers["content-disposition"]
    assert named.startswith('attachment; filename="x.') and ".html" not in named


def test_a_file_in_a_binary_of_the_same_patient_is_opened_and_no_other(
    doctor: Api, finn: Enrolled, rosa: Enrolled, himself: Visitor
) -> None:
    def binary(whose: Enrolled) -> str:
        sent = {
            "content-type": "application/pdf",
            "x-security-context": f"Patient/{whose.patient['id']}",
        }
        return str(doctor.send("POST", "Binary", content=PDF, headers=sent).json()["id"])

    own, other = binary(finn), binary(rosa)
    made = doctor.create(letter(finn, contentType="application/pdf", url=f"Binary/{own}"))
    assert himself.get(of(made)).content == PDF
    for url in (
        f"Binary/{other}",
        "https://elsewhere.example/letter.pdf",
        f"https://elsewhere.example/fhir/Binary/{own}",
        "Binary/none",
        "javascript:alert(1)",
    ):
        wrong = doctor.create(letter(finn, contentType="application/pdf", url=url))
        refused = himself.get(of(wrong))
        assert refused.status_code == 404 and PDF not in refused.content, url
    page = himself.get("/record?part=all").text
    assert "kept elsewhere" in page and "elsewhere.example" not in page


def test_what_is_no_file_is_not_found(
    doctor: Api, finn: Enrolled, rosa: Enrolled, himself: Visitor
) -> None:
    made = doctor.create(letter(finn, contentType="application/pdf", data=data(PDF)))
    for at in (1, -1, "x", "", "²", 10**6):
        assert himself.get(of(made, at)).status_code in (400, 404), at
    hers = doctor.create(letter(rosa, contentType="application/pdf", data=data(PDF)))
    for named in ("", "DocumentReference/none", "../x", "Patient/" + finn.patient["id"]):
        assert himself.get(f"/record/file?of={named}&at=0").status_code == 404, named
    assert himself.get(of(hers)).status_code == 404, "another patient's"


def test_a_file_that_is_too_large_is_not_opened(
    doctor: Api, finn: Enrolled, himself: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simdes.exchange.attachments.MOST_BYTES", 1_000)
    made = doctor.create(letter(finn, contentType="text/plain", data=data(bytes(1_100))))
    answer = himself.get(of(made))
    assert answer.status_code == 400 and "too large to be opened" in answer.text


def test_staff_open_files_as_far_as_consent_goes(place: Place, doctor: Api, finn: Enrolled) -> None:
    made = doctor.create(letter(finn, contentType="application/pdf", data=data(PDF)))
    place.network.settle()
    near, south = place.visitor(), place.network["south"]
    near.sign_in("dr.north")
    address = f"/patients/file?of=DocumentReference/{made['id']}&at=0"
    record = near.get(f"/patients/record?patient={finn.patient['id']}&part=all").text
    assert html.escape(address) in record and near.get(address).content == PDF
    far = Visitor(create_gateway(south.custody, node=south.node))
    far.sign_in("dr.lee")
    assert far.get(address).status_code == 404, "no consent"
    consents.grant(
        place.north.node,
        place.network.session("north", finn.user),
        vault=finn.vault,
        grantee=Grantee.role_in(south.node.organisation, "doctor"),
        categories=["documents"],
        purposes=["TREAT"],
        valid_seconds=86_400,
    )
    place.network.settle()
    assert far.get(address).content == PDF, "another organisation's, under a consent"
    for role in (Role.PHARMACIST, Role.ADMINISTRATOR, Role.PATIENT):
        other = place.visitor()
        other.sign_in(place.person(role).user)
        assert other.get(address).status_code == 403, role
