"""ORM, OML, OMG: orders, their detail, diagnoses, results sent along, cancellations."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped
from unit.mapper.hl7v2.messages import mapped, resource, resources

PID = "PID|1||M1^^^HOSP&1.2.36.1&ISO^MR||Doe^Jane"
PV1 = "PV1|1|O|||||||||||||||||V1^^^HOSP"
ORC = "ORC|NW|P1^EHR|F1^LAB|||||||||7^Radon^Nick^^^^^^NPI"
OBR = "OBR|1|P1^EHR|F1^LAB|24331-1^Lipids^LN"
DG1 = "DG1|1||E78.5^Hyperlipidemia^I10C"
OBX = "OBX|1|NM|2093-3^Chol^LN||4.0|mmol/L|||||F"
EVENTS = ("ORM^O01", "OML^O21", "OMG^O19")


def read(event: str, *segments: str) -> Mapped:
    one = mapped(*segments, event=event)
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return one


def url(one: dict[str, Any]) -> dict[str, str]:
    return {"reference": f"urn:uuid:{one['id']}"}


@pytest.mark.parametrize("event", EVENTS)
def test_an_order_hangs_together_in_every_message_type(event: str) -> None:
    one = read(event, PID, PV1, ORC, "TQ1|1||||||20240101||S", OBR, "NTE|1||fasting", DG1, OBX)
    order = resource(one, "ServiceRequest")
    assert (order["status"], order["intent"], order["priority"]) == ("active", "order", "stat")
    assert order["code"]["coding"][0]["code"] == "24331-1"
    assert [i["value"] for i in order["identifier"]] == ["P1", "F1"]
    assert order["subject"] == url(resource(one, "Patient"))
    assert order["encounter"] == url(resource(one, "Encounter"))
    assert order["reasonReference"] == [url(resource(one, "Condition"))]
    assert order["supportingInfo"] == [url(resource(one, "Observation"))]
    assert [n["text"] for n in order["note"]] == ["fasting"]


@pytest.mark.parametrize("event", EVENTS)
def test_several_orders_keep_their_own_details(event: str) -> None:
    second = [line.replace("P1", "P2").replace("F1", "F2") for line in (ORC, OBR)]
    one = read(event, PID, ORC, OBR, OBX, second[0], second[1].replace("24331-1", "718-7"))
    found = resources(one, "ServiceRequest")
    assert [o["code"]["coding"][0]["code"] for o in found] == ["24331-1", "718-7"]
    assert "supportingInfo" in found[0] and "supportingInfo" not in found[1]


@pytest.mark.parametrize("event", ["OML^O21", "OMG^O19"])
def test_specimens_and_what_was_seen_of_them_belong_to_the_order(event: str) -> None:
    one = read(event, PID, ORC, OBR, "SPM|1|S1&LAB||BLD^Blood^HL70487", OBX)
    specimen, seen = resource(one, "Specimen"), resource(one, "Observation")
    assert resource(one, "ServiceRequest")["specimen"] == [url(specimen)]
    assert seen["specimen"] == url(specimen)


@pytest.mark.parametrize(
    ("control", "status"),
    [
        ("NW", "active"),
        ("CA", "revoked"),
        ("DC", "revoked"),
        ("RP", "revoked"),
        ("RO", "active"),
        ("XO", "active"),
        ("HD", "on-hold"),
        ("OH", "on-hold"),
        ("DE", "entered-in-error"),
    ],
)
@pytest.mark.parametrize("event", EVENTS)
def test_order_control_decides_the_status_and_is_kept(
    event: str, control: str, status: str
) -> None:
    order = resource(read(event, PID, f"ORC|{control}|P1^EHR", OBR), "ServiceRequest")
    assert order["status"] == status
    said = [e for e in order["extension"] if e["url"] == "urn:simdes:hl7v2:order-control"]
    assert said[0]["valueCoding"]["code"] == control


@pytest.mark.parametrize("event", EVENTS)
def test_an_order_cancelled_by_orc_alone_is_the_order_that_was_sent(event: str) -> None:
    sent = resource(read(event, PID, ORC.replace("F1^LAB", "")), "ServiceRequest")
    cancelled = resource(read(event, PID, "ORC|CA|P1^EHR"), "ServiceRequest")
    assert sent["id"] == cancelled["id"]
    assert cancelled["status"] == "revoked"


def test_a_drug_in_a_general_order_is_a_medication_request() -> None:
    one = read("ORM^O01", PID, ORC, "RXO|723^Amoxicillin^RXNORM|500||mg", "RXR|PO", DG1)
    request = resource(one, "MedicationRequest")
    assert resources(one, "ServiceRequest") == []
    assert request["intent"] == "original-order"
    assert request["reasonReference"] == [url(resource(one, "Condition"))]
    assert request["dosageInstruction"][0]["route"]["coding"][-1]["code"] == "PO"


def test_a_drug_and_a_test_in_one_message_are_one_of_each() -> None:
    rx = [ORC.replace("P1", "P2").replace("F1", "F2"), "RXO|723^Amoxicillin^RXNORM"]
    one = read("ORM^O01", PID, ORC, OBR, *rx)
    assert resource(one, "ServiceRequest")["identifier"][0]["value"] == "P1"
    assert resource(one, "MedicationRequest")["identifier"][0]["value"] == "P2"


@pytest.mark.parametrize("event", ["ORU^R30", "ORU^R31", "ORU^R32"])
def test_point_of_care_results_are_read_as_results(event: str) -> None:
    one = read(event, PID, ORC, OBR + "|" * 21 + "F", OBX)
    assert resource(one, "DiagnosticReport")["result"] == [url(resource(one, "Observation"))]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("F", "final"),
        ("P", "preliminary"),
        ("C", "corrected"),
        ("A", "amended"),
        ("D", "entered-in-error"),
        ("W", "entered-in-error"),
        ("X", "cancelled"),
    ],
)
def test_a_result_that_changes_is_the_same_observation(sent: str, status: str) -> None:
    first = resource(read("ORU^R01", PID, ORC, OBR, OBX), "Observation")
    changed = resource(read("ORU^R01", PID, ORC, OBR, OBX.replace("|F", f"|{sent}")), "Observation")
    assert changed["status"] == status
    assert changed["id"] == first["id"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("P", "preliminary"),
        ("F", "final"),
        ("C", "corrected"),
        ("X", "cancelled"),
        ("O", "registered"),
    ],
)
def test_a_report_that_changes_is_the_same_report(sent: str, status: str) -> None:
    made = [
        resource(read("ORU^R01", PID, ORC, OBR + "|" * 21 + code, OBX), "DiagnosticReport")
        for code in ("F", sent)
    ]
    assert made[1]["status"] == status
    assert made[0]["id"] == made[1]["id"]


def test_a_repeat_pattern_of_an_order_is_a_timing_and_bounds_alone_a_period() -> None:
    tq1 = "TQ1|1||BID||||20240101|20240103"
    timing = resource(read("OML^O21", PID, ORC, tq1, OBR), "ServiceRequest")["occurrenceTiming"]
    assert timing["repeat"]["frequency"] == 2
    assert timing["repeat"]["boundsPeriod"] == {"start": "2024-01-01", "end": "2024-01-03"}
    plain = resource(read("OML^O21", PID, ORC, tq1.replace("BID", ""), OBR), "ServiceRequest")
    assert plain["occurrencePeriod"] == {"start": "2024-01-01", "end": "2024-01-03"}


@pytest.mark.parametrize("event", ["ORM^O01", "OML^O21", "OMG^O19"])
def test_a_charge_sent_with_an_order_is_a_charge_item(event: str) -> None:
    one = read(event, PID, ORC, OBR, "FT1|1|||20240101||CG|71045^Xray^C4")
    assert resource(one, "ChargeItem")["code"]["coding"][0]["code"] == "71045"


@pytest.mark.parametrize("event", ["OML^O33", "OML^O35"])
def test_orders_by_specimen_share_the_specimen(event: str) -> None:
    first, second = (ORC.replace("P1", name) for name in ("P8", "P9"))
    one = read(
        event,
        *(PID, PV1, "SPM|1|S1&LAB||BLD^Blood^HL70487", "SAC|||C1", first, "TQ1|1||||||||S"),
        *(OBR.replace("P1", "P8"), "NTE|1||fasting", OBX),
        *(second, OBR.replace("P1", "P9").replace("24331-1", "718-7")),
        *("SPM|2|S2&LAB||UR^Urine^HL70487", ORC.replace("P1", "P7"), OBR.replace("P1", "P7")),
    )
    orders, specimens = resources(one, "ServiceRequest"), resources(one, "Specimen")
    assert [o["identifier"][0]["value"] for o in orders] == ["P8", "P9", "P7"]
    assert [s["type"]["coding"][0]["code"] for s in specimens] == ["BLD", "UR"]
    held = [o["specimen"] for o in orders]
    assert held == [[url(specimens[0])], [url(specimens[0])], [url(specimens[1])]]
    assert orders[0]["supportingInfo"] == [url(resource(one, "Observation"))]
    assert [n["text"] for n in orders[0]["note"]] == ["fasting"] and "note" not in orders[1]
