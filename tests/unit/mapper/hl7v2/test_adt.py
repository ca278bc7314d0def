"""ADT messages: HL7's maps for PID, PD1, NK1, PV1, PV2, AL1, DG1, PR1, IN1, GT1."""

import pytest

from simdes.fhir.validate import validate
from unit.mapper.hl7v2.messages import kept, mapped, resource, resources, segment

PID = "PID|1||M1^^^HOSP&1.2.36.1&ISO^MR"
V3 = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def test_patient_demographics() -> None:
    one = mapped(
        segment(
            "PID",
            {
                3: "M1^^^HOSP&1.2.36.1&ISO^MR~123456789^^^USSSA^SS",
                5: "Everyman&van&Every^Adam^A^III^Dr^^L",
                7: "19880818112603+0215",
                8: "M",
                11: "1 Lane^Ste 2^Ann Arbor^MI^99999^USA^H",
                13: "^PRN^PH^^1^555^1234567",
                16: "M^Married^HL70002",
                24: "Y",
                25: "2",
                29: "20200101",
                30: "Y",
            },
        )
    )
    patient = resource(one, "Patient")
    assert patient["identifier"][0] == {
        "value": "M1",
        "system": "urn:oid:1.2.36.1",
        "assigner": {"display": "HOSP"},
        "type": {
            "coding": [
                {
                    "code": "MR",
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                    "display": "Medical record number",
                }
            ]
        },
    }
    assert patient["identifier"][1]["system"] == "http://hl7.org/fhir/sid/us-ssn"
    (name,) = patient["name"]
    assert name["family"] == "Everyman"
    assert name["given"] == ["Adam", "A"]
    assert (name["suffix"], name["prefix"], name["use"]) == (["III"], ["Dr"], "official")
    own = name["_family"]["extension"]
    assert [extension["valueString"] for extension in own] == ["van", "Every"]
    assert patient["birthDate"] == "1988-08-18"
    birth_time = patient["_birthDate"]["extension"][0]
    assert birth_time["valueDateTime"] == "1988-08-18T11:26:03+02:15"
    assert patient["gender"] == "male"
    (address,) = patient["address"]
    assert address["line"] == ["1 Lane", "Ste 2"]
    assert (address["city"], address["use"]) == ("Ann Arbor", "home")
    (telecom,) = patient["telecom"]
    assert (telecom["system"], telecom["use"]) == ("phone", "home")
    assert telecom["value"] == "+1 555 1234567"
    married = patient["maritalStatus"]["coding"]
    assert married[0]["system"] == "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
    assert married[1]["display"] == "Married"
    assert patient["multipleBirthInteger"] == 2
    assert "multipleBirthBoolean" not in patient
    assert patient["deceasedDateTime"] == "2020-01-01"
    assert kept(patient)["PID-30"] == "Y"
    assert one.patient_identifiers == (
        ("urn:oid:1.2.36.1", "M1"),
        ("http://hl7.org/fhir/sid/us-ssn", "123456789"),
    )


@pytest.mark.parametrize(
    ("sent", "gender"),
    [
        ("F", "female"),
        ("M", "male"),
        ("O", "other"),
        ("U", "unknown"),
        ("A", "other"),
        ("N", "other"),
        ("female", "female"),
        ("Male", "male"),
        ("X", None),
        ("1", None),
    ],
)
def test_administrative_sex_over_its_whole_table(sent: str, gender: str | None) -> None:
    patient = resource(mapped(f"{PID}|||||{sent}"), "Patient")
    assert patient.get("gender") == gender
    assert (gender is None) == ("PID-8" in kept(patient))


def test_a_field_without_a_place_in_fhir_is_kept_beside() -> None:
    patient = resource(mapped(f"{PID}||||||||||||||||||||||||Vet^retired&really~two"), "Patient")
    assert kept(patient) == {
        "PID-1": "1",
        "PID-27.1": "Vet",
        "PID-27.2.1": "retired",
        "PID-27.2.2": "really",
        "PID-27~2": "two",
    }


def test_a_bad_field_never_loses_the_message() -> None:
    one = mapped(f"{PID}||Doe^Jane||not a date|F")
    patient = resource(one, "Patient")
    assert "birthDate" not in patient
    assert kept(patient)["PID-7"] == "not a date"
    assert patient["name"][0]["family"] == "Doe"


def test_a_null_is_a_deletion_and_is_reported() -> None:
    one = mapped(f'{PID}||Doe^Jane||""|F')
    assert "birthDate" not in resource(one, "Patient")
    assert ("PID-7", "sent as null: the sender deletes the value") in {
        (item.path, item.reason) for item in one.dropped
    }


def test_mothers_identifier_and_account_become_resources_of_their_own() -> None:
    one = mapped(f"{PID}|||||||||||||||ACC1^^^HOSP|||MOTHER1^^^HOSP")
    assert resource(one, "Account")["identifier"][0]["value"] == "ACC1"
    mother = resource(one, "RelatedPerson")
    assert mother["relationship"][0]["coding"][0]["code"] == "MTH"
    assert mother["identifier"][0]["value"] == "MOTHER1"


