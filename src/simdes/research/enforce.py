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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    people: Sequence[str], facts: Iterable[tuple[str, Fact]], policy: Policy
) -> ClassRules:
    """Decide what the class of ``people`` (pseudonyms) tells of its ``facts``, read once.

    Memory grows with the facts that differ, not with how often they are said.
    """
    wanted = policy.rules.anonymity
    held = _held(people, facts)
    accepted = _Accepted(wanted.k, wanted.known_facts)
    bits: defaultdict[str, int] = defaultdict(int)
    for fact, numbers in held.items():
        bearers = _bits(numbers)
        for code in (*fact.codes, _type_key(fact)):
            bits[code] |= bearers
    codes = frozenset(accepted.take(bits))
    precisions = (*PRECISIONS[PRECISIONS.index(policy.rules.dates.finest) :], NO_DATES)
    told: set[Told] = set()
    waiting = [(f, kept) for f in held if (kept := _kept(f, codes)) is not None]
    for place, precision in enumerate(precisions):
        found: defaultdict[Told, list[int]] = defaultdict(list)
        for fact, kept in waiting:
            found[(fact.type, kept, _dates(fact, precision))] += held[fact]
        shared = {
            key: bearers
            for key, numbers in found.items()
            if len(numbers) >= wanted.k and (bearers := _bits(numbers)).bit_count() >= wanted.k
        }
        told.update(accepted.take(shared))
        # A date known to the month alone is told like a day that became one.
        coarser = precisions[place:]
        waiting = [
            (fact, kept)
            for fact, kept in waiting
            if not any((fact.type, kept, _dates(fact, p)) in told for p in coarser)
        ]
    return ClassRules(codes, frozenset(told), precisions)


def _held(people: Sequence[str], facts: Iterable[tuple[str, Fact]]) -> dict[Fact, list[int]]:
    """Return of each fact who bears it, as places among ``people``; strings once in memory."""
    number = {name: place for place, name in enumerate(people)}
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    held: dict[Fact, list[int]] = {}
    for name, (type_, code, codes, dates) in facts:
        kind, its = known.setdefault((type_, code), (type_, code)), known.setdefault(codes, codes)
        fact = Fact(kind[0], kind[1], its, dates)
        held.setdefault(fact, []).append(number[name])
    return held


def _bits(numbers: Iterable[int]) -> int:
    """Return the set of ``numbers`` as the bits of one."""
    found = set(numbers)
    if len(found) == 1:
        return 1 << found.pop()
    octets = bytearray(max(found) // 8 + 1)
    for number in found:
        octets[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(octets, "little")


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
        enough = [(key, people) for key, people in found.items() if people.bit_count() >= self._k]
        for key, people in sorted(enough, key=lambda f: (-f[1].bit_count(), repr(f[0]))):
            if self._fits(people):
                kept.append(key)
                if people not in self._known:
                    self._known.add(people)
                    self._sets.append(people)
        return kept

    def _fits(self, people: int) -> bool:
        if self._together == 1 or people in self._known:
            return True
        k = self._k
        for other in self._sets:  # a plain loop: this is where a large class spends its time
            common = people & other
            if common and common.bit_count() < k:
                return False
        return True


def classes(recoding: Recoding) -> Iterator[tuple[Quasi, list[str]]]:
    """Yield each class with its people, both in order."""
    members: defaultdict[Quasi, list[str]] = defaultdict(list)
    for name, quasi in recoding.class_of.items():
        members[quasi].append(name)
    for quasi in sorted(members):
        yield quasi, sorted(members[quasi])
