"""R4's search parameters, against what the standard's pages say."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from simdes.errors import Unsupported
from simdes.fhir.definitions import resource_types
from simdes.fhir.search.conditions import Kind, Slot
from simdes.fhir.search.criteria import modifiers
from simdes.fhir.search.parameters import (
    compartments,
    parameter,
    parameters_of,
    searchable,
    value_codes,
)
from simdes.fhir.search.parse import parse
from simdes.fhir.search.paths import Step, Walk, walks

ROOT = Path(__file__).parents[4]


def test_the_shipped_file_is_what_its_source_compiles_to() -> None:
    sys.path.insert(0, str(ROOT / "tools"))  # as for a script run from there
    try:
        compiler = importlib.import_module("compile_search_parameters")
    finally:
        sys.path.pop(0)
    fresh = compiler.render(compiler.compile_search_parameters(compiler.SOURCE))
    assert fresh == compiler.TARGET.read_text("utf-8")


def test_observation_code_is_a_token_of_code() -> None:
    found = parameter("Observation", "code")
    assert found is not None
    assert (found.kind, found.expression) == ("token", "Observation.code")
    assert found.url == "http://hl7.org/fhir/SearchParameter/clinical-code"
    assert found.description == "The code of the observation type"
    assert found.slots == (
        Slot("Observation.code", Kind.TOKEN),
        Slot("Observation.code:text", Kind.STRING),
    )
    assert found.walks == (Walk((Step("code"),), "CodeableConcept"),)


def test_every_type_has_those_of_all_types_and_no_other_has_any() -> None:
    assert set(parameters_of("Resource")) == {
        *("_content", "_id", "_lastUpdated", "_profile", "_query", "_security", "_source", "_tag")
    }
    for type_ in resource_types():
        assert set(parameters_of("Resource")) <= set(parameters_of(type_))
    assert "_text" in parameters_of("Patient")
    assert "_text" not in parameters_of("Binary")
    assert parameters_of("Nothing") == {}
    assert parameter("Patient", "no-such") is None


def test_every_expression_leads_to_some_element() -> None:
    """But for R4's three parameters without an expression."""
    for type_ in resource_types():
        for found in parameters_of(type_).values():
            if found.code in ("_content", "_query", "_text"):
                assert not found.expression
            else:
                assert found.walks, found
                assert all(c.walks for c in found.components), found


def test_what_can_not_be_searched_by_is_not_offered() -> None:
    offered = {p.code for p in searchable("Patient")}
    assert offered == set(parameters_of("Patient")) - {"_content", "_query", "_text"}


def test_every_modifier_that_is_offered_is_taken() -> None:
    texts = {"missing": "true", "of-type": "s|c|v"}
    for type_, code in (
        ("Patient", "name"),
        ("Patient", "identifier"),
        ("Patient", "link"),
        ("Patient", "birthdate"),
        ("ValueSet", "url"),
        ("Observation", "value-quantity"),
    ):
        found = parameter(type_, code)
        assert found is not None
        for modifier in modifiers(found.kind):
            pairs = [(f"{code}:{modifier}", texts.get(modifier, "a"))]
            assert parse((type_,), pairs, now_ms=0, expand=lambda *_: [("s", "c")]).used == (
                pairs[0],
            )
    assert modifiers("date") == ("missing",)
    assert set(modifiers("string")) == {"missing", "contains", "exact"}


def test_values_are_kept_of_all_but_the_id_and_the_time() -> None:
    assert "_id" not in value_codes("Patient")
    assert "_lastUpdated" not in value_codes("Patient")
    assert {"_tag", "name", "birthdate"} <= set(value_codes("Patient"))


def test_a_choice_is_walked_by_the_names_it_has_in_json() -> None:
    found = parameter("Observation", "date")
    assert found is not None
    assert {w.steps[0].key: w.type for w in found.walks} == {
        "effectiveDateTime": "dateTime",
        "effectiveInstant": "instant",
        "effectivePeriod": "Period",
        "effectiveTiming": "Timing",
    }


def test_a_type_that_r4_spells_wrongly_is_still_found() -> None:
    """R4 says ``value.ofType(DateTime)``."""
    found = parameter("Observation", "code-value-date")
    assert found is not None
    assert {w.type for w in found.components[1].walks} == {"dateTime", "Period"}


def test_compartments_are_those_of_the_standard() -> None:
    assert set(compartments()) == {
        *("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")
    }
    assert compartments()["Patient"]["Observation"] == ("performer", "subject")
    assert "Medication" not in compartments()["Patient"]
    for rows in compartments().values():
        for type_, codes in rows.items():
            assert all(c == "{def}" or parameter(type_, c) for c in codes)


@pytest.mark.parametrize("expression", ["Patient.name.first(", "Patient.name.where(a > 1)"])
def test_an_expression_beyond_r4s_is_refused(expression: str) -> None:
    with pytest.raises(Unsupported):
        walks(expression, "Patient")
