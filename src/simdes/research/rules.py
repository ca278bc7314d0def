"""What a policy's rules do to a value. Each takes a value and the run; None: it doesn't leave.

Whatever is not of the shape that FHIR gives the kind doesn't leave either: text where a number
belongs would be text all the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simdes.fhir import codes
from simdes.fhir.definitions import Element, value_set_codes
from simdes.fhir.reference import parse_reference
from simdes.research.checkdigits import has_luhn, has_verhoeff
from simdes.research.dates import INSTANT_END, coarsened, shifted, year_of
from simdes.research.policy import Policy, regions
from simdes.research.pseudonyms import Pseudonyms

Json = Any
Rule = Callable[[Json, "Run"], Json]

UCUM = "http://unitsofmeasure.org"
_PER_YEAR = {"a": 1.0, "mo": 12.0, "wk": 52.1775, "d": 365.2425, "h": 8765.82, "min": 525949.2}
_CHECKS: dict[str, Callable[[str, str], bool]] = {
    "": lambda system, code: True,
    "verhoeff": lambda system, code: has_verhoeff(code),
    "luhn": lambda system, code: has_luhn(code),
    "known": lambda system, code: codes.exists(system, code) is True,
}
_NOTE = re.compile(r"\{[^}]*\}")


@dataclass(slots=True)
class Run:
    """One person in one study: what the rules need to know, and what they dropped, by kind."""

    policy: Policy
    pseudonyms: Pseudonyms
    subject: str
    this_year: int
    shift: int
    pseudonym: str
    patient_steps: frozenset[str] = frozenset()
    resource: dict[str, Any] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)


def keep(value: Json, run: Run) -> Json:
    """Pass booleans and numbers, nothing else."""
    return value if isinstance(value, bool | int | Decimal) else None


def drop(value: Json, run: Run) -> Json:
    """Pass nothing."""
    return None


def shift(value: Json, run: Run) -> Json:
    """Move a date by the person's days and leave what the policy allows of it."""
    moved = shifted(value, run.shift) if isinstance(value, str) else None
    return None if moved is None else coarsened(moved, run.policy.rules.dates.finest)


def shift_instant(value: Json, run: Run) -> Json:
    """Move an instant; R4 wants it whole, so it is told as the beginning of its span."""
    moved = shift(value, run)
    return None if moved is None else moved + "0000-01-01"[len(moved) :] + INSTANT_END


def bound(element: Element) -> Rule:
    """Return the rule of a code: one of the value set that binds it passes."""
    binding = element.binding
    known = value_set_codes(binding.value_set) if binding else None
    if known is None:
        return drop
    return lambda value, run: value if isinstance(value, str) and value in known else None


def coding(value: Json, run: Run) -> Json:
    """Pass system and code of a declared system; displays, which anybody may write, stay here."""
    if not isinstance(value, dict):
        return None
    system, code = value.get("system"), value.get("code")
    if not (isinstance(system, str) and isinstance(code, str) and _is_code(system, code, run)):
        run.dropped["code of no declared system"] += 1
        return None
    return {"system": system, "code": code}


def quantity(value: Json, run: Run) -> Json:
    """Pass a number with its UCUM unit; a span of time above the oldest age is cut to that."""
    if not isinstance(value, dict):
        return None
    number, unit = value.get("value"), value.get("code")
    is_number = isinstance(number, int | Decimal) and not isinstance(number, bool)
    if not (is_number and value.get("system") == UCUM and isinstance(unit, str)):
        return None
    if not _is_code(UCUM, unit, run):
        return None
    oldest = run.policy.rules.birth.oldest
    if unit in _PER_YEAR and float(number or 0) / _PER_YEAR[unit] > oldest:
        number, unit = oldest + 1, "a"
    made = {"value": number, "system": UCUM, "code": unit}
    if value.get("comparator") in ("<", "<=", ">=", ">"):
        made["comparator"] = value["comparator"]
    return made


def reference(path: tuple[str, ...]) -> Rule:
    """Return the rule of a reference at ``path`` below its resource."""
    step = ".".join(path)

    def refer(value: Json, run: Run) -> Json:
        literal = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(literal, str):
            return None
        parsed = parse_reference(literal)
        if parsed.kind == "fragment" and parsed.id:
            return {"reference": "#" + run.pseudonyms.resource(run.subject, literal)}
        kind = parsed.type
        if kind not in run.policy.rules.references or not parsed.id:
            return None
        if kind == "Patient":  # this patient, where the compartment says so, or somebody else
            is_own = step in run.patient_steps
            return {"reference": f"Patient/{run.pseudonym}"} if is_own else None
        name = f"{kind}/{parsed.id}"
        return {"reference": f"{kind}/{run.pseudonyms.resource(run.subject, name)}"}

    return refer


def birth(value: Json, run: Run) -> Json:
    """Tell a birth by year or span of years; who is older than the oldest age is that and one."""
    year = year_of(shifted(value, run.shift)) if isinstance(value, str) else None
    if year is None:
        return None
    rules = run.policy.rules.birth
    died = run.resource.get("deceasedDateTime")
    last = year_of(shifted(died, run.shift)) if isinstance(died, str) else None
    end = run.this_year if last is None else last
    if end - year > rules.oldest:
        year = end - rules.oldest - 1
    return f"{year - year % rules.years:04d}"


def deceased(value: Json, run: Run) -> Json:
    """Pass that somebody died, and the moved day of it."""
    return value if isinstance(value, bool) else shift(value, run)


def place(value: Json, run: Run) -> Json:
    """Pass of an address what the policy keeps: a country, a state, three digits of a ZIP code."""
    if not isinstance(value, dict):
        return None
    kept = run.policy.rules.places.kept
    state = _region("state", value.get("state"))
    country = _region("country", value.get("country")) or ("US" if state else None)
    if country != "US":
        state = None
    made = {"country": country, "state": state if "state" in kept else None}
    code = value.get("postalCode")
    if "postal3" in kept and state and isinstance(code, str) and re.match(r"[0-9]{5}(?!\d)", code):
        made["postalCode"] = "000" if code[:3] in run.policy.rules.places.sparse else code[:3]
    return {k: v for k, v in made.items() if v} or None


def _region(kind: str, name: Json) -> str | None:
    return regions().get(f"{kind}|{name.strip().casefold()}") if isinstance(name, str) else None


def _is_code(system: str, code: str, run: Run) -> bool:
    rules = run.policy.rules
    declared = rules.systems.get(system)
    if declared is None:
        return system.startswith(rules.known_prefixes) and codes.exists(system, code) is True
    if not re.fullmatch(declared.pattern, code) or not _CHECKS[declared.check](system, code):
        return False
    return system != UCUM or rules.unit_notes.issuperset(_NOTE.findall(code))
