"""Each CDA data type keeps its meaning in its FHIR type."""

from typing import Any

import pytest

from unit.mapper.cda.samples import document, mapped, only, resources, unmapped

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def _observation(inner: str, *, attributes: str = "", text: str = "<text>x</text>") -> Any:
    entry = f"""<observation classCode="OBS" moodCode="EVN" {attributes}>
      <code code="1" codeSystem="1.2"/><statusCode code="completed"/>{inner}</observation>"""
    return only(mapped(document(entry, text=text)), "Observation")


@pytest.mark.parametrize(
    ("id_", "identifier"),
    [
        ('root="1.2.36.3" extension="x"', {"system": "urn:oid:1.2.36.3", "value": "x"}),
        ('root="1.2.36.3"', {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.36.3"}),
        (
            'root="2A620155-9D11-439E-92B3-5D9815FF4EE8"',
            {
                "system": "urn:ietf:rfc:3986",
                "value": "urn:uuid:2a620155-9d11-439e-92b3-5d9815ff4ee8",
            },
        ),
        (
            'root="2.16.840.1.113883.4.6" extension="1"',
            {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1"},
        ),
        ('root="not an oid" extension="x"', {"system": "urn:id:not-an-oid", "value": "x"}),
        (
            'root="1.2.36.3" extension="x" assigningAuthorityName="A"',
            {"system": "urn:oid:1.2.36.3", "value": "x", "assigner": {"display": "A"}},
        ),
    ],
)
def test_an_id_is_an_identifier(id_: str, identifier: dict[str, Any]) -> None:
    assert _observation(f"<id {id_}/>")["identifier"] == [identifier]


def test_a_code_keeps_its_translations_and_the_words_it_came_from() -> None:
    value = """<value xsi:type="CD" code="1" codeSystem="2.16.840.1.113883.6.96" displayName="One">
      <originalText><reference value="#w"/></originalText>
      <translation code="2" codeSystem="2.16.840.1.113883.6.90"/></value>"""
    found = _observation(value, text='<text>the <content ID="w">very  words</content></text>')
    assert found["valueCodeableConcept"] == {
        "coding": [
            {"code": "1", "system": "http://snomed.info/sct", "display": "One"},
            {"code": "2", "system": "http://hl7.org/fhir/sid/icd-10-cm"},
        ],
        "text": "very words",
    }


def test_a_code_that_is_not_known_says_why() -> None:
    found = _observation('<methodCode nullFlavor="ASKU"/><value xsi:type="CD" nullFlavor="NAV"/>')
    assert found["method"]["extension"][0]["valueCode"] == "asked-unknown"
    assert found["dataAbsentReason"]["coding"][0]["code"] == "temp-unknown"


def test_the_code_and_words_of_a_code_without_one_are_kept() -> None:
    value = """<value xsi:type="CD" nullFlavor="OTH"><originalText>odd thing</originalText>
      <translation code="2" codeSystem="2.16.840.1.113883.6.90"/></value>"""
    found = _observation(value)["valueCodeableConcept"]
    assert found["text"] == "odd thing"
    assert found["coding"][0]["code"] == "2"


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        ('xsi:type="ST">some words<', "valueString", "some words"),
        ('xsi:type="INT" value="7"><', "valueInteger", 7),
        ('xsi:type="BL" value="true"><', "valueBoolean", True),
        ('xsi:type="TS" value="20200203"><', "valueDateTime", "2020-02-03"),
        ('xsi:type="TS" value="202002030405-0500"><', "valueDateTime", "2020-02-03T04:05:00-05:00"),
        (
            'xsi:type="IVL_TS"><low value="2020"/><high value="2021"/><',
            "valuePeriod",
            {"start": "2020", "end": "2021"},
        ),
        ('xsi:type="ED">text<', "valueString", "text"),
    ],
)
def test_a_value_is_of_the_type_it_says(value: str, name: str, expected: Any) -> None:
    assert _observation(f"<value {value}/value>")[name] == expected


def test_quantities_keep_digits_and_name_ucum_only_where_it_is() -> None:
    found = _observation('<value xsi:type="PQ" value="1.50" unit="mg/dL"/>')["valueQuantity"]
    assert str(found["value"]) == "1.50"
    assert (found["system"], found["code"]) == ("http://unitsofmeasure.org", "mg/dL")
    other = _observation('<value xsi:type="PQ" value="1" unit="small tablets"/>')["valueQuantity"]
    assert other["unit"] == "small tablets"
    assert not {"system", "code"} & other.keys()


def test_ranges_and_ratios() -> None:
    both = '<value xsi:type="IVL_PQ"><low value="1" unit="g"/><high value="2" unit="g"/></value>'
    assert str(_observation(both)["valueRange"]["high"]["value"]) == "2"
    least = '<value xsi:type="IVL_PQ"><low value="1" unit="g"/></value>'
    assert _observation(least)["valueQuantity"]["comparator"] == ">="
    ratio = """<value xsi:type="RTO_PQ_PQ"><numerator value="1" unit="g"/>
      <denominator value="2" unit="d"/></value>"""
    assert _observation(ratio)["valueRatio"]["denominator"]["unit"] == "d"


def test_a_negated_finding_is_said_to_be_false() -> None:
    found = _observation(
        '<value xsi:type="CD" code="22298006" codeSystem="2.16.840.1.113883.6.96"/>',
        attributes='negationInd="true"',
    )
    assert "valueCodeableConcept" not in found
    assert found["component"][0]["valueBoolean"] is False


PERSON = """<patientRole><id root="1" extension="2"/><addr use="HP PST">
  <streetAddressLine>1 Road</streetAddressLine><streetAddressLine>Flat 2</streetAddressLine>
  <city>Town</city><state>OR</state><postalCode>97</postalCode><country>US</country></addr>
  <telecom use="MC" value="tel:+1(555)555-2003"/><telecom value="mailto:a@b.org"/>
  <telecom value="fax:5"/><telecom use="WP" value="5555"/><patient>
  <name use="L"><prefix>Dr</prefix><given>Ann</given><given>B</given>
  <family qualifier="BR">Ex</family><suffix>Jr</suffix></name><name>Plain Name</name>
  <administrativeGenderCode code="UN" codeSystem="2.16.840.1.113883.5.1"/>
  <birthTime value="197505011030-0500"/>
  <raceCode code="2106-3" codeSystem="2.16.840.1.113883.6.238" displayName="White"/>
  <sdtc:raceCode code="2108-9" codeSystem="2.16.840.1.113883.6.238" displayName="European"/>
  <ethnicGroupCode code="2186-5" codeSystem="2.16.840.1.113883.6.238" displayName="Not H"/>
  <languageCommunication><languageCode code="eng"/><preferenceInd value="true"/>
  </languageCommunication></patient></patientRole>"""


def test_a_person_keeps_names_addresses_numbers_and_background() -> None:
    source = document().decode()
    start, end = source.index("<patientRole>"), source.index("</patientRole>") + 14
    found = mapped((source[:start] + PERSON + source[end:]).encode())
    person = only(found, "Patient")
    assert person["address"] == [
        {
            "use": "home",
            "type": "postal",
            "line": ["1 Road", "Flat 2"],
            "city": "Town",
            "state": "OR",
            "postalCode": "97",
            "country": "US",
        }
    ]
    telecoms = [(one["system"], one["value"], one.get("use")) for one in person["telecom"]]
    assert telecoms == [
        ("phone", "+1(555)555-2003", "mobile"),
        ("email", "a@b.org", None),
        ("fax", "5", None),
        ("phone", "5555", "work"),
    ]
    name, plain = person["name"]
    assert (name["prefix"], name["given"], name["family"]) == (["Dr"], ["Ann", "B"], "Ex")
    assert name["_family"]["extension"][0]["valueCode"] == "BR"
    assert plain == {"text": "Plain Name"}
    assert (person["gender"], person["birthDate"]) == ("other", "1975-05-01")
    assert person["_birthDate"]["extension"][0]["valueDateTime"] == "1975-05-01T10:30:00-05:00"
    race = next(one for one in person["extension"] if one["url"].endswith("us-core-race"))
    assert [part["url"] for part in race["extension"]] == ["ombCategory", "detailed", "text"]
    assert person["communication"][0]["language"]["coding"][0]["code"] == "en"
    assert unmapped(found) == []


def test_a_reference_names_the_entry_that_has_that_id_wherever_it_stands() -> None:
    first = """<act classCode="ACT" moodCode="EVN"><code code="1" codeSystem="1.2"/>
      <entryRelationship typeCode="REFR"><act classCode="ACT" moodCode="EVN">
      <templateId root="2.16.840.1.113883.10.20.22.4.122"/><id root="1.5" extension="later"/>
      <code nullFlavor="NP"/></act></entryRelationship></act>"""
    second = """<observation classCode="OBS" moodCode="EVN"><id root="1.5" extension="later"/>
      <code code="2" codeSystem="1.2"/></observation>"""
    found = mapped(document(f"{first}<!---->{second}"))
    target = only(found, "Observation")["id"]
    (act,) = resources(found, "Procedure")
    related = next(one for one in act["extension"] if one["url"] == "urn:simdes:cda:related")
    assert related["valueReference"]["reference"] == f"urn:uuid:{target}"
    assert related["valueReference"]["identifier"]["value"] == "later"


@pytest.mark.parametrize(
    ("text", "attachment"),
    [
        ("<text>Will</text>", {"contentType": "text/plain", "data": "V2lsbA=="}),
        (
            '<text mediaType="text/html">Will</text>',
            {"contentType": "text/html", "data": "V2lsbA=="},
        ),
        ('<text><reference value="https://h.example/1"/></text>', {"url": "https://h.example/1"}),
    ],
)
def test_encapsulated_data_is_plain_text_unless_it_says_otherwise(
    text: str, attachment: dict[str, str]
) -> None:
    reference = f"""<reference typeCode="REFR"><externalDocument>
      <id root="1.2.36.9"/>{text}</externalDocument></reference>"""
    entry = f"""<observation classCode="OBS" moodCode="EVN"><code code="1" codeSystem="1.2"/>
      <statusCode code="completed"/>{reference}</observation>"""
    one = only(mapped(document(entry)), "DocumentReference")
    assert one["content"] == [{"attachment": attachment}]
