"""Family history, devices, payers, care teams, directives, notes.

Entries are HL7's C-CDA examples, cut short; the UDI is the one of C-CDA's supplemental templates.
"""

import base64

import pytest

from unit.mapper.cda.samples import document, mapped, only, resources, unmapped
from unit.mapper.cda.sections import LOINC, SNOMED, section, target, template

FATHER = f"""<organizer moodCode="EVN" classCode="CLUSTER">{template("45")}
  <id root="d42ebf70-5c89-11db-b0de-0855200c9a66"/><statusCode code="completed"/>
  <subject><relatedSubject classCode="PRS">
    <code code="FTH" displayName="father" codeSystem="2.16.840.1.113883.5.111"/>
    <subject><administrativeGenderCode code="M" codeSystem="2.16.840.1.113883.5.1"/>
      <birthTime value="1910"/></subject></relatedSubject></subject>
  <component><observation classCode="OBS" moodCode="EVN"NEGATED>{template("46")}
    <id root="d42ebf70-5c89-11db-b0de-0800200c9a66"/><code code="75323-6" {LOINC}/>
    <statusCode code="completed"/>
    <value xsi:type="CD" code="22298006" displayName="Myocardial infarction" {SNOMED}/>
    <entryRelationship typeCode="CAUS"><observation classCode="OBS" moodCode="EVN">{template("47")}
      <code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/>
      <value xsi:type="CD" code="419099009" displayName="Dead" {SNOMED}/></observation>
    </entryRelationship>
    <entryRelationship typeCode="SUBJ" inversionInd="true">
      <observation classCode="OBS" moodCode="EVN">{template("31")}<code code="445518008" {SNOMED}/>
      <statusCode code="completed"/><value xsi:type="PQ" value="57" unit="a"/></observation>
    </entryRelationship></observation></component></organizer>"""


def test_a_relative_has_diseases_an_age_at_onset_and_a_death() -> None:
    found = section("10157-6", FATHER.replace("NEGATED", ""))
    father = only(found, "FamilyMemberHistory")
    assert father["status"] == "completed"
    assert father["relationship"]["coding"][0]["code"] == "FTH"
    assert father["sex"]["coding"][0]["code"] == "male"
    assert father["bornDate"] == "1910"
    assert father["deceasedBoolean"] is True
    (disease,) = father["condition"]
    assert disease["code"]["coding"][0]["code"] == "22298006"
    assert disease["onsetAge"]["value"] == 57
    assert disease["contributedToDeath"] is True
    assert "modifierExtension" not in disease
    assert unmapped(found) == []


def test_a_disease_that_a_relative_did_not_have_is_marked() -> None:
    found = section("10157-6", FATHER.replace("NEGATED", ' negationInd="true"'))
    (disease,) = only(found, "FamilyMemberHistory")["condition"]
    assert disease["modifierExtension"][0]["valueBoolean"] is True


PACEMAKER = f"""<supply classCode="SPLY" moodCode="EVN">{template("50")}
  <id root="39b5f1b4-a8e1-4ad7-8849-0deab10c97b1"/><statusCode code="completed"/>
  <effectiveTime xsi:type="IVL_TS"><high value="20130703"/></effectiveTime><quantity value="1"/>
  <participant typeCode="PRD"><participantRole classCode="MANU">{template("37")}
    <id root="2.16.840.1.113883.3.3719"
      extension="(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234"/>
    <playingDevice><code code="14106009" displayName="cardiac pacemaker" {SNOMED}/></playingDevice>
    <scopingEntity><id root="1.2.9"/><desc>Good Health Equipment</desc></scopingEntity>
  </participantRole></participant></supply>"""


def test_a_device_in_use_keeps_its_unique_device_identifier() -> None:
    found = section("46264-8", PACEMAKER)
    use = only(found, "DeviceUseStatement")
    assert (use["status"], use["timingPeriod"]) == ("completed", {"end": "2013-07-03"})
    device = target(found, use["device"])
    assert device["type"]["coding"][0]["code"] == "14106009"
    assert device["udiCarrier"][0]["carrierHRF"].startswith("(01)51022222233336")
    assert device["manufacturer"] == "Good Health Equipment"


def test_whom_a_device_also_belongs_to_is_not_left_alone() -> None:
    """HL7's validator wants every entry of a document to be reachable from its Composition."""
    other = PACEMAKER.replace("39b5f1b4", "39b5f1b5").replace('root="1.2.9"', 'root="1.2.10"')
    found = section("46264-8", PACEMAKER, other.replace("Good Health", "Better"))
    device = only(found, "Device")
    kept = [part for one in device["extension"] for part in one.get("extension", ())]
    (owner,) = [part["valueReference"] for part in kept if part["url"] == "owner"]
    assert target(found, device["owner"])["name"] == "Good Health Equipment"
    assert target(found, owner)["name"] == "Better Equipment"


