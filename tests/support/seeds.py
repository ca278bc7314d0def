"""Messages about two made-up people whose every identifying value is unmistakable.

No value here occurs in FHIR, HL7 v2, English or chance, so that one found elsewhere than where it
belongs was leaked.
"""

from __future__ import annotations

import json

SEEDED = {
    "family name": "Zyxquorvane",
    "given name": "Plimbertoxa",
    "mother": "Wrendlestahl",
    "kin": "Ospreythorn",
    "record number": "MRNX7741938822",
    "other number": "QACCT5530917",
    "social security": "941-77-31864",
    "social security, plain": "941773186499",
    "birth date": "19430817",
    "birth date, FHIR": "1943-08-17",
    "street": "88417 Quibblewick Terrace",
    "city": "Vexmortonville",
    "telephone": "(555)731-99042",
    "mail": "plimbertoxa@zyxquorvane.example",
    "result": "grobbular cells 7331 seen",
    "note": "patient whispers of glorpisillin",
    "code display": "Flibbertoxemia acuta",
    "allergy": "Snorvadrine extract",
    "accented": "Żółćwięzień",
    "local code": "LOCX88172635",
}
"""What a value is to its value."""

S = SEEDED


def admission() -> bytes:
    """An HL7 v2 ADT^A01 with identity, kin, allergy and visit."""
    return _er7(
        "MSH|^~\\&|SRC|SITE|DST|SITE|20240102030405||ADT^A01|M1|P|2.6|||AL|NE||UNICODE UTF-8",
        "EVN|A01|20240102030405",
        f"PID|1||{S['record number']}^^^SITE^MR~{S['social security']}^^^USA^SS||"
        f"{S['family name']}^{S['given name']}^{S['accented']}|{S['mother']}|{S['birth date']}|F|||"
        f"{S['street']}^^{S['city']}^NY^11111^USA||{S['telephone']}^PRN^PH^{S['mail']}"
        f"|||S||{S['other number']}^^^SITE^AN|{S['social security, plain']}",
        f"NK1|1|{S['kin']}^{S['given name']}|MTH|{S['street']}^^{S['city']}|{S['telephone']}",
        "PV1|1|I|WARD^101^A|||||||||||||||V1^^^SITE^VN|||||||||||||||||||||||||20240102030000",
        f"AL1|1|DA|{S['local code']}^{S['allergy']}^L|SV|{S['note']}",
    )


def results() -> bytes:
    """An HL7 v2 ORU^R01 with coded, text and note results."""
    return _er7(
        "MSH|^~\\&|LAB|SITE|DST|SITE|20240103030405||ORU^R01|M2|P|2.6|||AL|NE||UNICODE UTF-8",
        f"PID|1||{S['record number']}^^^SITE^MR||{S['family name']}^{S['given name']}"
        f"||{S['birth date']}|F",
        f"OBR|1|O1|F1|{S['local code']}^{S['code display']}^L|||20240103020000|||||||||||||||||||F",
        f"OBX|1|ST|{S['local code']}^{S['code display']}^L||{S['result']}||||||F",
        f"OBX|2|CWE|1234-5^Finding^LN||{S['local code']}^{S['code display']}^L||||||F",
        f"NTE|1||{S['note']}",
    )


def bundle() -> bytes:
    """A FHIR Bundle about the same person, with ids, narrative-free text and an extension."""
    subject = {"reference": "Patient/p"}
    resources = [
        {
            "resourceType": "Patient",
            "id": "p",
            "identifier": [{"system": "urn:site", "value": S["record number"]}],
            "name": [{"family": S["family name"], "given": [S["given name"], S["accented"]]}],
            "birthDate": S["birth date, FHIR"],
            "telecom": [{"system": "email", "value": S["mail"]}],
            "address": [{"line": [S["street"]], "city": S["city"]}],
        },
        {
            "resourceType": "Observation",
            "id": "o",
            "status": "final",
            "code": {"coding": [{"code": S["local code"], "display": S["code display"]}]},
            "subject": subject,
            "valueString": S["result"],
            "note": [{"text": S["note"]}],
        },
    ]
    return _bundle(resources)


