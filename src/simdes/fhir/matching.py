"""Patient/$match: how likely is it that two Patients are one person.

https://hl7.org/fhir/R4/patient-operation-match.html. Pure: the caller searches for candidates with
:func:`candidate_queries` and hands them to :func:`match`.

Each field that both have adds or takes bits (Fellegi and Sunter 1969: the binary logarithm of how
much likelier the agreement is for one person than for two), by the table ``WEIGHTS``. The sum
gives the grade, by ``GRADES``; a contradiction caps it (``CAPS``), however much else agrees: twins
share all but the given name, father and son all but the birth date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simdes.errors import Invalid
from simdes.fhir import likeness
from simdes.fhir.likeness import Level, Resource

MATCH_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
MOST_MATCHES = 50

WEIGHTS: Mapping[str, Mapping[Level, float]] = {
    "identifier": {Level.SAME: 20, Level.CLOSE: 6, Level.DIFFERENT: -4},
    "family": {Level.SAME: 9, Level.CLOSE: 5, Level.DIFFERENT: -4},
    "given": {Level.SAME: 7, Level.CLOSE: 4, Level.HINT: 1, Level.DIFFERENT: -5},
    "birthDate": {Level.SAME: 12, Level.CLOSE: 6, Level.HINT: 4, Level.DIFFERENT: -9},
    "gender": {Level.SAME: 1, Level.DIFFERENT: -4},
    "address": {Level.SAME: 7, Level.CLOSE: 3},
    "telecom": {Level.SAME: 8},
    "birthOrder": {Level.DIFFERENT: -8},
}
"""Bits for each field and how alike it is; nothing where one side has no value."""

GRADES: tuple[tuple[str, float], ...] = (("certain", 32), ("probable", 18), ("possible", 10))
"""The least bits of each grade; below all of them: ``certainly-not``.

Names, birth date and gender alone make 29: there are enough people of one name and age that a
certain match needs more, an address, a telephone or an identifier.
"""

CAPS: Mapping[str, str] = {
    "identifier": "probable",
    "family": "probable",
    "given": "possible",
    "birthDate": "possible",
    "gender": "probable",
    "birthOrder": "possible",
}
"""The best grade left where this field differs."""

_CERTAIN_NEEDS = ("family", "given", "birthDate")
"""Fields that must be the same in a certain match, whatever else agrees."""

_FULL_SCORE_BITS = 40
_ORDER = ("certain", "probable", "possible", "certainly-not")

_FIELDS: Mapping[str, Callable[[Resource, Resource], Level | None]] = {
    "identifier": likeness.identifiers,
    "family": likeness.families,
    "given": likeness.givens,
    "birthDate": likeness.birth_dates,
    "gender": likeness.genders,
    "address": likeness.addresses,
    "telecom": likeness.telecoms,
    "birthOrder": likeness.birth_orders,
}


@dataclass(frozen=True, slots=True)
class Score:
    """How alike two Patients are: ``grade``, ``value`` from 0 to 1, and the level of each field."""

    grade: str
    value: float
    levels: Mapping[str, Level]


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate with its score."""

    candidate: Resource
    score: Score


def score(patient: Resource, candidate: Resource) -> Score:
    """Return how likely it is that ``candidate`` is the person that ``patient`` describes."""
    found = {name: like(patient, candidate) for name, like in _FIELDS.items()}
    levels = {name: level for name, level in found.items() if level is not None}
    bits = sum(WEIGHTS[name].get(level, 0) for name, level in levels.items())
    grade = next((g for g, least in GRADES if bits >= least), "certainly-not")
    limits = [CAPS[n] for n, level in levels.items() if level is Level.DIFFERENT and n in CAPS]
    if any(levels.get(name) is not Level.SAME for name in _CERTAIN_NEEDS):
        limits.append("probable")
    grade = max([grade, *limits], key=_ORDER.index)
    return Score(grade, _value(bits, grade), levels)


def _value(bits: float, grade: str) -> float:
    """Return the bits as 0 to 1, below those of the next better grade."""
    better = [least for name, least in GRADES if _ORDER.index(name) < _ORDER.index(grade)]
    most = min(better) / _FULL_SCORE_BITS - 0.01 if better else 1.0
    return round(max(0.0, min(bits / _FULL_SCORE_BITS, most)), 2)


def match(
    patient: Resource,
    candidates: Iterable[Resource],
    *,
    only_certain: bool = False,
    count: int | None = None,
) -> list[Match]:
    """Return the candidates that may be the person, the likeliest first; at most ``count``.

    With ``only_certain`` (``onlyCertainMatches``) the one certain match, or none: where two are
    certain, none is.
    """
    found = [Match(candidate, score(patient, candidate)) for candidate in candidates]
    found = [m for m in found if m.score.grade != "certainly-not"]
    found.sort(key=lambda m: (_ORDER.index(m.score.grade), -m.score.value))
    if only_certain:
        found = [m for m in found if m.score.grade == "certain"]
        return found if len(found) == 1 else []
    return found[: min(count if count is not None else MOST_MATCHES, MOST_MATCHES)]


def search_of(found: Match) -> dict[str, Any]:
    """Return ``Bundle.entry.search`` of a match: mode, score, grade."""
    grade = {"url": MATCH_GRADE, "valueCode": found.score.grade}
    score_ = Decimal(str(found.score.value))
    return {"extension": [grade], "mode": "match", "score": score_}


# --- candidates ------------------------------------------------------------------------------

Pairs = tuple[tuple[str, str], ...]
"""Search parameters with their values, as in a URL but not percent-encoded."""

_MOST_VALUES = 10


def candidate_queries(patient: Resource) -> tuple[Pairs, ...]:
    """Return the searches on Patient that together find whoever ``patient`` may be.

    Raises ``Invalid`` if it says too little to search by.
    """
    families, givens = likeness.family_words(patient), likeness.given_words(patient)
    dates = likeness.similar_dates(patient)
    identifiers = [
        f"{_escaped(i['system'])}|{_escaped(i['value'])}"
        for i in likeness.rows(patient, "identifier")
        if isinstance(i.get("system"), str) and isinstance(i.get("value"), str)
    ]
    telecoms = [
        _escaped(t["value"])
        for t in likeness.rows(patient, "telecom")
        if isinstance(t.get("value"), str)
    ]
    asked: list[list[tuple[str, list[str]]]] = [
        [("identifier", identifiers)],
        [("family", families), ("birthdate", dates)],
        [("given", givens), ("birthdate", dates)],
        [("family", families), ("given", givens)],
        [("family", givens), ("given", families)],
        [("telecom", telecoms)],
    ]
    found = [
        tuple((name, ",".join(values[:_MOST_VALUES])) for name, values in query)
        for query in asked
        if all(values for _, values in query)
    ]
    if not found:
        raise Invalid(
            "too little is said about the patient to search by",
            advice="Give an identifier, a telecom, or two of family name, given name, birth date.",
        )
    return tuple(found)


def _escaped(text: str) -> str:
    """https://hl7.org/fhir/R4/search.html#escaping"""
    for sign in "\\,|$":
        text = text.replace(sign, "\\" + sign)
    return text
