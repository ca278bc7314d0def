"""Whatever is observed: results, vital signs, social history, functional and mental status.

Entries are HL7's C-CDA examples, cut short.
"""

from typing import Any

import pytest

from unit.mapper.cda.samples import mapped as whole
from unit.mapper.cda.samples import only, resources, sample, unmapped
from unit.mapper.cda.sections import LOINC, SNOMED, coded, section, target, template

CBC = f"""<organizer classCode="BATTERY" moodCode="EVN">{template("1")}
  <id root="7d5a02b0-67a4-11db-bd13-0800200c9a66"/>
  <code code="57021-8" displayName="CBC W Auto Differential panel" {LOINC}/>
  <statusCode code="STATUS"/>
  <effectiveTime><low value="200803190830-0800"/><high value="200803190830-0800"/></effectiveTime>
  <specimen><specimenRole><id root="1.2.9" extension="s1"/><specimenPlayingEntity>
    <code code="119297000" displayName="Blood specimen" {SNOMED}/></specimenPlayingEntity>
  </specimenRole></specimen>
  <component><observation classCode="OBS" moodCode="EVN">{template("2")}
    <id root="107c2dc0-67a5-11db-bd13-0800200c9a66"/>
    <code code="718-7" displayName="Hemoglobin" {LOINC}/>
    <statusCode code="completed"/>
    <value xsi:type="PQ" value="13.20" unit="g/dL"/>
    <interpretationCode code="N" codeSystem="2.16.840.1.113883.5.83"/>
    <referenceRange><observationRange>
      <value xsi:type="IVL_PQ"><low value="12.0" unit="g/dL"/>
        <high value="15.5" unit="g/dL"/></value>
      <interpretationCode code="N" codeSystem="2.16.840.1.113883.5.83"/>
    </observationRange></referenceRange>
  </observation></component></organizer>"""


def test_a_result_organizer_is_a_report_of_its_results() -> None:
    found = section("30954-2", CBC.replace("STATUS", "completed"))
    report, result = only(found, "DiagnosticReport"), only(found, "Observation")
    assert report["status"] == "final"
    assert report["code"]["coding"][0]["code"] == "57021-8"
    assert report["category"][0]["coding"][0]["code"] == "LAB"
    assert report["effectiveDateTime"] == "2008-03-19T08:30:00-08:00"
    assert target(found, report["result"][0]) == result
    assert target(found, report["specimen"][0])["type"]["coding"][0]["code"] == "119297000"
    assert str(result["valueQuantity"]["value"]) == "13.20"
    assert result["interpretation"][0]["coding"][0]["code"] == "N"
    assert result["effectiveDateTime"] == report["effectiveDateTime"]
    assert result["category"][0]["coding"][0]["code"] == "laboratory"
    low, high = (result["referenceRange"][0][end]["value"] for end in ("low", "high"))
    assert (str(low), str(high)) == ("12.0", "15.5")
    assert unmapped(found) == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("completed", "final"),
        ("active", "registered"),
        ("held", "registered"),
        ("aborted", "cancelled"),
        ("cancelled", "cancelled"),
        ("nullified", "entered-in-error"),
    ],
)
def test_the_status_of_a_report_follows_c_cda_on_fhir(sent: str, status: str) -> None:
    found = section("30954-2", CBC.replace("STATUS", sent))
    assert only(found, "DiagnosticReport")["status"] == status


def test_a_status_nobody_knows_is_kept_beside() -> None:
    found = section("30954-2", CBC.replace("STATUS", "dancing"))
    assert only(found, "DiagnosticReport")["status"] == "unknown"
    assert unmapped(found) == ["statusCode/@code"]


def observation(value: str, *, more: str = "", number: str = "2", attributes: str = "") -> str:
    return f"""<observation classCode="OBS" moodCode="EVN"{attributes}>{template(number)}
      <code code="5778-6" {LOINC}/><statusCode code="completed"/>
      <effectiveTime value="20200101"/>{value}{more}</observation>"""


