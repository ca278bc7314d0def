"""Admission, discharge, operation: after HL7's C-CDA examples; and entries that hold nothing."""

import base64
import re

import pytest

from simdes.mapper.cda.document import map_document
from simdes.mapper.model import LIMITS, Site
from unit.mapper.cda.samples import NAMES, only, resources, sample
from unit.mapper.cda.samples import mapped as whole
from unit.mapper.cda.sections import LOINC, SNOMED, TEMPLATE, section, template


@pytest.mark.parametrize(
    ("number", "code"),
    [("33", "11535-2"), ("34", "46241-6"), ("65", "10219-4"), ("51", "59769-0")],
)
def test_a_diagnosis_of_a_stay_is_a_condition_of_it(number: str, code: str) -> None:
    entry = f"""<act classCode="ACT" moodCode="EVN">{template(number)}
      <id root="5a784260-6856-4f38-9638-80c751aff2fb"/><code code="{code}" {LOINC}/>
      <statusCode code="active"/><entryRelationship typeCode="SUBJ">
      <observation classCode="OBS" moodCode="EVN">{template("4")}<id root="1.2.9" extension="d"/>
      <code code="29308-4" {LOINC}/><statusCode code="completed"/>
      <effectiveTime><low value="20140908"/></effectiveTime>
      <value xsi:type="CD" code="74400008" displayName="Appendicitis" {SNOMED}/></observation>
      </entryRelationship></act>"""
    condition = only(section(code, entry), "Condition")
    assert condition["code"]["coding"][0]["code"] == "74400008"
    assert condition["onsetDateTime"] == "2014-09-08"
    assert condition["category"][0]["coding"][0]["code"] == "encounter-diagnosis"
    assert len(condition["identifier"]) == 2


def test_a_discharge_medication_is_marked_as_one() -> None:
    entry = f"""<act classCode="ACT" moodCode="EVN">{template("35")}<code code="10183-2" {LOINC}/>
      <statusCode code="completed"/><entryRelationship typeCode="SUBJ">
      <substanceAdministration classCode="SBADM" moodCode="INT">{template("16")}
      <id root="1.2.9" extension="m"/><statusCode code="active"/><consumable>
      <manufacturedProduct classCode="MANU">{template("23")}<manufacturedMaterial>
      <code code="573621" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial>
      </manufacturedProduct></consumable></substanceAdministration></entryRelationship></act>"""
    request = only(section("10183-2", entry), "MedicationRequest")
    assert "discharge" in str(request["category"])


CLASSES = {
    "observation": "1 2 13 19 27 28 31 38 44 46 48 67 69 72 74 78 85 86 109 111 113 114 121 124 128"
    " 138 143 144 200",
    "organizer": "1 26 45 66 75 108 135 311 500",
    "act": "12 20 30 33 34 35 39 51 60 61 64 65 80 118 122 123 129 130 131 132 136 140 141 146 202",
    "encounter": "40 49",
    "procedure": "14 41 415",
    "supply": "17 18 43 50",
    "substanceAdministration": "16 42 52 120",
}
EVERY = [(kind, number) for kind, numbers in CLASSES.items() for number in numbers.split()]
NULL = '<code nullFlavor="UNK"/><statusCode nullFlavor="NI"/><effectiveTime nullFlavor="NA"/>'


@pytest.mark.parametrize(("kind", "number"), EVERY)
def test_an_entry_that_holds_nothing_harms_nothing(kind: str, number: str) -> None:
    entries: list[str] = []
    for mood in ("EVN", "INT", "GOL", "???"):
        nulls = f'<{kind} moodCode="{mood}" nullFlavor="NI" negationInd="true">{template(number)}'
        nulls += f'{NULL}<value xsi:type="CD" nullFlavor="UNK"/><author nullFlavor="NI"/>'
        nulls += '<participant typeCode="LOC"/><entryRelationship typeCode="COMP"/><component/>'
        nulls += f"<performer/><subject/><id/><text/></{kind}>"
        entries += [f'<{kind} moodCode="{mood}">{template(number)}</{kind}>', nulls]
    assert section("29762-2", *entries, "<nothing/>").bundle["entry"]


