"""FHIR values in words (https://hl7.org/fhir/R4/datatypes.html): short, whole, nothing invented.

Whatever a resource holds is only text here: templates escape it, and nothing of it becomes markup,
an address or a style.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from simdes.gateway.pages.languages import Reader
from simdes.gateway.pages.languages import mark as _

Json = Mapping[str, Any]

LONGEST: Final = 400
"""Characters of one value; the document itself has the rest."""


def dig(value: Any, path: str) -> Iterator[Any]:
    """Every value under a path such as ``code.text``, through lists; ``a|b``: of the first that
    has some."""
    for choice in path.split("|"):
        found = [value]
        for name in choice.split("."):
            found = [inner for one in found for inner in _members(one, name)]
        if found:
            yield from found
            return


def first(value: Any, path: str) -> Any:
    """The first value under a path, None without one."""
    return next(dig(value, path), None)


def text(value: Any, path: str) -> str:
    """The first string under a path, "" without one."""
    found = first(value, path)
    return found[:LONGEST] if isinstance(found, str) else ""


def say(value: Any, reader: Reader) -> str:
    """A value in words, "" where it says nothing."""
    if isinstance(value, bool):
        return reader.text(_("yes") if value else _("no"))
    if isinstance(value, Decimal | int):
        return reader.number(value)
    if isinstance(value, str):
        return value[:LONGEST]
    if not isinstance(value, Mapping):
        return ""
    for mark, words in _WORDS.items():
        if mark in value:
            return words(value, reader)[:LONGEST]
    return ""


def quantity(value: Json, reader: Reader) -> str:
    """A Quantity: comparator, number as the reader writes it, unit."""
    number = value.get("value")
    if not isinstance(number, Decimal | int) or isinstance(number, bool):
        return ""
    unit = unit_of(value)
    comparator = value.get("comparator")
    sign = f"{comparator} " if isinstance(comparator, str) else ""
    return f"{sign}{reader.number(number)} {unit}".strip()


def unit_of(value: Json) -> str:
    """The unit of a Quantity as its author writes it, else its UCUM code."""
    unit = value.get("unit") or value.get("code") or ""
    return str(unit)[:40] if unit != "1" else ""


def _concept(value: Json, reader: Reader) -> str:
    return text(value, "text|coding.display|coding.code")


def _coding(value: Json, reader: Reader) -> str:
    return text(value, "display|code")


def _reference(value: Json, reader: Reader) -> str:
    return text(value, "display|identifier.value")


def _period(value: Json, reader: Reader) -> str:
    ends = [reader.date(text(value, name)) for name in ("start", "end")]
    return " – ".join(ends) if any(ends) else ""


def _name(value: Json, reader: Reader) -> str:
    parts = [*_texts(value, "prefix"), *_texts(value, "given"), text(value, "family")]
    return text(value, "text") or " ".join(one for one in (*parts, *_texts(value, "suffix")) if one)


def _address(value: Json, reader: Reader) -> str:
    lines = [*_texts(value, "line"), text(value, "postalCode"), text(value, "city")]
    return text(value, "text") or ", ".join(
        one for one in (*lines, text(value, "state"), text(value, "country")) if one
    )


def _range(value: Json, reader: Reader) -> str:
    ends = [say(value.get(name), reader) for name in ("low", "high")]
    return " – ".join(ends) if all(ends) else {0: "≥ ", 1: "≤ "}[not ends[0]] + "".join(ends)


def _ratio(value: Json, reader: Reader) -> str:
    return " / ".join(say(value.get(name), reader) for name in ("numerator", "denominator"))


def _identified(value: Json, reader: Reader) -> str:
    return text(value, "value")


def _dosage(value: Json, reader: Reader) -> str:
    return text(value, "text|patientInstruction")


def _text(value: Json, reader: Reader) -> str:
    return text(value, "text")


_WORDS: Final[Mapping[str, Callable[[Json, Reader], str]]] = {
    "coding": _concept,
    "family": _name,
    "given": _name,
    "city": _address,
    "line": _address,
    "postalCode": _address,
    "low": _range,
    "high": _range,
    "numerator": _ratio,
    "start": _period,
    "end": _period,
    "doseAndRate": _dosage,
    "timing": _dosage,
    "reference": _reference,
    "comparator": quantity,
    "unit": quantity,
    "value": lambda value, reader: quantity(value, reader) or _identified(value, reader),
    "display": _coding,
    "text": _text,
    "code": _coding,
    "identifier": _reference,
}
"""By a member that tells one data type from the others, looked for in this order."""


def _texts(value: Json, name: str) -> list[str]:
    return [one for one in dig(value, name) if isinstance(one, str)]


def _members(value: Any, name: str) -> Iterator[Any]:
    inner = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(inner, list):
        yield from (one for one in inner if one is not None)
    elif inner is not None:
        yield inner
