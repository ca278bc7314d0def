"""FHIR's XML form (https://hl7.org/fhir/R4/xml.html), read and written by the definitions.

A resource is the same dictionary whichever form it came in: ``loads_xml(dumps_xml(r)) == r`` for
every valid ``r``, decimals to the last digit. Two things only are not kept: how the narrative's
XHTML was spelled (quotes, entities, comments; never its content) and the order of members, which
XML prescribes.

Elements are taken in any order, as most servers do. Nothing in a document reaches out or grows:
`simdes.fhir.markup`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from simdes.errors import Invalid, TooLarge
from simdes.fhir import narrative
from simdes.fhir.definitions import resource_types
from simdes.fhir.elements import FHIR, NUMBERS, XHTML, Part, Reader, parts_of, split, xhtml_text
from simdes.fhir.json import MAX_BYTES, MAX_DEPTH
from simdes.fhir.markup import Bounds, parse
from simdes.fhir.problem import BrokenRules, Problem

Json = dict[str, Any]

MAX_TAGS = 2_000_000
MAX_ATTRIBUTES = 4_000_000

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_READER = Reader(parts_of, is_strict=True)
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;"}
    | {"\r": "&#13;"}
)


def loads_xml(data: bytes, *, max_bytes: int = MAX_BYTES) -> Json:
    """Return the resource in ``data``, as `simdes.fhir.json.loads` would from its JSON.

    Raises ``Invalid`` for what is no XML or no resource of R4 (`BrokenRules` with the element's
    path where it breaks the definitions; values' formats, bindings and invariants are for
    `simdes.fhir.validate`), ``TooLarge`` beyond ``max_bytes``, 100 levels or two million tags.
    """
    top = parse(data, Bounds(max_bytes, MAX_TAGS, MAX_ATTRIBUTES))
    return _READER.resource(top)


def dumps_xml(resource: Json, *, is_pretty: bool = False) -> bytes:
    """Return ``resource`` as an XML document in UTF-8, elements in the order of the definitions.

    ``is_pretty``: one element a line, indented. Raises `BrokenRules` with the element's path for
    what the definitions do not have and for characters that XML can't hold; `TooLarge` beyond 100
    levels.
    """
    writer = _Writer(is_pretty=is_pretty)
    try:
        writer.resource(resource, 0, f' xmlns="{FHIR}"')
    except _Fault as fault:
        name = resource.get("resourceType") if type(resource) is dict else None
        top = name if type(name) is str and name in resource_types() else "Resource"
        path = top + "".join(reversed(fault.steps))
        problem = Problem("error", "structure", path, f"can't be XML: {fault.message}", "xml")
        raise BrokenRules([problem]) from None
    return (_DECLARATION + "".join(writer.out) + ("\n" if is_pretty else "")).encode()


class _Fault(Exception):
    """What can't be written; each step out of it adds its name to ``steps``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.steps: list[str] = []


