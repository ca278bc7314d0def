"""Pharmacy messages written of FHIR, and read back as they were."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.fhir.validate import validate
from simdes.mapper import LIMITS, Mapped, map_bytes
from simdes.mapper.hl7v2 import er7, wording
from simdes.mapper.hl7v2.er7 import Separators
from simdes.mapper.hl7v2.write import Envelope, rde, rds
from unit.mapper.hl7v2.messages import VECTORS, resource, resources

ENVELOPE = Envelope(
    sender=("PHARM", "NORTH"), receiver=("EHR", "GENERAL"), time="20240506070809+0200", control="M1"
)
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"


def typed(code: str, value: str, system: str) -> dict[str, Any]:
    return {
        "system": system,
        "value": value,
        "type": {"coding": [{"system": f"{V2}0203", "code": code}]},
    }


def quantity(value: str, unit: str) -> dict[str, Any]:
    return {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit}


PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [typed("MR", "4711", "urn:oid:1.2.3.4")],
    "name": [{"use": "official", "family": "O'Hara & Söhne", "given": ["Anna", "Maria"]}],
    "gender": "female",
    "birthDate": "1970-02-03",
    "address": [{"line": ["1 High St"], "city": "Ulm", "postalCode": "89073", "country": "DE"}],
    "telecom": [{"system": "phone", "value": "+49 731 1", "use": "home"}],
}
DOCTOR = {
    "resourceType": "Practitioner",
    "id": "d",
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
    "name": [{"family": "Who", "given": ["Jo"], "prefix": ["Dr"]}],
}
REQUEST: dict[str, Any] = {
    "resourceType": "MedicationRequest",
    "id": "r",
    "identifier": [
        typed("PLAC", "P|1^2", "urn:id:EHR"),
        typed("FILL", "F1", "urn:oid:1.2.3.5"),
        {"value": "RX9", "type": {"text": "Prescription number"}},
    ],
    "status": "active",
    "intent": "order",
    "priority": "stat",
    "medicationReference": {"reference": "#m"},
    "contained": [
        {
            "resourceType": "Medication",
            "id": "m",
            "code": {"coding": [{"system": RXNORM, "code": "723", "display": "Amoxicillin"}]},
            "form": {"coding": [{"system": "http://snomed.info/sct", "code": "385055001"}]},
        }
    ],
    "subject": {"reference": "Patient/p"},
    "authoredOn": "2024-05-06T07:00:00+02:00",
    "requester": {"reference": "Practitioner/d"},
    "reasonCode": [{"coding": [{"system": "http://snomed.info/sct", "code": "36971009"}]}],
    "note": [{"text": "first line\nsecond | line"}],
    "dosageInstruction": [
        {
            "text": "one tablet twice a day",
            "timing": {
                "code": {"coding": [{"code": "BID"}], "text": "BID"},
                "repeat": {"boundsPeriod": {"start": "2024-05-06", "end": "2024-05-13"}},
            },
            "route": {"coding": [{"system": f"{V2}0162", "code": "PO"}]},
            "doseAndRate": [{"doseQuantity": quantity("500.0", "mg")}],
        }
    ],
    "dispenseRequest": {
        "quantity": {"value": 14, "unit": "tablet"},
        "numberOfRepeatsAllowed": 2,
        "performer": {"reference": "Organization/o"},
    },
    "substitution": {"allowedCodeableConcept": {"coding": [{"system": f"{V2}0167", "code": "N"}]}},
}
PHARMACY = {"resourceType": "Organization", "id": "o", "name": "Corner Pharmacy"}


def bundle(*found: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in found]}


def read(data: bytes) -> Mapped:
    (one,) = map_bytes("x.hl7", data).messages
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return one


@pytest.fixture(scope="module")
def back() -> Mapped:
    return read(rde(bundle(PATIENT, DOCTOR, PHARMACY, REQUEST), ENVELOPE))


def test_rde_has_the_segments_of_the_standard_in_their_order() -> None:
    data = rde(bundle(PATIENT, DOCTOR, PHARMACY, REQUEST), ENVELOPE)
    names = [line[:3] for line in data.decode().split("\r") if line]
    assert names == ["MSH", "PID", "ORC", "RXE", "NTE", "TQ1", "RXR"]
    assert data.startswith(
        b"MSH|^~\\&|PHARM|NORTH|EHR|GENERAL|20240506070809+0200||RDE^O11^RDE_O11"
    )


def test_a_patient_comes_back(back: Mapped) -> None:
    patient = resource(back, "Patient")
    assert patient["identifier"][0]["system"] == "urn:oid:1.2.3.4"
    assert patient["identifier"][0]["value"] == "4711"
    assert patient["name"] == [
        {"use": "official", "family": "O'Hara & Söhne", "given": ["Anna", "Maria"]}
    ]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1970-02-03")
    assert patient["address"][0]["city"] == "Ulm"
    assert patient["telecom"] == [{"system": "phone", "value": "+49 731 1", "use": "home"}]


@pytest.mark.parametrize(
    "name",
    ["status", "intent", "priority", "authoredOn", "dispenseRequest.quantity", "substitution"],
)
def test_what_an_order_says_comes_back(back: Mapped, name: str) -> None:
    found: Any = resource(back, "MedicationRequest")
    sent: Any = REQUEST
    for step in name.split("."):
        found, sent = found[step], sent[step]
    assert found == sent


def test_numbers_of_an_order_come_back_with_their_authorities(back: Mapped) -> None:
    found = resource(back, "MedicationRequest")["identifier"]
    assert [(i.get("system"), i["value"]) for i in found] == [
        ("urn:id:EHR", "P|1^2"),
        ("urn:oid:1.2.3.5", "F1"),
        (None, "RX9"),
    ]


def test_the_drug_comes_back_with_its_code_and_form(back: Mapped) -> None:
    drug = resource(back, "Medication")
    assert drug["code"]["coding"] == REQUEST["contained"][0]["code"]["coding"]
    assert drug["form"]["coding"][0]["code"] == "385055001"


def test_dose_timing_and_route_come_back_as_one_instruction(back: Mapped) -> None:
    (dosage,) = resource(back, "MedicationRequest")["dosageInstruction"]
    assert dosage["text"] == "one tablet twice a day"
    assert dosage["doseAndRate"] == [{"doseQuantity": quantity("500.0", "mg")}]
    assert str(dosage["doseAndRate"][0]["doseQuantity"]["value"]) == "500.0"
    repeat = dosage["timing"]["repeat"]
    assert repeat["boundsPeriod"] == {"start": "2024-05-06", "end": "2024-05-13"}
    assert (repeat["frequency"], repeat["period"], repeat["periodUnit"]) == (2, 1, "d")
    assert {"system": f"{V2}0162", "code": "PO"} in dosage["route"]["coding"]


def test_prescriber_pharmacy_reason_and_note_come_back(back: Mapped) -> None:
    request = resource(back, "MedicationRequest")
    doctors = [p for p in resources(back, "Practitioner") if p["name"][0]["family"] == "Who"]
    assert doctors[0]["identifier"][0]["value"] == "1234567893"
    assert "Corner Pharmacy" in [o.get("name") for o in resources(back, "Organization")]
    assert request["reasonCode"][0]["coding"][0]["code"] == "36971009"
    assert [note["text"] for note in request["note"]] == ["first line\nsecond | line"]


@pytest.mark.parametrize("status", ["active", "on-hold", "cancelled", "completed", "stopped"])
def test_every_status_that_v2_knows_comes_back(status: str) -> None:
    one = read(rde(bundle(PATIENT, {**REQUEST, "status": status}), ENVELOPE))
    assert resource(one, "MedicationRequest")["status"] == status


def test_a_dose_range_and_a_mixture_come_back() -> None:
    drug = {
        "resourceType": "Medication",
        "id": "mix",
        "code": {"text": "drip"},
        "ingredient": [
            {
                "itemCodeableConcept": {"text": "saline"},
                "isActive": False,
                "strength": {"numerator": quantity("1", "L"), "denominator": {"value": 1}},
            },
            {"itemCodeableConcept": {"text": "potassium"}, "isActive": True},
        ],
    }
    low, high = quantity("1", "mL/h"), quantity("2", "mL/h")
    dosage = {"doseAndRate": [{"doseRange": {"low": low, "high": high}}]}
    plain = {k: v for k, v in REQUEST.items() if k != "contained"}
    request = plain | {
        "medicationReference": {"reference": "Medication/mix"},
        "dosageInstruction": [dosage],
    }
    one = read(rde(bundle(PATIENT, request, drug), ENVELOPE))
    (found,) = resource(one, "MedicationRequest")["dosageInstruction"]
    assert found["doseAndRate"] == dosage["doseAndRate"]
    saline, potassium = resource(one, "Medication")["ingredient"]
    assert (saline["isActive"], potassium["isActive"]) == (False, True)
    assert saline["strength"]["numerator"]["value"] == 1


def test_an_original_order_goes_along_as_rxo() -> None:
    original = {**REQUEST, "id": "o1", "intent": "original-order"}
    filled = {
        **REQUEST,
        "intent": "filler-order",
        "basedOn": [{"reference": "MedicationRequest/o1"}],
    }
    one = read(rde(bundle(PATIENT, original, filled), ENVELOPE))
    found = {r["intent"]: r for r in resources(one, "MedicationRequest")}
    assert set(found) == {"original-order", "filler-order"}
    assert found["filler-order"]["basedOn"] == [
        {"reference": f"urn:uuid:{found['original-order']['id']}"}
    ]


def test_a_dispense_comes_back_with_the_order_it_was_for() -> None:
    dispense = {
        "resourceType": "MedicationDispense",
        "id": "x",
        "status": "completed",
        "medicationReference": {"reference": "#lot"},
        "contained": [
            {
                "resourceType": "Medication",
                "id": "lot",
                "code": REQUEST["contained"][0]["code"],
                "batch": {"lotNumber": "L7", "expirationDate": "2026-01-31"},
            }
        ],
        "subject": {"reference": "Patient/p"},
        "authorizingPrescription": [{"reference": "MedicationRequest/r"}],
        "quantity": {"value": 14, "unit": "tablet"},
        "whenHandedOver": "2024-05-06T10:00:00+02:00",
        "performer": [{"actor": {"reference": "Practitioner/d"}}],
        "note": [{"text": "told how to take it"}],
    }
    data = rds(bundle(PATIENT, DOCTOR, REQUEST, dispense), ENVELOPE)
    assert b"|RDS^O13^RDS_O13|" in data
    one = read(data)
    found = resource(one, "MedicationDispense")
    for name in ("status", "quantity", "whenHandedOver", "note"):
        assert found[name] == dispense[name], name
    request = resource(one, "MedicationRequest")
    assert found["authorizingPrescription"] == [{"reference": f"urn:uuid:{request['id']}"}]
    assert request["status"] == "active"
    lots = [m["batch"] for m in resources(one, "Medication") if "batch" in m]
    assert lots == [{"lotNumber": "L7", "expirationDate": "2026-01-31"}]


def test_separators_of_another_kind_are_kept_apart_from_values() -> None:
    signs = Separators("#", "*", "~", "!", "%")
    envelope = Envelope(
        sender=("A#B", "C"), receiver=("D", "E"), time="2024", control="1", separators=signs
    )
    data = rde(bundle(PATIENT, REQUEST), envelope)
    message = er7.read(data, default_encoding="utf-8", limits=LIMITS)
    assert message.separators == signs
    assert er7.unescape(message.header.field(3), signs, "utf-8") == "A#B"
    read(data)


@pytest.mark.parametrize("found", [[], [PATIENT], [REQUEST], [PATIENT, PATIENT, REQUEST]])
def test_without_one_patient_and_an_order_nothing_is_written(found: list[dict[str, Any]]) -> None:
    with pytest.raises(Invalid):
        rde(bundle(*found), ENVELOPE)
    with pytest.raises(Invalid):
        rds(bundle(*found), ENVELOPE)


@pytest.mark.parametrize("name", ["microsoft/RDE-O11-01.hl7", "microsoft/RDE-O25-01.hl7"])
def test_a_published_order_survives_being_mapped_written_and_mapped(name: str) -> None:
    path: Path = VECTORS / name
    (first,) = map_bytes(name, path.read_bytes()).messages
    second = read(rde(first.bundle, ENVELOPE))
    for kind in ("MedicationRequest",):
        before, after = resources(first, kind), resources(second, kind)
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            for element in ("status", "intent", "identifier", "authoredOn", "substitution"):
                assert one.get(element) == other.get(element), element
    assert {m["code"]["coding"][0]["code"] for m in resources(first, "Medication")} == {
        m["code"]["coding"][0]["code"] for m in resources(second, "Medication")
    }


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("2024-05-06T07:08:09.1234567Z", ("20240506070809.1234+0000",)),
        ("2024-05-06T07:08:00-03:30", ("20240506070800-0330",)),
        ("2024-05", ("202405",)),
        ("2024", ("2024",)),
        ("tomorrow", ()),
    ],
)
def test_times_are_as_exact_as_they_were(said: str, parts: tuple[str, ...]) -> None:
    assert wording.dtm(said) == parts


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://loinc.org", "LN"),
        ("http://snomed.info/sct", "SCT"),
        (f"{V2}0162", "HL70162"),
        ("urn:oid:1.2.3", "1.2.3"),
        ("urn:id:LOCAL%20x", "LOCAL x"),
        ("http://example.org/codes", "http://example.org/codes"),
    ],
)
def test_coding_systems_have_the_names_that_are_read_back(uri: str, name: str) -> None:
    assert wording.system_name(uri) == name


STANDARD = sorted(path.stem for path in (VECTORS / "standard").glob("*.hl7"))


@pytest.mark.parametrize("name", STANDARD)
def test_the_standards_own_order_survives_being_mapped_written_and_mapped(name: str) -> None:
    """500 mg Ampicillin P.O. Q6H for 10 days: HL7 v2.5.1, chapter 4."""
    first = read((VECTORS / f"standard/{name}.hl7").read_bytes())
    is_dispense = bool(resources(first, "MedicationDispense"))
    second = read((rds if is_dispense else rde)(first.bundle, ENVELOPE))
    for kind, elements in {
        "MedicationRequest": ("identifier", "status", "dosageInstruction", "dispenseRequest"),
        "MedicationDispense": ("identifier", "status", "quantity", "whenHandedOver"),
    }.items():
        for one, other in zip(resources(first, kind), resources(second, kind), strict=True):
            for element in elements:
                assert _bare(one.get(element)) == _bare(other.get(element)), element


def _bare(value: Any) -> Any:
    """Without what the mapper adds to a value: a second coding, the authority's name."""
    if isinstance(value, dict):
        beside = ("assigner", "text", "type")
        left = {name: _bare(one) for name, one in value.items() if name not in beside}
        if "coding" in left:
            left["coding"] = sorted({one["code"] for one in left["coding"] if "code" in one})
        return left
    if isinstance(value, list):
        return [_bare(one) for one in value]
    return value.replace("+00:00", "Z") if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("repeat", "pattern"),
    [
        ({"frequency": 1, "period": 1, "periodUnit": "d"}, "Q1D"),
        ({"frequency": 2, "period": 1, "periodUnit": "d"}, "BID"),
        ({"frequency": 6, "period": 1, "periodUnit": "d"}, "6ID"),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, "Q8H"),
        ({"frequency": 1, "period": 1, "periodUnit": "wk"}, "Q1W"),
        ({"frequency": 1, "period": 3, "periodUnit": "mo"}, "Q3L"),
    ],
)
def test_how_often_is_written_as_table_0335_does_and_comes_back(
    repeat: dict[str, Any], pattern: str
) -> None:
    dosage = {"timing": {"repeat": repeat}, "asNeededBoolean": True}
    request = {**REQUEST, "priority": "routine", "dosageInstruction": [dosage]}
    data = rde(bundle(PATIENT, request), ENVELOPE)
    assert f"\rTQ1|1||{pattern}||||||PRN\r".encode() in data
    (back,) = resource(read(data), "MedicationRequest")["dosageInstruction"]
    for name in ("period", "periodUnit"):
        assert back["timing"]["repeat"][name] == repeat[name]
    assert back["timing"]["repeat"]["frequency"] == repeat.get("frequency", 1)
    assert back["asNeededBoolean"] is True


def test_how_often_that_no_pattern_says_is_said_in_words() -> None:
    repeat = {"frequency": 3, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "fri"]}
    request = {**REQUEST, "dosageInstruction": [{"timing": {"repeat": repeat}}]}
    (back,) = resource(read(rde(bundle(PATIENT, request), ENVELOPE)), "MedicationRequest")[
        "dosageInstruction"
    ]
    assert back["text"] == "3 times in 1 wk on mon, fri"


def test_a_dispense_names_its_prescription() -> None:
    """RXD-7 is required."""
    dispense = {
        "resourceType": "MedicationDispense",
        "id": "x",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Amoxicillin"},
        "authorizingPrescription": [{"reference": "MedicationRequest/r"}],
    }
    data = rds(bundle(PATIENT, REQUEST, dispense), ENVELOPE)
    [line] = [one for one in data.decode().split("\r") if one.startswith("RXD")]
    assert line.split("|")[7] == "RX9"
