"""Encounters: made, planned, asked for. Entries after HL7's C-CDA examples."""

import pytest

from unit.mapper.cda.samples import only, resources, unmapped
from unit.mapper.cda.sections import LOINC, SNOMED, section, target, template

CPT = 'codeSystem="2.16.840.1.113883.6.12"'


def visit(code: str = f'<code code="99213" {CPT}/>', more: str = "") -> str:
    return f"""<encounter classCode="ENC" moodCode="EVN">{template("49")}
      <id root="2a620155-9d11-439e-92b3-5d9815ff4de8"/>{code}
      <effectiveTime value="201209271300-0500"/>{more}</encounter>"""


def test_a_visit_has_who_where_why_and_what_was_found() -> None:
    more = f"""<performer><assignedEntity><id root="2.16.840.1.113883.4.6" extension="333444555"/>
      </assignedEntity></performer>
      <participant typeCode="LOC"><participantRole classCode="SDLOC">{template("32")}
        <code code="1160-1" codeSystem="2.16.840.1.113883.6.259"/>
        <playingEntity classCode="PLC"><name>Good Health Urgent Care</name></playingEntity>
      </participantRole></participant>
      <entryRelationship typeCode="RSON">
        <observation classCode="OBS" moodCode="EVN">{template("19")}
        <code code="75321-0" {LOINC}/><statusCode code="completed"/>
        <value xsi:type="CD" code="233604007" displayName="Pneumonia" {SNOMED}/>
      </observation></entryRelationship>
      <entryRelationship typeCode="SUBJ"><act classCode="ACT" moodCode="EVN">{template("80")}
        <code code="29308-4" {LOINC}/><statusCode code="completed"/>
        <entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">
          {template("4")}<id root="1.2.9" extension="p9"/><code code="282291009" {SNOMED}/>
          <statusCode code="completed"/><effectiveTime><low value="20120927"/></effectiveTime>
          <value xsi:type="CD" code="64667001" {SNOMED}/></observation></entryRelationship>
      </act></entryRelationship>"""
    found = section("46240-8", visit(more=more))
    encounter = only(found, "Encounter")
    assert encounter["class"]["code"] == "AMB"
    assert encounter["status"] == "finished"
    assert encounter["period"]["start"] == "2012-09-27T13:00:00-05:00"
    assert encounter["type"][0]["coding"][0]["code"] == "99213"
    assert encounter["reasonCode"][0]["coding"][0]["code"] == "233604007"
    assert target(found, encounter["location"][0]["location"])["name"] == "Good Health Urgent Care"
    performer = target(found, encounter["participant"][0]["individual"])
    assert performer["identifier"][0]["value"] == "333444555"
    condition = target(found, encounter["diagnosis"][0]["condition"])
    assert condition["code"]["coding"][0]["code"] == "64667001"
    assert condition["category"][0]["coding"][0]["code"] == "encounter-diagnosis"
    assert unmapped(found) == []


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        ('<code code="IMP" codeSystem="2.16.840.1.113883.5.4"/>', "IMP"),
        (f'<code code="99283" {CPT}/>', "EMER"),
        (
            f'<code code="99213" {CPT}><translation code="HH" codeSystem="2.16.840.1.113883.5.4"/>'
            "</code>",
            "HH",
        ),
        (f'<code code="185349003" {SNOMED}/>', None),
        ('<code nullFlavor="UNK"/>', None),
        ("", None),
    ],
)
def test_the_class_of_a_visit_is_hl7s_or_what_cpt_implies(code: str, setting: str | None) -> None:
    assert only(section("46240-8", visit(code)), "Encounter")["class"].get("code") == setting


@pytest.mark.parametrize(
    ("status", "attributes", "wanted"),
    [
        ("completed", "", "finished"),
        ("active", "", "in-progress"),
        ("cancelled", "", "cancelled"),
        ("completed", ' negationInd="true"', "cancelled"),
    ],
)
def test_the_status_of_a_visit_is_its_statuscode(status: str, attributes: str, wanted: str) -> None:
    entry = visit(more=f'<statusCode code="{status}"/>')
    entry = entry.replace('moodCode="EVN"', f'moodCode="EVN"{attributes}', 1)
    assert only(section("46240-8", entry), "Encounter")["status"] == wanted


def planned(mood: str, status: str = "active") -> str:
    return f"""<encounter moodCode="{mood}" classCode="ENC">{template("40")}
      <id root="9a6d1bac-17d3-4195-89a4-1121bc809b4d"/>
      <code code="185349003" displayName="Encounter for check up" {SNOMED}/>
      <statusCode code="{status}"/><effectiveTime value="20130615"/></encounter>"""


def test_an_intended_visit_is_planned() -> None:
    encounter = only(section("18776-5", planned("INT")), "Encounter")
    assert encounter["status"] == "planned"
    assert encounter["period"]["start"] == "2013-06-15"


def test_a_visit_that_is_asked_for_is_a_request() -> None:
    request = only(section("18776-5", planned("RQO")), "ServiceRequest")
    assert (request["intent"], request["status"]) == ("order", "active")
    assert request["occurrenceDateTime"] == "2013-06-15"
    proposal = only(section("18776-5", planned("PRP")), "ServiceRequest")
    assert proposal["intent"] == "proposal"


def test_an_appointment_that_is_asked_for_is_proposed() -> None:
    appointment = only(section("18776-5", planned("ARQ")), "Appointment")
    assert appointment["status"] == "proposed"
    assert appointment["requestedPeriod"][0]["start"] == "2013-06-15"
    assert resources(section("18776-5", planned("ARQ", "cancelled")), "Appointment")[0][
        "status"
    ] == ("cancelled")
