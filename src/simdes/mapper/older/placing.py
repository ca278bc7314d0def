"""Where a value goes in an R4 element, and whether it may."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.definitions import Binding, definition, value_set_codes
from simdes.fhir.elements import Part
from simdes.fhir.primitives import SYNTAXES
from simdes.mapper.model import Json
from simdes.mapper.older.coercing import TYPES
from simdes.mapper.older.shapes import R4, Shape, shape

Target = tuple[tuple[str, str], ...]
"""The names of a path in R4, each with the label that keeps rows of one list element together."""

Labels = dict[tuple[int, str, str], Json]
"""The list elements that labels stand for, by what holds them."""


def candidates(name: str, kind: str, old: Shape | None, new: Shape | None) -> Iterator[str]:
    """Yield the R4 names an element may go to: its own, else another type of the same choice."""
    if new is None:
        return
    if name in new.parts:
        yield name
        return
    part = old.parts.get(name) if old else None
    if part is not None:
        for other, found in new.parts.items():
            if found.name == part.name and (kind, found.type) in TYPES:
                yield other


def chosen(owner: str, name: str, kind: str) -> tuple[str, Part] | None:
    """Choose the JSON name for a value of type ``kind``."""
    parts = shape(R4, owner)
    if parts is None:
        return None
    if not name.endswith("[x]"):
        return name, parts.parts[name]
    plain = name.removesuffix("[x]")
    choices = {one: part for one, part in parts.parts.items() if part.name == plain}
    exact = next(((one, part) for one, part in choices.items() if part.type == kind), None)
    if exact is not None:
        return exact
    return next(((one, part) for one, part in choices.items() if (kind, part.type) in TYPES), None)


def goes_into(kind: str, target: str) -> bool:
    """Say whether an object of the older type may be read into R4's: the same, or inline types."""
    if kind == target or (kind, target) in TYPES:
        return True
    if kind in ("Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity"):
        return target in ("Quantity", "Age", "Duration", "Count", "Distance")
    return "." in kind and ("." in target or target in ("Dosage", "Timing"))


def is_bound(code: str, owner: str, name: str) -> bool:
    """Say whether R4's required binding lets an element have this code."""
    binding = _codes_of(owner, name)
    if binding is None:
        return True
    url = binding.value_set.partition("|")[0]
    if url in SYNTAXES:
        return SYNTAXES[url][1].fullmatch(code) is not None
    codes = value_set_codes(url)
    return codes is None or code in codes


@cache
def _codes_of(owner: str, name: str) -> Binding | None:
    element = definition(owner).elements.get(name)
    binding = element.binding if element else None
    return binding if binding is not None and binding.strength == "required" else None


def has_room(
    made: Json,
    target: str,
    steps: Target,
    name: str,
    part: Part,
    labels: Labels,
) -> bool:
    """Say whether the place ``steps`` lead to is free: a list, or an element not yet there."""
    kind, holder = target, made
    for step, label in steps[:-1]:
        parts = shape(R4, kind)
        here = parts.parts[step] if parts else None
        if here is None:
            return False
        kind = here.type
        inner = holder.get(step)
        if here.is_list:
            inner = labels.get((id(holder), step, label)) if label else None
        if inner is None:
            return True
        holder = inner
    if part.is_list:
        return True
    parts = shape(R4, kind)
    taken = [
        one for one, other in (parts.parts if parts else {}).items() if other.name == part.name
    ]
    return not any(one in holder or f"_{one}" in holder for one in taken)


def holder_of(
    made: Json,
    target: str,
    steps: Target,
    labels: Labels,
) -> Json:
    """Give the object that is to have the last step's element, begun where it is not there."""
    kind, holder = target, made
    for step, label in steps[:-1]:
        parts = shape(R4, kind)
        part = parts.parts[step] if parts else None
        if part is None:
            raise Invalid("a path of the sheets leads nowhere")
        kind = part.type
        if not part.is_list:
            holder = holder.setdefault(step, {})
            continue
        key = (id(holder), step, label)
        inner = labels.get(key) if label else None
        if inner is None:
            inner = labels[key] = {}
            holder.setdefault(step, []).append(inner)
        holder = inner
    return holder


def put(holder: Json, name: str, part: Part, value: Any, extra: Any) -> None:
    """Write a value, and what extends it, under an element's name."""
    if not part.is_list:
        if value is not None:
            holder[name] = value
        if extra is not None:
            holder[f"_{name}"] = extra
        return
    values = holder.setdefault(name, [])
    values.append(value)
    beside = f"_{name}"
    if extra is not None or beside in holder:
        extras = holder.setdefault(beside, [])
        extras.extend([None] * (len(values) - 1 - len(extras)))
        extras.append(extra)


def ordered(body: Json, kind: str) -> Json:
    """Give an object's members in the order of R4's definition."""
    parts = shape(R4, kind)
    if parts is None:
        return body
    order = {name: at for at, name in enumerate(parts.parts)}
    return dict(sorted(body.items(), key=lambda item: order.get(item[0].removeprefix("_"), 999)))


def constant(text: str, kind: str) -> Any:
    """Read a row's constant as a value of an R4 type."""
    if kind == "boolean":
        return text == "true"
    if kind in ("CodeableConcept", "Coding"):
        system, _, code = text.partition("#")
        coding = {"system": system, "code": code}
        return coding if kind == "Coding" else {"coding": [coding]}
    return text
