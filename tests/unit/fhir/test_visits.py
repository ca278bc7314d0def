"""A visit as FHIR: valid R4, units and ranges, what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.fhir import visits
from simdes.fhir.validate import validate
from simdes.fhir.visits import Visit

AUTHOR = {"reference": "Practitioner/d1", "display": "Dr Lee"}
NOW = "2026-11-23T16:00:00Z"


def made(**fields: Any) -> list[tuple[str, dict[str, Any]]]:
    visit = Visit(**({"kind": "AMB", "reason": "Cough"} | fields))
    return visits.resources(visit, patient="p1", author=AUTHOR, now=NOW)


WHOLE = {
    "readings": {name: one.often[0] for name, one in visits.VITALS.items()},
    "problems": [("Asthma", "J45.9"), ("Tired", "")],
    "orders": [("laboratory", "Blood count"), ("imaging", "Chest X-ray")],
}


def test_everything_that_is_written_is_valid_and_of_the_visit() -> None:
    found = made(**WHOLE)
    assert [one["resourceType"] for _, one in found] == (
        ["Encounter"] + ["Observation"] * 7 + ["Condition"] * 2 + ["ServiceRequest"] * 2
    )
    for _, one in found:
        sent = {**one, "id": "x"}
        if "encounter" in sent:
            assert sent["encounter"] == {"reference": "urn:uuid:visit"}
            sent["encounter"] = {"reference": "Encounter/e1"}
        assert [each for each in validate(sent) if each.is_error] == []
        assert one["subject"] == {"reference": "Patient/p1"}
    assert [name for name, _ in found if name] == ["urn:uuid:visit"]


def test_vital_signs_are_as_the_profile_has_them() -> None:
    """https://hl7.org/fhir/R4/observation-vitalsigns.html, code, unit and category of each."""
    signs = [one for _, one in made(**WHOLE) if one["resourceType"] == "Observation"]
    for one in signs:
        assert one["category"][0]["coding"][0]["code"] == "vital-signs"
        for quantity in [
            one.get("valueQuantity"),
            *[c["valueQuantity"] for c in one.get("component", ())],
        ]:
            assert quantity is None or quantity["system"] == "http://unitsofmeasure.org"
    units = {
        one["code"]["coding"][0]["code"]: one["valueQuantity"]["code"]
        for one in signs
        if "valueQuantity" in one
    }
    assert units == {
        "8310-5": "Cel", "8867-4": "/min", "9279-1": "/min", "2708-6": "%", "29463-7": "kg",
        "8302-2": "cm",
    }  # fmt: skip
    [pressure] = [one for one in signs if "component" in one]
    assert pressure["code"]["coding"][0]["code"] == "85354-9"
    assert [one["code"]["coding"][0]["code"] for one in pressure["component"]] == [
        "8480-6", "8462-4",
    ]  # fmt: skip


@pytest.mark.parametrize("name", visits.VITALS)
def test_a_reading_is_possible_or_refused(name: str) -> None:
    low, high = visits.VITALS[name].possible
    often_low, often_high = visits.VITALS[name].often
    assert low <= often_low < often_high <= high
    for end in (low, high):
        assert visits.reading(name, f" {end} ") == end
    for beyond in (low - Decimal("0.1"), high + Decimal("0.1")):
        with pytest.raises(Invalid):
            visits.reading(name, str(beyond))
    assert visits.unusual({name: often_low}) == visits.unusual({name: often_high}) == []
    if often_high < high:
        assert visits.unusual({name: high}) == [name]


@pytest.mark.parametrize(
    "typed", ["x", "-1", "1e3", "NaN", "Infinity", "37.123", "٣٧", "37,2,1", "0x25"]
)
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        visits.reading("temperature", typed)


def test_a_comma_is_a_point_and_nothing_is_nothing() -> None:
    assert visits.reading("temperature", "37,5") == Decimal("37.5")
    assert visits.reading("temperature", "  ") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "XX"},
        {"reason": ""},
        {"readings": {"systolic": Decimal(120)}},
        {"readings": {"diastolic": Decimal(80)}},
        {"readings": {"systolic": Decimal(80), "diastolic": Decimal(80)}},
        {"problems": [("", "J45")]},
        {"problems": [("Asthma", "asthma")]},
        {"orders": [("anything", "Blood count")]},
        {"orders": [("laboratory", "")]},
    ],
    ids=range(9),
)
def test_what_does_not_fit_together_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        made(**wrong)
