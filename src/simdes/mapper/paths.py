"""Compile a map's target such as ``performer[1](PractitionerRole.practitioner(Practitioner))``.

A compiled path is a list of tokens, one per step: ``name`` for an element that holds one value,
``name*`` or ``name*2`` for one that repeats (the number keeps apart what different fields put),
``name*last`` for one that goes on with the last, ``name*join`` for one that does where that has
no such part yet, ``name+2`` where each repetition of the source field makes its own, ``_name`` for
what hangs on a primitive, and ``>Practitioner`` where the path leaves by a reference to a resource.
``valueString|valueQuantity,...`` is one of a choice, with the others that may not stand beside it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from simdes.errors import Unsupported
from simdes.fhir.definitions import definition, type_names

_SLOT = re.compile(r"\*(?!(?:join|last)$)\w+$")
_STEP = re.compile(r"(?P<name>\$?[A-Za-z]+)?(?:\[(?P<slot>\w+)\])?$")
_HOP = re.compile(r"(?P<type>[A-Z][A-Za-z]+)(?:\[\w+\])?(?:\.(?P<rest>.*))?$")


class Unreadable(ValueError):
    """The target is prose, misspelt, or names an extension that HL7 has not defined yet."""


class NoSuchElement(Unreadable):
    """The target names an element that R4 does not have."""


class Shape(NamedTuple):
    """What R4 says of an element.

    ``type`` is a FHIR type name, or a path such as ``Patient.contact`` for inner elements.
    ``siblings`` are the other JSON names of a choice, of which only one may be there.
    """

    type: str
    repeats: bool
    primitive: bool
    siblings: tuple[str, ...] = ()


@cache
def shape(parent: str, name: str) -> Shape:
    """Find element ``name`` of type or path ``parent``; choice types by their JSON name."""
    if parent not in type_names():
        raise NoSuchElement(f"{parent}.{name}")
    elements = definition(parent).elements
    found = elements.get(name)
    if found is not None and not found.is_choice:
        kind = found.types[0] if found.types else "string"
        return Shape(kind, found.is_list, _is_primitive(kind))
    for element in elements.values():
        kinds = element.json_names if element.is_choice else {}
        if name in kinds:
            others = () if parent == "Extension" else tuple(n for n in kinds if n != name)
            return Shape(kinds[name], element.is_list, _is_primitive(kinds[name]), others)
    raise NoSuchElement(f"{parent}.{name}")


def _is_primitive(kind: str) -> bool:
    try:
        return definition(kind).kind == "primitive-type" and kind != "xhtml"
    except Unsupported:
        return False


class Path(NamedTuple):
    """``tokens`` as above, and the FHIR type at the end."""

    tokens: list[str]
    kind: str
    primitive: bool


def _split(target: str) -> list[str]:
    steps, depth, start = [], 0, 0
    for at, sign in enumerate(target):
        depth += (sign == "(") - (sign == ")")
        if sign == "." and depth == 0:
            steps.append(target[start:at])
            start = at + 1
    if depth:
        raise Unreadable(target)
    return [*steps, target[start:]]


def compile_path(target: str, owner: str, *, pivot: bool) -> Path:
    """Compile ``target`` relative to ``owner`` (a type). ``pivot``: mark what repeats per field."""
    text = target.strip().replace(" ", "")
    text = re.sub(r"^\[\d+\]\.?", "", text)
    if text in ("$this", "$value", ""):
        primitive = owner[:1].islower()
        return Path([], owner, primitive)
    tokens, kind, primitive = _walk(text, owner, target)
    if pivot:
        _mark_pivot(tokens)
    return Path(tokens, kind, primitive)


def targets(target: str, owner: str) -> frozenset[str]:
    """Give the types that a Reference at ``target`` may lead to; empty for any type."""
    *outer, last = _split(re.sub(r"\[\w+\]", "", target.replace(" ", "")))
    kind = compile_path(".".join(outer), owner, pivot=False).kind
    if kind not in type_names():
        return frozenset()
    for element in definition(kind).elements.values():
        if last == element.name or last in element.json_names:
            return frozenset(element.targets)
    return frozenset()


def _walk(text: str, owner: str, whole: str) -> tuple[list[str], str, bool]:
    tokens: list[str] = []
    kind, primitive = owner, False
    steps = _split(text)
    for number, text_of_step in enumerate(steps):
        step, _, inner = text_of_step.partition("(")
        inner = inner.removesuffix(")")
        match = _STEP.match(step)
        if match is None or not match["name"]:
            raise Unreadable(whole)
        last = number == len(steps) - 1
        element = shape(kind, match["name"])
        name = match["name"]
        if element.primitive and not last:
            name, kind, primitive = f"_{name}", "Element", False
        else:
            kind, primitive = element.type, element.primitive
        if element.repeats:
            name += f"*{match['slot'] or ''}"
        elif element.siblings:
            name += "|" + ",".join(element.siblings)
        tokens.append(name)
        if inner:
            hop = _HOP.match(inner)
            if hop is None or kind != "Reference" or not last:
                raise Unreadable(whole)
            tokens.append(f">{hop['type']}")
            kind, primitive = hop["type"], False
            if hop["rest"]:
                more, kind, primitive = _walk(hop["rest"], hop["type"], whole)
                tokens += more
    return tokens, kind, primitive


def _mark_pivot(tokens: list[str]) -> None:
    labelled = [i for i, token in enumerate(tokens) if _SLOT.search(token)]
    at = labelled[0] if labelled else -1
    if not labelled:
        ends = [i for i, token in enumerate(tokens) if not token.startswith(">")]
        if ends and tokens[ends[-1]].endswith("*"):
            at = ends[-1]
    if at >= 0:
        tokens[at] = tokens[at].replace("*", "+")
