"""Plans, goals, concerns, interventions, outcomes. Entries are HL7's C-CDA examples, cut short."""

import pytest

from unit.mapper.cda.samples import mapped as whole
from unit.mapper.cda.samples import only, resources, sample, unmapped
from unit.mapper.cda.sections import LOINC, SNOMED, coded, section, target, template


def planned(mood: str, *, status: str = "active", attributes: str = "", more: str = "") -> str:
    return f"""<procedure moodCode="{mood}" classCode="PROC"{attributes}>{template("41")}
      <id root="9a6d1bac-17d3-4195-89c4-1121bc809b5a"/>
      <code code="73761001" displayName="Colonoscopy" {SNOMED}/>
      <statusCode code="{status}"/><effectiveTime value="20130613"/>{more}</procedure>"""


@pytest.mark.parametrize(
    ("mood", "intent"),
    [("INT", "plan"), ("RQO", "order"), ("PRP", "proposal"), ("PRMS", "plan"), ("ARQ", "proposal")],
)
def test_mood_says_how_firm_a_plan_is(mood: str, intent: str) -> None:
    request = only(section("18776-5", planned(mood)), "ServiceRequest")
    assert request["intent"] == intent
    assert request["code"]["coding"][0]["code"] == "73761001"
    assert request["occurrenceDateTime"] == "2013-06-13"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("active", "active"),
        ("new", "draft"),
        ("completed", "completed"),
        ("held", "on-hold"),
        ("aborted", "revoked"),
        ("cancelled", "revoked"),
        ("nullified", "entered-in-error"),
    ],
)
def test_status_says_whether_a_plan_stands(status: str, wanted: str) -> None:
    request = only(section("18776-5", planned("INT", status=status)), "ServiceRequest")
    assert request["status"] == wanted


def test_what_must_not_be_done_says_so() -> None:
    refused = only(
        section("18776-5", planned("RQO", attributes=' negationInd="true"')), "ServiceRequest"
    )
    assert refused["doNotPerform"] is True
    wanted = only(
        section("18776-5", planned("RQO", attributes=' negationInd="false"')), "ServiceRequest"
    )
    assert wanted.get("doNotPerform") in (None, False)


def test_a_plan_has_who_pays_and_what_matters() -> None:
    more = f"""<entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="INT">
      {template("129")}<id root="03f5e10b-7e79-4610-9626-d2984ff10cc1"/>
      <code code="48768-6" {LOINC}/>
      <statusCode code="active"/><entryRelationship typeCode="COMP">
        <act classCode="ACT" moodCode="INT"><id root="4c9a3be1-5f09-46dd-88e7-14c8ec612e4c"/>
        <code code="111" codeSystem="2.16.840.1.113883.3.221.5"/><statusCode code="active"/></act>
      </entryRelationship></act></entryRelationship>
      <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN">
        {template("143")}<id root="1.2.9" extension="pref"/><code code="225773000" {SNOMED}/>
        <value xsi:type="CD" code="394849002" {SNOMED}/></observation></entryRelationship>"""
    found = section("18776-5", planned("RQO", more=more))
    request = only(found, "ServiceRequest")
    coverage = target(found, request["insurance"][0])
    assert coverage["type"]["coding"][0]["code"] == "111"
    preference = target(found, request["supportingInfo"][0])
    assert preference["valueCodeableConcept"]["coding"][0]["code"] == "394849002"
    assert target(found, preference["focus"][0]) == request
    assert unmapped(found) == []


def test_an_instruction_is_told_to_the_patient() -> None:
    entry = f"""<act classCode="ACT" moodCode="INT">{template("20")}
      <code code="171044003" displayName="immunization education" {SNOMED}/>
      <text>Possible flu-like symptoms for three days.</text><statusCode code="completed"/></act>"""
    found = section("69730-0", entry)
    told = only(found, "CommunicationRequest")
    assert told["payload"][0]["contentString"] == "Possible flu-like symptoms for three days."
    assert told["category"][0]["coding"][0]["code"] == "171044003"
    assert target(found, told["recipient"][0])["resourceType"] == "Patient"


GOAL = f"""<observation classCode="OBS" moodCode="GOL">{template("121")}
  <id root="3700b3b0-fbed-11e2-b778-0800200c9a66"/><code code="44616-1" {LOINC}/>
  <statusCode code="STATUS"/><effectiveTime value="20130902"/>
  <value xsi:type="IVL_PQ"><low value="92" unit="%"/></value>
  <author><time value="20130730"/><assignedAuthor>
    <id root="d839038b-7171-4165-a760-467925b43857"/><assignedPerson><name><given>Nurse</given>
    <family>Florence</family></name></assignedPerson></assignedAuthor></author>
  <entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN">{template("143")}
    <id root="a5b64706-9438-4d13-8dcf-651da3ef83bf"/><code code="225773000" {SNOMED}/>
    <value xsi:type="CD" code="394849002" {SNOMED}/></observation>
  </entryRelationship></observation>"""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("active", "active"),
        ("completed", "completed"),
        ("aborted", "cancelled"),
        ("held", "on-hold"),
    ],
)
def test_a_goal_has_its_target_priority_and_author(sent: str, status: str) -> None:
    found = section("61146-7", GOAL.replace("STATUS", sent))
    goal = only(found, "Goal")
    assert goal["lifecycleStatus"] == status
    assert goal["description"]["coding"][0]["code"] == "44616-1"
    assert goal["target"][0]["dueDate"] == "2013-09-02"
    assert goal["target"][0]["measure"]["coding"][0]["code"] == "44616-1"
    assert goal["target"][0]["detailRange"]["low"]["value"] == 92
    assert goal["priority"]["coding"][0]["code"] == "394849002"
    assert target(found, goal["expressedBy"])["name"][0]["family"] == "Florence"


