"""Whatever is validated, the answer is a list of problems, soon, and never a crash."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.definitions import definition, resource_types
from simdes.fhir.json import dumps, loads
from simdes.fhir.validate import validate
from unit.fhir.instances import instance
from unit.fhir.published import published

TYPES = ("Patient", "Observation", "Bundle", "Bundle.entry", "Extension", "Questionnaire")
NAMES = sorted({n for t in TYPES for e in definition(t).elements.values() for n in e.json_names})
KEYS = st.sampled_from([*NAMES, *("_" + n for n in NAMES), "", "_", "__id", "resourceType"])
WORDS = ["Patient", "Bundle", "Parameters", "#a", "urn:uuid:x", "2020", "document", "<div/>"]
NUMBERS = st.integers() | st.decimals() | st.floats()
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(
    st.sampled_from(["Patient", "Observation", "Bundle", "Parameters", "Questionnaire"]), ANYTHING
)
def test_arbitrary_members_never_crash_it(name: str, value: Any) -> None:
    members = value if isinstance(value, dict) else {"extension": value}
    for resource in (value, {**members, "resourceType": name}):
        for problem in validate(resource):
            assert problem.severity in ("error", "warning")
            assert problem.message
            assert problem.rule


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


RUBBISH: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    " ",
    "x",
    "#",
    [],
    {},
    [None],
    [[]],
    {"id": "x"},
    {"": 1},
    "2020",
    "\ud800",
]


def test_published_resources_with_one_value_replaced_never_crash_it() -> None:
    random = Random(1)
    small = [r for r in published().values() if len(dumps(r)) < 5000]
    for _ in range(2000):
        resource = copy.deepcopy(random.choice(small))
        node, key = random.choice(list(_places(resource)))
        node[key] = copy.deepcopy(random.choice(RUBBISH))
        validate(resource)


def test_random_instances_of_every_resource_type_are_sound_in_structure() -> None:
    random = Random(2)
    allowed = {"minimum", "binding", "canonical", "choice"}
    for name in sorted(resource_types()):
        for _ in range(3):
            resource = instance(name, random)
            assert loads(dumps(resource)) == resource
            unexpected = {
                (p.rule, p.expression)
                for p in validate(resource)
                if p.code in ("structure", "value") and p.rule not in allowed
            }
            assert {r for r, _ in unexpected} <= {"ele-1", "extension-url", "full-url", "system"}, (
                name,
                unexpected,
            )


def test_time_grows_with_length_and_not_faster() -> None:
    def seconds(count: int) -> float:
        entries = [
            {
                "fullUrl": f"http://h/Patient/{i}",
                "resource": {
                    "resourceType": "Patient",
                    "id": str(i),
                    "name": [{"family": "x"}] * 5,
                },
            }
            for i in range(count)
        ]
        items = [{"linkId": str(i), "type": "display"} for i in range(count)]
        resources = [
            {"resourceType": "Bundle", "type": "collection", "entry": entries},
            {"resourceType": "Questionnaire", "status": "draft", "item": items},
            {
                "resourceType": "Patient",
                "contained": [{"resourceType": "Basic", "id": str(i)} for i in range(count)],
            },
        ]
        started = time.process_time()
        for resource in resources:
            validate(resource)
        return time.process_time() - started

    seconds(10)
    few, many = min(seconds(400) for _ in range(3)), min(seconds(4000) for _ in range(2))
    assert many < 30 * few
    assert many < 10
