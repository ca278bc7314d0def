"""CodeSystem/$lookup and $subsumes, and the questions search asks."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.errors import Invalid, NotFound, Unsupported
from simdes.fhir.terminology import Library, above, below, expand_codes, lookup, subsumes
from simdes.fhir.validate import validate
from unit.fhir.terminology.asking import COLOURS, ask, colours, got, library

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActClass"


def properties(answer: dict[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in answer["parameter"]:
        if row["name"] == "property":
            parts = {p["name"]: next(v for k, v in p.items() if k != "name") for p in row["part"]}
            found.setdefault(parts["code"], []).append(parts["value"])
    return found


def test_a_code_is_told_with_its_designations_and_properties() -> None:
    answer = lookup(ask(system=COLOURS, code="red"), library(colours()))
    assert got(answer, "name") == ["Colours"]
    assert got(answer, "version") == ["1.2.0"]
    assert got(answer, "display") == ["Red"]
    assert properties(answer) == {
        "definition": ["Like blood."],
        "parent": ["warm"],
        "child": ["dark-red", "pink", "violet"],
        "inactive": [False],
        "wavelength": [700],
    }
    first = next(row for row in answer["parameter"] if row["name"] == "designation")["part"]
    assert first == [
        {"name": "language", "valueCode": "fr"},
        {"name": "value", "valueString": "Rouge"},
    ]
    assert [p for p in validate(answer) if p.is_error] == []


def test_only_the_properties_named_are_told() -> None:
    asked = ask(coding={"system": COLOURS, "code": "red"}, property=["parent", "lang.fr"])
    answer = lookup(asked, library(colours()))
    assert properties(answer) == {"parent": ["warm"]}
    assert len(got(answer, "designation")) == 1


def test_the_display_comes_in_the_language_asked_for() -> None:
    asked = ask(system=COLOURS, code="red", displayLanguage="fr")
    assert got(lookup(asked, library(colours())), "display") == ["Rouge"]


def test_published_systems_are_looked_up_with_their_parents() -> None:
    answer = lookup(ask(system=ACT, code="OBS", property="parent"), Library())
    assert got(answer, "display") == ["observation"]
    assert properties(answer) == {"parent": ["ACT"]}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"system": "http://loinc.org", "code": "8867-4"}, NotFound),
        ({"system": COLOURS, "code": "green"}, NotFound),
        ({"system": COLOURS, "version": "7", "code": "red"}, NotFound),
        ({"code": "red"}, Invalid),
        ({"system": COLOURS}, Invalid),
        ({"coding": {"system": COLOURS}}, Invalid),
    ],
    ids=["system", "code", "version", "no system", "no code", "coding without code"],
)
def test_what_is_not_known_is_said_to_be_so(asked: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        lookup(ask(**asked), library(colours()))


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("red", "red", "equivalent"),
        ("warm", "pink", "subsumes"),
        ("violet", "warm", "subsumed-by"),
        ("blue", "pink", "not-subsumed"),
    ],
)
def test_two_codes_relate_as_the_hierarchy_says(first: str, second: str, outcome: str) -> None:
    known = library(colours())
    plain = subsumes(ask(system=COLOURS, codeA=first, codeB=second), known)
    codings = [{"system": COLOURS, "code": c} for c in (first, second)]
    full = subsumes(ask(codingA=codings[0], codingB=codings[1]), known)
    instance = subsumes(ask(codeA=first, codeB=second), Library(), instance=colours())
    assert [got(a, "outcome") for a in (plain, full, instance)] == [[outcome]] * 3


def test_a_hierarchy_that_is_no_subsumption_is_not_taken_for_one() -> None:
    parts = library(colours(hierarchyMeaning="part-of"))
    with pytest.raises(Unsupported, match="part-of"):
        subsumes(ask(system=COLOURS, codeA="warm", codeB="red"), parts)


def test_codes_of_two_systems_or_of_none_are_refused() -> None:
    known = library(colours())
    with pytest.raises(Invalid):
        subsumes(
            ask(codingA={"system": COLOURS, "code": "red"}, codingB={"system": ACT, "code": "ACT"}),
            known,
        )
    with pytest.raises(NotFound):
        subsumes(ask(system=COLOURS, codeA="red", codeB="green"), known)


def test_search_gets_codes_below_and_above() -> None:
    known = library(colours())
    assert below(COLOURS, "red", known) == {"red", "dark-red", "pink", "violet"}
    assert above(COLOURS, "violet", known) == {"violet", "red", "warm", "blue"}
    assert below(COLOURS, "green", known) == frozenset()
    assert below("http://loinc.org", "8867-4", known) is None
    assert above("http://loinc.org", "8867-4", known) is None
    assert "OBS" in (below(ACT, "ACT", known) or ())
    gender = expand_codes("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", known)
    assert ("http://hl7.org/fhir/administrative-gender", "male") in gender


def test_a_hierarchy_that_runs_in_a_circle_ends() -> None:
    rows = [
        {"code": "a", "property": [{"code": "parent", "valueCode": "b"}]},
        {"code": "b", "property": [{"code": "parent", "valueCode": "a"}]},
    ]
    known = library(colours(concept=rows))
    assert below(COLOURS, "a", known) == {"a", "b"}
