"""Staff answer what patients asked to have corrected: a new version, or a reason."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from simdes.access.categories import Role
from simdes.exchange import charting, correcting, correction_telling, rights
from simdes.exchange.interactions import search
from support.fhir_api import Api, Json, application
from support.pages import Visitor
from support.portal import Enrolled, enrolled, history, written_elsewhere
from unit.gateway.pages.conftest import Place
from unit.gateway.pages.patient.conftest import HOSTILE

QUEUE, ANSWER = "/patients/corrections", "/patients/corrections/answer"


@pytest.fixture(scope="module")
def mona(founded_pages: Place, doctor: Api) -> Enrolled:
    """A patient with a record and a browser of her own."""
    who = enrolled(founded_pages.network, doctor, "pages-mona", user="mona", given="Mona")
    for one in history(who.patient["id"]):
        doctor.create(one)
    founded_pages.network.settle()
    return who


@pytest.fixture
def desk(place: Place) -> Visitor:
    visitor = place.visitor()
    visitor.sign_in("dr.north")
    return visitor


@pytest.fixture
def herself(place: Place, mona: Enrolled) -> Visitor:
    visitor = place.visitor()
    visitor.sign_in(mona.user)
    return visitor


def entry(doctor: Api, mona: Enrolled, type_: str, **wanted: str) -> Json:
    key = "patient" if type_ == "AllergyIntolerance" else "subject"
    listed = doctor.found(f"{type_}?{key}=Patient/{mona.patient['id']}&_sort=_lastUpdated")
    return next(one for one in listed if wanted.items() <= one.items())


def current(doctor: Api, one: Json) -> Json:
    [found] = doctor.found(f"{one['resourceType']}?_id={one['id']}")
    return found


def _measured(doctor: Api, mona: Enrolled) -> Json:
    return entry(doctor, mona, "Observation", effectiveDateTime="2024-08-19T08:30:00Z")


def asked(herself: Visitor, about: Json, text: str) -> None:
    named = f"{about['resourceType']}/{about['id']}"
    assert herself.post("/corrections/new", {"about": named, "text": text}).status_code == 303


def request_of(desk: Visitor, text: str) -> str:
    page = desk.get(QUEUE).text
    [block] = [one for one in page.split("<li>") if html.escape(text)[:30] in one]
    found = re.search(r"request=([^\"&]+)", block)
    assert found
    return found.group(1)


def form_of(desk: Visitor, request: str) -> dict[str, str]:
    """The fields of the first form as they were shown."""
    text = desk.get(f"{ANSWER}?request={request}").text
    form = text[text.index(f'action="{ANSWER}"') :].split("</form>")[0]
    found = dict(
        re.findall(r'name="([^"]+)"(?: type="text" autocomplete="off")? value="([^"]*)"', form)
    )
    found.pop("token", None)
    found.pop("error", None)
    return {name: html.unescape(value) for name, value in found.items()}


def test_a_correction_is_written_and_told_in_one_transaction(
    desk: Visitor, herself: Visitor, doctor: Api, mona: Enrolled
) -> None:
    wrong = entry(doctor, mona, "Observation", effectiveDateTime="2024-02-03T08:30:00Z")
    asked(herself, wrong, "It was 4.2, not 4.1")
    request = request_of(desk, "It was 4.2, not 4.1")
    page = desk.get(QUEUE).text
    assert "Mona Okafor" in page and "waits for 0" not in page
    form = form_of(desk, request)
    assert form["v.valueQuantity.value"] == "4.1"
    assert not any(name.endswith((".reference", ".system")) for name in form), "no links"
    done = desk.post(ANSWER, form | {"v.valueQuantity.value": "4.20", "text": "Thank you."})
    assert done.headers["location"] == f"{QUEUE}?done=corrected", done.text
    now = current(doctor, wrong)
    assert str(now["valueQuantity"]["value"]) in ("4.2", "4.20")
    assert now["meta"]["versionId"] == "2"
    said = herself.get("/corrections").text
    assert "It was corrected." in said and "Thank you." in said
    made = doctor.found(f"Provenance?target=Observation/{wrong['id']}")
    assert len(made) == 2, "each version has its Provenance"
    assert "It was 4.2" not in desk.get(QUEUE).text, "it does not wait any more"
    again = desk.post(ANSWER, form | {"v.valueQuantity.value": "9.9"})
    assert again.status_code == 409 and "answered already" in again.text


def test_a_refusal_has_a_reason_that_the_patient_reads(
    desk: Visitor, herself: Visitor, doctor: Api, mona: Enrolled
) -> None:
    asked(herself, entry(doctor, mona, "Condition"), f"I have no pressure {HOSTILE}")
    request = request_of(desk, "I have no pressure")
    shown = desk.get(f"{ANSWER}?request={request}").text
    assert HOSTILE not in shown and "High blood pressure" in shown
    empty = desk.post(ANSWER, {"request": request, "what": "refuse", "text": " "})
    assert empty.status_code == 400 and "Say why, for the patient to read." in empty.text
    done = desk.post(ANSWER, {"request": request, "what": "refuse", "text": "Measured twice."})
    assert done.headers["location"] == f"{QUEUE}?done=correction-refused"
    said = herself.get("/corrections").text
    assert "It was not corrected." in said and "Measured twice." in said


def test_what_was_answered_does_not_wait_behind_newer_messages(
    desk: Visitor,
    herself: Visitor,
    doctor: Api,
    mona: Enrolled,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked(herself, entry(doctor, mona, "Condition"), "Is it mine at all")
    refused = {"request": request_of(desk, "Is it mine"), "what": "refuse", "text": "It is."}
    assert desk.post(ANSWER, refused).status_code == 303
    subject = {"reference": f"Patient/{mona.patient['id']}"}
    for _ in range(2):
        doctor.create({"resourceType": "Communication", "status": "completed", "subject": subject})
    monkeypatch.setattr(search, "MOST", 2)
    assert "Is it mine" not in desk.get(QUEUE).text


def test_an_entry_is_struck_as_an_error(
    desk: Visitor, herself: Visitor, doctor: Api, mona: Enrolled
) -> None:
    wrong = entry(doctor, mona, "AllergyIntolerance")
    asked(herself, wrong, "I take penicillin every year")
    form = form_of(desk, request_of(desk, "I take penicillin"))
    assert form["v.code.text"] == form["v.code.coding.0.display"] == "Penicillin"
    done = desk.post(ANSWER, form | {"error": "yes"})
    assert done.headers["location"] == f"{QUEUE}?done=corrected", done.text
    now = current(doctor, wrong)
    assert now["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in now


def test_what_changes_nothing_or_is_wrong_is_not_written(
    desk: Visitor, herself: Visitor, doctor: Api, mona: Enrolled
) -> None:
    wrong = entry(doctor, mona, "Observation", effectiveDateTime="2024-08-19T08:30:00Z")
    asked(herself, wrong, "That was not me at all")
    form = form_of(desk, request_of(desk, "That was not me"))
    for change, status, why in (
        ({}, 400, "Nothing is changed."),
        ({"v.valueQuantity.value": "a lot"}, 400, "A value is no number."),
        ({"v.valueQuantity.value": "1e500"}, 400, "A value is no number."),
        ({"v.valueQuantity.value": "NaN"}, 400, "A value is no number."),
        ({"v.valueQuantity.value": "Infinity"}, 400, "A value is no number."),
        ({"v.valueQuantity.value": ""}, 400, "A value is missing."),
        ({"v.status": "perhaps"}, 422, ""),
        ({"v.subject.reference": "Patient/other", "v.id": "x"}, 400, "Nothing is changed."),
        ({"v.valueQuantity.value": "5", "version": "7"}, 412, ""),
    ):
        refused = desk.post(ANSWER, form | change)
        assert refused.status_code == status and why in refused.text, change
    assert current(doctor, wrong)["meta"]["versionId"] == "1"


def test_of_two_answers_at_once_the_first_alone_counts(
    place: Place,
    desk: Visitor,
    herself: Visitor,
    doctor: Api,
    mona: Enrolled,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = entry(doctor, mona, "Observation", effectiveDateTime="2024-08-19T08:30:00Z")
    asked(herself, wrong, "Somebody else's blood")
    request = request_of(desk, "Somebody else")
    form = form_of(desk, request)
    node, author = place.north.node, charting.author
    asking = rights.ask(node, place.network.session("north", "dr.north"))

    def after_a_refusal(*given: Any) -> dict[str, str]:
        """The second looked whether there is an answer; now the first one comes."""
        monkeypatch.undo()
        correcting.refuse(node, asking, request, text="It was yours.")
        return author(*given)

    monkeypatch.setattr(charting, "author", after_a_refusal)
    late = desk.post(ANSWER, form | {"v.valueQuantity.value": "9.9"})
    assert late.status_code == 409 and "answered already" in late.text
    assert current(doctor, wrong)["meta"]["versionId"] == "1", "all of it is undone"
    said = herself.get("/corrections").text
    assert "It was yours." in said


@pytest.mark.parametrize("typed", ["5.9", "a lot"])
def test_a_form_of_a_past_version_undoes_nobodys_change(
    place: Place, desk: Visitor, herself: Visitor, doctor: Api, mona: Enrolled, typed: str
) -> None:
    wrong = doctor.create(
        {one: value for one, value in _measured(doctor, mona).items() if one not in ("id", "meta")}
    )
    about = f"Mine was another, not {typed}"
    asked(herself, wrong, about)
    request = request_of(desk, about)
    form = form_of(desk, request)
    doctor.update(current(doctor, wrong) | {"effectiveDateTime": "2024-09-09T08:30:00Z"})
    late = desk.post(ANSWER, form | {"v.valueQuantity.value": typed, "text": "Thank you, Mona."})
    assert late.status_code == 412 and "The entry was changed meanwhile." in late.text
    assert 'value="2024-09-09T08:30:00Z"' in late.text and f'value="{typed}"' not in late.text
    assert "Thank you, Mona." in late.text and 'name="version" value="2"' in late.text
    again = form_of(desk, request) | {"v.valueQuantity.value": "5.9"}
    assert desk.post(ANSWER, again).status_code == 303
    now = current(doctor, wrong)
    assert now["effectiveDateTime"] == "2024-09-09T08:30:00Z"


def test_only_who_may_read_the_record_finds_and_answers_its_requests(
    place: Place, desk: Visitor, herself: Visitor, doctor: Api, mona: Enrolled, rosa: Enrolled
) -> None:
    asked(herself, entry(doctor, mona, "Encounter"), "I was not there that day")
    request = request_of(desk, "I was not there")
    body = {"request": request, "what": "refuse", "text": "No."}
    far = Visitor(place.app)
    assert far.post(ANSWER, body).status_code == 303, "sign in first"
    for role in (Role.PHARMACIST, Role.ADMINISTRATOR):
        other = place.visitor()
        other.sign_in(place.person(role).user)
        assert other.post(ANSWER, body).status_code == 403
        assert other.get(QUEUE).status_code == 403
    assert herself.post(ANSWER, body).status_code == 403
    notes = doctor.found(f"Communication?subject=Patient/{mona.patient['id']}")
    plain = next(one for one in notes if one.get("inResponseTo"))
    for named in (plain["id"], "none", "", "../x"):
        wrong = desk.post(ANSWER, body | {"request": named})
        assert wrong.status_code in (400, 404), named


def test_what_another_organisation_wrote_is_answered_there_by_who_sees_nothing_else(
    place: Place, herself: Visitor, mona: Enrolled
) -> None:
    network = place.network
    app = application(network["south"])
    lee = Api.of(network["south"], "dr.lee", app=app)
    wrong = written_elsewhere(network, mona, lee, "2023-05-06")
    place.clock.ahead_seconds += 120  # custodians are asked again
    form = herself.get(f"/corrections/new?about=Observation/{wrong['id']}").text
    assert "Clinic South wrote this: your words are sent there" in form
    asked(herself, wrong, "It was 4.2, the letter says so")
    assert "On its way to Clinic South since" in herself.get("/corrections").text
    assert correction_telling.tell(network["north"].node) == 1
    assert "Clinic South has it since" in herself.get("/corrections").text

    desk = Visitor(app)
    desk.sign_in("dr.lee")
    request = request_of(desk, "It was 4.2, the letter says so")
    place.clock.ahead_seconds += 120
    assert "waits for" in desk.get(QUEUE).text
    shown = desk.get(f"{ANSWER}?request={request}").text
    assert "A patient of Hospital North" in shown and "Hospital North told us" in shown
    assert "Okafor" not in shown and "/patients/record?patient=" not in shown
    done = desk.post(ANSWER, form_of(desk, request) | {"v.valueQuantity.value": "4.2"})
    assert done.headers["location"] == f"{QUEUE}?done=corrected", done.text
    assert "the letter says so" not in desk.get(QUEUE).text

    network.settle()
    place.clock.ahead_seconds += 120
    said = herself.get("/corrections").text
    assert "Clinic South: <strong>It was corrected.</strong>" in said
    assert "Clinic South has it since" not in said
