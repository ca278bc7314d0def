"""FHIRPath Patch: HL7's tests, the rules one by one, and what would hurt.

tests/vectors/patch/fhir-patch-tests.xml is run whole; none of it fails.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from lxml import etree

from simdes.errors import Invalid, TooLarge
from simdes.fhir.elements import Reader, parts_of
from simdes.fhir.fhirpath import locate
from simdes.fhir.json import dumps, loads
from simdes.fhir.patch import fhirpath_patch
from simdes.fhir.patch.paths import MAX_OPERATIONS
from simdes.fhir.validate import validate
from unit.fhir.published import published

VECTORS = Path(__file__).parents[3] / "vectors/patch/fhir-patch-tests.xml"
CASES = list(etree.parse(VECTORS, etree.XMLParser(remove_comments=True)).getroot())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("name"))
def test_hl7s_cases(case: Any) -> None:
    def part(name: str) -> Any:
        return Reader(parts_of, is_strict=True).resource(case.find(name)[0])

    if case.find("error") is not None:
        with pytest.raises(Invalid):
            fhirpath_patch(part("input"), part("diff"))
    else:
        assert dumps(fhirpath_patch(part("input"), part("diff"))) == dumps(part("output"))


def test_all_of_hl7s_cases_are_there() -> None:
    assert len(CASES) == 33


PATIENT: dict[str, Any] = loads(
    b"""{"resourceType": "Patient", "id": "p",
 "contained": [{"resourceType": "Organization", "id": "o", "name": "North"}],
 "active": true,
 "name": [{"family": "Lee", "given": ["Ann", null, "B"], "_given": [null, {"id": "g"}, null]},
          {"text": "A. Lee"}],
 "birthDate": "1980-02-03", "_birthDate": {"extension": [{"url": "u:t", "valueCode": "x"}]},
 "deceasedBoolean": false,
 "contact": [{"name": {"text": "C"}}],
 "extension": [{"url": "u:d", "valueDecimal": 1.50}],
 "managingOrganization": {"reference": "#o"}}"""
)


def part(name: str, **value: Any) -> dict[str, Any]:
    return {"name": name, **value}


def op(kind: str, path: str, value: Any = None, **more: Any) -> dict[str, Any]:
    parts = [part("type", valueCode=kind), part("path", valueString=path)]
    for name, one in more.items():
        key = "valueString" if isinstance(one, str) else "valueInteger"
        parts.append(part(name, **{key: one}))
    if value is not None:
        parts.append(part("value", **value))
    return {"name": "operation", "part": parts}


def patched(*operations: Any, resource: dict[str, Any] = PATIENT) -> dict[str, Any]:
    before = copy.deepcopy((resource, operations))
    try:
        return fhirpath_patch(
            resource, {"resourceType": "Parameters", "parameter": list(operations)}
        )
    finally:
        assert (resource, operations) == before


def changed(*operations: Any) -> dict[str, Any]:
    """The members that are not as they were, None for those that are gone."""
    made = patched(*operations)
    return {
        key: made.get(key)
        for key in {**PATIENT, **made}
        if dumps(made.get(key)) != dumps(PATIENT.get(key))
    }


EXTENSION = {"url": "u:e", "valueCode": "e"}
X = {"part": [part("url", valueUri="u:e"), part("value", valueCode="e")]}
NAME = {"valueHumanName": {"text": "N"}}
DONE: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "add to what is not there": ([op("add", "Patient", {"valueCode": "male"}, name="gender")],
                                 {"gender": "male"}),
    "add appends to a list": ([op("add", "Patient.name[0]", {"valueString": "Z"}, name="suffix"),
                               op("add", "Patient.name[0]", {"valueString": "Y"}, name="suffix")],
                              {"name": [{**PATIENT["name"][0], "suffix": ["Z", "Y"]},
                                        PATIENT["name"][1]]}),
    "add keeps extensions of a list beside their values": (
        [op("add", "name.first()", {"valueString": "C"}, name="given")],
        {"name": [{"family": "Lee", "given": ["Ann", None, "B", "C"],
                   "_given": [None, {"id": "g"}, None, None]}, PATIENT["name"][1]]}),
    "add an extension to a primitive": (
        [op("add", "Patient.birthDate", X, name="extension")],
        {"_birthDate": {"extension": [{"url": "u:t", "valueCode": "x"}, EXTENSION]}}),
    "add an extension to a primitive without one": (
        [op("add", "Patient.active", X, name="extension")],
        {"_active": {"extension": [EXTENSION]}}),
    "add an extension to one of several": (
        [op("add", "Patient.name[0].given[2]", X, name="extension")],
        {"name": [{**PATIENT["name"][0],
                   "_given": [None, {"id": "g"}, {"extension": [EXTENSION]}]},
                  PATIENT["name"][1]]}),
    "add an extended value": (
        [op("add", "Patient", {"valueCode": "male", "_valueCode": {"extension": [EXTENSION]}},
            name="gender")], {"gender": "male", "_gender": {"extension": [EXTENSION]}}),
    "add a choice by its name": (
        [op("add", "Patient", {"valueInteger": 2}, name="multipleBirth")],
        {"multipleBirthInteger": 2}),
    "add a choice by its name in JSON": (
        [op("add", "Patient", {"valueInteger": 2}, name="multipleBirthInteger")],
        {"multipleBirthInteger": 2}),
    "add in parts": (
        [op("add", "Patient", {"part": [
            part("name", valueHumanName={"text": "D"}), part("telecom", part=[
                part("value", valueString="1"), part("rank", valuePositiveInt=1)]),
            part("telecom", valueContactPoint={"value": "2"})]}, name="contact")],
        {"contact": [{"name": {"text": "C"}},
                     {"name": {"text": "D"}, "telecom": [{"value": "1", "rank": 1},
                                                         {"value": "2"}]}]}),
    "add narrative in parts": (
        [op("add", "Patient", {"part": [
            part("status", valueCode="empty"),
            part("div", valueString='<div xmlns="http://www.w3.org/1999/xhtml">x</div>')]},
            name="text")],
        {"text": {"status": "empty",
                  "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}}),
    "add a resource": (
        [op("add", "Patient", {"resource": {"resourceType": "Basic", "id": "b"}},
            name="contained")],
        {"contained": [*PATIENT["contained"], {"resourceType": "Basic", "id": "b"}]}),
    "add to what is contained": (
        [op("add", "Patient.contained[0]", {"valueBoolean": True}, name="active")],
        {"contained": [{**PATIENT["contained"][0], "active": True}]}),
    "add what the patch has added to": (
        [op("add", "Patient", {"valueCodeableConcept": {"text": "m"}}, name="maritalStatus"),
         op("add", "Patient.maritalStatus", {"valueCoding": {"code": "M"}}, name="coding")],
        {"maritalStatus": {"text": "m", "coding": [{"code": "M"}]}}),
    "insert at the start": ([op("insert", "Patient.name", NAME, index=0)],
                            {"name": [{"text": "N"}, *PATIENT["name"]]}),
    "insert at the end": ([op("insert", "Patient.name", NAME, index=2)],
                          {"name": [*PATIENT["name"], {"text": "N"}]}),
    "insert between values and extensions": (
        [op("insert", "Patient.name[0].given", {"valueString": "I"}, index=1)],
        {"name": [{"family": "Lee", "given": ["Ann", "I", None, "B"],
                   "_given": [None, None, {"id": "g"}, None]}, PATIENT["name"][1]]}),
    "insert into no list": ([op("insert", "Patient.communication", {"part": [
        part("language", valueCodeableConcept={"text": "l"})]}, index=0)],
        {"communication": [{"language": {"text": "l"}}]}),
    "delete": ([op("delete", "Patient.active")], {"active": None}),
    "delete what is not there": ([op("delete", "Patient.gender")], {}),
    "delete takes extensions along": ([op("delete", "Patient.birthDate")],
                                      {"birthDate": None, "_birthDate": None}),
    "delete an extension alone": ([op("delete", "Patient.birthDate.extension[0]")],
                                  {"_birthDate": None}),
    "delete a choice": ([op("delete", "Patient.deceased")], {"deceasedBoolean": None}),
    "delete what has only an id": (
        [op("delete", "Patient.name[0].given[1]")],
        {"name": [{"family": "Lee", "given": ["Ann", "B"]}, PATIENT["name"][1]]}),
    "delete one that a condition finds": ([op("delete", "Patient.name.where(family = 'Lee')")],
                                          {"name": [PATIENT["name"][1]]}),
    "delete by value": ([op("delete", "Patient.name.given.where($this = 'B')")],
                        {"name": [{"family": "Lee", "given": ["Ann", None],
                                   "_given": [None, {"id": "g"}]}, PATIENT["name"][1]]}),
    "delete upwards": ([op("delete", "Patient.contact.name.text")], {"contact": None}),
    "replace": ([op("replace", "Patient.active", {"valueBoolean": False})], {"active": False}),
    "replace takes extensions along": (
        [op("replace", "Patient.birthDate", {"valueDate": "1981"})],
        {"birthDate": "1981", "_birthDate": None}),
    "replace a choice with another type": (
        [op("replace", "Patient.deceased", {"valueDateTime": "2020"})],
        {"deceasedBoolean": None, "deceasedDateTime": "2020"}),
    "replace an item": ([op("replace", "Patient.name[1]", NAME)],
                        {"name": [PATIENT["name"][0], {"text": "N"}]}),
    "replace a value in a list": (
        [op("replace", "Patient.name[0].given[0]", {"valueString": "Eve"})],
        {"name": [{**PATIENT["name"][0], "given": ["Eve", None, "B"]}, PATIENT["name"][1]]}),
    "replace with a narrower type": (
        [op("replace", "Patient.name[1].text", {"valueCode": "c"})],
        {"name": [PATIENT["name"][0], {"text": "c"}]}),
    "a date is a dateTime": (
        [op("add", "Patient.name[1]", {"part": [part("start", valueDate="2020")]},
            name="period")],
        {"name": [PATIENT["name"][0], {"text": "A. Lee", "period": {"start": "2020"}}]}),
    "move": ([op("move", "Patient.name", source=0, destination=1)],
             {"name": PATIENT["name"][::-1]}),
    "move values and extensions": (
        [op("move", "Patient.name[0].given", source=1, destination=0)],
        {"name": [{"family": "Lee", "given": [None, "Ann", "B"],
                   "_given": [{"id": "g"}, None, None]}, PATIENT["name"][1]]}),
    "move nowhere": ([op("move", "Patient.name", source=1, destination=1)], {}),
    "nothing": ([], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", DONE)
def test_what_an_operation_does(name: str) -> None:
    operations, expected = DONE[name]
    assert changed(*operations) == expected


def test_decimals_keep_their_text() -> None:
    value = loads(
        b'{"part":[{"name":"url","valueUri":"u:n"},{"name":"value","valueDecimal":2.500e1}]}'
    )
    made = patched(op("add", "Patient", value, name="extension"))
    assert [str(one["valueDecimal"]) for one in made["extension"]] == ["1.50", "2.500e1"]


S = {"valueString": "SECRET"}
REFUSED: dict[str, Any] = {
    "unknown type": op("merge", "Patient"),
    "no type": {"name": "operation", "part": [part("path", valueString="Patient.active")]},
    "no path": {"name": "operation", "part": [part("type", valueCode="delete")]},
    "path of another type": {"name": "operation", "part": [
        part("type", valueCode="delete"), part("path", valueInteger=1)]},
    "unknown part": op("delete", "Patient.active", nonsense="x"),
    "a part twice": {"name": "operation", "part": [
        *op("delete", "Patient.active")["part"], part("path", valueString="Patient.name")]},
    "two values": {"name": "operation", "part": [
        *op("replace", "Patient.active", {"valueBoolean": False})["part"],
        part("value", valueBoolean=True)]},
    "another parameter": {"name": "other", "part": []},
    "no parts": {"name": "operation"},
    "no object": "operation",
    "bad path": op("delete", "Patient.("),
    "path to a value": op("delete", "'SECRET'"),
    "path that computes": op("delete", "Patient.name.count()"),
    "path to several": op("delete", "Patient.name"),
    "path by a reference": op("delete", "Patient.managingOrganization.resolve().name"),
    "delete the whole": op("delete", "Patient"),
    "replace the whole": op("replace", "Patient", {"resource": {"resourceType": "Patient"}}),
    "replace nothing": op("replace", "Patient.gender", {"valueCode": "male"}),
    "replace several": op("replace", "Patient.name.given", S),
    "replace without value": op("replace", "Patient.active"),
    "add to nothing": op("add", "Patient.maritalStatus", S, name="text"),
    "add to several": op("add", "Patient.name", S, name="text"),
    "add without name": op("add", "Patient", S),
    "add without value": op("add", "Patient", name="gender"),
    "add what is there": op("add", "Patient", {"valueBoolean": True}, name="active"),
    "add another type of a choice": op("add", "Patient", {"valueDateTime": "2020"},
                                       name="deceased"),
    "add what has an extension only": op("add", "Patient", {"valueDate": "2020"}, name="birthDate"),
    "add no element": op("add", "Patient", S, name="SECRET"),
    "add a companion": op("add", "Patient", S, name="_active"),
    "add to a string": op("add", "Patient.birthDate", S, name="text"),
    "add the type": op("add", "Patient", S, name="resourceType"),
    "insert without index": op("insert", "Patient.name", NAME),
    "insert beyond": op("insert", "Patient.name", NAME, index=3),
    "insert before": op("insert", "Patient.name", NAME, index=-1),
    "insert beyond nothing": op("insert", "Patient.communication", NAME, index=1),
    "insert into a part": op("insert", "Patient.name.where(text.exists())", NAME, index=0),
    "insert into several lists": op("insert", "Patient.name.given | Patient.contact.name", NAME,
                                    index=0),
    "insert into no list": op("insert", "Patient.active", {"valueBoolean": True}, index=0),
    "insert into what is there": op("insert", "Patient.name[1].period.start", S, index=0),
    "insert another type": op("insert", "Patient.name", S, index=0),
    "move without source": op("move", "Patient.name", destination=0),
    "move from beyond": op("move", "Patient.name", source=2, destination=0),
    "move to beyond": op("move", "Patient.name", source=0, destination=2),
    "move nothing": op("move", "Patient.communication", source=0, destination=0),
    "move a value": op("move", "Patient.active", source=0, destination=0),
    "wrong type": op("replace", "Patient.active", S),
    "string for a code": op("add", "Patient", S, name="gender"),
    "type that a choice has not": op("replace", "Patient.deceased", {"valueCode": "x"}),
    "type other than named": op("replace", "Patient.name[0].family", {"valueHumanName": {}}),
    "resource for a name": op("add", "Patient", {"resource": {"resourceType": "Basic"}},
                              name="name"),
    "parts for a string": op("replace", "Patient.name[0].family", {"part": [
        part("value", valueString="x")]}),
    "parts for a resource": op("add", "Patient", {"part": [part("id", valueId="x")]},
                               name="contained"),
    "no parts in a value": op("add", "Patient", {"part": []}, name="contact"),
    "part without name": op("add", "Patient", {"part": [{"valueString": "x"}]}, name="contact"),
    "part that is no element": op("add", "Patient", {"part": [part("SECRET", valueString="x")]},
                                  name="contact"),
    "part of another type": op("add", "Patient", {"part": [part("gender", valueString="SECRET")]},
                               name="contact"),
    "a part twice in a value": op("add", "Patient", {"part": [
        part("gender", valueCode="male"), part("gender", valueCode="male")]}, name="contact"),
    "value and parts": op("add", "Patient", {**NAME, "part": []}, name="name"),
    "empty value": op("add", "Patient", {"extension": []}, name="name"),
    "id": op("replace", "Patient.id", {"valueId": "SECRET"}),
    "no id": op("delete", "Patient.id"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_patch_or_does_not_fit_is_refused_without_a_value(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        patched(op("delete", "Patient.extension"), REFUSED[name])
    assert "SECRET" not in caught.value.message


@pytest.mark.parametrize(
    "value", [None, [], {"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": 1}]
)
def test_what_is_no_parameters_is_no_patch(value: Any) -> None:
    with pytest.raises(Invalid):
        fhirpath_patch(PATIENT, value)


def test_a_patch_without_operations_changes_nothing() -> None:
    assert fhirpath_patch(PATIENT, {"resourceType": "Parameters"}) == PATIENT


def test_other_resources_of_a_bundle_are_reached_as_its_elements_only() -> None:
    entry = {"fullUrl": "http://h.example/Patient/p", "resource": PATIENT}
    group = {"resourceType": "Basic", "subject": {"reference": "http://h.example/Patient/p"}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry, {"resource": group}]}
    direct = op("replace", "Bundle.entry[0].resource.active", {"valueBoolean": False})
    assert patched(direct, resource=bundle)["entry"][0]["resource"]["active"] is False
    around = op(
        "replace", "Bundle.entry[1].resource.subject.resolve().active", {"valueBoolean": False}
    )
    with pytest.raises(Invalid):
        patched(around, resource=bundle)


def test_number_and_cost_are_limited() -> None:
    with pytest.raises(TooLarge):
        patched(*[op("delete", "Patient.gender")] * (MAX_OPERATIONS + 1))
    costly = "Patient.descendants()" + ".where(%resource.descendants()" * 4 + ".exists())" * 4
    started = time.process_time()
    with pytest.raises(TooLarge):
        patched(*[op("delete", costly)] * MAX_OPERATIONS)
    big = {"resource": {"resourceType": "Basic", "id": "x" * 2_000_000}}
    with pytest.raises(TooLarge):
        patched(*[op("add", "Patient", big, name="contained")] * 40)
    many = [part("telecom", valueContactPoint={"value": "1"})] * 20_000
    patched(op("add", "Patient", {"part": many}, name="contact"))
    assert time.process_time() - started < 20


def test_deleting_any_element_of_published_resources_leaves_a_sound_structure() -> None:
    random = Random(4)
    small = [r for r in published().values() if len(dumps(r)) < 8000]
    for _ in range(150):
        resource = random.choice(small)
        nodes = [n for n in locate("descendants()", resource) if n.location != ("id",)]
        node = random.choice(nodes)
        made = patched(op("delete", node.path), resource=resource)
        assert len(dumps(made)) < len(dumps(resource)), node.path
        known = {p.rule for p in validate(resource)}
        rules = {p.rule for p in validate(made) if p.code == "structure"} - known
        assert rules == set(), node.path