@pytest.mark.parametrize(
    ("value", "element", "wanted"),
    [
        ('<value xsi:type="PQ" value="1.50" unit="mg/dL"/>', "valueQuantity", "mg/dL"),
        (f'<value xsi:type="CD" code="371244009" {SNOMED}/>', "valueCodeableConcept", "371244009"),
        (f'<value xsi:type="CE" code="371244009" {SNOMED}/>', "valueCodeableConcept", "371244009"),
        ('<value xsi:type="ST">Yellow</value>', "valueString", "Yellow"),
        ('<value xsi:type="ED">Pale yellow</value>', "valueString", "Pale yellow"),
        ('<value xsi:type="INT" value="3"/>', "valueInteger", "3"),
        ('<value xsi:type="REAL" value="3.10"/>', "valueQuantity", "3.10"),
        ('<value xsi:type="BL" value="true"/>', "valueBoolean", "True"),
        ('<value xsi:type="TS" value="20200203"/>', "valueDateTime", "2020-02-03"),
        (
            '<value xsi:type="IVL_TS"><low value="20200203"/><high value="20200204"/></value>',
            "valuePeriod",
            "2020-02-04",
        ),
        (
            '<value xsi:type="IVL_PQ"><low value="1" unit="g"/><high value="2" unit="g"/></value>',
            "valueRange",
            "high",
        ),
        ('<value xsi:type="IVL_PQ"><low value="92" unit="%"/></value>', "valueQuantity", ">="),
        ('<value xsi:type="IVL_PQ"><high value="5" unit="g"/></value>', "valueQuantity", "<="),
        (
            '<value xsi:type="RTO"><numerator xsi:type="INT" value="1"/>'
            '<denominator xsi:type="INT" value="128"/></value>',
            "valueRatio",
            "128",
        ),
        ('<value value="7" unit="mg"/>', "valueQuantity", "mg"),
        (f'<value code="371244009" {SNOMED}/>', "valueCodeableConcept", "371244009"),
        ('<value xsi:type="PQ" nullFlavor="NASK"/>', "dataAbsentReason", "not-asked"),
    ],
)
def test_a_value_of_each_type_finds_its_element(value: str, element: str, wanted: str) -> None:
    found = only(section("30954-2", observation(value)), "Observation")
    said = [name for name in found if name.startswith("value") or name == "dataAbsentReason"]
    assert said == [element]
    assert wanted in str(found[element])


@pytest.mark.parametrize(
    "value",
    [
        '<value xsi:type="PQ" value="a lot" unit="mg"/>',
        '<value xsi:type="PQ">12 mg</value>',
        '<value xsi:type="INT" value="3.5"/>',
        '<value xsi:type="TS" value="yesterday"/>',
        '<value xsi:type="NONSENSE" value="qq7"/>',
        '<value xsi:type="CD">only words</value>',
        '<value xsi:type="IVL_PQ" value="4"/>',
        "<value/>",
        "",
    ],
)
def test_a_value_of_a_wrong_type_is_not_lost(value: str) -> None:
    found = section("30954-2", observation(value))
    text = str(found.bundle)
    for word in ("a lot", "12 mg", "3.5", "yesterday", "qq7", "only words"):
        assert (word in value) <= (word in text)


def test_a_finding_that_is_denied_is_not_asserted() -> None:
    value = f'<value xsi:type="CD" code="371244009" {SNOMED}/>'
    found = only(
        section("30954-2", observation(value, attributes=' negationInd="true"')), "Observation"
    )
    assert "valueCodeableConcept" not in found
    assert found["component"][0]["valueBoolean"] is False
    assert found["component"][0]["code"]["coding"][0]["code"] == "371244009"


VITALS = f"""<organizer classCode="CLUSTER" moodCode="EVN">{template("26")}
  <id root="24f6ad18-c512-40fc-82bd-1e131aa9e529"/>
  <code code="46680005" displayName="Vital Signs" {SNOMED}/>
  <statusCode code="completed"/><effectiveTime value="20120910"/>
  <component><observation classCode="OBS" moodCode="EVN">{template("27")}
    <id root="ed9589fd-fda0-41f7-a3d0-dc537554f5c2"/><code code="8480-6" {LOINC}/>
    <statusCode code="completed"/><effectiveTime value="20120910"/>
    <value xsi:type="PQ" value="120" unit="mm[Hg]"/></observation></component>
  <component><observation classCode="OBS" moodCode="EVN">{template("27")}
    <id root="f4e729e2-a97f-4a7e-8e23-c92f9b6b55cf"/><code code="8867-4" {LOINC}/>
    <statusCode code="completed"/>
    <value xsi:type="PQ" value="80" unit="/min"/></observation></component>
</organizer>"""


