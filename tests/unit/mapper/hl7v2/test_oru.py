"""ORU^R01: HL7's maps for ORC, OBR, OBX, NTE, SPM, TQ1."""

from decimal import Decimal

import pytest

from simdes.mapper import Mapped
from unit.mapper.hl7v2.messages import kept, mapped, resource, resources

PID = "PID|1||M1^^^HOSP&1.2.36.1&ISO^MR"
ORC = "ORC|RE|P1^EHR|F1^LAB|||||||||7^Radon^Nick^^^^^^NPI&2.16.840.1.113883.4.6&ISO"
OBR = (
    "OBR|1|P1^EHR|F1^LAB|24331-1^Lipids^LN|||20240101080000|||||||||7^Radon^Nick||||||20240102||CH"
)
OBR += "|F"


def oru(*segments: str, control: str = "1") -> Mapped:
    return mapped(*segments, event="ORU^R01", control=control)


def observation(obx: str) -> dict[str, object]:
    return resource(oru(PID, OBR, obx), "Observation")


def test_an_order_its_report_and_results_hang_together() -> None:
    one = oru(PID, ORC, OBR, "OBX|1|NM|2093-3^Chol^LN||4.00|mmol/L^^UCUM|<5|N|||F|||20240101")
    urls = {e["resource"]["id"]: e["fullUrl"] for e in one.bundle["entry"]}
    report, order = resource(one, "DiagnosticReport"), resource(one, "ServiceRequest")
    result, patient = resource(one, "Observation"), resource(one, "Patient")
    assert report["result"] == [{"reference": urls[result["id"]]}]
    assert report["basedOn"] == [{"reference": urls[order["id"]]}]
    assert {r["subject"]["reference"] for r in (report, order, result)} == {urls[patient["id"]]}
    assert [i["value"] for i in report["identifier"]] == ["P1", "F1"]
    assert (report["status"], report["effectiveDateTime"]) == ("final", "2024-01-01T08:00:00Z")
    assert report["category"][0]["coding"][0]["code"] == "CH"
    requester = resource(one, "Practitioner")
    assert requester["identifier"][0]["system"] == "http://hl7.org/fhir/sid/us-npi"


def test_a_number_keeps_its_precision_and_its_unit() -> None:
    found = observation("OBX|1|NM|2093-3^Chol^LN||4.00|mmol/L^millimole per litre^UCUM|<5|H|||F")
    assert found["valueQuantity"] == {
        "value": Decimal("4.00"),
        "code": "mmol/L",
        "unit": "millimole per litre",
        "system": "http://unitsofmeasure.org",
    }
    assert str(found["valueQuantity"]["value"]) == "4.00"  # type: ignore[index]
    assert found["referenceRange"] == [{"text": "<5"}]
    assert found["interpretation"][0]["coding"][0]["code"] == "H"  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "value", "element", "expected"),
    [
        ("ST", r"a\T\b", "valueString", "a&b"),
        ("TX", "a^b", "valueString", "a^b"),
        ("FT", r"one\.br\two", "valueString", "one\ntwo"),
        ("NM", ">100", "valueString", ">100"),
        ("NM", "positive", "valueString", "positive"),
        ("SN", ">^100", "valueQuantity", {"comparator": ">", "value": Decimal(100)}),
        ("SN", "=^5", "valueQuantity", {"value": Decimal(5)}),
        ("SN", "<>^5", "valueString", "<>^5"),
        ("SN", "^1^:^128", "valueRatio",
         {"numerator": {"value": Decimal(1)}, "denominator": {"value": Decimal(128)}}),
        ("SN", "^2^-^9", "valueRange",
         {"low": {"value": Decimal(2)}, "high": {"value": Decimal(9)}}),
        ("NR", "2^9", "valueRange", {"low": {"value": Decimal(2)}, "high": {"value": Decimal(9)}}),
        ("DT", "20240101", "valueDateTime", "2024-01-01"),
        ("TS", "202401010800", "valueDateTime", "2024-01-01T08:00:00Z"),
        ("DTM", "soon", "valueString", "soon"),
        ("TM", "0830", "valueTime", "08:30:00"),
        ("DR", "20240101^20240102", "valuePeriod", {"start": "2024-01-01", "end": "2024-01-02"}),
        ("IS", "POS", "valueCodeableConcept", {"coding": [{"code": "POS"}]}),
        ("XAD", "1 Way^^Town", "valueString", "1 Way^^Town"),
        ("", "text", "valueString", "text"),
        ("QQ", "text", "valueString", "text"),
    ],
)  # fmt: skip
def test_every_value_type_of_obx_2(kind: str, value: str, element: str, expected: object) -> None:
    found = observation(f"OBX|1|{kind}|1^x||{value}||||||F")
    assert [name for name in found if name.startswith("value")] == [element]
    assert found[element] == expected


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("F", "final"),
        ("P", "preliminary"),
        ("C", "corrected"),
        ("X", "cancelled"),
        ("D", None),
        ("I", "registered"),
        ("R", "preliminary"),
        ("W", None),
        ("N", "unknown"),
        ("", "unknown"),
    ],
)
def test_result_status(sent: str, status: str | None) -> None:
    found = observation(f"OBX|1|ST|1^x||||||||{sent}")
    assert found["status"] == (status or "entered-in-error")
    if sent == "N":
        assert found["dataAbsentReason"]["coding"][0]["code"] == "not-asked"  # type: ignore[index]


