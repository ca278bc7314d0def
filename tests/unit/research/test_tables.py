"""Flat tables by view definitions (SQL on FHIR 2), and the same as CSV and Parquet."""

from __future__ import annotations

import csv
from datetime import date
from typing import Any

import pytest
from pyarrow import parquet

from simdes.errors import Invalid
from simdes.research import View, make_release, policy, views, write_tables
from unit.research.population import people

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "gender": "female",
    "name": [
        {"use": "official", "family": "A", "given": ["B", "C"]},
        {"use": "old", "family": "D", "given": ["E"]},
    ],
    "contact": [
        {"telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}]}
    ],
}


def view(*select: Any, **more: Any) -> View:
    return View({"resource": "Patient", "name": "v", "select": [*select], **more})


def rows(made: View, resource: Any = PATIENT) -> list[list[Any]]:
    return [list(row.values()) for row in made.rows(resource)]


ID = {"column": [{"name": "id", "path": "getResourceKey()"}]}


@pytest.mark.parametrize(
    ("select", "told"),
    [
        ([ID, {"column": [{"name": "g", "path": "gender"}]}], [["p1", "female"]]),
        (
            [ID, {"forEach": "name", "column": [{"name": "f", "path": "family"}]}],
            [["p1", "A"], ["p1", "D"]],
        ),
        (
            [
                {
                    "forEach": "name.where(use = 'official')",
                    "column": [{"name": "f", "path": "family"}],
                    "select": [{"forEach": "given", "column": [{"name": "g", "path": "$this"}]}],
                }
            ],
            [["A", "B"], ["A", "C"]],
        ),
        ([ID, {"forEach": "link", "column": [{"name": "t", "path": "type"}]}], []),
        (
            [ID, {"forEachOrNull": "link", "column": [{"name": "t", "path": "type"}]}],
            [["p1", None]],
        ),
        (
            [ID, {"column": [{"name": "g", "path": "name.given", "collection": True}]}],
            [["p1", ["B", "C", "E"]]],
        ),
        (
            [
                ID,
                {
                    "unionAll": [
                        {"forEach": "name", "column": [{"name": "x", "path": "use"}]},
                        {"forEach": "contact.telecom", "column": [{"name": "x", "path": "value"}]},
                    ]
                },
            ],
            [["p1", "official"], ["p1", "old"], ["p1", "1"], ["p1", "2"]],
        ),
    ],
)
def test_selects_make_the_rows_that_the_specification_says(select, told):
    assert rows(view(*select)) == told


def test_where_and_constants_choose_resources():
    constant = [{"name": "who", "valueString": "female"}]
    chosen = view(ID, where=[{"path": "gender = %who"}], constant=constant)
    assert rows(chosen) == [["p1"]]
    assert rows(chosen, {**PATIENT, "gender": "male"}) == []
    assert rows(view(ID), {"resourceType": "Observation", "id": "o"}) == []


def test_references_are_keys_of_the_type_asked_for():
    observed = View(
        {
            "resource": "Observation",
            "name": "o",
            "select": [
                {
                    "column": [
                        {"name": "p", "path": "subject.getReferenceKey(Patient)"},
                        {"name": "g", "path": "subject.getReferenceKey(Group)"},
                        {"name": "any", "path": "subject.getReferenceKey()"},
                    ]
                }
            ],
        }
    )
    resource = {"resourceType": "Observation", "subject": {"reference": "Patient/p1"}}
    assert rows(observed, resource) == [["p1", None, "p1"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"resource": "Patient", "name": "v", "select": []},
        {"resource": "Nothing", "name": "v", "select": [ID]},
        {"resource": "Patient", "name": "../v", "select": [ID]},
        {"resource": "Patient", "name": "v", "select": [ID, ID]},
        {"resource": "Patient", "name": "v", "select": [{"unionAll": [ID, {"column": []}]}]},
    ],
)
def test_definitions_that_are_none_are_refused(wrong):
    with pytest.raises(Invalid):
        View(wrong)


def test_several_values_in_a_column_that_is_no_collection_are_refused():
    with pytest.raises(Invalid):
        rows(view({"column": [{"name": "f", "path": "name.family"}]}))


def test_a_release_becomes_the_same_rows_as_csv_and_as_parquet(tmp_path):
    (tmp_path / "work").mkdir()
    out = tmp_path / "out"
    made = make_release(
        people(80, seed=2),
        policy("hipaa-safe-harbor"),
        secret=b"s" * 32,
        today=date(2026, 11, 23),
        work=tmp_path / "work",
        into=out,
    )
    counts = write_tables(out, views().values())
    assert counts["patient"] == made.resources_out["Patient"] > 50
    assert counts["observation"] == made.resources_out["Observation"]
    assert counts["procedure"] == 0
    for name in ("patient", "condition", "observation", "encounter"):
        with (out / "tables" / f"{name}.csv").open(newline="") as file:
            flat = [*csv.DictReader(file)]
        table = parquet.read_table(out / "tables" / f"{name}.parquet").to_pylist()
        assert len(flat) == len(table) == counts[name]
        for left, right in zip(flat[:50], table[:50], strict=True):
            assert left["id"] == right["id"]
            assert [bool(v) for v in left.values()] == [v is not None for v in right.values()]
    patients = {r["id"] for r in parquet.read_table(out / "tables" / "patient.parquet").to_pylist()}
    observed = parquet.read_table(out / "tables" / "observation.parquet").to_pylist()
    assert {r["patient"] for r in observed} <= patients
    assert all(type(r["value"]) is float for r in observed)
    with pytest.raises(Invalid):
        write_tables(out, [], formats=["xlsx"])
