"""Merged, moved and linked patients, and what each ADT event says of the visit (chapter 3)."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped, map_bytes
from unit.mapper.hl7v2.messages import kept, mapped, message, resource, resources, segment

SURVIVOR = "PID|1||NEW^^^HOSP^MR||Doe^Jane"
PRIOR = "MRG|OLD^^^HOSP^MR|||X1^^^HOSP|||Smith^Jane"


def url_of(one: Mapped, body: dict[str, Any]) -> str:
    (found,) = (e["fullUrl"] for e in one.bundle["entry"] if e["resource"] is body)
    return str(found)


def by_identifier(one: Mapped, value: str) -> dict[str, Any]:
    (found,) = (
        patient
        for patient in resources(one, "Patient")
        if value in {identifier["value"] for identifier in patient["identifier"]}
    )
    return found


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47", "A48"])
def test_a_merge_links_the_survivor_and_the_record_it_replaces(event: str) -> None:
    one = mapped(SURVIVOR, PRIOR, event=f"ADT^{event}")
    new, old = by_identifier(one, "NEW"), by_identifier(one, "OLD")
    assert new["link"] == [{"type": "replaces", "other": {"reference": url_of(one, old)}}]
    assert old["link"] == [{"type": "replaced-by", "other": {"reference": url_of(one, new)}}]
    assert old["active"] is False
    assert "active" not in new
    assert old["name"][0]["family"] == "Smith"
    assert "X1" in {identifier["value"] for identifier in old["identifier"]}
    assert [p for p in validate(one.bundle) if p.is_error] == []


def test_the_replaced_record_has_the_id_it_was_admitted_with() -> None:
    admitted = mapped("PID|1||OLD^^^HOSP^MR||Smith^Jane", control="1")
    merged = mapped(SURVIVOR, PRIOR, event="ADT^A40", control="2")
    assert by_identifier(merged, "OLD")["id"] == resource(admitted, "Patient")["id"]


def test_several_pairs_of_one_message_are_merged_apart() -> None:
    one = mapped(
        "PID|||A1^^^H^MR", "MRG|A2^^^H^MR", "PID|||B1^^^H^MR", "MRG|B2^^^H^MR", event="ADT^A40"
    )
    for new, old in (("A1", "A2"), ("B1", "B2")):
        other = by_identifier(one, new)["link"][0]["other"]["reference"]
        assert other == url_of(one, by_identifier(one, old))


@pytest.mark.parametrize("event", ["A40", "A34"])
def test_a_merge_with_oneself_links_nothing(event: str) -> None:
    """Some senders repeat the number: the patient must not be switched off by that."""
    one = mapped(SURVIVOR, "MRG|NEW^^^HOSP^MR", event=f"ADT^{event}")
    patient = resource(one, "Patient")
    assert "link" not in patient and "active" not in patient
    assert kept(patient)["MRG-1.1"] == "NEW"


@pytest.mark.parametrize("event", ["A35", "A41", "A49"])
def test_a_merged_account_turns_inactive_and_its_patient_stays(event: str) -> None:
    one = mapped(
        segment("PID", {3: "P^^^HOSP^MR", 18: "ACC1^^^HOSP"}),
        "MRG|P^^^HOSP^MR||ACC2^^^HOSP",
        event=f"ADT^{event}",
    )
    states = {a["identifier"][0]["value"]: a["status"] for a in resources(one, "Account")}
    assert states == {"ACC1": "active", "ACC2": "inactive"}
    assert "link" not in resource(one, "Patient")


@pytest.mark.parametrize("event", ["A43", "A44", "A45"])
def test_what_moves_between_patients_leaves_both_as_they_are(event: str) -> None:
    visit = ("PV1|1|I",) if event == "A45" else ()
    one = mapped(SURVIVOR, PRIOR, *visit, event=f"ADT^{event}")
    assert len(resources(one, "Patient")) == 2
    assert all("link" not in p and "active" not in p for p in resources(one, "Patient"))


def test_linked_records_see_each_other() -> None:
    one = mapped("PID|||A^^^H^MR", "PV1|1|I", "PID|||B^^^H^MR", event="ADT^A24")
    a, b = by_identifier(one, "A"), by_identifier(one, "B")
    assert a["link"] == [{"other": {"reference": url_of(one, b)}, "type": "seealso"}]
    assert b["link"] == [{"type": "seealso", "other": {"reference": url_of(one, a)}}]


def test_patients_who_swap_beds_are_not_linked() -> None:
    one = mapped(
        *("PID|||A^^^H^MR", "PV1|1|I|W^1", "PID|||B^^^H^MR", "PV1|1|I|W^2"), event="ADT^A17"
    )
    assert all("link" not in patient for patient in resources(one, "Patient"))
    subjects = {e["subject"]["reference"] for e in resources(one, "Encounter")}
    assert subjects == {url_of(one, p) for p in resources(one, "Patient")}


@pytest.mark.parametrize("event", ["A42", "A50", "A51"])
def test_a_visits_former_number_is_an_old_identifier(event: str) -> None:
    visit = segment("PV1", {2: "I", 19: "V2^^^HOSP"})
    prior = segment("MRG", {1: "NEW^^^HOSP^MR", 5: "V1^^^HOSP"})
    one = mapped(SURVIVOR, prior, visit, event=f"ADT^{event}")
    identifiers = {i["value"]: i.get("use") for i in resource(one, "Encounter")["identifier"]}
    assert identifiers == {"V2": None, "V1": "old"}


def test_a_deleted_person_is_inactive() -> None:
    assert resource(mapped(SURVIVOR, "PV1||N", event="ADT^A29"), "Patient")["active"] is False


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("A01", "in-progress"),
        ("A02", "in-progress"),
        ("A03", "finished"),
        ("A05", "planned"),
        ("A06", "in-progress"),
        ("A11", "cancelled"),
        ("A12", "in-progress"),
        ("A13", "in-progress"),
        ("A14", "planned"),
        ("A21", "onleave"),
        ("A22", "in-progress"),
        ("A23", "entered-in-error"),
        ("A27", "cancelled"),
        ("A38", "cancelled"),
        ("A53", "onleave"),
    ],
)
def test_the_event_says_what_became_of_the_visit(event: str, status: str) -> None:
    one = mapped(SURVIVOR, segment("PV1", {2: "I", 19: "V1"}), event=f"ADT^{event}")
    assert resource(one, "Encounter")["status"] == status


def test_an_unlisted_event_follows_the_structure_it_names() -> None:
    one = mapped(SURVIVOR, "PV1|1|I", event="ADT^A99^ADT_A02")
    assert one.event == "ADT^A99"
    assert resource(one, "Encounter")["class"]["code"] == "IMP"


@pytest.mark.parametrize("event", ["ADT^A99", "ADT^A99^ADT_Z99", "ADT^A99^ORU_R01", "XYZ^A01"])
def test_a_truly_unknown_event_is_quarantined(event: str) -> None:
    mapping = map_bytes("x", message(SURVIVOR, event=event))
    assert [one.reason_code for one in mapping.quarantined] == ["unsupported-message"]
    assert "ADT" in mapping.quarantined[0].advice


def test_an_adverse_reaction_has_its_manifestations() -> None:
    one = mapped(
        SURVIVOR,
        segment("IAM", {1: "1", 2: "FA", 3: "227493005^Cashew nuts^SCT"}),
        "IAR|271807003^Skin rash^SCT|MI",
        event="ADT^A60",
    )
    allergy = resource(one, "AllergyIntolerance")
    assert allergy["code"]["coding"][0]["display"] == "Cashew nuts"
    (reaction,) = allergy["reaction"]
    assert reaction["manifestation"][0]["coding"][0]["code"] == "271807003"
    assert reaction["severity"] == "mild"