def test_a_goal_of_nothing_known_is_still_a_goal() -> None:
    empty = f'<observation classCode="OBS" moodCode="GOL">{template("121")}<code nullFlavor="UNK"/>'
    value = '<value xsi:type="PQ" value="4" unit="kg"/></observation>'
    goal = only(section("61146-7", empty + value), "Goal")
    assert str(goal["target"][0]["detailQuantity"]["value"]) == "4"


def test_a_care_plan_document_links_concerns_goals_interventions_and_outcomes() -> None:
    found = whole(sample("care-plan"))
    goal = only(found, "Goal")
    concern = target(found, goal["addresses"][0])
    assert concern["resourceType"] == "Condition"
    assert concern["category"][0]["coding"][0]["code"] == "health-concern"
    assert concern["clinicalStatus"]["coding"][0]["code"] == "active"
    plans = resources(found, "CarePlan")
    assert {target(found, plan["goal"][0])["resourceType"] for plan in plans} == {"Goal"}
    assert {plan["status"] for plan in plans} == {"active", "completed"}
    asked = [one["reference"] for plan in plans for one in plan["activity"] if "reference" in one]
    assert {target(found, one)["resourceType"] for one in asked} == {"ServiceRequest"}
    outcome = [
        one
        for one in resources(found, "Observation")
        if "resource-pertainsToGoal" in str(one.get("extension"))
    ]
    assert len(outcome) == 1
    risk = only(found, "RiskAssessment")
    assert risk["prediction"][0]["outcome"]["coding"][0]["code"] == "409623005"


def test_being_at_risk_of_a_disease_is_not_having_it() -> None:
    entry = f"""<act classCode="ACT" moodCode="EVN">{template("136")}
      <id root="1.2.9" extension="r"/>
      <code code="281694009" {SNOMED}/><statusCode code="active"/>
      <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN">{template("4")}
      <code code="281694009" {SNOMED}/><statusCode code="completed"/>
      <value xsi:type="CD" code="409623005" {SNOMED}/></observation></entryRelationship></act>"""
    found = section("75310-3", entry)
    assert resources(found, "Condition") == []
    assert only(found, "RiskAssessment")["status"] == "preliminary"


def test_a_concern_that_is_denied_is_refuted() -> None:
    entry = f"""<act classCode="ACT" moodCode="EVN" negationInd="true">{template("132")}
      <id root="1.2.9" extension="c"/><code code="75310-3" {LOINC}/>
      <statusCode code="active"/></act>"""
    concern = only(section("75310-3", entry), "Condition")
    assert concern["verificationStatus"]["coding"][0]["code"] == "refuted"


def test_a_handoff_says_who_told_whom() -> None:
    entry = f"""<act classCode="ACT" moodCode="EVN">{template("141")}
      <code code="432138007" {SNOMED}/><statusCode code="completed"/>
      <effectiveTime value="20130712"/><author><time value="20130731"/><assignedAuthor>
      <id root="1.2.9" extension="a"/></assignedAuthor></author>
      <participant typeCode="IRCP"><participantRole><id root="1.2.9" extension="b"/>
      <playingEntity><name><family>Nancy</family></name></playingEntity></participantRole>
      </participant></act>"""
    found = section("18776-5", entry)
    told = only(found, "Communication")
    assert (told["status"], told["sent"]) == ("completed", "2013-07-12")
    assert target(found, told["sender"])["identifier"][0]["value"] == "a"
    assert target(found, told["recipient"][0])["identifier"][0]["value"] == "b"


def test_a_referral_says_to_whom_and_how_soon() -> None:
    entry = f"""<act classCode="PCPR" moodCode="INT">{template("140")}
      <id root="70bdd7db-e02d-4eff-9829-35e3b7a9e154"/><code code="44383000" {SNOMED}/>
      <statusCode code="active"/><effectiveTime value="20130311"/>
      <priorityCode code="A" codeSystem="2.16.840.1.113883.5.7"/>
      <participant typeCode="REFT"><participantRole>
      <id root="2.16.840.1.113883.4.6" extension="1093929010"/></participantRole></participant>
      </act>"""
    found = section("42349-1", entry)
    referral = only(found, "ServiceRequest")
    assert (referral["intent"], referral["priority"]) == ("plan", "asap")
    assert target(found, referral["performer"][0])["identifier"][0]["value"] == "1093929010"
    assert coded(found, "ServiceRequest", "44383000") == referral


def test_a_planned_supply_is_a_request_for_it() -> None:
    entry = f"""<supply moodCode="INT" classCode="SPLY">{template("43")}
      <id root="1.2.9" extension="s"/>
      <statusCode code="active"/><effectiveTime value="20130615"/><quantity value="3"/>
      <product><manufacturedProduct><manufacturedMaterial>
      <code code="573621" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial>
      </manufacturedProduct></product></supply>"""
    request = only(section("18776-5", entry), "SupplyRequest")
    assert (request["status"], request["quantity"]["value"]) == ("active", 3)
    device = entry[: entry.index("<product>")] + (
        '<participant typeCode="PRD"><participantRole classCode="MANU"><playingDevice>'
        f'<code code="87405001" {SNOMED}/></playingDevice></participantRole></participant></supply>'
    )
    assert only(section("18776-5", device), "DeviceRequest")["intent"] == "plan"
