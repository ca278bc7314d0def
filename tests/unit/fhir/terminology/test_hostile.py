"""Value sets and questions that somebody spoilt: an answer or a plain refusal, and soon."""

from __future__ import annotations

import copy
import time
from random import Random
from typing import Any

import pytest

from simdes.errors import SimdesError
from simdes.fhir.terminology import (
    expand,
    expand_codes,
    lookup,
    subsumes,
    translate,
    validate_in_system,
    validate_in_value_set,
)
from unit.fhir.terminology.asking import COLOURS, NOW, ask, colours, library, value_set, where

RUBBISH: list[Any] = [
    None,
    True,
    -1,
    "",
    "x",
    [],
    {},
    [[]],
    [{}],
    {"code": 7},
    "http://a.example|1",
]


def spoil(value: Any, random: Random) -> Any:
    """The value with one thing in it replaced, removed or doubled."""
    value = copy.deepcopy(value)
    node = value
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = random.choice(keys)
        inner = node[key]
        if isinstance(inner, dict | list) and inner and random.random() < 0.8:
            node = inner
            continue
        if random.random() < 0.2:
            del node[key]
        else:
            node[key] = random.choice(RUBBISH)
        return value


COMPOSED = value_set(
    {**where("concept", "is-a", "red"), "valueSet": ["http://example.org/vs/all"]},
    {"system": COLOURS, "concept": [{"code": "blue", "designation": [{"value": "bleu"}]}]},
    exclude=[{"system": COLOURS, "concept": [{"code": "pink"}]}],
)
ALL = value_set({"system": COLOURS}, url="http://example.org/vs/all")
MAP = {
    "resourceType": "ConceptMap",
    "status": "active",
    "group": [
        {
            "source": COLOURS,
            "target": "http://b.example",
            "element": [{"code": "red", "target": [{"code": "1", "equivalence": "equal"}]}],
            "unmapped": {"mode": "fixed", "code": "other"},
        }
    ],
}
QUESTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "expand": (
        lambda asked, known: expand(asked, known, now=NOW),
        ask(valueSet=COMPOSED, filter="red", count=5, displayLanguage="fr", activeOnly=True),
    ),
    "validate": (
        validate_in_value_set,
        ask(valueSet=COMPOSED, coding={"system": COLOURS, "code": "red", "display": "Red"}),
    ),
    "system": (
        validate_in_system,
        ask(codeSystem=colours(), codeableConcept={"coding": [{"system": COLOURS, "code": "red"}]}),
    ),
    "lookup": (lookup, ask(system=COLOURS, code="red", property="parent")),
    "subsumes": (
        subsumes,
        ask(codingA={"system": COLOURS, "code": "red"}, codeB="blue", note=["x", "y", "z"]),
    ),
    "translate": (translate, ask(conceptMap=MAP, coding={"system": COLOURS, "code": "red"})),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_spoilt_question_gets_an_answer_or_a_refusal(name: str) -> None:
    operation, asked = QUESTIONS[name]
    known, random, refused = library(colours(), ALL), Random(name), 0
    for _ in range(400):
        try:
            assert operation(spoil(asked, random), known)["resourceType"]
        except SimdesError:
            refused += 1
    assert 0 < refused < 400


def test_value_sets_that_include_others_twice_are_worked_out_once() -> None:
    chain = [
        value_set(
            {"valueSet": [f"http://example.org/vs/{n + 1}"]},
            {"valueSet": [f"http://example.org/vs/{n + 1}"]},
            url=f"http://example.org/vs/{n}",
        )
        for n in range(18)
    ]
    chain.append(value_set({"system": COLOURS}, url="http://example.org/vs/18"))
    known = library(colours(), *chain)
    started = time.perf_counter()
    assert (COLOURS, "red") in expand_codes("http://example.org/vs/0", known)
    asked = ask(url="http://example.org/vs/0", system=COLOURS, code="none")
    assert validate_in_value_set(asked, known)["parameter"][0]["valueBoolean"] is False
    assert time.perf_counter() - started < 1


def test_implicit_value_sets_are_those_of_their_code_system() -> None:
    snomed = colours(url="http://snomed.info/sct")
    known = library(snomed, colours(valueSet="http://example.org/vs/colours"))
    whole = expand_codes("http://snomed.info/sct?fhir_vs", known)
    below = expand_codes("http://snomed.info/sct?fhir_vs=isa/red", known)
    assert {code for _, code in below} == {"red", "dark-red", "pink", "violet"}
    assert below < whole
    assert (COLOURS, "red") in expand_codes("http://example.org/vs/colours", known)
    for url in ("http://snomed.info/sct?fhir_vs", "http://loinc.org/vs"):
        with pytest.raises(SimdesError, match=r"code system .* is not loaded"):
            expand_codes(url, library())
