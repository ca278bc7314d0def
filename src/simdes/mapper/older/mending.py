"""Take out of a converted resource what R4's rules refuse, so that it is valid.

The rules are those of `simdes.fhir.validate`: bindings, invariants, reference targets. An element
that breaks one is kept beside, what is required in its place is completed, and the resource is
checked again.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from simdes.fhir.validate import validate
from simdes.mapper.completing import absent, complete
from simdes.mapper.model import Json
from simdes.mapper.older.beside import Beside
from simdes.mapper.older.shapes import R4, is_primitive, shape
from simdes.mapper.sheets import Line, rows

_ROUNDS = 8
_WORN = 4  # rounds after which whole elements are taken
_STEP = re.compile(r"\.([A-Za-z_]\w*)(?:\.ofType\(\w+\))?(?:\[(\d+)\])?")


def mend(body: Json, beside: Beside) -> bool:
    """Make ``body`` valid R4; says whether it could."""
    for number in range(_ROUNDS):
        problems = [one for one in validate(body) if one.is_error]
        if not problems:
            return True
        rules = [_rules()[one.rule] for one in problems if one.rule in _rules()]
        if number >= _WORN:
            rules = []
        for problem in reversed(problems):  # the last of a list first: places stay as named
            if problem.rule in _rules() and rules:
                continue
            steps = [(match[1], int(match[2] or 0)) for match in _STEP.finditer(problem.expression)]
            depth = max(1, len(steps) - max(0, number - 1))  # what does not help grows outwards
            _take(body, steps[:depth], beside)
        complete(body, body["resourceType"])
        for rule in rules:  # after completing, which may add what a rule forbids
            _follow(body, rule, beside)
    return False


def mend_around(bundle: Json, beside: Beside) -> None:
    """Make a Bundle's own elements valid; its resources are mended one by one."""
    entries = bundle.pop("entry", None)
    mend(bundle, beside)
    if entries is not None:
        bundle["entry"] = entries


def _follow(body: Json, line: Line, beside: Beside) -> None:
    """Take and add what a line of ``mending.psv`` names."""
    for path in line.cell("take").split():
        name, _, inner = path.partition(".")
        held = body.get(name)
        for number, one in enumerate(held if inner and isinstance(held, list) else [None]):
            if one is None or inner in one:
                _take(body, [(name, number), *([(inner, 0)] if inner else [])], beside, whole=True)
    parts = shape(R4, body["resourceType"])
    for name in line.cell("add").split():
        part = parts.parts.get(name) if parts else None
        if part is None or name in body or f"_{name}" in body:
            continue
        if is_primitive(part.type):
            body[f"_{name}"] = absent()
        else:
            body[name] = [absent()] if part.is_list else absent()


@cache
def _rules() -> dict[str, Line]:
    text = (files(__package__) / "mending.psv").read_text(encoding="utf-8")
    return {line.cell("rule"): line for line in rows("mending.psv", text)}


def _take(body: Json, steps: list[tuple[str, int]], beside: Beside, *, whole: bool = False) -> None:
    """Move an element beside: one of a list, or all of it where ``whole``."""
    holder: Any = body
    for name, at in steps[:-1]:
        found = _member(holder, name)
        inner = holder.get(found) if found else None
        holder = inner[at] if isinstance(inner, list) and at < len(inner) else inner
        if not isinstance(holder, dict):
            return
    if not steps or not isinstance(holder, dict):
        return
    name, at = steps[-1]
    found = _member(holder, name)
    if found is None or found == "resourceType":
        return
    path = ".".join(f"{one}[{place}]" if place else one for one, place in steps)
    for member in (found, f"_{found}"):
        part = holder.get(member)
        if isinstance(part, list) and at < len(part) and len(part) > 1 and not whole:
            _keep(path, part.pop(at), beside)
        elif member in holder:
            _keep(path, holder.pop(member), beside)


def _member(holder: Any, name: str) -> str | None:
    """Give the member that a step names; a choice is named without its type."""
    if not isinstance(holder, dict):
        return None
    if name in holder or f"_{name}" in holder:
        return name
    names = (one.removeprefix("_") for one in holder)
    begun = re.compile(rf"{re.escape(name)}[A-Z]")
    return next((one for one in names if begun.match(one)), None)


def _keep(path: str, value: Any, beside: Beside) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            _keep(f"{path}.{name}", part, beside)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _keep(f"{path}[{number}]", part, beside)
    elif value is not None:
        beside.keep_plain(path, value)
