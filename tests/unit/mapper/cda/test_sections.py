"""What stands in problems, allergies, medicines, immunizations and procedures keeps its meaning."""

from typing import Any

import pytest

from unit.mapper.cda.samples import document, mapped, only, resources, sample

T = "2.16.840.1.113883.10.20.22.4."
SCT = 'codeSystem="2.16.840.1.113883.6.96"'


def _problem(inner: str = "", *, concern: str = "active", negated: str = "") -> dict[str, Any]:
    entry = f"""<act classCode="ACT" moodCode="EVN"><templateId root="{T}3"/>
      <id root="1.9" extension="c"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/>
      <statusCode code="{concern}"/><effectiveTime><low value="20200101"/></effectiveTime>
      <entryRelationship typeCode="SUBJ">
      <observation classCode="OBS" moodCode="EVN" {negated}><templateId root="{T}4"/>
      <id root="1.9" extension="o"/><code code="55607006" {SCT}/><statusCode code="completed"/>
      <value xsi:type="CD" code="233604007" {SCT} displayName="Pneumonia"/>{inner}
      </observation></entryRelationship></act>"""
    return only(mapped(document(entry)), "Condition")


def _code(concept: dict[str, Any]) -> str:
    code: str = concept["coding"][0]["code"]
    return code


def test_a_problem_is_a_condition_with_its_concerns_status() -> None:
    found = _problem('<effectiveTime><low value="20200203"/></effectiveTime>')
    assert _code(found["code"]) == "233604007"
    assert _code(found["clinicalStatus"]) == "active"
    assert _code(found["verificationStatus"]) == "confirmed"
    assert found["onsetDateTime"] == "2020-02-03"
    assert [one["value"] for one in found["identifier"]] == ["o", "c"]
    assert _code(found["category"][0]) == "problem-list-item"


@pytest.mark.parametrize(
    ("inner", "concern", "status"),
    [
        ('<effectiveTime><high value="20200203"/></effectiveTime>', "active", "resolved"),
        ('<effectiveTime><high nullFlavor="UNK"/></effectiveTime>', "active", "resolved"),
        ("", "completed", "inactive"),
        ("", "suspended", "inactive"),
        ("", "active", "active"),
        (
            f'<entryRelationship typeCode="REFR"><observation><templateId root="{T}6"/>'
            f'<value xsi:type="CD" code="277022003" {SCT}/></observation></entryRelationship>',
            "active",
            "remission",
        ),
    ],
)
def test_the_status_of_a_problem_follows_what_is_known_best(
    inner: str, concern: str, status: str
) -> None:
    assert _code(_problem(inner, concern=concern)["clinicalStatus"]) == status


def test_a_negated_problem_is_refuted_and_no_problem_at_all_is_said_so() -> None:
    refuted = _problem(negated='negationInd="true"')
    assert _code(refuted["verificationStatus"]) == "refuted"
    assert _code(refuted["code"]) == "233604007"
    none = document(
        f"""<observation classCode="OBS" moodCode="EVN" negationInd="true"><templateId root="{T}4"/>
        <value xsi:type="CD" code="55607006" {SCT}/></observation>"""
    )
    assert _code(only(mapped(none), "Condition")["code"]) == "160245001"


def _allergy(participant: str, *, negated: str = "", inner: str = "") -> dict[str, Any]:
    entry = f"""<act classCode="ACT" moodCode="EVN"><templateId root="{T}30"/>
      <statusCode code="active"/><entryRelationship typeCode="SUBJ">
      <observation classCode="OBS" moodCode="EVN" {negated}><templateId root="{T}7"/>
      <id root="1.9" extension="a"/>
      <value xsi:type="CD" code="416098002" {SCT} displayName="Allergy to drug"/>{participant}
      {inner}
      </observation></entryRelationship></act>"""
    return only(mapped(document(entry)), "AllergyIntolerance")


PENICILLIN = """<participant typeCode="CSM"><participantRole><playingEntity>
    <code code="7980" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole>
    </participant>"""
NOTHING = """<participant typeCode="CSM"><participantRole><playingEntity>
    <code nullFlavor="NA"/></playingEntity></participantRole></participant>"""


def test_an_allergy_names_its_substance_kind_and_reaction() -> None:
    reaction = f"""<entryRelationship typeCode="MFST" inversionInd="true"><observation>
      <templateId root="{T}9"/><value xsi:type="CD" code="247472004" {SCT}/>
      <entryRelationship typeCode="SUBJ"><observation><templateId root="{T}8"/>
      <value xsi:type="CD" code="24484000" {SCT}/></observation></entryRelationship>
      </observation></entryRelationship>"""
    criticality = f"""<entryRelationship typeCode="SUBJ"><observation><templateId root="{T}145"/>
      <value xsi:type="CD" code="CRITH" codeSystem="2.16.840.1.113883.5.1063"/></observation>
      </entryRelationship>"""
    found = _allergy(PENICILLIN, inner=reaction + criticality)
    assert found["code"]["coding"][0]["system"] == "http://www.nlm.nih.gov/research/umls/rxnorm"
    assert (found["type"], found["category"], found["criticality"]) == (
        "allergy",
        ["medication"],
        "high",
    )
    assert _code(found["clinicalStatus"]) == "active"
    assert _code(found["reaction"][0]["manifestation"][0]) == "247472004"
    assert found["reaction"][0]["severity"] == "severe"


