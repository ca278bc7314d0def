"""Which insured person a question is about (pure).

By the number on the card together with the birth date, and a name that agrees; of a dependent the
given name and, where both sides say it, the relationship (docs/decisions/0052). Whoever can't be
told apart is nobody: an answer about somebody else would disclose and mislead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from simdes.claims.coordination import in_order
from simdes.claims.reading import coded, reference_of
from simdes.fhir.likeness import folded

Json = Mapping[str, Any]

_SELF: Final = frozenset(("self", "18"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is said of somebody insured, or of whom it is asked: the numbers they go by, their birth
    date (``YYYY-MM-DD``), names folded, and how they are related to who holds the cover."""

    numbers: frozenset[str]
    born: str
    given: str
    family: str
    relation: frozenset[str]

    @property
    def is_dependent(self) -> bool:
        """Whether the relationship is said, and is another than their own."""
        return bool(self.relation) and self.relation.isdisjoint(_SELF)


def person_of(patient: Json, coverage: Json) -> Person:
    """Read a Patient and the Coverage of which they are the beneficiary."""
    name: Json = next(iter(patient.get("name") or ()), {})
    given = [one for one in name.get("given") or () if isinstance(one, str)]
    numbers = [one.get("value") for one in coverage.get("identifier") or ()]
    numbers.append(coverage.get("subscriberId"))
    return Person(
        numbers=frozenset(str(one).strip() for one in numbers if one),
        born=str(patient.get("birthDate") or ""),
        given="".join(folded(given[0])) if given else "",
        family="".join(folded(str(name.get("family") or ""))),
        relation=frozenset(code for _, code in coded(coverage.get("relationship"))),
    )


def is_same(asked: Person, known: Person) -> bool:
    """Whether somebody insured is who it is asked about."""
    if asked.numbers.isdisjoint(known.numbers) or not asked.born or asked.born != known.born:
        return False
    if asked.relation and known.relation and asked.relation.isdisjoint(known.relation):
        return False
    if asked.is_dependent or known.is_dependent:
        return bool(asked.given) and asked.given == known.given
    said = bool(asked.given or asked.family) and bool(known.given or known.family)
    return not said or (
        (bool(asked.given) and asked.given == known.given)
        or (bool(asked.family) and asked.family == known.family)
    )


def find_cover(asked: Person, known: Iterable[tuple[Json, Json]], day: date) -> Json | None:
    """The Coverage of the one person meant, of several the one that is asked first on ``day``.

    ``known`` are (Coverage, its beneficiary's Patient). None for nobody, and where several people
    could be meant.
    """
    found = [cover for cover, patient in known if is_same(asked, person_of(patient, cover))]
    if len({reference_of(one.get("beneficiary")) for one in found}) != 1:
        return None
    return next(iter(in_order(found, day)), found[0])
