"""Resources of every R4 type with an identifier in every place that can hold text.

Made from the definitions: every element there is, every type of a choice, element ids, extensions
of objects and primitives, narrative, contained resources, members that R4 doesn't have. Where a
value must look like something (a date, a code) the identifier stands there all the same: feeds do
that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simdes.fhir.definitions import definition
from simdes.fhir.primitives import PRIMITIVES

MARK = "Ndiaye-19470312-BE"
"""A name, a birth date and initials: what no release may hold."""
_EXTENSION = {
    "url": f"http://example.org/{MARK}",
    "valueString": MARK,
    "extension": [{"url": "inner", "valueAttachment": {"data": MARK, "title": MARK}}],
}
_COMPANION = {"id": MARK, "extension": [_EXTENSION]}
_DEPTH = 3


def planted(kind: str, *, as_typed: bool) -> Iterator[dict[str, Any]]:
    """Yield resources of the type ``kind`` that together have every member of every choice.

    ``as_typed``: booleans, numbers and codes are good ones, so that the objects around texts stay;
    else every primitive is the identifier.
    """
    widest = max((len(e.json_names) for e in definition(kind).elements.values()), default=1)
    for turn in range(widest):
        yield _object(kind, turn, as_typed, 0)


def _object(kind: str, turn: int, as_typed: bool, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if definition(kind).kind == "resource":
        made["resourceType"] = kind
    made[MARK] = MARK
    made["unknownMember"] = {"text": MARK, "list": [MARK]}
    for element in definition(kind).elements.values():
        if element.name == "extension":
            made["extension"] = [_EXTENSION]
        if element.name in ("extension", "modifierExtension", "implicitRules"):
            continue
        names = list(element.json_names.items())
        name, inner = names[turn % len(names)]
        value = _value(inner, element, turn, as_typed, depth)
        if value is None:
            continue
        made[name] = [value, value] if element.is_list else value
        if inner in PRIMITIVES:
            made["_" + name] = [_COMPANION, None] if element.is_list else _COMPANION
    return made


def _value(kind: str, element: Any, turn: int, as_typed: bool, depth: int) -> Any:
    if kind in PRIMITIVES:
        return _TYPED.get(kind, MARK) if as_typed else MARK
    if depth >= _DEPTH:
        return {"id": MARK, "text": MARK, "extension": [_EXTENSION]}
    if kind == "Resource":
        return {**_object("Observation", turn, as_typed, depth + 2), "id": "c1"}
    made = _object(kind, turn, as_typed, depth + 1)
    if kind == "Reference":
        made["reference"] = f"{(element.targets or ('Patient',))[0]}/{MARK}"
    if kind == "Coding" and as_typed:
        made["system"] = "http://loinc.org"
        made["code"] = "8302-2" if turn % 2 else MARK
    return made


_TYPED: dict[str, Any] = {
    "boolean": True,
    "decimal": 7,
    "integer": 7,
    "positiveInt": 7,
    "unsignedInt": 7,
    "date": "1947-03-12",
    "dateTime": "1947-03-12T10:00:00Z",
    "instant": "1947-03-12T10:00:00Z",
}
