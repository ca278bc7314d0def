"""Files of a record that is open in an emergency: while it stands, to who opened it alone."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.app import ADMINISTRATOR
from simdes.exchange import consents, emergencies
from simdes.exchange.consents import Grantee
from simdes.gateway.app import create_gateway
from support.fhir_api import Api, Json
from support.pages import Visitor
from support.portal import Enrolled, concept, enrolled
from support.trail import Watched
from unit.gateway.pages.conftest import Place

PDF = b"%PDF-1.7\n\x00\xff not really"
FILE = "/patients/emergency/file"


def report(of: Enrolled, **file: Any) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": concept("http://loinc.org", "24323-8", "Blood panel"),
        "subject": {"reference": f"Patient/{of.patient['id']}"},
        "effectiveDateTime": "2026-01-02",
        "presentedForm": [{"title": "Panel", "contentType": "application/pdf", **file}],
    }


def letter(of: Enrolled) -> Json:
    attachment = {"contentType": "application/pdf", "data": PDF_DATA}
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": f"Patient/{of.patient['id']}"},
        "content": [{"attachment": attachment}],
    }


PDF_DATA = base64.b64encode(PDF).decode()


@dataclass(frozen=True, slots=True)
class Scene:
    """Emil, what was written of him, somebody else's report, and the doctor who broke the glass."""

    emil: Enrolled
    panel: Json
    page: Json
    elsewhere: Json
    letter: Json
    another: Json
    lee: Visitor
    address: str

    def file(self, of: Json, **more: str) -> str:
        """Where the first file of a resource would be saved."""
        handle = more.get("handle", self.address.partition("handle=")[2])
        return f"{FILE}?handle={handle}&of={of['resourceType']}/{of['id']}&at=0"


@pytest.fixture(scope="module")
def scene(founded_pages: Place, doctor: Api) -> Iterator[Scene]:
    """Emil in an emergency; Otto, who lets the same doctors read in emergencies of his own."""
    network, south = founded_pages.network, founded_pages.network["south"]
    emil = enrolled(network, doctor, "pages-emil", user="emil", given="Emil")
    otto = enrolled(network, doctor, "pages-otto", user="otto", given="Otto")
    binary = doctor.send(
        "POST",
        "Binary",
        content=PDF,
        headers={
            "content-type": "application/pdf",
            "x-security-context": f"Patient/{emil.patient['id']}",
        },
    ).json()["id"]
    made = [
        doctor.create(one)
        for one in (
            report(emil, data=PDF_DATA),
            report(emil, data=PDF_DATA, contentType="text/html", title="page.html"),
            report(emil, url=f"Binary/{binary}", title="Scan"),
            letter(emil),
            report(otto, data=PDF_DATA),
        )
    ]
    network.settle()
    consents.grant(
        founded_pages.north.node,
        network.session("north", otto.user),
        vault=otto.vault,
        grantee=Grantee.role_in(south.node.organisation, "doctor"),
        categories=["observations"],
        purposes=["ETREAT"],
        valid_seconds=86_400,
    )
    network.settle()
    lee = Visitor(create_gateway(south.custody, node=south.node))
    lee.sign_in("dr.lee")
    form = {"vault": emil.vault.hex(), "reason": "unconscious"}
    address = lee.post("/patients/emergency/new", form).headers["location"]
    yield Scene(emil, *made, lee, address)
    over(founded_pages)


def over(place: Place) -> None:
    """Judge what is open, so that it ends."""
    node, judge = place.network["south"].node, place.network.session("south", ADMINISTRATOR)
    for one in emergencies.listed(node, judge):
        if one.open:
            emergencies.review(node, judge, one.handle, outcome="unjustified")


def test_a_file_is_saved_as_elsewhere_and_each_saving_is_on_record(
    place: Place, scene: Scene
) -> None:
    page = scene.lee.get(f"{scene.address}&part=all").text
    linked = {html.unescape(one) for one in re.findall(rf'href="({FILE}[^"]+)" download', page)}
    assert linked == {scene.file(scene.panel), scene.file(scene.page)}
    watched = Watched(place.network["south"].node)
    saved = scene.lee.get(scene.file(scene.panel))
    assert (saved.status_code, saved.content) == (200, PDF)
    assert saved.headers["content-type"] == "application/pdf"
    assert saved.headers["content-disposition"] == 'attachment; filename="Panel.pdf"'
    assert saved.headers["content-security-policy"] == "default-src 'none'; sandbox"
    [entry] = [one.attempt for one in watched.entries()]
    assert (entry.verb, entry.purpose) == (Verb.READ, Purpose.ETREAT)
    assert (entry.vault, len(entry.records), entry.granted) == (scene.emil.vault, 1, True)
    run = scene.lee.get(scene.file(scene.page))
    assert run.headers["content-type"] == "text/plain; charset=utf-8"


def test_what_the_emergency_does_not_open_stays_closed(place: Place, scene: Scene) -> None:
    assert "not open in an emergency" in scene.lee.get(f"{scene.address}&part=all").text
    for named, closed in {
        "a document": scene.letter,
        "a file in a Binary, which is one": scene.elsewhere,
        "another patient's, whatever they consented to": scene.another,
    }.items():
        refused = scene.lee.get(scene.file(closed))
        assert refused.status_code == 404 and PDF not in refused.content, named


def test_a_file_is_for_who_opened_the_emergency_alone(place: Place, scene: Scene) -> None:
    nurse = Visitor(scene.lee.app)
    nurse.sign_in("nurse.kim")
    assert nurse.get(scene.file(scene.panel)).status_code == 404
    for handle in ("", "zz", "ab" * 32):
        assert scene.lee.get(scene.file(scene.panel, handle=handle)).status_code == 404, handle
    assert (
        scene.lee.get(f"/patients/file?of=DiagnosticReport/{scene.panel['id']}&at=0").status_code
        == 404
    ), "without the emergency"
    for role in (Role.PHARMACIST, Role.ADMINISTRATOR, Role.PATIENT):
        other = place.visitor()
        other.sign_in(place.person(role).user)
        assert other.get(scene.file(scene.panel)).status_code == 403, role
    away = place.visitor().get(scene.file(scene.panel)).headers["location"]
    assert away.startswith("/sign-in?next=")


def test_no_file_is_given_once_the_emergency_is_over(place: Place, scene: Scene) -> None:
    assert scene.lee.get(scene.file(scene.panel)).status_code == 200
    over(place)
    refused = scene.lee.get(scene.file(scene.panel))
    assert refused.status_code == 403 and PDF not in refused.content
