"""k-anonymity and l-diversity enforced: by telling less, then by telling nothing.

1. Quasi-identifiers are generalised for all people alike (full-domain recoding): of all choices of
   steps the one that loses least, and leaves at most ``suppress_at_most`` of the people in classes
   too small or with too few sensitive values. Those people are left out.
2. Within each class, what is told of facts is such that any two of them together, with their dates
   and so with the time between them, are shared by k people of the class (k^m-anonymity of
   Terrovitis, Mamoulis and Kalnis 2008, for ``known_facts`` = 2). Codes come first, the frequent
   before the rare; a fact's dates are told by day, month or year, whichever is shared, or not.

A class decides for all its people: what one may not tell, no one in the class tells, so what is
missing points at nobody. Bit sets over the people of a class make the second step quick.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from simdes.research.facts import QUASI, Fact, Quasi, at
from simdes.research.ladders import generalised, heights
from simdes.research.policy import PRECISIONS, Policy

Told = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A fact as told: type, codes, dates (none if they are not told)."""
NO_DATES = ""


Key = TypeVar("Key")


class Person(NamedTuple):
    """One person: pseudonym, quasi-identifiers, sensitive value ("" if none)."""

    pseudonym: str
    quasi: Quasi
    sensitive: str


@dataclass(frozen=True, slots=True)
class ClassRules:
    """What a class tells: these codes and no others, these facts."""

    codes: frozenset[str]
    facts: frozenset[Told]
    precisions: tuple[str, ...]
    """How dates may be told, finest first, ``NO_DATES`` last."""

    def told(self, fact: Fact) -> str | None:
        """Return how exactly the dates of ``fact`` are told, None if it isn't told at all.

        A precision, or ``NO_DATES``.
        """
        codes = _kept(fact, self.codes)
        if codes is None:
            return None
        for precision in self.precisions:
            if (fact.type, codes, _dates(fact, precision)) in self.facts:
                return precision
        return None


@dataclass(slots=True)
class Suppressed:
    """What was not told, in numbers of people, classes, and resources by type and reason."""

    people: int = 0
    classes: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    """Per code the classes that don't tell it."""
    resources: Counter[str] = field(default_factory=Counter)
    dates: Counter[str] = field(default_factory=Counter)
    """Per precision, and ``none``, the resources that tell their dates so."""


@dataclass(frozen=True, slots=True)
class Recoding:
    """The steps that everybody's quasi-identifiers take, and who is left in which class."""

    steps: Mapping[str, str]
    class_of: Mapping[str, Quasi]
    """Per pseudonym the quasi-identifiers as told; who is not in it is left out."""
    left_out: int


def recode(people: Iterable[Person], policy: Policy) -> Recoding:
    """Choose the steps of the quasi-identifiers and who is left out."""
    rows = list(people)
    wanted = policy.rules.anonymity
    kinds: Counter[tuple[Quasi, str]] = Counter((p.quasi, p.sensitive) for p in rows)
    allowed = wanted.suppress_at_most * len(rows)
    best: tuple[int, dict[str, str], frozenset[Quasi]] | None = None
    for steps in heights(wanted.ladders):
        least = min(wanted.class_at_least, max(len(rows), 1))
        good, lost = _good_classes(kinds, steps, max(least, wanted.k), wanted.l)
        if lost <= allowed:
            best = (lost, steps, good)
            break
        if best is None or lost < best[0]:
            best = (lost, steps, good)
    if best is None:
        return Recoding({}, {}, 0)
    lost, steps, good = best
    told = {p.pseudonym: _told(p.quasi, steps) for p in rows}
    return Recoding(steps, {n: q for n, q in told.items() if q in good}, lost)


def _good_classes(
    kinds: Counter[tuple[Quasi, str]], steps: Mapping[str, str], least: int, diverse: int
) -> tuple[frozenset[Quasi], int]:
    """Return the classes that are large and diverse enough, and how many people are in none."""
    sizes: Counter[Quasi] = Counter()
    values: defaultdict[Quasi, set[str]] = defaultdict(set)
    for (quasi, sensitive), count in kinds.items():
        told = _told(quasi, steps)
        sizes[told] += count
        values[told].add(sensitive)
    good = frozenset(q for q, n in sizes.items() if n >= least and len(values[q]) >= diverse)
    return good, sum(n for q, n in sizes.items() if q not in good)


def _told(quasi: Quasi, steps: Mapping[str, str]) -> Quasi:
    return Quasi(*(generalised(q, v, steps[q]) for q, v in zip(QUASI, quasi, strict=True)))


def rules_of_class(
    people: Sequence[str], facts: Callable[[], Iterable[tuple[str, Fact]]], policy: Policy
) -> ClassRules:
    """Decide what the class of ``people`` (pseudonyms) tells of its ``facts``, read five times."""
    wanted = policy.rules.anonymity
    bit = {name: 1 << place for place, name in enumerate(people)}
    accepted = _Accepted(wanted.k, wanted.known_facts)
    bits: defaultdict[str, int] = defaultdict(int)
    for name, fact in facts():
        for code in (*fact.codes, _type_key(fact)):
            bits[code] |= bit[name]
    codes = frozenset(accepted.take(bits))
    told: set[Told] = set()
    precisions = (*PRECISIONS[PRECISIONS.index(policy.rules.dates.finest) :], NO_DATES)
    for precision in precisions:
        found: defaultdict[Told, int] = defaultdict(int)
        so_far = ClassRules(codes, frozenset(told), precisions)
        for name, fact in facts():
            kept = _kept(fact, codes)
            if kept is not None and so_far.told(fact) is None:
                found[(fact.type, kept, _dates(fact, precision))] |= bit[name]
        told.update(accepted.take(found))
    return ClassRules(codes, frozenset(told), precisions)


def _type_key(fact: Fact) -> str:
    return f"type|{fact.type}"


def _kept(fact: Fact, codes: frozenset[str]) -> tuple[str, ...] | None:
    """Return the codes of ``fact`` that may be told, None if its type or main code may not."""
    if _type_key(fact) not in codes or (fact.code and fact.code not in codes):
        return None
    return tuple(c for c in fact.codes if c in codes)


def _dates(fact: Fact, precision: str) -> tuple[str, ...]:
    return at(fact.dates, precision) if precision else ()


class _Accepted:
    """Sets of people, any ``together`` of which have nobody or ``k`` people in common."""

    def __init__(self, k: int, together: int) -> None:
        self._k = k
        self._together = together
        self._sets: list[int] = []
        self._known: set[int] = set()

    def take(self, found: Mapping[Key, int]) -> list[Key]:
        """Return the keys of ``found`` whose sets of people may be told, frequent ones first."""
        kept: list[Key] = []
        for key, people in sorted(found.items(), key=lambda f: (-f[1].bit_count(), repr(f[0]))):
            if people.bit_count() >= self._k and self._fits(people):
                kept.append(key)
                if people not in self._known:
                    self._known.add(people)
                    self._sets.append(people)
        return kept

    def _fits(self, people: int) -> bool:
        if self._together == 1 or people in self._known:
            return True
        k = self._k
        return all(not (c := people & s) or c.bit_count() >= k for s in self._sets)


def classes(recoding: Recoding) -> Iterator[tuple[Quasi, list[str]]]:
    """Yield each class with its people, both in order."""
    members: defaultdict[Quasi, list[str]] = defaultdict(list)
    for name, quasi in recoding.class_of.items():
        members[quasi].append(name)
    for quasi in sorted(members):
        yield quasi, sorted(members[quasi])