def test_equipment_that_belongs_together_is_a_list() -> None:
    group = f"""<organizer classCode="CLUSTER" moodCode="EVN">{template("135")}
      <id root="3e414708-0e61-4d48-8863-484a2d473a02"/><code code="40388003" {SNOMED}/>
      <statusCode code="completed"/><component>{PACEMAKER}</component></organizer>"""
    found = section("46264-8", group)
    listed = only(found, "List")
    assert target(found, listed["entry"][0]["item"]) == only(found, "DeviceUseStatement")


def test_the_parts_of_a_device_identifier_are_read() -> None:
    def part(number: str, value: str) -> str:
        return f"""<component><observation classCode="OBS" moodCode="EVN">{template(number)}
          <code code="x" {LOINC}/>{value}</observation></component>"""

    parts = [
        part("304", '<value xsi:type="II" root="1.3.160" extension="51022222233336"/>'),
        part("315", '<value xsi:type="ED">A213B1</value>'),
        part("319", '<value xsi:type="ED">1234</value>'),
        part("316", '<value xsi:type="TS" value="20141231"/>'),
        part("309", '<value xsi:type="TS" value="20150707"/>'),
        part("317", '<value xsi:type="ED">Ultra</value>'),
        part("303", '<value xsi:type="ED">ACME</value>'),
    ]
    entry = f"""<organizer classCode="CLUSTER" moodCode="EVN">{template("311")}
      <code code="74711-3" {LOINC}/><statusCode code="completed"/>{"".join(parts)}</organizer>"""
    device = only(section("46264-8", entry), "Device")
    assert device["udiCarrier"][0]["deviceIdentifier"] == "51022222233336"
    assert (device["lotNumber"], device["serialNumber"]) == ("A213B1", "1234")
    assert device["manufactureDate"] == "2014-12-31"
    assert device["expirationDate"] == "2015-07-07"
    assert (device["modelNumber"], device["manufacturer"]) == ("Ultra", "ACME")


POLICY = f"""<act classCode="ACT" moodCode="EVN">{template("60")}<code code="48768-6" {LOINC}/>
  <statusCode code="completed"/>
  <entryRelationship typeCode="COMP"><sequenceNumber value="2"/>
  <act classCode="ACT" moodCode="EVN">{template("61")}
    <id root="3e676a50-7aac-11db-9fe1-0800200c9a66"/>
    <code code="81" codeSystem="2.16.840.1.113883.3.221.5"/><statusCode code="completed"/>
    <performer typeCode="PRF">{template("87")}<assignedEntity><id root="2.16.840.1.113883.19"/>
      <code code="PAYOR" codeSystem="2.16.840.1.113883.5.110"/><representedOrganization>
      <name>Good Health Insurance</name></representedOrganization></assignedEntity></performer>
    <performer typeCode="PRF">{template("88")}<assignedEntity>
      <id root="329fcdf0-7ab3-11db-9fe1-0800200c9a66"/>
      <code code="GUAR" codeSystem="2.16.840.1.113883.5.111"/><assignedPerson><name>
      <family>Betterhalf</family></name></assignedPerson></assignedEntity></performer>
    <participant typeCode="COV"><time><low value="20110101"/><high value="20111231"/></time>
      <participantRole classCode="PAT"><id root="1.2.9" extension="1138345"/>
      <code code="SELF" codeSystem="2.16.840.1.113883.5.111"/></participantRole></participant>
    <participant typeCode="HLD"><participantRole><id extension="99" root="1.2.10"/>
      </participantRole></participant>
  </act></entryRelationship></act>"""


def test_a_policy_is_a_coverage_with_payer_holder_member_and_guarantor() -> None:
    found = section("48768-6", POLICY)
    coverage = only(found, "Coverage")
    assert (coverage["status"], coverage["order"]) == ("active", 2)
    assert coverage["type"]["coding"][0]["code"] == "81"
    assert target(found, coverage["payor"][0])["name"] == "Good Health Insurance"
    assert coverage["relationship"]["coding"][0]["code"] == "self"
    assert target(found, coverage["subscriber"])["resourceType"] == "Patient"
    assert coverage["subscriberId"] == "99"
    assert coverage["period"] == {"start": "2011-01-01", "end": "2011-12-31"}
    members = [one["value"] for one in coverage["identifier"] if "type" in one]
    assert members == ["1138345"]
    account = only(found, "Account")
    guarantor = target(found, account["guarantor"][0]["party"])
    assert guarantor["name"][0]["family"] == "Betterhalf"
    assert target(found, account["coverage"][0]["coverage"]) == coverage
    assert unmapped(found) == []


TEAM = f"""<organizer classCode="CLUSTER" moodCode="EVN">{template("500")}
  <id root="1.2.9" extension="team"/><code code="86744-0" {LOINC}>
  <originalText>Kidney team</originalText></code><statusCode code="STATUS"/>
  <effectiveTime><low value="20181008"/></effectiveTime>
  <component><act classCode="PCPR" moodCode="EVN">{template("500.1")}<code code="85847-2" {LOINC}/>
    <statusCode code="active"/><effectiveTime><low value="20181009"/></effectiveTime>
    <performer><sdtc:functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88"/>
    <assignedEntity><id root="2.16.840.1.113883.4.6" extension="12345"/><assignedPerson><name>
    <family>Mason</family></name></assignedPerson></assignedEntity></performer></act></component>
  </organizer>"""


