"""ValueSet/$validate-code and CodeSystem/$validate-code: true, false, or plainly unknown."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.errors import Invalid, NotFound
from simdes.fhir.terminology import Library, validate_in_system, validate_in_value_set
from unit.fhir.terminology.asking import COLOURS, ask, colours, got, library, value_set, where

GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"
GENDER = "http://hl7.org/fhir/administrative-gender"
V2_YES = "http://terminology.hl7.org/CodeSystem/v2-0136"
LOINC = "http://loinc.org"
RED_ONES = value_set(where("concept", "is-a", "red"))
MIXED = value_set(
    {"system": COLOURS, "concept": [{"code": "blue"}]},
    {"system": LOINC, "concept": [{"code": "8867-4", "display": "Heart rate"}]},
    {
        "system": "http://snomed.info/sct",
        "filter": [{"property": "concept", "op": "is-a", "value": "1"}],
    },
)


def in_set(**asked: Any) -> bool:
    return bool(got(validate_in_value_set(ask(**asked), library(colours())), "result")[0])


def in_system(**asked: Any) -> bool:
    return bool(got(validate_in_system(ask(**asked), library(colours())), "result")[0])


def test_a_code_alone_is_enough_where_the_value_set_is_of_one_system() -> None:
    answer = validate_in_value_set(ask(url=GENDERS, code="male"), Library())
    assert got(answer, "result") == [True]
    assert got(answer, "display") == ["Male"]
    assert got(answer, "message") == []
    assert not in_set(url=GENDERS, code="masculine")


def test_a_code_alone_is_refused_where_it_is_of_several_systems() -> None:
    other = colours(url="http://example.org/more-colours")
    both = value_set({"system": COLOURS}, {"system": other["url"]})
    known = library(colours(), other)
    with pytest.raises(Invalid, match="several"):
        validate_in_value_set(ask(valueSet=both, code="red"), known)


def test_each_way_to_ask_gets_the_same_answer() -> None:
    coding = {"system": COLOURS, "code": "pink"}
    assert in_set(valueSet=RED_ONES, code="pink", system=COLOURS)
    assert in_set(valueSet=RED_ONES, coding=coding)
    assert in_set(valueSet=RED_ONES, codeableConcept={"coding": [{"code": "x"}, coding]})
    assert not in_set(valueSet=RED_ONES, codeableConcept={"text": "pink"})
    assert not in_set(valueSet=RED_ONES, coding={"system": COLOURS, "code": "blue"})
    assert not in_set(valueSet=RED_ONES, coding={"system": LOINC, "code": "pink"})


def test_the_instance_is_the_value_set_asked() -> None:
    asked = ask(code="pink", system=COLOURS)
    assert got(validate_in_value_set(asked, library(colours()), instance=RED_ONES), "result") == [
        True
    ]


def test_a_wrong_display_makes_the_answer_false_and_gives_the_right_one() -> None:
    asked = ask(url=GENDERS, system=GENDER, code="male", display="Man")
    answer = validate_in_value_set(asked, Library())
    assert got(answer, "result") == [False]
    assert got(answer, "display") == ["Male"]
    assert "Man" not in got(answer, "message")[0]
    assert in_set(url=GENDERS, system=GENDER, code="male", display=" mALE ")
    assert in_set(valueSet=RED_ONES, system=COLOURS, code="red", display="Rouge")


def test_what_a_list_says_is_known_and_what_only_the_missing_system_knows_is_not() -> None:
    assert in_set(valueSet=MIXED, system=LOINC, code="8867-4")
    assert not in_set(valueSet=MIXED, system=LOINC, code="8867-5")
    assert not in_set(valueSet=MIXED, system=COLOURS, code="red")
    with pytest.raises(NotFound, match=r"http://snomed.info/sct"):
        in_set(valueSet=MIXED, system="http://snomed.info/sct", code="195967001")


def test_a_concept_is_right_by_one_coding_and_unknown_before_wrong() -> None:
    snomed = {"system": "http://snomed.info/sct", "code": "195967001"}
    blue, red = ({"system": COLOURS, "code": c} for c in ("blue", "red"))
    assert in_set(valueSet=MIXED, codeableConcept={"coding": [snomed, blue]})
    with pytest.raises(NotFound):
        in_set(valueSet=MIXED, codeableConcept={"coding": [snomed, red]})


def test_an_exclude_that_can_not_be_decided_leaves_the_answer_open() -> None:
    sure = {"system": LOINC, "concept": [{"code": "1-8"}]}
    open_ = value_set(sure, exclude=[{"system": LOINC, "filter": where("a", "=", "b")["filter"]}])
    with pytest.raises(NotFound):
        in_set(valueSet=open_, system=LOINC, code="1-8")
    shut = value_set(sure, exclude=[{"system": LOINC, "concept": [{"code": "1-8"}]}])
    assert not in_set(valueSet=shut, system=LOINC, code="1-8")
    elsewhere = value_set(sure, exclude=[{"valueSet": ["http://example.org/vs/none"]}])
    with pytest.raises(NotFound):
        in_set(valueSet=elsewhere, system=LOINC, code="1-8")


def test_abstract_codes_are_refused_only_where_they_are_not_appropriate() -> None:
    everything = value_set({"system": COLOURS})
    assert in_set(valueSet=everything, code="warm", abstract=True)
    assert in_set(valueSet=everything, code="warm")
    assert not in_set(valueSet=everything, code="warm", abstract=False)


def test_inactive_codes_are_out_where_the_value_set_says_so() -> None:
    assert in_set(valueSet=value_set({"system": COLOURS}), code="ochre")
    assert not in_set(valueSet=value_set({"system": COLOURS}, inactive=False), code="ochre")


def test_a_code_system_tells_its_codes() -> None:
    assert in_system(url=COLOURS, code="red")
    assert in_system(url=COLOURS, code="red", display="red")
    assert in_system(coding={"system": COLOURS, "code": "red"})
    assert in_system(url=COLOURS, codeableConcept={"coding": [{"system": COLOURS, "code": "red"}]})
    assert in_system(codeSystem=colours(url="http://example.org/x"), code="red")
    assert not in_system(url=COLOURS, code="Red")
    assert not in_system(url=COLOURS, code="red", display="Blue")
    assert not in_system(url=COLOURS, coding={"system": LOINC, "code": "red"})


def test_case_matters_unless_the_system_says_otherwise() -> None:
    assert in_system(url=V2_YES, code="y")
    folded = library(colours(caseSensitive=False))
    assert got(validate_in_system(ask(url=COLOURS, code="RED"), folded), "result") == [True]


def test_units_are_known_by_their_grammar() -> None:
    ucum = "http://unitsofmeasure.org"
    assert in_system(url=ucum, code="mm[Hg]")
    assert not in_system(url=ucum, code="mmHg?")
    units = value_set({"system": ucum})
    assert in_set(valueSet=units, system=ucum, code="kg/m2")
    assert not in_set(valueSet=units, system=ucum, code="bananas/m2")


def test_an_unknown_or_partly_loaded_code_system_is_not_guessed_about() -> None:
    with pytest.raises(NotFound, match=r"http://loinc.org"):
        in_system(url=LOINC, code="8867-4")
    part = library(colours(content="fragment"))
    assert got(validate_in_system(ask(url=COLOURS, code="red"), part), "result") == [True]
    with pytest.raises(NotFound, match="only a part"):
        validate_in_system(ask(url=COLOURS, code="green"), part)
    with pytest.raises(NotFound):
        validate_in_value_set(
            ask(valueSet=value_set({"system": COLOURS}), system=COLOURS, code="green"), part
        )


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"url": GENDERS},
        {"url": GENDERS, "code": "male", "coding": {"system": GENDER, "code": "male"}},
        {"url": GENDERS, "coding": {"system": GENDER}},
        {"code": "male"},
    ],
    ids=["nothing", "no code", "two codes", "coding without code", "no value set"],
)
def test_exactly_one_code_and_one_value_set_are_needed(asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        validate_in_value_set(ask(**asked), Library())
    if "url" not in asked:
        with pytest.raises(Invalid):
            validate_in_system(ask(**asked), Library())
