"""OMP, RDE, RDS, RAS, RGV: orders of medicine, what the pharmacy made of them, what was given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped
from unit.mapper.hl7v2.messages import kept, mapped, resource, resources

PID = "PID|1||M1^^^HOSP&1.2.36.1&ISO^MR||Doe^Jane"
ORC = "ORC|NW|P1^EHR|F1^RX|G1^EHR|||||20240506070809|1^Clerk^Ann||7^Radon^Nick^^^^^^NPI"
RXO = "RXO|723^Amoxicillin^RXNORM|500||mg^^UCUM|TAB^Tablet^L||||G||14|tab|2"
RXE = "RXE||308182^Amoxicillin 250 MG^RXNORM|250|500|mg^^UCUM"


def read(event: str, *segments: str) -> Mapped:
    one = mapped(*segments, event=event)
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return one


def rde(*segments: str) -> Mapped:
    return read("RDE^O11", PID, *segments)


def url(one: dict[str, Any]) -> dict[str, str]:
    return {"reference": f"urn:uuid:{one['id']}"}


def test_an_order_alone_is_one_request_with_who_when_and_how_much() -> None:
    one = read("OMP^O09", PID, ORC, RXO, "RXR|PO^Oral^HL70162", "NTE|1||with food")
    request, drug = resource(one, "MedicationRequest"), resource(one, "Medication")
    assert (request["intent"], request["status"]) == ("original-order", "active")
    assert request["authoredOn"] == "2024-05-06T07:08:09Z"
    assert [i["value"] for i in request["identifier"]] == ["P1", "F1"]
    assert request["groupIdentifier"]["value"] == "G1"
    assert request["medicationReference"] == url(drug)
    assert drug["code"]["coding"][0]["code"] == "723"
    assert drug["form"]["coding"][0]["code"] == "TAB"
    (dosage,) = request["dosageInstruction"]
    dose = dosage["doseAndRate"][0]["doseQuantity"]
    assert (dose["value"], dose["unit"]) == (Decimal("500"), "mg")
    assert dosage["route"]["coding"][0]["code"] == "PO"
    assert request["dispenseRequest"] == {
        "quantity": {"value": Decimal("14"), "unit": "tab"},
        "numberOfRepeatsAllowed": 2,
    }
    assert request["substitution"]["allowedCodeableConcept"]["coding"][0]["code"] == "G"
    assert "with food" in [note["text"] for note in request["note"]]


def test_the_pharmacys_view_is_a_second_request_based_on_the_first() -> None:
    """RXE may name another drug than RXO; one resource would mix them."""
    one = rde(ORC, RXO, RXE, "RXR|PO")
    requests = {r["intent"]: r for r in resources(one, "MedicationRequest")}
    assert set(requests) == {"original-order", "filler-order"}
    filled = requests["filler-order"]
    assert filled["basedOn"] == [url(requests["original-order"])]
    assert filled["identifier"] == requests["original-order"]["identifier"]
    drugs = {m["code"]["coding"][0]["code"]: url(m) for m in resources(one, "Medication")}
    assert filled["medicationReference"] == drugs["308182"]
    assert requests["original-order"]["medicationReference"] == drugs["723"]
    dose = filled["dosageInstruction"][0]["doseAndRate"][0]["doseRange"]
    assert (dose["low"]["value"], dose["high"]["value"]) == (250, 500)
    assert "route" in filled["dosageInstruction"][0]
    assert "route" not in requests["original-order"]["dosageInstruction"][0]


def test_an_encoded_order_alone_is_an_order_and_keeps_its_id_over_messages() -> None:
    first = rde(ORC, RXE)
    changed = rde(ORC.replace("NW", "XO"), RXE.replace("250|500", "100|"))
    assert resource(first, "MedicationRequest")["intent"] == "order"
    assert (
        resource(first, "MedicationRequest")["id"] == resource(changed, "MedicationRequest")["id"]
    )


@pytest.mark.parametrize(
    ("control", "status", "expected"),
    [
        ("NW", "", "active"),
        ("CA", "", "cancelled"),
        ("DC", "", "stopped"),
        ("RP", "", "stopped"),
        ("RO", "", "active"),
        ("HD", "", "on-hold"),
        ("OC", "", "cancelled"),
        ("XO", "", "active"),
        ("DE", "", "entered-in-error"),
        ("SC", "CM", "completed"),
        ("NW", "HD", "on-hold"),
        ("ZZ", "", "unknown"),
    ],
)
def test_order_control_and_status_decide_the_status(
    control: str, status: str, expected: str
) -> None:
    one = rde(f"ORC|{control}|P1|||{status}", RXE)
    request = resource(one, "MedicationRequest")
    assert request["status"] == expected
    said = {e["url"]: e.get("valueCoding", {}).get("code") for e in request["extension"]}
    assert said["urn:simdes:hl7v2:order-control"] == control


def test_why_an_order_was_stopped_is_its_status_reason() -> None:
    orc = "ORC|DC|P1||||||||||||||RASH^Rash^L"
    request = resource(rde(orc, RXE), "MedicationRequest")
    assert request["statusReason"]["coding"][0]["code"] == "RASH"
    request = resource(rde(orc.replace("DC", "NW"), RXE), "MedicationRequest")
    assert request["reasonCode"][0]["coding"][0]["code"] == "RASH"


@pytest.mark.parametrize(
    ("tq1", "repeat"),
    [
        ("TQ1|1||BID", {"frequency": 2, "period": 1, "periodUnit": "d"}),
        ("TQ1|1||Q6H", {"frequency": 1, "period": 6, "periodUnit": "h"}),
        ("TQ1|1||6ID", {"frequency": 6, "period": 1, "periodUnit": "d"}),
        ("TQ1|1||^^^^90^min", {"period": 90, "periodUnit": "min"}),
        ("TQ1|1||^^^^^^^AC", {"when": ["AC"]}),
        ("TQ1|1||^^^^90^moons", None),
        ("TQ1|1|||0800~2000", {"timeOfDay": ["08:00:00", "20:00:00"]}),
        (
            "TQ1|1|||||10^d",
            {"boundsDuration": {"value": 10, "code": "d", "system": "http://unitsofmeasure.org"}},
        ),
        (
            "TQ1|1||||||20240101|20240105",
            {"boundsPeriod": {"start": "2024-01-01", "end": "2024-01-05"}},
        ),
        ("TQ1|1||||||||||||2^hr", {"duration": 2, "durationUnit": "h"}),
        ("TQ1|1|||||||||||||5", {"count": 5}),
    ],
)
def test_timing_says_when(tq1: str, repeat: dict[str, Any] | None) -> None:
    request = resource(rde(ORC, RXE, tq1), "MedicationRequest")
    (dosage,) = request["dosageInstruction"]
    assert dosage.get("timing", {}).get("repeat") == repeat


def test_prn_is_as_needed_and_two_timings_are_two_instructions() -> None:
    one = rde(ORC, RXE, "TQ1|1||BID", "TQ1|2||PRN", "RXR|PO")
    first, second = resource(one, "MedicationRequest")["dosageInstruction"]
    assert first["timing"]["code"]["text"] == "BID"
    assert second["asNeededBoolean"] is True
    assert "doseAndRate" in first


def test_quantity_timing_of_old_versions_is_the_same_instruction_as_the_dose() -> None:
    orc = "ORC|NW|P1|||||1^Q8H^D7^20240101^^S"
    request = resource(read("RDE^O01", PID, orc, RXE), "MedicationRequest")
    (dosage,) = request["dosageInstruction"]
    assert dosage["timing"]["repeat"]["period"] == 8
    assert dosage["timing"]["repeat"]["boundsPeriod"] == {"start": "2024-01-01"}
    assert "doseRange" in dosage["doseAndRate"][0]
    assert request["priority"] == "stat"


def test_a_dose_that_is_no_number_is_kept_and_makes_no_half_dose() -> None:
    one = rde(ORC, "RXE||1^X^L|some|500|mg")
    request = resource(one, "MedicationRequest")
    assert "dosageInstruction" not in request
    assert kept(request)["RXE-3"] == "some"


def test_components_are_ingredients_of_the_drug() -> None:
    one = rde(ORC, "RXE||MIX^Drip^L|1||L", "RXC|B|S^Saline^L|1|L", "RXC|A|K^Potassium^L|20|mmol")
    drug = resource(one, "Medication")
    saline, potassium = drug["ingredient"]
    assert (saline["isActive"], potassium["isActive"]) == (False, True)
    assert potassium["itemCodeableConcept"]["coding"][0]["code"] == "K"
    assert potassium["strength"]["numerator"] == {"value": 20, "unit": "mmol"}


def test_free_text_directions_are_text_and_coded_ones_codes() -> None:
    one = rde(ORC, RXE + "||take it~421769005^Follow directions^SCT")
    (dosage,) = resource(one, "MedicationRequest")["dosageInstruction"]
    text, coded = dosage["additionalInstruction"]
    assert text == {"text": "take it"}
    assert coded["coding"][0]["system"] == "http://snomed.info/sct"


RXD = "RXD|1|308182^Amoxicillin 250 MG^RXNORM|20240506|14|tab||RX9||told how|8^Pharm^Pat|G"


def test_a_dispense_names_what_was_handed_over_and_for_which_order() -> None:
    one = read("RDS^O13", PID, ORC.replace("NW", "RE"), RXE, RXD)
    dispense, request = resource(one, "MedicationDispense"), resource(one, "MedicationRequest")
    assert dispense["authorizingPrescription"] == [url(request)]
    assert (dispense["status"], dispense["whenHandedOver"]) == ("completed", "2024-05-06")
    assert dispense["quantity"] == {"value": 14, "unit": "tab"}
    assert dispense["substitution"]["wasSubstituted"] is True
    assert [n["text"] for n in dispense["note"]] == ["told how"]
    assert request["id"] == resource(rde(ORC, RXE), "MedicationRequest")["id"]


@pytest.mark.parametrize(("control", "status"), [("CA", "cancelled"), ("OD", "stopped")])
def test_a_dispense_taken_back_is_not_complete(control: str, status: str) -> None:
    one = read("RDS^O13", PID, f"ORC|{control}|P1", RXD)
    assert resource(one, "MedicationDispense")["status"] == status


def test_a_dispense_without_the_order_makes_the_order_for_the_same_drug() -> None:
    one = read("RDS^O13", PID, ORC, RXD)
    (drug,) = resources(one, "Medication")
    assert resource(one, "MedicationRequest")["medicationReference"] == url(drug)


RXA = "RXA|0|1|20240506080000|20240506090000|308182^Amoxicillin^RXNORM|250|mg|||9^Nurse^Nia"


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("", "completed"),
        ("|" * 10 + "CP", "completed"),
        ("|" * 10 + "RE", "not-done"),
        ("|" * 10 + "NA", "not-done"),
        ("|" * 10 + "CP|D", "entered-in-error"),
    ],
)
def test_an_administration_says_what_was_given_and_whether(rest: str, status: str) -> None:
    one = read("RAS^O17", PID, ORC, RXE, RXA + rest, "RXR|IV")
    found = resource(one, "MedicationAdministration")
    assert found["status"] == status
    assert found["request"] == url(resource(one, "MedicationRequest"))
    assert found["effectivePeriod"]["start"] == "2024-05-06T08:00:00Z"
    assert found["dosage"]["dose"] == {"value": 250, "unit": "mg"}
    assert found["performer"][0]["actor"] == url(
        next(p for p in resources(one, "Practitioner") if p["name"][0]["family"] == "Nurse")
    )


def test_a_giving_is_an_instance_of_the_order() -> None:
    one = read("RGV^O15", PID, ORC, RXE, "RXG|1|1||308182^Amoxicillin^RXNORM|250||mg")
    requests = {r["intent"]: r for r in resources(one, "MedicationRequest")}
    assert requests["instance-order"]["basedOn"] == [url(requests["order"])]