@pytest.mark.parametrize(("kind", "number"), EVERY)
def test_an_entry_of_rubbish_is_kept(kind: str, number: str) -> None:
    entry = f"""<{kind} moodCode="EVN" negationInd="perhaps">{template(number)}<id root="zzid"/>
      <code code="z z" codeSystem="not an oid"/><text>zztext</text><statusCode code="zzstatus"/>
      <effectiveTime value="zztime"/><effectiveTime><low value="99999999"/></effectiveTime>
      <priorityCode code="zzpriority"/><value xsi:type="PQ" value="zzvalue"/>
      <value xsi:type="IVL_TS"><low value="zzlow"/></value><zzelement zzattribute="zzunknown"/>
      <participant typeCode="ZZ"><participantRole><id root="1.2.9" extension="zzrole"/>
      </participantRole></participant>
      <entryRelationship typeCode="ZZ"><act moodCode="ZZ"><code code="zzinner"/></act>
      </entryRelationship><component><observation><code code="zzpart"/></observation></component>
      </{kind}>"""
    found = section("29762-2", entry)
    said = str(found.bundle) + str(found.dropped)
    said = said.replace(base64.b64encode(b"zztext").decode(), "zztext")  # a note's attachment
    words = set(re.findall(r"\bzz\w+", entry)) - {"zzelement", "zzattribute"}
    assert {word for word in words if word not in said} == set()


QUANTITY = '<value xsi:type="PQ" value="3" unit="g"/>'
FINDING = f'<value xsi:type="CD" code="74400008" {SNOMED}/>'


@pytest.mark.parametrize(("kind", "number"), EVERY)
@pytest.mark.parametrize("mood", ["EVN", "INT"])
@pytest.mark.parametrize("value", [QUANTITY, FINDING, ""])
def test_what_an_entry_denies_is_never_asserted(
    kind: str, number: str, mood: str, value: str
) -> None:
    entry = f"""<{kind} moodCode="{mood}" negationInd="true">{template(number)}
      <id root="1.2.9" extension="{number}"/><code code="1-8" {LOINC}/>
      <statusCode code="completed"/>{value}</{kind}>"""
    for one in section("29762-2", entry).bundle["entry"]:
        resource = one["resource"]
        if resource["resourceType"] in ("Composition", "Patient", "Provenance"):
            continue
        status = resource.get("status", resource.get("lifecycleStatus"))
        component = resource.get("component", [{}])[0]
        assert (
            status in ("cancelled", "not-done", "not-taken", "rejected")
            or resource.get("doNotPerform")
            or "modifierExtension" in resource
            or "refuted" in str(resource.get("verificationStatus"))
            or (component.get("valueBoolean") is False and "valueCodeableConcept" not in resource)
        )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_negated_or_mistyped_document_breaks_the_bundle(name: str) -> None:
    source = sample(name).replace(b'moodCode="EVN"', b'moodCode="EVN" negationInd="true"')
    source = source.replace(b'negationInd="true" negationInd', b"negationInd")
    source = re.sub(rb'(negationInd="\w+")([^>]*) negationInd="\w+"', rb"\1\2", source)
    assert whole(source).bundle["entry"]
    typed = re.sub(rb'xsi:type="(CD|PQ|ST|IVL_TS)"', b'xsi:type="INT"', sample(name))
    assert whole(typed).bundle["entry"]


@pytest.mark.parametrize("name", ["ccd", "care-plan", "discharge", "operative", "progress"])
def test_a_document_without_templates_is_still_mapped(name: str) -> None:
    source = sample(name).replace(TEMPLATE.encode(), b"1.2.3.4.")
    found = map_document(source, site=Site(), limits=LIMITS)
    assert len(found.bundle["entry"]) > 10
    assert resources(whole(source), "Composition")