def broken() -> list[tuple[str, bytes]]:
    """Inputs that are refused or quarantined, each because of a place where a value stands."""
    whole, reports = admission().decode(), results().decode()
    lines = {
        "version": whole.replace("|2.6|", f"|{S['family name']}|"),
        "event": whole.replace("ADT^A01", f"{S['family name']}^{S['given name']}"),
        "character set": whole.replace("UNICODE UTF-8", S["family name"]),
        "birth date": whole.replace(S["birth date"], S["family name"]),
        "visit time": whole.replace("20240102030000", S["note"]),
        "message time": whole.replace("20240102030405||ADT", f"{S['note']}||ADT"),
        "sex": whole.replace("|F|||", f"|{S['family name']}|||"),
        "segment": whole + f"{S['family name']}|1|{S['note']}\r",
        "number": reports.replace("|ST|", "|NM|"),
        "date result": reports.replace("|ST|", "|DT|"),
        "kind of value": reports.replace("|ST|", f"|{S['family name']}|"),
        "status": reports.replace("||||||F\r", f"||||||{S['family name']}\r"),
        "no identifier": reports.replace(f"{S['record number']}^^^SITE^MR", ""),
        "separators": whole.replace("|", "!"),
        "cut": whole[: len(whole) // 2],
        "no header": whole.partition("\r")[2],
        "field separator": whole.replace("MSH|^~\\&|", f"MSH|{S['family name']}|"),
    }
    found = [(f"{name}.hl7", text.encode()) for name, text in lines.items()]
    found.append(("encoding.hl7", whole.encode("utf-16")))
    found.append(("latin.hl7", whole.replace(S["accented"], "Zo\u0142").encode("cp1250")))
    return found + _broken_bundles()


def _broken_bundles() -> list[tuple[str, bytes]]:
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": "urn:site", "value": S["record number"]}],
    }
    variants: dict[str, dict[str, object]] = {
        "birth date": {"birthDate": S["family name"]},
        "gender": {"gender": S["family name"]},
        "identifier": {"identifier": S["record number"]},
        "name": {"name": [{"family": [S["family name"]], "given": S["given name"]}]},
        "unknown member": {"nickname": S["family name"]},
        "id": {"id": f"{S['record number']} {S['family name']}"},
        "reference": {"generalPractitioner": [{"reference": f"{S['family name']}/{S['note']}"}]},
        "boolean": {"active": S["family name"]},
        "telecom": {"telecom": [{"system": S["family name"], "value": S["telephone"]}]},
        "contained": {"contained": [{"resourceType": S["family name"]}]},
        "extension": {"extension": [{"url": "x", "valueDate": S["note"], "valueString": "y"}]},
        "narrative": {"text": {"status": "generated", "div": f"<div>{S['note']}<script/></div>"}},
    }
    found = [(f"{name}.json", _bundle([patient | changed])) for name, changed in variants.items()]
    two = [patient, patient | {"id": "q", "birthDate": S["birth date, FHIR"]}]
    found.append(("two patients.json", _bundle(two)))
    clash = [patient, patient | {"birthDate": S["birth date, FHIR"]}]
    found.append(("one id twice.json", _bundle(clash)))
    found.append(("kind.json", json.dumps({"resourceType": S["family name"]}).encode()))
    found.append(("not json.json", f'{{"resourceType": "Bundle", "x": {S["family name"]}'.encode()))
    return found


def _er7(*segments: str) -> bytes:
    return "".join(f"{segment}\r" for segment in segments).encode()


def _bundle(resources: list[dict[str, object]]) -> bytes:
    entries = [{"resource": one} for one in resources]
    document = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return json.dumps(document, ensure_ascii=False).encode()
