"""Rubbish and mutated resources of older versions are quarantined or valid, and never raise."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.older.shapes import resource_names

VECTORS = Path(__file__).parents[3] / "vectors/older"
KINDS = ("fhir", "fhir-dstu2", "fhir-stu3")
SOURCES = {
    version: [
        entry["resource"]
        for entry in json.loads(
            gzip.decompress((VECTORS / f"synthea-{version}.json.gz").read_bytes())
        )["entry"]
    ][:40]
    for version in ("dstu2", "stu3")
}
ODD: list[Any] = [None, True, 0, -1, 1.5, "", " ", "\u0000", "x", [], {}, [[]], [None], {"a": {}}]


def check(data: bytes, kind: str) -> None:
    mapping = map_bytes("x.json", data, kind=kind)
    assert mapping.messages or mapping.quarantined
    for one in mapping.quarantined:
        assert one.reason_code != "mapper-fault", one.reason
    if kind != "fhir":
        for message in mapping.messages:
            assert [p for p in validate(message.bundle) if p.is_error] == []


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, part in items:
        found += places(part, (*path, name))
    return found


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.data())
def test_a_resource_with_odd_values_in_it_never_raises(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(("dstu2", "stu3")))
    made = json.loads(json.dumps(data.draw(st.sampled_from(SOURCES[version]))))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.sampled_from(places(made) or [("resourceType",)]))
        holder = made
        for name in where[:-1]:
            holder = holder[name]
        if where != ("resourceType",):
            odd = data.draw(st.sampled_from(ODD))
            holder[where[-1]] = data.draw(st.sampled_from((odd, [holder[where[-1]]], {"x": odd})))
    check(json.dumps(made).encode(), f"fhir-{version}")


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(sorted(resource_names("dstu2") | resource_names("stu3"))),
    st.dictionaries(
        st.sampled_from(["id", "status", "code", "subject", "entry", "contained", "text", "meta"]),
        st.recursive(
            st.sampled_from([None, True, 3, "x", ""]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["reference", "coding", "url", "div"]), inner)
            ),
            max_leaves=6,
        ),
    ),
)
def test_rubbish_under_known_names_never_raises(kind: str, type_: str, body: Any) -> None:
    check(json.dumps({"resourceType": type_, **body}).encode(), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"resourceType": {}}',
        b'{"resourceType": "Nothing"}',
        b'{"resourceType": "Patient", "contained": [{"resourceType": "Nothing"}]}',
        b'{"resourceType": "Bundle", "entry": [5]}',
        b'{"resourceType": "Bundle", "entry": [{"resource": []}]}',
        b'{"resourceType": "Patient", "name": ' + b"[" * 90 + b"]" * 90 + b"}",
        b'{"resourceType": "Patient", "name": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"<Patient",
    ],
)
def test_what_is_no_resource_is_quarantined(kind: str, data: bytes) -> None:
    mapping = map_bytes("x", data, kind=kind)
    assert mapping.messages or mapping.quarantined
    for item in mapping.quarantined:
        assert item.advice


def test_a_bundle_of_too_many_resources_is_refused_before_it_is_converted() -> None:
    entry = {"resource": {"resourceType": "MedicationOrder"}}
    data = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [entry] * 20_001})
    (item,) = map_bytes("x", data.encode()).quarantined
    assert item.reason_code == "too-large"
