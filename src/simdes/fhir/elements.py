"""Read the elements of FHIR's XML form as the members of its JSON.

https://hl7.org/fhir/R4/xml.html, the same in DSTU2 and STU3. XML does not say what is a list and
what a number: the definitions of a version do, so the reader is given the parts of that version's
types. A strict reader refuses what the definitions do not have and says where; a forgiving one
keeps it under its own name, which tells the versions apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NoReturn

from lxml import etree

from simdes.errors import TooLarge
from simdes.fhir.definitions import definition, resource_types, type_names
from simdes.fhir.json import MAX_DEPTH, loads
from simdes.fhir.problem import BrokenRules, Problem

Json = dict[str, Any]

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"

_SCHEMA_HINTS = "{http://www.w3.org/2001/XMLSchema-instance}"
_ATTRIBUTES = frozenset(("Element.id", "Extension.url"))
_RESOURCE = re.compile(r"[A-Z]")
_PLAIN_NAME = re.compile("[A-Za-z][A-Za-z0-9]{0,63}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)|\+[1-9][0-9]*")
NUMBERS: Mapping[str, re.Pattern[str]] = {
    "decimal": _DECIMAL,
    "integer": _INTEGER,
    "positiveInt": _INTEGER,
    "unsignedInt": _INTEGER,
}
"""The primitives that are numbers in JSON, with how XML writes them."""
_EMPTY = frozenset(("area", "br", "col", "hr", "img"))
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Part:
    """An element under one of the names it has in JSON and XML.

    ``name`` is its name in the definition (``value`` for ``valueString``). ``is_attribute``: XML
    writes it as an attribute.
    """

    name: str
    type: str
    is_list: bool
    is_attribute: bool = False


Parts = Callable[[str], Mapping[str, Part] | None]
"""Gives the parts of a type by name, None where the version has no such type."""


@cache
def parts_of(name: str) -> Mapping[str, Part] | None:
    """Return the parts of R4's type ``name`` in the order of its definition."""
    if name not in type_names():
        return None
    return MappingProxyType(
        {
            json_name: Part(element.name, kind, element.is_list, element.path in _ATTRIBUTES)
            for element in definition(name).elements.values()
            for json_name, kind in element.json_names.items()
        }
    )


class Reader:
    """Reads parsed elements by ``parts``. ``is_strict``: raises `BrokenRules` for what has none."""

    def __init__(self, parts: Parts, *, is_strict: bool) -> None:
        self._parts = parts
        self._is_strict = is_strict

    def resource(self, element: Any, *, depth: int = 1) -> Json:
        """Read a resource's element. Raises TooLarge beyond the depth that JSON may have."""
        space, name = split(element)
        if self._is_strict and (space != FHIR or name not in resource_types()):
            self._refuse(element, "a resource of R4 in the namespace http://hl7.org/fhir is needed")
        return {"resourceType": name, **self._body(element, name, depth, is_primitive=False)}

    def _body(self, element: Any, kind: str, depth: int, *, is_primitive: bool) -> Json:
        if depth > MAX_DEPTH:
            raise TooLarge(f"elements nested deeper than {MAX_DEPTH} levels")
        parts = self._parts(kind) if kind else None
        body = self._attributes(element, parts or {}, is_primitive=is_primitive)
        if self._is_strict:
            self._refuse_text(element)
        found: dict[str, tuple[Part | None, list[tuple[Any, Any]]]] = {}
        for child in element:
            name = split(child)[1]
            part = parts.get(name) if parts else None
            if self._is_strict:
                self._check(child, part, is_repeated=name in found)
            value = self._value(child, part, depth)
            found.setdefault(name, (part, []))[1].append(value)
        for name, (part, pairs) in found.items():
            _write(body, name, pairs, is_list=part is not None and part.is_list)
        return body

    def _attributes(self, element: Any, parts: Mapping[str, Part], *, is_primitive: bool) -> Json:
        if not self._is_strict:
            return {key: element.get(key) for key in ("id", "url") if key in element.attrib}
        body = {}
        for key, text in element.attrib.items():
            if key in parts and parts[key].is_attribute:
                body[key] = text
            elif not (key == "value" and is_primitive) and not key.startswith(_SCHEMA_HINTS):
                self._refuse(element, "an attribute that this element may not have")
        return body

    def _value(self, element: Any, part: Part | None, depth: int) -> tuple[Any, Any]:
        """Read one element: a primitive's value and what extends it, or an object and None."""
        kind = part.type if part else ""
        deeper = depth + (2 if part is not None and part.is_list else 1)
        if split(element)[0] == XHTML:
            return xhtml_text(element), None
        if kind == "Resource" or (not kind and _holds_resource(element)):
            if self._is_strict:
                self._refuse_text(element)
                if len(element) != 1 or element.attrib:
                    self._refuse(element, "exactly one resource is needed in this element")
            inner = element[0] if len(element) else None
            return (None if inner is None else self.resource(inner, depth=deeper)), None
        if kind[:1].islower() or (not kind and "value" in element.attrib):
            extra = self._body(element, "Element", deeper, is_primitive=True)
            value = self._primitive(element, kind)
            if self._is_strict and value is None and not extra:
                self._refuse(element, "an element must have a value or children")
            return value, extra or None
        body = self._body(element, kind, deeper, is_primitive=False)
        if self._is_strict and not body:
            self._refuse(element, "an element must have a value or children")
        return body, None

    def _primitive(self, element: Any, kind: str) -> Any:
        text = element.get("value")
        if text is None:
            return None
        if kind == "boolean" and text in _BOOLEANS:
            return _BOOLEANS[text]
        pattern = NUMBERS.get(kind)
        if pattern and pattern.fullmatch(text):
            return loads(text.removeprefix("+").encode())
        if self._is_strict and (pattern or kind == "boolean"):
            self._refuse(element, f"not a valid {kind}")
        return text

    def _check(self, element: Any, part: Part | None, *, is_repeated: bool) -> None:
        if part is None or split(element)[0] != (XHTML if part.type == "xhtml" else FHIR):
            self._refuse(element, "no such element in this type")
        elif part.is_attribute:
            self._refuse(element, "this is an attribute in XML, not an element")
        elif is_repeated and not part.is_list:
            self._refuse(element, "at most one value")

    def _refuse_text(self, element: Any) -> None:
        texts = (element.text, *(child.tail for child in element))
        if any(text and not text.isspace() for text in texts):
            self._refuse(element, "text where only elements and attributes may stand")

    def _refuse(self, element: Any, message: str) -> NoReturn:
        path = _path(element, self._parts)
        raise BrokenRules([Problem("error", "structure", path, message, "xml")])


