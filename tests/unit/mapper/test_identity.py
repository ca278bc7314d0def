"""Ids: the same message twice is the same, an update updates, others stay apart."""

from simdes.mapper import Mapped, Site, map_bytes
from simdes.mapper.completing import absent
from simdes.mapper.finaliser import join
from unit.mapper.hl7v2.messages import VECTORS, mapped, resource, resources, vectors

PID = "PID|1||M1^^^HOSP&1.2.36.1&ISO^MR||Doe^Jane"
VISIT = "PV1|1|I|||||||||||||||||V1^^^HOSP"
OBR = "OBR|1|P1^EHR|F1^LAB|24331-1^Lipids^LN"


def ids(one: Mapped) -> list[tuple[str, str]]:
    found = (entry["resource"] for entry in one.bundle["entry"])
    return [(resource["resourceType"], resource["id"]) for resource in found]


def test_the_same_message_twice_gives_the_same_bundle() -> None:
    for name, data in vectors():
        assert map_bytes(name, data).messages[0].bundle == map_bytes("x", data).messages[0].bundle


def test_ids_are_unique_within_every_bundle() -> None:
    for name, data in vectors():
        found = ids(map_bytes(name, data).messages[0])
        assert len(found) == len(set(found)), name


def test_an_update_updates_patient_and_visit() -> None:
    admitted = mapped(PID, VISIT)
    updated = mapped(PID + "^Ann", VISIT, event="ADT^A08", control="2")
    assert resource(admitted, "Patient")["id"] == resource(updated, "Patient")["id"]
    assert resource(admitted, "Encounter")["id"] == resource(updated, "Encounter")["id"]
    assert resource(updated, "Patient")["name"][0]["given"] == ["Jane", "Ann"]
    assert resource(admitted, "MessageHeader")["id"] != resource(updated, "MessageHeader")["id"]


def test_published_messages_of_one_patient_meet() -> None:
    found = set()
    for event in ("A01", "A03", "A04", "A08"):
        data = (VECTORS / f"microsoft/ADT-{event}-01.hl7").read_bytes()
        one = map_bytes(event, data).messages[0]
        found.add((resource(one, "Patient")["id"], resource(one, "Encounter")["id"]))
    assert len({patient for patient, _ in found}) == 1


def test_results_meet_admissions_by_the_patients_identifier() -> None:
    admission = (VECTORS / "linuxforhealth/HL7DataExtractorTest_098.hl7").read_bytes()
    report = (VECTORS / "linuxforhealth/Hl7MessageTest_056.hl7").read_bytes()
    one, other = (map_bytes("x", data).messages[0] for data in (admission, report))
    assert one.patient_identifiers[0] == other.patient_identifiers[0] == ("urn:id:MR", "000010016")
    assert resource(one, "Patient")["id"] == resource(other, "Patient")["id"]
    assert resources(other, "Observation")


def test_a_medical_record_number_goes_before_other_identifiers() -> None:
    one = mapped("PID|1||S9^^^USSSA^SS~M1^^^HOSP^MR")
    other = mapped("PID|1||M1^^^HOSP^MR")
    assert resource(one, "Patient")["id"] == resource(other, "Patient")["id"]
    assert one.patient_identifiers[0] == ("urn:id:HOSP", "M1")


def test_numbers_without_an_authority_are_their_senders() -> None:
    here = b"MSH|^~\\&|A|NORTH|||20240101||ADT^A01|1|P|2.5\rPID|1||7"
    there = here.replace(b"NORTH", b"SOUTH")
    one, other = (map_bytes("x", data).messages[0] for data in (here, there))
    assert resource(one, "Patient")["id"] != resource(other, "Patient")["id"]
    assert one.patient_identifiers == (("urn:id:NORTH", "7"),)


def test_a_corrected_result_is_the_same_observation() -> None:
    obx = "OBX|1|NM|2093-3^Chol^LN||{}|mmol/L|||||{}"
    first = mapped(PID, OBR, obx.format("4.0", "P"), event="ORU^R01")
    second = mapped(PID, OBR, obx.format("4.2", "C"), event="ORU^R01", control="2")
    one, other = resource(first, "Observation"), resource(second, "Observation")
    assert one["id"] == other["id"]
    assert other["status"] == "corrected"
    assert resource(first, "DiagnosticReport")["id"] == resource(second, "DiagnosticReport")["id"]


def test_set_ids_and_sub_ids_keep_results_apart() -> None:
    one = mapped(
        PID,
        OBR,
        "OBX|1|ST|1^x||a||||||F",
        "OBX|2|ST|1^x||b||||||F",
        "OBX|2|ST|1^x|1|c||||||F",
        "OBX|2|ST|1^x|1|d||||||F",
        event="ORU^R01",
    )
    assert len({o["id"] for o in resources(one, "Observation")}) == 4


def test_patients_without_any_identifier_never_merge() -> None:
    one = mapped("PID|1||||Doe^Jane", control="1")
    other = mapped("PID|1||||Doe^Jane", control="2")
    assert resource(one, "Patient")["id"] != resource(other, "Patient")["id"]
    assert one.patient_identifiers == ()


def test_sites_may_keep_their_ids_apart() -> None:
    data = (VECTORS / "microsoft/ADT-A01-01.hl7").read_bytes()
    north = map_bytes("x", data, site=Site(identity="north")).messages[0]
    south = map_bytes("x", data, site=Site(identity="south")).messages[0]
    assert not set(ids(north)) & set(ids(south))


def test_the_patients_resource_id_does_not_show_the_identifier() -> None:
    one = mapped(PID)
    assert "M1" not in resource(one, "Patient")["id"]


def test_father_and_son_of_one_name_are_two_contacts() -> None:
    one = mapped(PID, "NK1|1|Doe^John|FTH", "NK1|2|Doe^John|CHD")
    assert len(resources(one, "RelatedPerson")) == 2


def test_doctors_of_one_name_are_not_taken_for_one_another() -> None:
    one = mapped(PID, "PV1|1|I|||||^Smith^John^^Jr|^Smith^John")
    other = mapped(PID, "PV1|1|I|||||^Smith^John", control="2")
    names = {r["id"]: r["name"] for m in (one, other) for r in resources(m, "Practitioner")}
    assert len(names) == 2


def test_what_two_mentions_say_differently_is_kept_whatever_its_type() -> None:
    body = {"resourceType": "Patient", "multipleBirthInteger": 2, "active": True}
    other = {"resourceType": "Patient", "multipleBirthBoolean": True, "active": False}
    join(body, other, "urn:x")
    assert body["extension"] == [
        {
            "url": "urn:x",
            "extension": [
                {"url": "active", "valueString": "false"},
                {"url": "multipleBirthBoolean", "valueString": "true"},
            ],
        }
    ]


def test_what_one_mention_leaves_out_and_another_says_is_not_absent() -> None:
    body = {"resourceType": "Encounter", "_status": absent(), "class": absent()}
    join(body, {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}, "u")
    join(body, {"resourceType": "Encounter", "_status": absent()}, "u")
    assert body == {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