def test_vital_signs_are_members_of_a_panel() -> None:
    found = section("8716-3", VITALS)
    panel = coded(found, "Observation", "85353-1")
    members = [target(found, one) for one in panel["hasMember"]]
    assert [one["valueQuantity"]["code"] for one in members] == ["mm[Hg]", "/min"]
    assert {one["effectiveDateTime"] for one in (panel, *members)} == {"2012-09-10"}
    for one in (panel, *members):
        assert one["category"][0]["coding"][0]["code"] == "vital-signs"
        assert one["status"] == "final"
    assert unmapped(found) == []


def test_an_empty_organizer_is_no_panel() -> None:
    empty = f'<organizer classCode="CLUSTER" moodCode="EVN">{template("26")}</organizer>'
    for one in resources(section("8716-3", empty), "Observation"):
        assert "85353-1" not in str(one)


def social(number: str, code: str, value: str) -> str:
    return f"""<observation classCode="OBS" moodCode="EVN">
      <templateId root="{number if "." in number else "2.16.840.1.113883.10.20.22.4." + number}"/>
      {code}<statusCode code="completed"/><effectiveTime value="20120910"/>{value}</observation>"""


ASSERTION = '<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>'


def test_smoking_status_answers_loincs_question_in_both_its_forms() -> None:
    value = f'<value xsi:type="CD" code="8517006" displayName="Former smoker" {SNOMED}/>'
    for code in (ASSERTION, f'<code code="72166-2" {LOINC}/>'):
        found = only(section("29762-2", social("78", code, value)), "Observation")
        assert found["code"]["coding"][0]["code"] == "72166-2"
        assert found["valueCodeableConcept"]["coding"][0]["code"] == "8517006"
        assert found["category"][0]["coding"][0]["code"] == "social-history"


def test_a_pregnancy_has_its_date_of_delivery() -> None:
    due = f"""<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN">
      <templateId root="2.16.840.1.113883.10.20.15.3.1"/><code code="11778-8" {LOINC}/>
      <statusCode code="completed"/><value xsi:type="TS" value="20230401"/></observation>
      </entryRelationship>"""
    value = f'<value xsi:type="CD" code="77386006" displayName="pregnant" {SNOMED}/>{due}'
    entry = social("2.16.840.1.113883.10.20.15.3.8", ASSERTION, value)
    found = only(section("29762-2", entry), "Observation")
    assert found["code"]["coding"][0]["code"] == "82810-3"
    assert found["component"][0]["code"]["coding"][0]["code"] == "11778-8"
    assert found["component"][0]["valueDateTime"] == "2023-04-01"


def test_what_a_patient_is_stands_on_the_patient_as_well() -> None:
    entries = [
        social(
            "200",
            f'<code code="76689-9" {LOINC}/>',
            '<value xsi:type="CD" code="M" codeSystem="2.16.840.1.113883.5.1"/>',
        ),
        social(
            "2.16.840.1.113883.10.20.34.3.45",
            f'<code code="76691-5" {LOINC}/>',
            f'<value xsi:type="CD" code="446151000124109" {SNOMED}/>',
        ),
    ]
    found = section("29762-2", *entries)
    core = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
    said = {one["url"]: one for one in only(found, "Patient")["extension"]}
    assert said[f"{core}birthsex"]["valueCode"] == "M"
    identity = said[f"{core}genderIdentity"]["valueCodeableConcept"]
    assert identity["coding"][0]["code"] == "446151000124109"
    assert len(resources(found, "Observation")) == 2


def test_an_assessment_scale_has_its_items_as_components() -> None:
    item = f"""<entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN">
      {template("86")}<code code="52731-7" {LOINC}/><statusCode code="completed"/>
      <value xsi:type="INT" value="2"/></observation></entryRelationship>"""
    scale = observation('<value xsi:type="INT" value="7"/>', more=item, number="69")
    found = only(section("47420-5", scale), "Observation")
    assert found["valueInteger"] == 7
    assert found["component"][0]["valueInteger"] == 2
    assert found["category"][0]["coding"][0]["code"] == "survey"


def test_functional_status_groups_what_was_found() -> None:
    found = whole(sample("ccd"))
    groups: list[dict[str, Any]] = [
        one
        for one in resources(found, "Observation")
        if one.get("category", [{}])[0].get("coding", [{}])[0].get("code") == "functional-status"
        and "hasMember" in one
    ]
    members = {
        coding["code"]
        for group in groups
        for one in group["hasMember"]
        for coding in target(found, one)["code"]["coding"]
    }
    assert {"54522-8", "46008-9"} <= members
