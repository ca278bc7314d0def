"""The compiled table: made of HL7's maps and our overlay, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simdes.fhir.codes import exists
from simdes.fhir.validate import validate
from simdes.mapper.hl7v2.notation import conditions
from simdes.mapper.hl7v2.tables import hl7v2

ROOT = Path(__file__).parents[4]
TABLE = json.loads((ROOT / "src/simdes/mapper/hl7v2/table.json").read_text(encoding="utf-8"))


def test_the_shipped_table_is_what_the_sources_compile_to() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.compile_v2_maps", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "run `python -m tools.compile_v2_maps`"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", None),
        ("IF PID-25 NOT VALUED", ["not", ["valued", "PID-25"]]),
        ("IF PID-33 AND PID-34 VALUED", ["and", ["valued", "PID-33"], ["valued", "PID-34"]]),
        ('IF OBX-2="ED"', ["eq", "OBX-2", "ED"]),
        ('IF OBX-2 IN ("ST", "FT")', ["in", "OBX-2", ["ST", "FT"]]),
        ('IF XTN.3 NOT IN ("X")', ["not", ["in", "XTN.3", ["X"]]]),
        ("IF PID-11 LST.COUNT EQUALS 1", ["count", "PID-11", "=", 1]),
        ("IF PID-7 LENGTH GREATER THAN 8", ["length", "PID-7", ">", 8]),
        ("NOT @typed(OBX-2, OBX-5)", ["not", ["named", "typed", ["OBX-2", "OBX-5"]]]),
        (
            "A12-1 VALUED OR (B12-1 VALUED AND C12-1 VALUED)",
            ["or", ["valued", "A12-1"], ["and", ["valued", "B12-1"], ["valued", "C12-1"]]],
        ),
    ],
)
def test_hl7s_conditions_are_read(text: str, tree: object) -> None:
    assert conditions.read(text) == tree


@pytest.mark.parametrize(
    "text", ["IF the moon is full", "IF PID-3", 'IF (OBX-2 EQUALS "SN"', "IF NOT VALUED", 'IF X"']
)
def test_prose_is_refused_rather_than_guessed(text: str) -> None:
    with pytest.raises(conditions.Unreadable):
        conditions.read(text)


def test_every_map_that_is_named_exists() -> None:
    for section in ("segments", "datatypes"):
        for name, data in TABLE[section].items():
            for row in data["rows"]:
                assert row.get("map", next(iter(TABLE["datatypes"]))) in TABLE["datatypes"], name
                assert row.get("codes", next(iter(TABLE["codes"]))) in TABLE["codes"], name


def test_every_covered_event_has_its_structure() -> None:
    assert set(TABLE["events"]) >= {
        "ADT^A01", "ADT^A03", "ADT^A04", "ADT^A08", "ORU^R01", "ORU^", "ORM^O01", "OML^O21",
        "OMG^O19", "OMP^O09", "RDE^O01", "RDE^O11", "RDE^O25", "RDS^O13", "RAS^O17", "RGV^O15",
        "VXU^V04",
    }  # fmt: skip
    assert set(TABLE["events"].values()) == set(TABLE["messages"])
    assert set(TABLE["events"].values()) == set(hl7v2().structures)


@pytest.mark.parametrize(
    ("event", "structure"),
    [
        ("ADT^A04", "ADT_A01"),
        ("ADT^A07", "ADT_A06"),
        ("ADT^A28", "ADT_A05"),
        ("ADT^A33", "ADT_A21"),
        ("ADT^A34", "ADT_A30"),
        ("ADT^A40", "ADT_A39"),
        ("ADT^A44", "ADT_A43"),
        ("ADT^A47", "ADT_A30"),
        ("ADT^A51", "ADT_A50"),
        ("BAR^P05", "BAR_P01"),
        ("BAR^P06", "BAR_P02"),
        ("DFT^P11", "DFT_P11"),
        ("MDM^T11", "MDM_T02"),
        ("ORU^R01", "ORU_R01"),
        ("PGL^PC7", "PGL_PC6"),
        ("PPR^PC3", "PPR_PC1"),
        ("SIU^S26", "SIU_S12"),
    ],
)
def test_events_have_the_structures_of_table_0354(event: str, structure: str) -> None:
    assert TABLE["events"][event] == structure


CODED = {
    "administrativesex": ("Patient", "gender"),
    "observationresultstatuscodesinterpretation": ("Observation", "status"),
    "resultstatus[nonqueries]": ("DiagnosticReport", "status"),
    "event[encounterstatus]": ("Encounter", "status"),
    "patientclass[encounterstatus]": ("Encounter", "status"),
    "ordercontrolcode[servicerequest.status]": ("ServiceRequest", "status"),
    "orderstatus": ("ServiceRequest", "status"),
    "extendedprioritycodes": ("ServiceRequest", "priority"),
    "yesnoindicator[availabilitystatus]": ("Specimen", "status"),
    "allergytype": ("AllergyIntolerance", "type"),
    "event[appointmentstatus]": ("Appointment", "status"),
    "fillerstatuscodes[appointment]": ("Appointment", "status"),
    "documentavailabilitystatus": ("DocumentReference", "status"),
    "documentcompletionstatus": ("DocumentReference", "docStatus"),
    "goallifecycle": ("Goal", "lifecycleStatus"),
    "careplanlifecycle": ("CarePlan", "status"),
    "transactiontype[chargeitemstatus]": ("ChargeItem", "status"),
}


@pytest.mark.parametrize("name", CODED)
def test_every_target_of_a_required_code_is_legal_in_r4(name: str) -> None:
    kind, element = CODED[name]
    key = name.replace(".", "")
    assert TABLE["codes"][key]["codes"]
    for code, _, _ in TABLE["codes"][key]["codes"].values():
        problems = validate({"resourceType": kind, element: code})
        bad = [p for p in problems if p.is_error and p.expression == f"{kind}.{element}"]
        assert bad == [], code


def test_the_documentation_is_generated_from_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.write_mapping_doc", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "run `python -m tools.write_mapping_doc`"


def test_the_licence_of_hl7s_maps_is_kept_with_them() -> None:
    text = (ROOT / "data/v2-to-fhir/LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text


def test_what_the_maps_write_by_themselves_are_codes_of_their_systems() -> None:
    """Concept maps' targets, and rows that write a constant code beside a constant system."""
    codings = {
        (system, code)
        for vocabulary in TABLE["codes"].values()
        for code, _, system in vocabulary["codes"].values()
    }
    constants: dict[tuple[str, ...], dict[str, str]] = {}
    for kind in ("segments", "datatypes"):
        for name, map_ in TABLE[kind].items():
            for row in map_["rows"]:
                if "text" in row.get("assign", {}):
                    place = (kind, name, row["source"], *row["path"][:-1])
                    constants.setdefault(place, {})[row["path"][-1]] = row["assign"]["text"]
    codings |= {
        (one["system"], one["code"])
        for one in constants.values()
        if len(one) > 1 and {"system", "code"} <= one.keys()
    }
    assert len(codings) > 500
    assert {coding for coding in codings if exists(*coding) is False} == set()
