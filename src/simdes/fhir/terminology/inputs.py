"""What an operation was asked with: a Parameters resource (https://hl7.org/fhir/R4/parameters.html).

A URL's query becomes Parameters with ``valueString``; so a text is taken from any of the
text-like values, and a boolean or number also from its text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simdes.errors import Invalid
from simdes.fhir.validate import validate

Parameters = dict[str, Any]

_TEXTS = ("valueUri", "valueCanonical", "valueUrl", "valueCode", "valueString", "valueId")
_TEXTS_TOO = ("valueDateTime", "valueDate", "valueMarkdown")
_BOOLEANS = {"true": True, "false": False}
MOST_PARAMETERS = 1_000
_MISSHAPEN = frozenset({"required", "structure", "too-costly", "value"})
"""What must not be, so that everything has the shape its type says; a wrong code is a question."""


class Inputs:
    """The parameters by name; each asked for by the type the operation defines for it."""

    def __init__(self, parameters: Parameters) -> None:
        rows = parameters.get("parameter", [])
        if parameters.get("resourceType") != "Parameters" or not isinstance(rows, list):
            raise Invalid("a Parameters resource is needed")
        if len(rows) > MOST_PARAMETERS:
            raise Invalid("too many parameters")
        for problem in validate(parameters):
            if problem.is_error and problem.code in _MISSHAPEN:
                raise Invalid(f"{problem.expression}: {problem.message}")
        self._rows: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            name = row.get("name") if isinstance(row, dict) else None
            if not isinstance(name, str):
                raise Invalid("a parameter without a name")
            self._rows.setdefault(name, []).append(row)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def text(self, name: str) -> str:
        """Return the one text ``name``, "" if it was not given."""
        found = self.texts(name)
        if len(found) > 1:
            raise Invalid(f"the parameter {name} is given more than once")
        return found[0] if found else ""

    def texts(self, name: str) -> list[str]:
        """Return every text ``name``."""
        return [_text(row, name) for row in self._rows.get(name, ())]

    def boolean(self, name: str) -> bool | None:
        """Return the boolean ``name``, None if it was not given."""
        row = self._one(name)
        if row is None:
            return None
        value = row.get("valueBoolean", _BOOLEANS.get(str(row.get("valueString"))))
        if not isinstance(value, bool):
            raise Invalid(f"the parameter {name} must be true or false")
        return value

    def number(self, name: str) -> int | None:
        """Return the whole number ``name`` from 0 up, None if it was not given."""
        row = self._one(name)
        if row is None:
            return None
        values = (row.get(k) for k in ("valueInteger", "valueUnsignedInt", "valuePositiveInt"))
        value: Any = next((v for v in values if v is not None), row.get("valueString"))
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
            value = int(value)
        if type(value) is not int or value < 0:
            raise Invalid(f"the parameter {name} must be a whole number, 0 or more")
        return value

    def object(self, name: str, type_: str) -> dict[str, Any] | None:
        """Return the one value ``name`` of a complex type, None if it was not given."""
        row = self._one(name)
        if row is None:
            return None
        value = row.get(f"value{type_}")
        if not isinstance(value, dict):
            raise Invalid(f"the parameter {name} must be a {type_}")
        return value

    def resource(self, name: str, type_: str) -> dict[str, Any] | None:
        """Return the one resource ``name``, None if it was not given."""
        row = self._one(name)
        if row is None:
            return None
        value = row.get("resource")
        if not isinstance(value, dict) or value.get("resourceType") != type_:
            raise Invalid(f"the parameter {name} must hold a {type_}")
        return value

    def parts(self, name: str) -> list[Inputs]:
        """Return the parts of each parameter ``name``."""
        parts = (row.get("part", []) for row in self._rows.get(name, ()))
        return [Inputs({"resourceType": "Parameters", "parameter": rows}) for rows in parts if rows]

    def one_of(self, *names: str) -> str:
        """Return which one of ``names`` was given; raises ``Invalid`` if not exactly one was."""
        given = [name for name in names if name in self._rows]
        if len(given) != 1:
            raise Invalid(f"exactly one of the parameters {', '.join(names)} is needed")
        return given[0]

    def _one(self, name: str) -> dict[str, Any] | None:
        rows = self._rows.get(name, ())
        if len(rows) > 1:
            raise Invalid(f"the parameter {name} is given more than once")
        return rows[0] if rows else None


def _text(row: dict[str, Any], name: str) -> str:
    for key in (*_TEXTS, *_TEXTS_TOO):
        value = row.get(key)
        if isinstance(value, str) and value:
            return value
    raise Invalid(f"the parameter {name} must be a text")


def answer(rows: Iterable[dict[str, Any] | None]) -> Parameters:
    """Return a Parameters resource of the rows, those that are None left out."""
    return {"resourceType": "Parameters", "parameter": [r for r in rows if r is not None]}
