"""Resources of an older version with a value of its own in every place of every element."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from simdes.fhir.elements import Part
from simdes.mapper.older.shapes import is_primitive, shape

MAX_DEPTH = 4
_LEFT = frozenset(("contained", "extension", "modifierExtension", "id", "implicitRules", "meta"))


class Planter:
    """Makes values that nothing else has: ``planted`` has the text of each, by its path."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.planted: dict[str, str] = {}
        self._numbers = count(1000)

    def resource(self, kind: str, variant: int) -> dict[str, Any]:
        """Make a resource; ``variant`` chooses among the types of each choice."""
        return {"resourceType": kind, "id": "one"} | self._body(kind, kind, variant, 0)

    def _body(self, kind: str, path: str, variant: int, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        found = shape(self.version, kind)
        names: dict[str, list[str]] = {}
        for name, part in (found.parts if found else {}).items():
            if name not in _LEFT and part.type not in ("Resource", "Narrative"):
                names.setdefault(part.name, []).append(name)
        for choices in names.values():
            name = choices[variant % len(choices)]
            part = found.parts[name] if found else Part("", "", is_list=False)
            if depth >= MAX_DEPTH and not is_primitive(part.type):
                continue
            value = self._value(part, f"{path}.{name}", variant, depth)
            if value not in ({}, None):
                made[name] = [value] if part.is_list else value
        return made

    def _value(self, part: Part, path: str, variant: int, depth: int) -> Any:
        if not is_primitive(part.type):
            return self._body(part.type, path, variant, depth + 1)
        number = next(self._numbers)
        made = _PRIMITIVES.get(part.type, lambda n: f"v{n}")(number)
        if made is not None and not isinstance(made, bool):
            self.planted[path] = str(made)
        return made


_PRIMITIVES: dict[str, Any] = {
    "boolean": lambda _: True,
    "integer": lambda n: n,
    "positiveInt": lambda n: n,
    "unsignedInt": lambda n: n,
    "decimal": lambda n: n,
    "date": lambda n: f"{n}-02-03",
    "dateTime": lambda n: f"{n}-02-03T04:05:06Z",
    "instant": lambda n: f"{n}-02-03T04:05:06Z",
    "time": lambda n: f"{n % 24:02}:{n % 60:02}:00.{n}",
    "base64Binary": lambda n: f"{n}",
    "uri": lambda n: f"http://place.example/{n}",
    "oid": lambda n: f"urn:oid:1.2.840.{n}",
    "xhtml": lambda _: None,
}


def leaves(value: Any) -> Iterator[str]:
    """Give the text of every primitive in a JSON value."""
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    elif value is not None:
        yield str(value)
