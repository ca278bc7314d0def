"""The measure of what arrives counts what it says: values, not structure, and no accidents."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[3] / "bench"


def imported(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCH))  # as for a script run from there
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


values = imported("values")
coverage = imported("coverage")


def test_the_values_of_a_v2_message() -> None:
    data = b'MSH|^~\\&|A|B|||||ADT^A01^ADT_A01|1|P\rPID|1||7^^^H&1.2&ISO~8||X\\T\\Y^""\r'
    assert list(values.values_of("hl7v2", data)) == [
        ("MSH-3", "A"),
        ("MSH-4", "B"),
        ("MSH-9.1", "ADT"),
        ("MSH-9.2", "A01"),
        ("MSH-10", "1"),
        ("MSH-11", "P"),
        ("PID-3.1", "7"),
        ("PID-3.4", "H"),
        ("PID-3.4", "1.2"),
        ("PID-3", "8"),
        ("PID-5.1", "X&Y"),
    ]


def test_the_values_of_a_cda_document() -> None:
    data = b"""<ClinicalDocument xmlns="urn:hl7-org:v3"><templateId root="1"/>
    <id root="1.2" extension="d"/><code code="34133-9" codeSystem="2"/><title>T</title>
    <section><text>narrative</text><entry><value value="5" unit="mg"/></entry></section>
    </ClinicalDocument>"""
    assert sorted(values.values_of("cda", data)) == [
        ("ClinicalDocument/code@code", "34133-9"),
        ("ClinicalDocument/id@extension", "d"),
        ("ClinicalDocument/section/entry/value@unit", "mg"),
        ("ClinicalDocument/section/entry/value@value", "5"),
        ("ClinicalDocument/title", "T"),
    ]


def test_the_values_of_an_x12_interchange() -> None:
    envelope = "ISA*" + "*".join("0" * 10 for _ in range(10)) + "*" * 5
    head = envelope[:104].ljust(104, "0")
    data = f"{head}:~GS*HP~NM1*85*2*CLINIC*****XX*123~SV1*HC:99213*40~SE*1*1~".encode()
    assert list(values.values_of("x12", data)) == [
        ("NM103", "CLINIC"),
        ("NM109", "123"),
        ("SV101-2", "99213"),
        ("SV102", "40"),
    ]


def test_the_cells_of_a_table() -> None:
    assert list(values.values_of("csv", b"a,b\n1,\n2, x y \n")) == [
        ("a", "1"),
        ("a", "2"),
        ("b", "x y"),
    ]


BUNDLE = {
    "id": "secret-id",
    "text": {"div": "narrative word"},
    "birthDate": "1980-02-29",
    "when": "2024-01-02T03:04:00+01:00",
    "telecom": [{"value": "(555)123-4567"}],
    "name": [{"text": "Dr. Jane Doe"}],
    "value": 4.5,
    "content": {"attachment": {"data": "QUJD"}},
    "system": "urn:id:GOOD%20HEALTH",
    "extension": [
        {"url": "urn:simdes:x:unmapped", "extension": [{"url": "a", "valueString": "kept"}]}
    ],
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("19800229", True),
        ("202401020304", True),
        ("20240102030405", False),
        ("5551234567", True),
        ("jane", True),
        ("jan", False),
        ("4.50", True),
        ("GOOD HEALTH", True),
        ("kept", False),
        ("QUJD", False),
        ("word", False),
        ("secret-id", False),
        ("1", False),
    ],
)
def test_a_value_is_found_in_its_own_or_fhirs_form(value: str, *, found: bool) -> None:
    output = coverage.Output(list(coverage.leaves(BUNDLE, beside=False)))
    assert output.has(value) is found


def test_what_is_kept_beside_is_found_there() -> None:
    assert coverage.Output(list(coverage.leaves(BUNDLE, beside=True))).has("kept")


def test_the_vectors_arrive() -> None:
    figures, _ = coverage.measure(coverage.VECTORS / "hl7v2/microsoft", "hl7v2")
    assert figures["sources"] >= 5
    assert figures["literal_share"] > 0.95
    assert figures["accounted_share"] > 0.99