class _Writer:
    """Writes elements to ``out``, piece by piece."""

    def __init__(self, *, is_pretty: bool) -> None:
        self.out: list[str] = []
        self._line = "\n" if is_pretty else ""
        self._indent = "  " if is_pretty else ""

    def resource(self, value: Any, depth: int, space: str = "") -> None:
        name = value.get("resourceType") if type(value) is dict else None
        if type(name) is not str or name not in resource_types():
            raise _Fault("a resource of R4 is needed")
        try:
            self._object(name, value, name, depth, space, is_resource=True)
        except _Fault as fault:
            if depth:
                fault.steps.append(f".ofType({name})")
            raise

    def _object(
        self, tag: str, value: Any, kind: str, depth: int, head: str = "", *, is_resource: bool
    ) -> None:
        """Write an object of type ``kind``; ``head`` are attributes it has already."""
        if type(value) is not dict:
            raise _Fault("an object is needed")
        if depth > MAX_DEPTH:
            raise TooLarge(f"elements nested deeper than {MAX_DEPTH} levels")
        parts = parts_of(kind) or {}
        names = _names(value, kind, is_resource=is_resource)
        inside = [name for name in names if not parts[name].is_attribute]
        if len(inside) < len(names):
            head = "".join(_attribute(n, value) for n in names if parts[n].is_attribute) + head
        if not head and not inside and not is_resource:
            raise _Fault("an element must have a value or children")
        start = f"{self._line}{self._indent * depth}"
        if not inside:
            self.out.append(f"{start}<{tag}{head}/>")
            return
        self.out.append(f"{start}<{tag}{head}>")
        for name in inside:
            try:
                self._member(name, parts[name], value, depth + 1)
            except _Fault as fault:
                part = parts[name]
                is_choice = part.name != name
                step = f".{part.name}.ofType({part.type})" if is_choice else f".{name}"
                fault.steps.append(step)
                raise
        self.out.append(f"{start}</{tag}>")

    def _member(self, name: str, part: Part, owner: Json, depth: int) -> None:
        value, extra = owner.get(name), owner.get("_" + name)
        if not part.is_list:
            if type(value) is list or type(extra) is list:
                raise _Fault("at most one value, not an array")
            self._one(name, part.type, value, extra, depth)
            return
        values, extras = ([] if v is None else v for v in (value, extra))
        if type(values) is not list or type(extras) is not list or not (values or extras):
            raise _Fault("an array of values is needed")
        for index in range(max(len(values), len(extras))):
            one, more = (v[index] if index < len(v) else None for v in (values, extras))
            try:
                self._one(name, part.type, one, more, depth)
            except _Fault as fault:
                fault.steps.append(f"[{index}]")
                raise

    def _one(self, name: str, kind: str, value: Any, extra: Any, depth: int) -> None:
        if kind == "xhtml" and extra is None:
            self.out.append(f"{self._line}{self._indent * depth}{_xhtml(value)}")
        elif kind[0].islower():
            self._primitive(name, kind, value, extra, depth)
        elif extra is not None:
            raise _Fault("only a primitive is extended beside itself")
        elif kind == "Resource":
            start = f"{self._line}{self._indent * depth}"
            self.out.append(f"{start}<{name}>")
            self.resource(value, depth + 1)
            self.out.append(f"{start}</{name}>")
        else:
            self._object(name, value, kind, depth, is_resource=False)

    def _primitive(self, name: str, kind: str, value: Any, extra: Any, depth: int) -> None:
        head = "" if value is None else f' value="{_text(kind, value)}"'
        if extra is None:
            if not head:
                raise _Fault("an element must have a value or children")
            self.out.append(f"{self._line}{self._indent * depth}<{name}{head}/>")
            return
        self._object(name, extra, "Element", depth, head, is_resource=False)


@cache
def _order(kind: str) -> Mapping[str, int]:
    return {name: place for place, name in enumerate(parts_of(kind) or {})}


def _names(value: Json, kind: str, *, is_resource: bool) -> list[str]:
    """Return the elements in ``value`` in order; ``name`` and ``_name`` are one."""
    order = _order(kind)
    names = {key[1:] if key[:1] == "_" else key for key in value}
    if is_resource:
        names.discard("resourceType")
    if not order.keys() >= names:
        raise _Fault("a member that is no element of this type")
    return sorted(names, key=order.__getitem__)


def _attribute(name: str, owner: Json) -> str:
    text = owner.get(name)
    if type(text) is not str or "_" + name in owner:
        raise _Fault(f"{name} must be a string that nothing extends")
    return f' {name}="{_escaped(text)}"'


def _boolean(value: Any) -> str | None:
    return str(value).lower() if type(value) is bool else None


def _number(value: Any) -> str | None:
    return str(value) if type(value) is int or isinstance(value, Decimal) else None


def _string(value: Any) -> str | None:
    return _escaped(value) if type(value) is str else None


_WRITTEN: Mapping[str, Callable[[Any], str | None]] = {
    "boolean": _boolean,
    **dict.fromkeys(NUMBERS, _number),
}
"""How a primitive's value is written; as a string unless listed."""


def _text(kind: str, value: Any) -> str:
    text = _WRITTEN.get(kind, _string)(value)
    if text is None:
        raise _Fault(f"not a valid {kind}")
    return text


def _escaped(text: str) -> str:
    if _UNWRITABLE.search(text):
        raise _Fault("a string holds a character that XML has not")
    return text.translate(_ESCAPES)


def _xhtml(value: Any) -> str:
    """Return narrative as it may stand in a document: parsed and written again, so that it can't
    be more than one element."""
    if type(value) is not str:
        raise _Fault("not a valid xhtml")
    data = narrative.with_numeric_entities(value).encode("utf-8", "surrogatepass")
    try:
        top = parse(data, Bounds(MAX_BYTES, MAX_TAGS, MAX_ATTRIBUTES))
    except Invalid as error:
        raise _Fault("narrative that is not well-formed XHTML") from error
    if split(top) != (XHTML, "div"):
        raise _Fault("narrative that is no div in the XHTML namespace")
    return xhtml_text(top)
