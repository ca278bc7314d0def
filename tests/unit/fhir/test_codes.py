"""A code system that is known whole knows its codes; of others nothing is said."""

from __future__ import annotations

import pytest

from simdes.fhir.codes import UCUM, exists

HL7 = "http://terminology.hl7.org/CodeSystem/"


@pytest.mark.parametrize(
    ("system", "code", "answer"),
    [
        (HL7 + "v2-0203", "MR", True),
        (HL7 + "v2-0203", "PGN", False),  # came after R4
        (HL7 + "v2-0001", "f", True),  # v2 tables do not say that case matters
        (HL7 + "v3-MaritalStatus", "M", True),
        (HL7 + "v3-MaritalStatus", "m", False),
        (HL7 + "practitioner-role", "responsibleObserver", False),
        ("http://hl7.org/fhir/administrative-gender", "female", True),
        (UCUM, "mg/dL", True),
        (UCUM, "MG/DL", False),
        (HL7 + "v2-0005", "2106-3", None),  # a table that HL7 leaves empty
        (HL7 + "v2-0360", "MD", None),  # two editions under one URL
        (HL7 + "program", "x", None),  # published as an example only
        ("http://loinc.org", "1", None),
        ("urn:oid:1.2.36.1", "1", None),
    ],
)
def test_codes_are_those_of_r4(system: str, code: str, answer: bool | None) -> None:
    assert exists(system, code) is answer
