"""FHIR's XML form, read as the JSON of a version; nothing in it reaches out or blows up."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from simdes.fhir.xml import MAX_TAGS
from simdes.mapper import LIMITS, Mapping, map_bytes
from simdes.mapper.detection import detect
from simdes.mapper.older import xml
from simdes.mapper.older.shapes import VERSIONS

VECTORS = Path(__file__).parents[3] / "vectors/older"
PATIENT = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- a patient -->
<Patient xmlns="http://hl7.org/fhir">
  <id value="p1"/>
  <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">Ann &amp; co</div></text>
  <contained><Organization><id value="o"/><name value="North"/></Organization></contained>
  <extension url="http://x.example/e"><valueDecimal value="1.50"/></extension>
  <active value="true"/>
  <name id="n1">
    <family value="Lee"/>
    <given value="Ann"/>
    <given><extension url="http://x.example/g"><valueCode value="q"/></extension></given>
  </name>
  <birthDate value="1980-02-03"><extension url="http://x.example/b"><valueString value="t"/></extension></birthDate>
  <multipleBirthInteger value="2"/>
  <managingOrganization><reference value="#o"/></managingOrganization>
</Patient>"""  # noqa: E501


def read(data: bytes, version: str) -> dict[str, Any]:
    return xml.read(xml.parse(data, limits=LIMITS), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_lists_numbers_and_what_extends_them_are_read_by_the_definitions(version: str) -> None:
    made = read(PATIENT, version)
    assert made["resourceType"] == "Patient"
    assert made["contained"] == [{"resourceType": "Organization", "id": "o", "name": "North"}]
    assert str(made["extension"][0]["valueDecimal"]) == "1.50"
    assert made["active"] is True
    assert made["multipleBirthInteger"] == 2
    name = made["name"][0]
    assert name["id"] == "n1"
    assert name["family"] == (["Lee"] if version == "dstu2" else "Lee")
    assert name["given"] == ["Ann", None]
    assert name["_given"][0] is None
    assert name["_given"][1]["extension"][0]["valueCode"] == "q"
    assert made["_birthDate"]["extension"][0]["valueString"] == "t"
    assert "Ann &amp; co</div>" in made["text"]["div"]


def test_xml_and_json_of_a_patient_become_the_same() -> None:
    by_xml = map_bytes("a.xml", gzip.decompress((VECTORS / "synthea-dstu2.xml.gz").read_bytes()))
    by_json = map_bytes("a", gzip.decompress((VECTORS / "synthea-dstu2.json.gz").read_bytes()))
    made = [mapping.messages[0].bundle["entry"] for mapping in (by_xml, by_json)]
    for one, other in zip(*made, strict=True):
        one["resource"].pop("text", None)
        other["resource"].pop("text", None)
        assert one == other


def test_r4_is_read_from_xml_too() -> None:
    mapping = map_bytes("x.xml", PATIENT)
    assert mapping.kind == "fhir"
    assert mapping.messages[0].event == "FHIR Patient"


def test_an_undeclared_prefix_or_another_namespace_is_no_fhir() -> None:
    assert detect("x.xml", PATIENT) == "fhir"
    assert detect("x.xml", b"<Patient xmlns='http://example.com'/>") == "xml"


BOMB = b"""<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Patient xmlns="http://hl7.org/fhir"><id value="&b;"/></Patient>"""
DEEP = b'<Patient xmlns="http://hl7.org/fhir">' + b"<a>" * 5000 + b"</a>" * 5000 + b"</Patient>"
HOSTILE = {
    "forbidden-xml": BOMB,
    "invalid-xml": b'<Patient xmlns="http://hl7.org/fhir"><id value="1">',
    "invalid-fhir": b'<patient xmlns="http://hl7.org/fhir"/>',
}


def _reason(mapping: Mapping) -> str:
    (item,) = mapping.quarantined
    assert item.advice
    return item.reason_code


@pytest.mark.parametrize("reason", HOSTILE)
def test_hostile_xml_is_quarantined_with_its_reason(reason: str) -> None:
    for kind in ("fhir", "fhir-dstu2", "fhir-stu3"):
        assert _reason(map_bytes("x.xml", HOSTILE[reason], kind=kind)) == reason


def test_an_external_entity_reads_no_file() -> None:
    data = b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/hostname">]><Patient>&x;</Patient>'
    assert _reason(map_bytes("x.xml", data, kind="fhir")) == "forbidden-xml"


def test_deep_xml_is_refused_without_recursing_into_it() -> None:
    assert _reason(map_bytes("x.xml", DEEP, kind="fhir")) in ("invalid-xml", "too-large")


def test_a_wide_bomb_of_tags_is_too_large() -> None:
    data = b'<Patient xmlns="http://hl7.org/fhir">' + b"<a/>" * (MAX_TAGS + 1)
    assert _reason(map_bytes("x.xml", data, kind="fhir")) == "too-large"


def test_truncated_xml_never_raises() -> None:
    for end in range(0, len(PATIENT), 7):
        mapping = map_bytes("x.xml", PATIENT[:end], kind="fhir")
        assert mapping.messages or mapping.quarantined
