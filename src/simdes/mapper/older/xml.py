"""Read FHIR's XML form (https://hl7.org/fhir/R4/xml.html, the same in DSTU2 and STU3) as its JSON.

XML does not say what is a list and what a number: the definitions of a version do, so that the
same text can be read as each of them. The parser loads no DTD, resolves no entity and reaches no
network; size and depth are limited before and while reading.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from simdes.errors import Invalid, TooLarge
from simdes.fhir.json import loads
from simdes.mapper import markup
from simdes.mapper.markup import Bounds
from simdes.mapper.model import Json, Limits
from simdes.mapper.older.shapes import Part, Shape, shape
from simdes.mapper.refusal import Unreadable

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"
MAX_TAGS = 2_000_000
MAX_ATTRIBUTES = 4_000_000
MAX_DEPTH = 100

_NUMBERS = frozenset(("integer", "decimal", "positiveInt", "unsignedInt"))
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_RESOURCE = re.compile(r"[A-Z]")
_FORM = "Send one FHIR resource or Bundle as XML in the namespace http://hl7.org/fhir."


def parse(data: bytes, *, limits: Limits) -> Any:
    """Parse the XML of one resource. Raises `Unreadable` or `TooLarge`."""
    return markup.parse(data, Bounds(limits.file_bytes, MAX_TAGS, MAX_ATTRIBUTES, _FORM))


def read(top: Any, version: str) -> Json:
    """Read a parsed resource by the definitions of ``version``. Raises Invalid or TooLarge."""
    space, name = _name(top)
    if space != FHIR or not _RESOURCE.match(name):
        raise Invalid("this XML is no FHIR resource", advice=_FORM)
    return _resource(top, version, 0)


def _resource(element: Any, version: str, depth: int) -> Json:
    name = _name(element)[1]
    return {"resourceType": name, **_body(element, shape(version, name), version, depth)}


def _body(element: Any, found: Shape | None, version: str, depth: int) -> Json:
    if depth > MAX_DEPTH:
        raise TooLarge(f"elements more than {MAX_DEPTH} deep")
    body: Json = {}
    for attribute in ("id", "url"):
        if attribute in element.attrib:
            body[attribute] = element.get(attribute)
    for child in element:
        space, name = _name(child)
        if space == XHTML:
            body[name] = etree.tostring(child, encoding="unicode", with_tail=False).strip()
            continue
        part = found.parts.get(name) if found else None
        value, extra = _value(child, part, version, depth)
        _add(body, name, part, value, extra)
    return body


def _value(element: Any, part: Part | None, version: str, depth: int) -> tuple[Any, Any]:
    """Read one element: a primitive's value and what extends it, or an object."""
    kind = part.type if part else ""
    if kind == "Resource" or (not kind and _holds_resource(element)):
        inner = element[0] if len(element) else None
        return (None, None) if inner is None else (_resource(inner, version, depth + 1), None)
    if kind[:1].islower() or (not kind and "value" in element.attrib):
        extra = _body(element, shape(version, "Element"), version, depth + 1)
        return _primitive(element.get("value"), kind), extra or None
    return _body(element, shape(version, kind) if kind else None, version, depth + 1), None


def _holds_resource(element: Any) -> bool:
    return len(element) == 1 and _RESOURCE.match(_name(element[0])[1]) is not None


def _primitive(text: str | None, kind: str) -> Any:
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind in _NUMBERS and text is not None and _NUMBER.fullmatch(text):
        return loads(text.encode())
    return text


def _add(body: Json, name: str, part: Part | None, value: Any, extra: Any) -> None:
    """Write a value under its name: in a list where the version has one, or where it repeats."""
    beside = f"_{name}"
    if not (part is not None and part.is_list) and name not in body and beside not in body:
        if value is not None:
            body[name] = value
        if extra is not None:
            body[beside] = extra
        return
    count = 0
    for member in (name, beside):
        if member in body:
            if not isinstance(body[member], list):
                body[member] = [body[member]]
            count = max(count, len(body[member]))
    for member, one in ((name, value), (beside, extra)):
        if one is not None or member in body or member == name:
            listed = body.setdefault(member, [])
            listed.extend([None] * (count - len(listed)))
            listed.append(one)
    if all(one is None for one in body[name]):
        del body[name]


def _name(element: Any) -> tuple[str, str]:
    if not isinstance(element.tag, str):
        raise Unreadable("forbidden-xml", "the XML holds an entity", _FORM)
    space, _, name = element.tag.rpartition("}")
    return space.removeprefix("{"), name
