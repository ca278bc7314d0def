"""Where a search parameter's values stand: its FHIRPath expression as walks through JSON.

The expressions of R4's search parameters (https://hl7.org/fhir/R4/searchparameter.html) are paths
with a few filters. Each becomes one or more `Walk`, in which every choice (``value[x]``) is
resolved to its member's name in JSON, so that extraction only looks members up, and every end has
its data type, which JSON alone doesn't tell and without which a code has no code system. The tests
compare what the walks find with what a FHIRPath engine does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simdes.errors import Unsupported
from simdes.fhir.definitions import Element, definition, resource_types, type_names


@dataclass(frozen=True, slots=True)
class Step:
    """One member to follow, then what its values must be to be followed further.

    ``member`` and ``value``: an object with this member of this value. ``target``: a Reference to
    this type. ``is_first``: the first of the list only.
    """

    key: str
    member: str = ""
    value: str = ""
    target: str = ""
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """The steps to values of the data type ``type``; ``value_set`` is a code's required binding.

    ``from_resource``: begins at the resource, though the expression belongs to a part of it.
    """

    steps: tuple[Step, ...]
    type: str
    value_set: str = ""
    from_resource: bool = False


DECEASED = "Patient.deceased.exists() and Patient.deceased != false"
"""The one expression that is a condition: true or false for every Patient, never empty."""
DECEASED_TYPE = "deceased"

_TOKEN = re.compile(r"\.?(%?\w+)(?:\[(\d)\]|\(((?:[^()]|\(\))*)\))?")
_EQUALS = re.compile(r"(\w+) ?= ?'([^']*)'")
_RESOLVES = re.compile(r"resolve\(\) is (\w+)")


def walks(expression: str, type_: str, *, root: str = "") -> tuple[Walk, ...]:
    """Return the walks of ``expression`` on a ``type_``, within a resource of the type ``root``.

    Raises ``Unsupported`` for what no search parameter of R4 uses.
    """
    if expression == DECEASED:
        return (Walk((), DECEASED_TYPE),)
    found = [w for b in expression.split("|") if b for w in _branch(b.strip(), type_, root)]
    return tuple(dict.fromkeys(found))


def _branch(text: str, type_: str, root: str) -> list[Walk]:
    start, steps = (type_, _tokens(text))
    if steps and steps[0][0] == "%resource":
        return [
            Walk(w.steps, w.type, w.value_set, from_resource=True)
            for w in _follow([Walk((), root)], steps[1:])
        ]
    if steps and steps[0][0] in (start, "Resource", "DomainResource"):
        steps = steps[1:]
    return _follow([Walk((), start)], steps)


def _tokens(text: str) -> list[tuple[str, str, str]]:
    """Return the parts of a path, each with its index and its argument ("" if it has none)."""
    if text.startswith("("):
        inner, _, behind = text[1:].rpartition(")")
        text = inner + behind if behind else inner
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unsupported(f"search expression {text}")
        found.append((match[1], match[2] or "", match[3] or ""))
        at = match.end()
    return found


def _follow(at: list[Walk], tokens: list[tuple[str, str, str]]) -> list[Walk]:
    for name, index, argument in tokens:
        if name == "ofType":
            # R4 writes ofType(DateTime) once; the type's name is dateTime.
            wanted = argument if argument in type_names() else argument[0].lower() + argument[1:]
            at = [w for w in at if w.type == wanted]
        elif name == "where":
            at = [_filtered(w, argument) for w in at]
        else:
            at = [w for walk in at for w in _step(walk, name, is_first=index == "0")]
    return at


def _step(walk: Walk, name: str, *, is_first: bool) -> list[Walk]:
    if walk.type not in type_names():
        return []
    element = definition(walk.type).elements.get(name)
    if element is None:
        return []
    return [
        Walk((*walk.steps, Step(key, is_first=is_first)), type_, _value_set(element, type_))
        for key, type_ in element.json_names.items()
    ]


def _value_set(element: Element, type_: str) -> str:
    binding = element.binding
    is_bound = type_ == "code" and binding is not None and binding.strength == "required"
    return binding.value_set if is_bound and binding is not None else ""


def _filtered(walk: Walk, condition: str) -> Walk:
    *before, last = walk.steps
    if match := _EQUALS.fullmatch(condition):
        step = Step(last.key, match[1], match[2], is_first=last.is_first)
    elif (match := _RESOLVES.fullmatch(condition)) and match[1] in resource_types():
        step = Step(last.key, target=match[1], is_first=last.is_first)
    else:
        raise Unsupported(f"search condition {condition}")
    return Walk((*before, step), walk.type, walk.value_set)