def test_a_repeated_value_becomes_components_each_with_its_unit() -> None:
    found = observation("OBX|1|NM|8867-4^rate^LN||60~120|/min^^UCUM|||||F")
    assert [c["valueQuantity"]["value"] for c in found["component"]] == [60, 120]  # type: ignore[attr-defined]
    assert {c["valueQuantity"]["code"] for c in found["component"]} == {"/min"}  # type: ignore[attr-defined]
    assert {c["code"]["coding"][0]["code"] for c in found["component"]} == {"8867-4"}  # type: ignore[attr-defined]


def test_a_document_becomes_a_document_reference() -> None:
    one = oru(PID, OBR, "OBX|1|ED|PDF^Report||App^application^pdf^Base64^QUJD||||||F")
    document = resource(one, "DocumentReference")
    attachment = document["content"][0]["attachment"]
    assert attachment == {"contentType": "application/pdf", "data": "QUJD", "title": "App"}
    urls = {e["resource"]["id"]: e["fullUrl"] for e in one.bundle["entry"]}
    assert resource(one, "Observation")["derivedFrom"][0]["reference"] == urls[document["id"]]


def test_notes_follow_what_they_are_about() -> None:
    one = oru(
        PID, OBR, "NTE|1|L|about the order", "OBX|1|ST|1^x||v||||||F", "NTE|1||first~second line"
    )
    assert resource(one, "ServiceRequest")["note"][0]["text"] == "about the order" or kept(
        resource(one, "ServiceRequest")
    )
    assert resource(one, "Observation")["note"] == [{"text": "first\nsecond line"}]


def test_specimens() -> None:
    one = oru(
        PID,
        OBR,
        "OBX|1|ST|1^x||v||||||F",
        "SPM|1|P9&LAB^F9&LAB||SER^Serum^HL70487|||||||||||||20240101^20240102|20240103",
    )
    specimen = resource(one, "Specimen")
    assert [i["value"] for i in specimen["identifier"]] == ["P9", "F9"]
    assert specimen["collection"]["collectedPeriod"]["start"] == "2024-01-01"
    assert specimen["receivedTime"] == "2024-01-03"
    urls = {e["resource"]["id"]: e["fullUrl"] for e in one.bundle["entry"]}
    references = resource(one, "DiagnosticReport")["specimen"]
    assert references == [{"reference": urls[specimen["id"]]}]


def test_two_orders_keep_their_results_apart() -> None:
    one = oru(
        PID,
        "OBR|1||F1^LAB|A^a",
        "OBX|1|ST|1^x||first||||||F",
        "OBR|2||F2^LAB|B^b",
        "OBX|1|ST|1^x||second||||||F",
    )
    reports = resources(one, "DiagnosticReport")
    by_url = {e["fullUrl"]: e["resource"] for e in one.bundle["entry"]}
    values = [[by_url[r["reference"]]["valueString"] for r in rep["result"]] for rep in reports]
    assert values == [["first"], ["second"]]


def test_results_need_no_order() -> None:
    one = oru(PID, "OBX|1|NM|2093-3^Chol^LN||4.1|||||F")
    assert resource(one, "Observation")["valueQuantity"]["value"] == Decimal("4.1")
    assert resources(one, "DiagnosticReport") == []


def test_a_message_for_two_patients_keeps_them_apart() -> None:
    one = oru(
        "PID|1||A^^^H",
        "OBR|1||F1",
        "OBX|1|ST|1^x||a",
        "PID|2||B^^^H",
        "OBR|1||F2",
        "OBX|1|ST|1^x||b",
    )
    by_url = {e["fullUrl"]: e["resource"] for e in one.bundle["entry"]}
    owner = {
        o["valueString"]: by_url[o["subject"]["reference"]]["identifier"][0]["value"]
        for o in resources(one, "Observation")
    }
    assert owner == {"a": "A", "b": "B"}


def test_choices_are_never_filled_twice() -> None:
    one = oru(PID, ORC, "OBR|1|P1|F1|1^x||20240101", "TQ1|1||||||20240105|20240106")
    order = resource(one, "ServiceRequest")
    assert order["occurrenceDateTime"] == "2024-01-01"
    assert "occurrencePeriod" not in order
    assert kept(order)["TQ1-7"] == "20240105"
