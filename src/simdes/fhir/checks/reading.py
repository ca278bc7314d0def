"""Read FHIR JSON that may be anything: what is not as it should be reads as if it were not there.

Records come from many systems; a check must not fail because one of a hundred resources is odd.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

Resource = dict[str, Any]
Code = tuple[str, str]

_MOST_CHARACTERS: Final = 500
_MOST_DIGITS: Final = 12
_WORD = re.compile(r"[a-z0-9]+")
_DAY = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit: the UCUM code, else what was written."""

    value: float
    unit: str


def objects(value: Any) -> Iterator[Resource]:
    """The JSON objects of a list, or the one object itself."""
    for one in value if isinstance(value, list) else (value,):
        if isinstance(one, dict):
            yield one


def member(value: Any, *names: str) -> Any:
    """What stands at a path of objects; None where the path ends early."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Any) -> str:
    """A text, cut to what a name could be; "" for anything else."""
    return value[:_MOST_CHARACTERS] if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """A number of sensible size."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Decimal(value)
    if not exact.is_finite() or (exact and abs(exact.adjusted()) > _MOST_DIGITS):
        return None
    return float(exact)


def quantity(value: Any) -> Quantity | None:
    """A Quantity with a value; its unit may be empty."""
    found = number(member(value, "value"))
    if found is None:
        return None
    return Quantity(found, text(member(value, "code")) or text(member(value, "unit")))


def day(value: Any) -> date | None:
    """The day of a date, dateTime or instant; of a month or year its first."""
    match = _DAY.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None


def codes(concept: Any) -> frozenset[Code]:
    """The codes of a CodeableConcept with their systems."""
    return frozenset(
        (text(one.get("system")), text(one.get("code")))
        for one in objects(member(concept, "coding"))
        if text(one.get("code"))
    )


def coded(concept: Any) -> frozenset[str]:
    """The codes of a CodeableConcept, whatever their systems."""
    return frozenset(code for _, code in codes(concept))


def names(concept: Any) -> tuple[str, ...]:
    """The text and displays of a CodeableConcept."""
    found = [text(member(concept, "text"))]
    found += [text(one.get("display")) for one in objects(member(concept, "coding"))]
    return tuple(dict.fromkeys(one for one in found if one.strip()))


def words(name: str) -> tuple[str, ...]:
    """The words of a name in small letters without accents."""
    plain = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("Œ", "oe"))
    bare = "".join(one for one in plain if not unicodedata.combining(one))
    return tuple(_WORD.findall(bare.lower()))


def reference(resource: Resource) -> str:
    """``Type/id`` of a resource; "" where it has none."""
    kind, id = text(resource.get("resourceType")), text(resource.get("id"))
    return f"{kind}/{id}" if kind and id else ""


def points_to(value: Any) -> str:
    """Where a Reference leads, as ``Type/id`` without server and version, or as it is."""
    literal = text(member(value, "reference"))
    if literal.startswith(("#", "urn:")):
        return literal
    parts = literal.partition("/_history/")[0].split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else literal


def rank(resources: list[Resource]) -> list[Resource]:
    """Resources in an order of their own, whatever order they came in."""
    return sorted(resources, key=lambda one: (reference(one), repr(one)))
