"""ConceptMap/$translate: R4's published maps, and every rule of a map."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.errors import Invalid, NotFound, TooLarge
from simdes.fhir.terminology import Library, translate
from simdes.fhir.validate import validate
from unit.fhir.terminology.asking import ask, got, library

A, B, C = (f"http://example.org/{letter}" for letter in "abc")
MAP = "http://example.org/maps/a-to-b"
STATUS = "http://hl7.org/fhir/composition-status"
V3_STATUS = "http://terminology.hl7.org/CodeSystem/v3-ActStatus"


def element(code: str, *targets: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, "target": [{"equivalence": "equivalent", **t} for t in targets]}


def concept_map(*elements: dict[str, Any], url: str = MAP, **more: Any) -> dict[str, Any]:
    group = {"source": A, "target": B, "element": list(elements) or [element("none")], **more}
    return {"resourceType": "ConceptMap", "url": url, "status": "active", "group": [group]}


def matches(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for row in answer["parameter"]:
        if row["name"] == "match":
            pairs = [(p["name"], next(v for k, v in p.items() if k != "name")) for p in row["part"]]
            found.append(dict(pairs))
    return found


def test_the_example_of_the_standard_is_translated() -> None:
    """https://hl7.org/fhir/R4/conceptmap-operation-translate.html#examples"""
    asked = ask(
        system=STATUS,
        code="preliminary",
        source="http://hl7.org/fhir/ValueSet/composition-status",
        target="http://terminology.hl7.org/ValueSet/v3-ActStatus",
    )
    answer = translate(asked, Library())
    assert got(answer, "result") == [True]
    assert [m["concept"] for m in matches(answer)] == [{"system": V3_STATUS, "code": "active"}]
    assert matches(answer)[0]["source"] == "http://hl7.org/fhir/ConceptMap/cm-composition-status-v3"
    assert [p for p in validate(answer) if p.is_error] == []


def test_backwards_the_equivalence_is_turned() -> None:
    one = concept_map(
        element("x", {"code": "1", "equivalence": "wider"}),
        element("y", {"code": "1", "equivalence": "equal"}),
    )
    answer = translate(ask(url=MAP, system=B, code="1", reverse=True), library(one))
    assert [(m["concept"]["code"], m["equivalence"]) for m in matches(answer)] == [
        ("x", "narrower"),
        ("y", "equal"),
    ]
    assert matches(answer)[0]["concept"]["system"] == A


def test_published_maps_are_found_backwards_by_the_systems_alone() -> None:
    asked = ask(system=V3_STATUS, code="active", targetsystem=STATUS, reverse=True)
    assert "preliminary" in [m["concept"]["code"] for m in matches(translate(asked, Library()))]


def test_a_code_marked_as_without_equivalent_is_no_translation() -> None:
    one = concept_map(element("x", {"equivalence": "unmatched"}), element("y", {"code": "1"}))
    answer = translate(ask(url=MAP, system=A, code="x"), library(one))
    assert got(answer, "result") == [False]
    assert matches(answer)[0]["equivalence"] == "unmatched"
    assert "concept" not in matches(answer)[0]
    assert got(translate(ask(url=MAP, system=A, code="z"), library(one)), "result") == [False]


def test_what_the_map_says_about_other_codes_is_followed() -> None:
    def code(rule: dict[str, Any]) -> list[dict[str, Any]]:
        other = concept_map(element("z", {"code": "9"}), url="http://example.org/maps/other")
        known = library(concept_map(element("x", {"code": "1"}), unmapped=rule), other)
        return [m["concept"] for m in matches(translate(ask(url=MAP, system=A, code="z"), known))]

    assert code({"mode": "provided"}) == [{"system": B, "code": "z"}]
    assert code({"mode": "fixed", "code": "other"}) == [{"system": B, "code": "other"}]
    found = code({"mode": "other-map", "url": "http://example.org/maps/other"})
    assert found == [{"system": B, "code": "9"}]


def test_maps_that_refer_to_each_other_end() -> None:
    rule = {"mode": "other-map", "url": MAP}
    with pytest.raises(TooLarge):
        translate(ask(url=MAP, system=A, code="z"), library(concept_map(unmapped=rule)))


def test_a_mapping_that_depends_on_something_needs_it_said() -> None:
    depends = [{"property": "http://example.org/site", "value": "left"}]
    one = concept_map(element("x", {"code": "1", "dependsOn": depends}))
    asked = ask(url=MAP, system=A, code="x")
    assert matches(translate(asked, library(one))) == []
    asked["parameter"].append(
        {
            "name": "dependency",
            "part": [
                {"name": "element", "valueUri": "http://example.org/site"},
                {"name": "concept", "valueCodeableConcept": {"coding": [{"code": "left"}]}},
            ],
        }
    )
    assert [m["concept"]["code"] for m in matches(translate(asked, library(one)))] == ["1"]


def test_products_of_a_mapping_are_told() -> None:
    product = [{"property": "http://example.org/side", "system": C, "value": "left"}]
    one = concept_map(element("x", {"code": "1", "product": product}))
    answer = translate(ask(conceptMap=one, coding={"system": A, "code": "x"}), Library())
    parts = matches(answer)[0]["product"]
    assert parts[1]["valueCoding"] == {"system": C, "code": "left"}


def test_a_concept_is_translated_by_each_of_its_codings() -> None:
    one = concept_map(element("x", {"code": "1"}), element("y", {"code": "2"}))
    codings = [{"system": A, "code": "x"}, {"system": C, "code": "y"}, {"system": A, "code": "y"}]
    answer = translate(ask(url=MAP, codeableConcept={"coding": codings}), library(one))
    assert [m["concept"]["code"] for m in matches(answer)] == ["1", "2"]


def test_without_a_map_that_fits_nothing_is_said() -> None:
    with pytest.raises(NotFound):
        translate(ask(system="http://loinc.org", code="8867-4", targetsystem=A), Library())
    with pytest.raises(NotFound):
        translate(ask(url="http://example.org/maps/none", system=A, code="x"), Library())
    with pytest.raises(NotFound):
        translate(ask(system=A, code="x", target="http://example.org/vs"), library(concept_map()))


@pytest.mark.parametrize(
    "asked",
    [{}, {"code": "x"}, {"codeableConcept": {"text": "x"}}, {"coding": {"system": A}}],
    ids=["nothing", "no system", "no coding", "no code"],
)
def test_there_must_be_a_code_to_translate(asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        translate(ask(url=MAP, **asked), library(concept_map()))
