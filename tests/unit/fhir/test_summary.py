"""Summaries and chosen elements: what is asked for, what must be there, and a tag that says so."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.fhir.definitions import definition, resource_types
from simdes.fhir.json import dumps, loads
from simdes.fhir.summary import SUBSETTED, Projection, projected, projection_of
from simdes.fhir.validate import validate
from unit.fhir.instances import instance
from unit.fhir.published import published

OBSERVATION: dict[str, Any] = loads(
    b"""{
 "resourceType": "Observation", "id": "o1", "implicitRules": "http://x.example/r",
 "meta": {"versionId": "3", "tag": [{"code": "a"}]}, "language": "en",
 "text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>x</div>"},
 "contained": [{"resourceType": "Basic", "id": "c"}],
 "extension": [{"url": "http://x.example/e", "valueCode": "x"}],
 "modifierExtension": [{"url": "http://x.example/m", "valueBoolean": true}],
 "status": "final", "_status": {"extension": [{"url": "http://x.example/e", "valueCode": "x"}]},
 "code": {"id": "z", "text": "weight", "extension": [{"url": "http://x.example/e", "valueCode": "x"}]},
 "subject": {"reference": "Patient/1"}, "valueQuantity": {"value": 4.00, "unit": "kg"},
 "_effectiveDateTime": {"extension": [{"url": "http://x.example/absent", "valueCode": "unknown"}]},
 "note": [{"text": "said"}], "method": {"text": "scale"},
 "referenceRange": [{"text": "r"}],
 "component": [{"code": {"text": "c"}, "valueString": "v", "referenceRange": [{"text": "s"}]}]
}"""  # noqa: E501
)


def kept(summary: str | None = None, elements: str | None = None) -> dict[str, Any]:
    projection = projection_of(summary, elements)
    assert projection
    before = copy.deepcopy(OBSERVATION)
    made = projected(OBSERVATION, projection)
    assert before == OBSERVATION
    return made


BASE = {"resourceType", "id", "meta", "implicitRules", "modifierExtension", "status", "code"}


def test_a_summary_has_what_the_definitions_mark_and_no_more() -> None:
    made = kept("true")
    assert set(made) == BASE | {"subject", "valueQuantity", "_effectiveDateTime", "component"}
    assert made["code"] == {"text": "weight"}
    assert made["component"] == [{"code": {"text": "c"}, "valueString": "v"}]
    assert str(made["valueQuantity"]["value"]) == "4.00"


def test_text_has_the_narrative_and_what_is_mandatory() -> None:
    made = kept("text")
    assert set(made) == BASE | {"text", "_status"}
    assert made["code"] == OBSERVATION["code"]


def test_data_has_all_but_the_narrative() -> None:
    assert set(kept("data")) == set(OBSERVATION) - {"text"}


@pytest.mark.parametrize(
    ("elements", "more"),
    [
        ("subject", {"subject"}),
        ("value", {"valueQuantity"}),
        ("value[x]", {"valueQuantity"}),
        ("valueQuantity", {"valueQuantity"}),
        ("note, method", {"note", "method"}),
        ("component.code", {"component"}),
        ("Observation.note,Patient.method", {"note"}),
        ("effective", {"_effectiveDateTime"}),
        ("nonsense", set()),
    ],
)
def test_elements_are_those_named_and_what_is_mandatory(elements: str, more: set[str]) -> None:
    assert set(kept(None, elements)) == BASE | {"_status"} | more


@pytest.mark.parametrize(("summary", "elements"), [("true", ""), ("text", None), (None, "note")])
def test_what_is_cut_says_so_once(summary: str | None, elements: str | None) -> None:
    made = kept(summary, elements)
    assert made["meta"]["tag"] == [{"code": "a"}, dict(SUBSETTED)]
    projection = projection_of(summary, elements)
    assert projection
    assert projected(made, projection)["meta"]["tag"] == made["meta"]["tag"]
    bare = projected({"resourceType": "Basic", "id": "b", "code": {"text": "x"}}, projection)
    assert list(bare)[:3] == ["resourceType", "id", "meta"]
    assert bare["meta"] == {"tag": [dict(SUBSETTED)]}


def test_whole_resources_need_no_projection() -> None:
    for summary, elements in ((None, None), ("false", None), ("false", ""), (None, " , ")):
        assert projection_of(summary, elements) is None
    assert projection_of("false", "id") == Projection("", frozenset({("", "id")}))


@pytest.mark.parametrize(
    ("summary", "elements"),
    [("TRUE", None), ("", None), ("yes", None), ("true", "id"), (None, "a b"), (None, "<x>"),
     (None, "Name"), (None, "é"), (None, "a," * 300)],
)  # fmt: skip
def test_what_is_no_projection_is_refused(summary: str | None, elements: str | None) -> None:
    with pytest.raises(Invalid):
        projection_of(summary, elements)


def bundle(kind: str) -> dict[str, Any]:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]}
    return {
        "resourceType": "Bundle",
        "type": kind,
        "total": 1,
        "link": [{"relation": "self", "url": "u:s"}, {"relation": "next", "url": "u:n"}],
        "entry": [
            {"fullUrl": "u:o", "resource": OBSERVATION, "search": {"mode": "match"}},
            {"resource": outcome, "search": {"mode": "outcome"}},
            {"fullUrl": "u:d", "request": {"method": "DELETE", "url": "Patient/1"}},
        ],
    }


@pytest.mark.parametrize("kind", ["searchset", "history"])
def test_of_an_answer_the_entries_are_cut_and_outcomes_are_not(kind: str) -> None:
    whole = bundle(kind)
    made = projected(whole, Projection("true"))
    assert made["entry"][0]["resource"] == kept("true")
    assert made["entry"][0]["fullUrl"] == "u:o"
    assert made["entry"][1:] == whole["entry"][1:]
    assert {k: v for k, v in made.items() if k != "entry"} == {
        k: v for k, v in whole.items() if k != "entry"
    }


def test_a_count_is_a_total_and_nothing_else() -> None:
    made = projected(bundle("searchset"), Projection("count"))
    assert "entry" not in made
    assert made["total"] == 1
    assert made["link"] == [{"relation": "self", "url": "u:s"}]
    assert projected(OBSERVATION, Projection("count")) == OBSERVATION


def test_a_bundle_that_is_stored_is_a_resource_like_others() -> None:
    made = projected(bundle("collection"), Projection("true"))
    assert made["meta"]["tag"] == [dict(SUBSETTED)]
    assert made["entry"][0]["resource"] == OBSERVATION


@pytest.mark.parametrize("name", sorted(resource_types()))
def test_every_type_keeps_its_mandatory_elements_and_gains_no_fault(name: str) -> None:
    random = Random(name)
    for _ in range(2):
        whole = instance(name, random)
        needed = {
            key
            for element in definition(name).elements.values()
            if element.minimum
            for key in (*element.json_names, *("_" + n for n in element.json_names))
        }
        before = _structural(whole)
        for projection in (Projection("true"), Projection("text"), Projection("data")):
            made = projected(whole, projection)
            assert set(made) >= {key for key in whole if key in needed and key[0] != "_"}
            assert loads(dumps(made)) == made
            assert _structural(made) <= before


def _structural(resource: Any) -> set[str]:
    """The rules of presence, types and arrays that a resource breaks."""
    codes = ("structure", "required")
    return {p.rule for p in validate(resource) if p.is_error and p.code in codes}


def test_published_resources_stay_valid_in_summary_but_for_what_invariants_ask() -> None:
    for name, whole in published().items():
        if whole["resourceType"] == "Bundle" or any(p.is_error for p in validate(whole)):
            continue
        made = projected(whole, Projection("true"))
        assert {p.code for p in validate(made) if p.is_error} <= {"invariant"}, name


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {"resourceType": "Nonsense", "text": 1},
        {"resourceType": "Patient", "name": "x", "meta": 1, "_active": None, "contact": [None, 1]},
        {"resourceType": "Patient", "meta": {"tag": "x"}, "name": []},
    ],
)
def test_rubbish_never_crashes_it(resource: dict[str, Any]) -> None:
    for summary in ("true", "text", "data", "count"):
        projected(resource, Projection(summary))