def test_no_known_allergy_is_a_code_and_a_negated_one_is_refuted() -> None:
    negated = 'negationInd="true"'
    none = _allergy(NOTHING, negated=negated)
    assert _code(none["code"]) == "409137002"
    assert _code(none["verificationStatus"]) == "confirmed"
    refuted = _allergy(PENICILLIN, negated=negated)
    assert _code(refuted["code"]) == "7980"
    assert _code(refuted["verificationStatus"]) == "refuted"


def _medication(inner: str, mood: str = "EVN") -> bytes:
    return document(
        f"""<substanceAdministration classCode="SBADM" moodCode="{mood}">
      <templateId root="{T}16"/><id root="1.9" extension="m"/><statusCode code="active"/>{inner}
      <consumable><manufacturedProduct><manufacturedMaterial>
      <code code="197361" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial>
      </manufacturedProduct></consumable></substanceAdministration>"""
    )


def test_a_medicine_says_how_it_is_taken() -> None:
    inner = """<effectiveTime xsi:type="IVL_TS"><low value="20200101"/><high value="20200131"/>
      </effectiveTime><effectiveTime xsi:type="PIVL_TS" operator="A"><period value="6" unit="h"/>
      </effectiveTime><routeCode code="C38288" codeSystem="2.16.840.1.113883.3.26.1.1"/>
      <doseQuantity value="0.50" unit="mg"/>
      <maxDoseQuantity><numerator value="2" unit="mg"/><denominator value="1" unit="d"/>
      </maxDoseQuantity>"""
    found = mapped(_medication(inner))
    request = only(found, "MedicationRequest")
    dose = request["dosageInstruction"][0]
    assert (request["status"], request["intent"]) == ("active", "plan")
    repeat = dose["timing"]["repeat"]
    assert repeat["boundsPeriod"] == {"start": "2020-01-01", "end": "2020-01-31"}
    assert (repeat["frequency"], str(repeat["period"]), repeat["periodUnit"]) == (1, "6", "h")
    assert str(dose["doseAndRate"][0]["doseQuantity"]["value"]) == "0.50"
    assert dose["maxDosePerPeriod"]["denominator"]["unit"] == "d"
    assert _code(only(found, "Medication")["code"]) == "197361"


def test_a_medicine_in_the_mood_of_intent_is_an_order() -> None:
    assert only(mapped(_medication("", "INT")), "MedicationRequest")["intent"] == "order"


def test_a_dispense_names_its_prescription() -> None:
    dispense = f"""<entryRelationship typeCode="REFR"><supply classCode="SPLY" moodCode="EVN">
      <templateId root="{T}18"/><id root="1.9" extension="s"/><statusCode code="completed"/>
      <effectiveTime value="20200102"/><quantity value="75"/></supply></entryRelationship>"""
    found = mapped(_medication(dispense))
    (made,) = resources(found, "MedicationDispense")
    prescription = only(found, "MedicationRequest")["id"]
    assert made["authorizingPrescription"] == [{"reference": f"urn:uuid:{prescription}"}]
    assert made["whenHandedOver"] == "2020-01-02"


def test_a_refused_immunization_was_not_done_for_a_reason() -> None:
    entry = f"""<substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="true">
      <templateId root="{T}52"/><id root="1.9" extension="i"/><statusCode code="completed"/>
      <effectiveTime value="20200102"/><consumable><manufacturedProduct><manufacturedMaterial>
      <code code="88" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial>
      </manufacturedProduct></consumable><entryRelationship typeCode="RSON"><observation>
      <templateId root="{T}53"/><code code="PATOBJ" codeSystem="2.16.840.1.113883.5.8"/>
      </observation></entryRelationship></substanceAdministration>"""
    found = only(mapped(document(entry)), "Immunization")
    assert found["status"] == "not-done"
    assert _code(found["statusReason"]) == "PATOBJ"
    assert found["vaccineCode"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/cvx"


def test_a_procedure_names_its_device_and_place() -> None:
    found = mapped(sample("ccd"))
    devices = [one for one in resources(found, "Procedure") if "focalDevice" in one]
    assert devices
    assert any("location" in one for one in resources(found, "Procedure"))


def test_every_entry_of_the_core_sections_finds_its_type() -> None:
    found = mapped(sample("ccd"))
    counts = {kind: len(resources(found, kind)) for kind in ("Condition", "AllergyIntolerance")}
    assert counts["Condition"] >= 2
    assert counts["AllergyIntolerance"] >= 1
    assert len(resources(found, "Immunization")) >= 2
    assert len(resources(found, "MedicationRequest")) >= 1
