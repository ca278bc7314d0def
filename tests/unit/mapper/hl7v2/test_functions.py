"""Functions and predicates that the overlay calls."""

import pytest

from simdes.mapper import Site
from simdes.mapper.hl7v2.er7 import Separators
from simdes.mapper.hl7v2.functions import FUNCTIONS, PREDICATES, absolute
from simdes.mapper.hl7v2.state import State
from simdes.mapper.hl7v2.tables import hl7v2

USUAL = Separators("|", "^", "~", "\\", "&")


def state(site: Site | None = None) -> State:
    return State(USUAL, "utf-8", site or Site(), hl7v2().systems)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2.16.840.1.113883.19", "urn:oid:2.16.840.1.113883.19"),
        ("2.16.01", "urn:id:2.16.01"),
        ("426D2726-51fc-89fe-a946-8596e80a80eb", "urn:uuid:426d2726-51fc-89fe-a946-8596e80a80eb"),
        ("https://hospital.example/ids", "https://hospital.example/ids"),
        ("Good Health", "urn:id:Good%20Health"),
        ("  ", ""),
    ],
)
def test_every_name_becomes_an_absolute_uri(name: str, expected: str) -> None:
    assert absolute(name) == expected


def test_authorities_prefer_what_the_site_says() -> None:
    authority = FUNCTIONS["authority"]
    site = Site(systems={"HOSP": "https://hospital.example/mrn"})
    assert authority(state(site), "HOSP", "1.2.36.1", "ISO") == "https://hospital.example/mrn"
    assert authority(state(), "HOSP", "1.2.36.1", "ISO") == "urn:oid:1.2.36.1"
    assert authority(state(), "HOSP", "1.23", "ISO") == "urn:id:1.23"  # names nobody
    assert authority(state(), "HOSP", "", "") == "urn:id:HOSP"
    assert authority(state(), "HOSP", "1", "L") == "urn:id:HOSP"  # every hospital has a "1"
    assert authority(state(), "", "1", "L") == "urn:id:1"
    assert authority(state(), "HOSP", "h.example", "DNS") == "urn:id:h.example"
    assert authority(state(), "NPI", "2.16.840.1.113883.4.6", "ISO").endswith("/us-npi")
    assert authority(state(), "", "", "") == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LN", "http://loinc.org"),
        ("ln", "http://loinc.org"),
        ("SCT", "http://snomed.info/sct"),
        ("UCUM", "http://unitsofmeasure.org"),
        ("HL70005", "http://terminology.hl7.org/CodeSystem/v2-0005"),
        ("HL7-0005", "http://terminology.hl7.org/CodeSystem/v2-0005"),
        ("2.16.840.1.113883.12.78", "http://terminology.hl7.org/CodeSystem/v2-0078"),
        ("2.16.840.1.113883.6.1", "http://loinc.org"),
        ("L", "urn:id:L"),
        ("99LAB", "urn:id:99LAB"),
    ],
)
def test_coding_systems(name: str, expected: str) -> None:
    assert FUNCTIONS["code_system"](state(), name) == expected


def test_a_site_names_its_own_coding_systems() -> None:
    site = Site(code_systems={"L": "https://hospital.example/codes"})
    assert FUNCTIONS["code_system"](state(site), "L") == "https://hospital.example/codes"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("NM", "5.10", True),
        ("NM", ">5", False),
        ("NM", "negative", False),
        ("SN", "^10", True),
        ("SN", ">^10", True),
        ("SN", "^1^:^128", True),
        ("SN", "^10^-^20", True),
        ("SN", "<>^10", False),
        ("SN", "^1^+", False),
        ("SN", "^ten", False),
        ("DT", "20240101", True),
        ("DTM", "not a date", False),
        ("TS", "20240101^D", True),
        ("TM", "1130", True),
        ("DR", "20240101^20240102", True),
        ("DR", "x^y", False),
        ("NR", "1^5", True),
        ("ST", "text", True),
        ("XAD", "street^^town", False),
        ("", "anything", False),
    ],
)
def test_whether_a_value_is_of_its_declared_type(kind: str, value: str, expected: bool) -> None:
    assert PREDICATES["typed"](state(), kind, value) is expected


@pytest.mark.parametrize(
    ("kind", "subtype", "expected"),
    [
        ("application", "pdf", "application/pdf"),
        ("AP", "PDF", "application/pdf"),
        ("IM", "JPEG", "image/jpeg"),
        ("TEXT", "x-hl7-ft", "text/ft"),
        ("NS", "Octet-stream", ""),
        ("", "application/pdf", "application/pdf"),
        ("application", "", ""),
    ],
)
def test_media_types(kind: str, subtype: str, expected: str) -> None:
    assert FUNCTIONS["media_type"](state(), kind, subtype) == expected


def test_data_that_is_no_base64_is_encoded() -> None:
    encode = FUNCTIONS["encode"]
    assert encode(state(), "Hex", "414243") == "QUJD"
    assert encode(state(), "A", r"A\T\B") == "QSZC"
    assert encode(state(), "Hex", "xyz") == ""


def test_names_and_lines_are_joined() -> None:
    assert FUNCTIONS["join"](state(), " ", "Dr", "", "Ann", "Smith&van") == "Dr Ann Smith van"
    assert FUNCTIONS["lines"](state(), "one~ two~") == "one\ntwo\n"
