"""Change an entry by what was typed into a form, or strike it as one that was never right.

Staff correct what they wrote (`exchange.correcting`): values alone, each in the kind that stands
there; no ids, references, systems or files.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from simdes import typed_numbers
from simdes.errors import Invalid

MOST_FIELDS: Final = 60
ERROR: Final = "entered-in-error"
_VERIFIED: Final = {
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
}
"""Types whose error is said by a verification status, beside which no clinical one may stand."""
_LEFT: Final = frozenset(
    (
        *("resourceType", "id", "meta", "div", "contained", "extension", "modifierExtension"),
        *("reference", "system", "url", "identifier", "data", "hash", "size", "contentType"),
    )
)
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an entry. ``name`` is where it stands, as forms carry it."""

    name: str
    path: Path
    value: Any


def fields(resource: Mapping[str, Any]) -> list[Field]:
    """The values of an entry that a form may change: no ids, references, systems or files."""
    leaves = islice(_leaves(resource, ()), MOST_FIELDS)
    return [Field(".".join(map(str, path)), path, value) for path, value in leaves]


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            narrative = name == "text" and isinstance(inner, Mapping)
            if name not in _LEFT and not name.startswith("_") and not narrative:
                yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, (*path, at))
    elif value is not None:
        yield path, value


def changed(before: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """The entry with what was typed, by the names of its fields. Raises Invalid for what does not
    fit where it stands."""
    after: dict[str, Any] = copy.deepcopy(dict(before))
    for one in fields(before):
        text = typed.get(one.name)
        if text is None or text == said(one.value):
            continue
        _put(after, one.path, _read(one, text.strip()))
    return after


def said(value: Any) -> str:
    """A value as a form shows it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(one: Field, text: str) -> Any:
    """What was typed, in the kind of value that stands there."""
    if not text:
        raise Invalid(
            "A value is missing.", advice="To strike the entry, tick that it is an error."
        )
    if isinstance(one.value, bool):
        if text not in ("true", "false"):
            raise Invalid("A value is true or false.")
        return text == "true"
    if isinstance(one.value, int | Decimal):
        number = typed_numbers.read(text)
        if number is None:
            raise Invalid("A value is no number.", advice="Type digits, with a point or comma.")
        if isinstance(one.value, int) and number == int(number):
            return int(number)
        return number
    return text


def _put(resource: dict[str, Any], path: Path, value: Any) -> None:
    at: Any = resource
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value


def struck(before: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as one that was never right (https://hl7.org/fhir/R4/lifecycle.html)."""
    after: dict[str, Any] = copy.deepcopy(dict(before))
    system = _VERIFIED.get(str(before["resourceType"]))
    if system:
        after["verificationStatus"] = {"coding": [{"system": system, "code": ERROR}]}
        after.pop("clinicalStatus", None)
    elif "status" in before:
        after["status"] = ERROR
    else:
        raise Invalid("This entry can't be struck.", advice="Correct what is wrong in it.")
    return after


def can_strike(resource: Mapping[str, Any]) -> bool:
    """Whether an entry can be marked as entered in error."""
    return resource.get("resourceType") in _VERIFIED or "status" in resource
