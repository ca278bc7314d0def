"""A de-identified resource as its class tells it: fewer codes, coarser dates, or not at all."""

from __future__ import annotations

from typing import Any

from simdes.research.dates import INSTANT_END, coarsened
from simdes.research.deidentify import MASKED
from simdes.research.enforce import NO_DATES
from simdes.research.facts import Quasi, is_date

Resource = dict[str, Any]


def patient_as_told(patient: Resource, quasi: Quasi) -> Resource:
    """Return the de-identified ``patient`` with the quasi-identifiers of its class."""
    made: Resource = {"resourceType": "Patient", "id": patient["id"]}
    if quasi.sex:
        made["gender"] = quasi.sex
    if quasi.birth:
        made["birthDate"] = quasi.birth
    if quasi.deceased:
        made["deceasedBoolean"] = True
    parts = zip(("country", "state", "postalCode"), quasi.place.split("|"), strict=False)
    place = {name: value for name, value in parts if value}
    if place:
        made["address"] = [place]
    return made


def fact_as_told(resource: Resource, codes: frozenset[str], precision: str) -> Resource:
    """Return ``resource`` with these ``codes`` alone and dates to ``precision``.

    What goes says ``masked``, so that the rest stays valid.
    """
    made: Resource = _object(resource, codes, precision)
    return made


def _object(value: Resource, codes: frozenset[str], precision: str) -> Resource:
    made: Resource = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            made[key] = _inner(inner, codes, precision)
        elif isinstance(inner, list) and inner and is_date(inner[0]):
            dates = [_date(d, precision) for d in inner]
            made |= {key: dates} if precision else {f"_{key}": [MASKED for _ in dates]}
        elif isinstance(inner, list):
            made[key] = [
                _inner(v, codes, precision) if isinstance(v, dict) else v
                for v in inner
                if not _is_hidden(v, codes)
            ]
            if not made[key]:
                del made[key]
        elif is_date(inner) and key != "id":
            made |= {key: _date(inner, precision)} if precision else {f"_{key}": MASKED}
        else:
            made[key] = inner
    return made


def _inner(value: Resource, codes: frozenset[str], precision: str) -> Resource:
    if _is_hidden(value, codes):
        return dict(MASKED)
    made = _object(value, codes, precision)
    return made or dict(MASKED)


def _is_hidden(value: Any, codes: frozenset[str]) -> bool:
    """Whether ``value`` is a Coding that may not be told."""
    is_coding = isinstance(value, dict) and "system" in value and "value" not in value
    return is_coding and f"{value['system']}|{value.get('code')}" not in codes


def _date(value: str, precision: str) -> str:
    if precision == NO_DATES:
        return value
    told = coarsened(value, precision)
    if value.endswith(INSTANT_END):
        return told + "0000-01-01"[len(told) :] + INSTANT_END
    return told
