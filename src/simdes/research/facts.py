"""What an attacker may know of a de-identified resource: who, what, when.

A person's quasi-identifiers are read off the Patient that leaves; every other resource is a *fact*:
its type, its main code, and all its dates as they leave. Codes anywhere in it count, too: a rare
diagnosis gives its bearer away as a reason of a visit as well as by itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simdes.research.dates import INSTANT_END, coarsened

Resource = dict[str, Any]
QUASI = ("birth", "sex", "place", "deceased")
_MAIN = (
    "code",
    "vaccineCode",
    "medicationCodeableConcept",
    "type",
    "class",
    "category",
    "serviceType",
    "procedureCode",
)
_CENTURIES = frozenset(("18", "19", "20", "21"))


class Fact(NamedTuple):
    """A resource as an attacker may know it. ``code``: ``system|code``, "" if it has none."""

    type: str
    code: str
    codes: tuple[str, ...]
    dates: tuple[str, ...]


class Quasi(NamedTuple):
    """The quasi-identifiers of a person, as a policy leaves them; "" where there is none."""

    birth: str = ""
    sex: str = ""
    place: str = ""
    deceased: str = ""


def quasi_of(patient: Resource) -> Quasi:
    """Return the quasi-identifiers of a de-identified ``patient``."""
    address = (patient.get("address") or [{}])[0]
    place = "|".join(address.get(k, "") for k in ("country", "state", "postalCode"))
    died = patient.get("deceasedBoolean") is True or "deceasedDateTime" in patient
    birth, sex = patient.get("birthDate", ""), patient.get("gender", "")
    return Quasi(birth, sex, place.rstrip("|"), "yes" if died else "")


def fact_of(resource: Resource) -> Fact:
    """Return what may be known of a de-identified ``resource``."""
    dates: list[str] = []
    codes: set[str] = set()
    waiting: list[Any] = [resource]
    while waiting:
        holder = waiting.pop()
        if type(holder) is list:
            for value in holder:
                kind = type(value)
                if kind is dict or kind is list:
                    waiting.append(value)
                elif kind is str and is_date(value):
                    dates.append(value)
            continue
        for key, value in holder.items():
            kind = type(value)
            if kind is dict or kind is list:
                waiting.append(value)
            elif kind is not str:
                continue
            elif key == "code" and "system" in holder:
                if "value" not in holder:  # a unit is no fact
                    codes.add(f"{holder['system']}|{value}")
            elif is_date(value):
                dates.append(value)
    return Fact(resource["resourceType"], _main(resource), tuple(sorted(codes)), tuple(dates))


def at(dates: tuple[str, ...], precision: str) -> tuple[str, ...]:
    """Return a fact's ``dates`` coarsened; one date once, in the order of time."""
    if len(dates) == 1:
        return (coarsened(dates[0], precision),)
    return tuple(sorted({coarsened(d, precision) for d in dates}))


def is_date(value: Any) -> bool:
    """Whether ``value`` is a date as de-identification writes them."""
    if not isinstance(value, str) or value[:2] not in _CENTURIES:
        return False
    plain = value.removesuffix(INSTANT_END)
    return len(plain) in (4, 7, 10) and plain.replace("-", "").isdigit() and plain[4:5] in ("", "-")


def _main(resource: Resource) -> str:
    for name in _MAIN:
        value = resource.get(name)
        value = value[0] if isinstance(value, list) else value
        if not isinstance(value, dict):
            continue
        coded = (value.get("coding") or [value])[0]
        if "system" in coded:
            return f"{coded['system']}|{coded['code']}"
    return ""