def split(element: Any) -> tuple[str, str]:
    """Return the namespace and the name of ``element``."""
    tag = element.tag
    if not isinstance(tag, str):  # an entity that nothing resolved
        return "", ""
    space, _, name = tag.rpartition("}")
    return space.removeprefix("{"), name


def xhtml_text(element: Any) -> str:
    """Return an XHTML element as text that stands alone: no namespace but its own, no prefix."""
    one = deepcopy(element)
    one.tail = None
    if any(node.prefix for node in one.iter("{*}*")):
        one = _without_prefix(one, None)
    etree.cleanup_namespaces(one)
    for node in one.iter("{*}*"):
        if not len(node) and not node.text and split(node)[1] not in _EMPTY:
            node.text = ""  # written with an end tag: who shows it as HTML takes <td/> for a start
    text: str = etree.tostring(one, encoding="unicode")
    return text.strip()


def _without_prefix(element: Any, parent: Any) -> Any:
    spaces: Any = {None: XHTML}
    if parent is None:
        made = etree.Element(element.tag, dict(element.attrib), nsmap=spaces)
    else:
        made = etree.SubElement(parent, element.tag, dict(element.attrib), nsmap=spaces)
    made.text, made.tail = element.text, element.tail
    for child in element:
        _without_prefix(child, made)
    return made


def _write(body: Json, name: str, pairs: list[tuple[Any, Any]], *, is_list: bool) -> None:
    """Write values and what extends them: in lists where the type has one, or where they repeat."""
    for member, column in ((name, 0), ("_" + name, 1)):
        values = [pair[column] for pair in pairs]
        if any(value is not None for value in values):
            body[member] = values if is_list or len(values) > 1 else values[0]


def _holds_resource(element: Any) -> bool:
    return len(element) == 1 and _RESOURCE.match(split(element[0])[1]) is not None


def _path(element: Any, parts: Parts) -> str:
    """Return the FHIRPath of ``element``; names that could be anything are left out."""
    chain = [element, *element.iterancestors()][::-1]
    kind = path = split(chain[0])[1] if _PLAIN_NAME.fullmatch(split(chain[0])[1]) else "Resource"
    for node in chain[1:]:
        name = split(node)[1]
        if not _PLAIN_NAME.fullmatch(name):
            return path
        if kind == "Resource":
            kind, path = name, f"{path}.ofType({name})"
            continue
        part = (parts(kind) or {}).get(name)
        if part is None or part.name == name:
            path += f".{name}"
        else:
            path += f".{part.name}.ofType({part.type})"
        kind = part.type if part else ""
        alike = [*node.getparent().iterchildren(node.tag)]
        if len(alike) > 1:
            path += f"[{alike.index(node)}]"
    return path