@pytest.mark.parametrize(("sent", "status"), [("active", "active"), ("completed", "inactive")])
def test_a_care_team_has_members_with_roles(sent: str, status: str) -> None:
    found = section("85847-2", TEAM.replace("STATUS", sent))
    team = only(found, "CareTeam")
    assert (team["status"], team["name"]) == (status, "Kidney team")
    (member,) = team["participant"]
    assert member["role"][0]["coding"][0]["code"] == "PCP"
    assert member["period"]["start"] == "2018-10-09"
    assert target(found, member["member"])["name"][0]["family"] == "Mason"


def test_an_advance_directive_has_its_verifier_and_its_document() -> None:
    entry = f"""<organizer classCode="CLUSTER" moodCode="EVN">{template("108")}
      <code code="45473-6" {LOINC}/><statusCode code="completed"/><component>
      <observation classCode="OBS" moodCode="EVN">{template("48")}<id root="1.2.9" extension="ad"/>
      <code code="75278-2" {LOINC}/><statusCode code="completed"/>
      <effectiveTime><low value="20110219"/><high nullFlavor="NI"/></effectiveTime>
      <value xsi:type="CD" code="304253006" displayName="Not for resuscitation" {SNOMED}/>
      <participant typeCode="VRF"><time value="20110219"/><participantRole>
      <id root="1.2.9" extension="doctor"/><playingEntity><name><family>Patricia</family></name>
      </playingEntity></participantRole></participant>
      <reference typeCode="REFR"><externalDocument><id root="1.2.9" extension="will"/>
      <text mediaType="application/pdf"><reference value="will.pdf"/></text></externalDocument>
      </reference></observation></component></organizer>"""
    found = section("42348-3", entry)
    directive = next(one for one in resources(found, "Observation") if "derivedFrom" in one)
    assert directive["valueCodeableConcept"]["coding"][0]["code"] == "304253006"
    assert directive["effectivePeriod"] == {"start": "2011-02-19"}
    paper = target(found, directive["derivedFrom"][0])
    assert paper["identifier"][0]["value"] == "will"
    assert paper["content"][0]["attachment"]["url"] == "will.pdf"
    verifier = target(found, directive["performer"][0])
    assert verifier["code"][0]["coding"][0]["code"] == "VRF"
    assert target(found, verifier["practitioner"])["name"][0]["family"] == "Patricia"
    assert unmapped(found) == []


def test_a_note_is_a_document_with_what_the_narrative_says() -> None:
    entry = f"""<act classCode="ACT" moodCode="EVN">{template("202")}
      <code code="34109-9" {LOINC}><translation code="11488-4" displayName="Consult note" {LOINC}/>
      </code><text><reference value="#n1"/></text><statusCode code="completed"/>
      <effectiveTime value="20160908"/><author><time value="20160908083215-0500"/><assignedAuthor>
      <id root="2.16.840.1.113883.4.6" extension="1093929010"/></assignedAuthor></author></act>"""
    text = '<text><paragraph ID="n1">The patient is well.</paragraph></text>'
    found = mapped(document(entry, text=text))
    note = only(found, "DocumentReference")
    assert (note["status"], note["docStatus"]) == ("current", "final")
    assert note["type"]["coding"][0]["code"] == "11488-4"
    assert note["category"][0]["coding"][0]["code"] == "clinical-note"
    assert note["date"] == "2016-09-08T08:32:15-05:00"
    attachment = note["content"][0]["attachment"]
    assert base64.b64decode(attachment["data"]).decode() == "The patient is well."
    assert attachment["contentType"] == "text/plain"


def test_a_note_refers_to_the_act_it_answers() -> None:
    referral = f"""<act classCode="PCPR" moodCode="INT">{template("140")}
      <id root="1.2.9" extension="asked"/><code code="103697008" {SNOMED}/>
      <statusCode code="active"/></act>"""
    note = f"""<act classCode="ACT" moodCode="EVN">{template("202")}<code code="34109-9" {LOINC}/>
      <text>Seen.</text><statusCode code="completed"/><reference typeCode="REFR">
      <externalAct classCode="ACT" moodCode="EVN"><id root="1.2.9" extension="asked"/>
      <code code="103697008" displayName="Referral" {SNOMED}/></externalAct></reference></act>"""
    for entries in ((referral, note), (note, referral)):
        found = section("42349-1", *entries)
        (related,) = only(found, "DocumentReference")["context"]["related"]
        assert target(found, related) == only(found, "ServiceRequest")
        assert (related["identifier"]["value"], related["display"]) == ("asked", "Referral")