def test_next_of_kin() -> None:
    one = mapped(
        PID,
        "NK1|1|Wood^John^^^MR|SPO^Spouse^HL70063||999-9999||||||||||||F",
        "NK1|2|Acme|E^Employer^HL70063||555-1",
    )
    kin = resource(one, "RelatedPerson")
    assert kin["name"][0]["family"] == "Wood"
    assert kin["relationship"][0]["coding"][0]["code"] == "SPS"
    assert kin["relationship"][0]["coding"][1]["code"] == "SPO"
    assert kin["telecom"] == [{"value": "999-9999", "system": "phone"}]
    patient = resource(one, "Patient")
    assert patient["contact"][0]["name"]["family"] == "Acme"
    reference = next(
        entry["fullUrl"]
        for entry in one.bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    )
    assert kin["patient"]["reference"] == reference


VISIT = segment(
    "PV1",
    {
        1: "1",
        2: "I",
        3: "WARD^12^3^SITE^^^BLD^2",
        4: "E",
        7: "111^Atwood^Ann^^^Dr^MD^^HOSP^L^^^DN",
        8: "222^Ref^Rob",
        10: "MED",
        14: "7",
        19: "V99^^^HOSP&1.2.36.1&ISO",
        36: "01",
        44: "20240101080000",
        45: "",
    },
)


@pytest.mark.parametrize(
    ("event", "end", "status"),
    [
        ("ADT^A01", "", "in-progress"),
        ("ADT^A03", "", "finished"),
        ("ADT^A03", "20240103", "finished"),
        ("ADT^A04", "", "planned"),
        ("ADT^A08", "", "in-progress"),
        ("ADT^A08", "20240103", "finished"),
    ],
)
def test_the_status_of_the_visit(event: str, end: str, status: str) -> None:
    encounter = resource(mapped(PID, VISIT + end, event=event), "Encounter")
    assert encounter["status"] == status


def test_the_visit() -> None:
    one = mapped(PID, VISIT + "20240103", "PV2|||R51^Headache^I10|||||||||2", event="ADT^A03")
    encounter = resource(one, "Encounter")
    assert encounter["class"] == {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "code": "IMP",
    }
    assert encounter["period"] == {"start": "2024-01-01T08:00:00Z", "end": "2024-01-03"}
    visit_number = encounter["identifier"][0]
    assert visit_number["value"] == "V99"
    assert visit_number["type"]["coding"][0]["code"] == "VN"
    types = [p["type"][0]["coding"][0]["code"] for p in encounter["participant"]]
    assert types == ["ATND", "REF"]
    assert {p["type"][0]["coding"][0]["system"] for p in encounter["participant"]} == {V3}
    assert encounter["reasonCode"][0]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-10"
    names = sorted(p["name"][0]["family"] for p in resources(one, "Practitioner"))
    assert names == ["Atwood", "Ref"]


def test_a_place_is_a_chain_of_locations_from_the_bed_outward() -> None:
    one = mapped(PID, VISIT)
    places = {
        entry["fullUrl"]: entry["resource"]
        for entry in one.bundle["entry"]
        if entry["resource"]["resourceType"] == "Location"
    }
    at = resource(one, "Encounter")["location"][0]["location"]["reference"]
    chain = []
    while at:
        chain.append((places[at]["name"], places[at]["physicalType"]["coding"][0]["code"]))
        at = places[at].get("partOf", {}).get("reference")
    assert chain == [
        ("3", "bd"), ("12", "ro"), ("2", "lvl"), ("WARD", "wa"), ("BLD", "bu"), ("SITE", "si"),
    ]  # fmt: skip


def test_the_same_doctor_twice_is_one_practitioner() -> None:
    visit = "PV1|1|I|||||111^Atwood^Ann^^^Dr^^^HOSP|111^Atwood^Ann^^^Dr^^^HOSP"
    assert len(resources(mapped(PID, visit), "Practitioner")) == 1


def test_a_period_that_ends_before_it_begins_keeps_its_end_apart() -> None:
    one = mapped(PID, VISIT + "20230101")
    period = resource(one, "Encounter")["period"]
    assert "end" not in period
    assert period["extension"][0]["extension"][0]["valueString"] == "2023-01-01"


@pytest.mark.parametrize(
    ("start", "end", "stays"),
    [
        ("20240101", "20240102", True),
        ("20240101", "20240101", True),
        ("202401010800", "202401010900", True),
        ("202401010800+0000", "202401010830+0100", False),
        ("20240102", "20240101", False),
        ("20240101", "202401010800", False),
        ("2024", "20240301", False),
    ],
)
def test_only_periods_known_to_be_in_order_stay_whole(start: str, end: str, stays: bool) -> None:
    visit = segment("PV1", {2: "I", 44: start, 45: end})
    one = mapped(PID, visit)
    assert ("end" in resource(one, "Encounter")["period"]) is stays
    assert [p for p in validate(one.bundle) if p.is_error] == []


def test_allergies() -> None:
    one = mapped(
        PID,
        "AL1|1|DA|70618^Penicillin^RXNORM|SV|HIVES~WHEEZING|19990101",
        "AL1|2|FA|PEANUT^Peanut^L|SV",
        "AL1|3|XX",
    )
    first, second, third = resources(one, "AllergyIntolerance")
    assert (first["category"], first["type"]) == (["medication"], "allergy")
    reaction = first["reaction"][0]
    assert reaction["severity"] == "severe"
    assert [m["text"] for m in reaction["manifestation"]] == ["HIVES", "WHEEZING"]
    assert first["onsetDateTime"] == "1999-01-01"
    assert "reaction" not in second
    assert second["criticality"] == "high"
    assert first["clinicalStatus"]["coding"][0]["code"] == "active"
    assert kept(third)["AL1-2"] == "XX"


def test_diagnoses_belong_to_patient_and_visit() -> None:
    one = mapped(
        PID,
        VISIT,
        "DG1|1|I10|I63.9^Stroke^I10|Stroke, in words|20240101|A|||||||||1",
        "DG1|2||R51^Headache^I10|||W",
    )
    stroke, headache = resources(one, "Condition")
    assert stroke["code"]["text"] == "Stroke, in words"
    assert stroke["onsetDateTime"] == "2024-01-01"
    urls = {e["resource"]["id"]: e["fullUrl"] for e in one.bundle["entry"]}
    diagnoses = resource(one, "Encounter")["diagnosis"]
    assert [d["condition"]["reference"] for d in diagnoses] == [
        urls[stroke["id"]],
        urls[headache["id"]],
    ]
    assert diagnoses[0]["rank"] == 1
    assert diagnoses[0]["use"]["coding"][0]["code"] == "AD"
    encounter_url = urls[resource(one, "Encounter")["id"]]
    assert stroke["encounter"]["reference"] == encounter_url


def test_procedures_insurance_and_guarantor() -> None:
    one = mapped(
        PID,
        VISIT,
        "PR1|1||76164006^Biopsy^SCT|Biopsy in words|20240101",
        "GT1|1||Radiant^Lucy||1 Way^^Madison|608|||F||SEL",
        segment(
            "IN1",
            {
                2: "PLAN^Plan A",
                3: "INS1^^^PAYERS",
                4: "Blue Cross",
                5: "1 Road^^Verona",
                8: "G1",
                12: "20240101",
                13: "20241231",
                16: "Doe^Rosallie",
                17: "SPO",
                18: "19750228",
                36: "POL9",
            },
        ),
        "IN2|1|425",
    )
    procedure = resource(one, "Procedure")
    assert (procedure["status"], procedure["code"]["text"]) == ("completed", "Biopsy in words")
    coverage = resource(one, "Coverage")
    assert coverage["subscriberId"] == "POL9"
    assert coverage["period"] == {"start": "2024-01-01", "end": "2024-12-31"}
    assert [c["type"]["coding"][0]["code"] for c in coverage["class"]] == ["plan", "group"]
    assert kept(coverage)["IN2-2"] == "425"
    payer = next(o for o in resources(one, "Organization") if o.get("name") == "Blue Cross")
    assert payer["address"][0]["city"] == "Verona"
    people = {p["name"][0]["family"] for p in resources(one, "RelatedPerson")}
    assert people == {"Radiant", "Doe"}


def test_segments_nobody_maps_are_kept_on_what_they_are_about() -> None:
    one = mapped(PID, VISIT, "ACC|20240101|||||Y", "PDA|X^Cause", "ZPI|1|secret", "NTE|1||note")
    assert kept(resource(one, "Encounter"))["ACC-1"] == "20240101"
    assert kept(resource(one, "Patient"))["PDA-1.2"] == "Cause"
    dropped = {item.path: item.reason for item in one.dropped}
    assert dropped["ZPI-2"] == "locally defined segment (6 characters)"
    assert kept(resource(one, "Patient"))["NTE-3"] == "note"


def test_no_report_of_a_drop_holds_a_value() -> None:
    one = mapped(PID, "ZZZ|supersecret^hidden~again")
    assert [item.path for item in one.dropped][-3:] == ["ZZZ-1.1", "ZZZ-1.2", "ZZZ-1[2]"]
    assert not any("secret" in item.reason + item.path for item in one.dropped)


def test_an_empty_patient_is_still_a_valid_bundle() -> None:
    one = mapped("PID|1", "PV1|1", "AL1|1", "DG1|1", "PR1|1", "IN1|1", "NK1|1", "GT1|1")
    assert [p for p in validate(one.bundle) if p.is_error] == []
