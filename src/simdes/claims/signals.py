"""Signs of fraud across insurers: what of a claim is fingerprinted, and what matches mean (pure).

Insurers compare fingerprints, never lines: the same patient, service and day at another insurer is
a possible duplicate; a night in two hospitals can't be; two services of which one includes the
other, billed to two insurers, may be one service in parts. A signal is a reason to look, shown
with its words, and decides nothing. Inputs: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from simdes.claims.reading import coded, day_of
from simdes.errors import Invalid

Json = Mapping[str, Any]

MOST_NIGHTS: Final = 366
MOST_CODES: Final = 4
_INPATIENT: Final = frozenset(("IMP", "ACUTE", "NONAC"))
"""Encounter.class of who stays overnight (v3 ActEncounterCode)."""


class Mark(StrEnum):
    """What a fingerprint is of."""

    SERVICE = "service"
    BUNDLE = "bundle"
    NIGHT = "night"
    PLACE = "place"


class By(StrEnum):
    """By what a person is known to be the same."""

    IDENTIFIER = "identifier"
    NAME = "name"


class Sign(StrEnum):
    """What a match may mean."""

    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    UNBUNDLING = "unbundling"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two services of which the first includes the second, and the words for it."""

    whole: str
    part: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """One input to be fingerprinted; ``line`` 0 is the claim as a whole.

    ``coordinated``: the claim names several insurers, so that a match may be in order.
    """

    mark: Mark
    by: By
    input: bytes
    line: int
    day: str
    detail: str = ""
    coordinated: bool = False

    def __repr__(self) -> str:
        return f"Marked({self.mark}, line={self.line})"  # the input names a patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A fingerprint of ours that others published, too, or that another claim of ours has."""

    mark: Mark
    by: By
    claim: str
    line: int
    day: str
    detail: str
    coordinated: bool
    others: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A reason to look at a line, and in whose claims the other half lies.

    ``line`` is 0 for the claim as a whole; ``expected``: it names several insurers itself;
    ``details`` are the service, or what a pair of services says. ``own``: the other claim lies at
    the same insurer, from another provider or under another number of the patient.
    """

    sign: Sign
    claim: str
    line: int
    day: str
    other: bytes
    by: By
    expected: bool
    reason: str
    details: tuple[str, ...] = ()
    own: bool = False


# Pairs --------------------------------------------------------------------------------------------


def read_pairs(text: str) -> tuple[Pair, ...]:
    """Read a table ``system|code ; system|code ; why``: the first service includes the second.

    Empty lines and lines that begin with # count for nothing. Raises Invalid naming the line.
    """
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [one.strip() for one in line.split(";")]
        if len(parts) != 3 or not all("|" in one for one in parts[:2]) or parts[0] == parts[1]:
            raise Invalid(f"Line {number} of the pairs is not `system|code ; system|code ; why`.")
        pairs.append(Pair(*parts))
    return tuple(pairs)


# What is fingerprinted ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an insurer has before it: the Claim, its Patient, the provider's Organization and, for a
    stay, the Encounter."""

    claim: Json
    patient: Json
    provider: Json | None = None
    encounter: Json | None = None


def marks_of(
    seen: Seen, *, persons: Sequence[str], places: Sequence[str], pairs: Sequence[Pair] = ()
) -> tuple[Marked, ...]:
    """Every input of a claim, each once; ``persons`` and ``places`` are systems of identifiers."""
    people = tuple(_people(seen.patient, persons))
    coordinated = len(seen.claim.get("insurance") or ()) > 1
    found: dict[bytes, Marked] = {}
    for by, person in people:
        for mark, fields, line, day, detail in (
            *_services(seen.claim, pairs),
            *_nights(seen, places),
        ):
            value = _input(mark, person, fields)
            found.setdefault(
                value,
                Marked(
                    mark=mark,
                    by=by,
                    input=value,
                    line=line,
                    day=day,
                    detail=detail,
                    coordinated=coordinated,
                ),
            )
    return tuple(found.values())


_Fields = tuple[Mark, tuple[str, ...], int, str, str]


def _services(claim: Json, pairs: Sequence[Pair]) -> Iterator[_Fields]:
    period = claim.get("billablePeriod") or {}
    default = day_of(period.get("start")) or day_of(period.get("end"))
    for item in claim.get("item") or ():
        day = (
            day_of(item.get("servicedDate"))
            or day_of((item.get("servicedPeriod") or {}).get("start"))
            or default
        )
        line = item.get("sequence")
        if day is None or not isinstance(line, int):
            continue
        codes = [f"{s}|{c}" for s, c in coded(item.get("productOrService")) if s][:MOST_CODES]
        for code in codes:
            yield Mark.SERVICE, (code, day.isoformat()), line, day.isoformat(), code
        for pair in pairs:
            if pair.whole in codes or pair.part in codes:
                fields = (pair.whole, pair.part, day.isoformat())
                yield Mark.BUNDLE, fields, line, day.isoformat(), _words(pair)


_INCLUDES: Final = " includes "


def _words(pair: Pair) -> str:
    return f"{pair.whole}{_INCLUDES}{pair.part}" + (f" ({pair.why})" if pair.why else "")


def included(detail: str) -> tuple[str, str]:
    """The two codes of a pair's detail without their systems, the second with the words for it."""
    whole, _, part = detail.partition(_INCLUDES)
    return whole.partition("|")[2], part.partition("|")[2]


def _nights(seen: Seen, places: Sequence[str]) -> Iterator[_Fields]:
    """A stay's nights, where its place is known: without it, two stays can't be told apart.

    A place has a mark for each of its identifiers: one that another insurer knows, too, is enough.
    """
    encounter = seen.encounter or {}
    if (encounter.get("class") or {}).get("code") not in _INPATIENT:
        return
    known = tuple(_identifiers(seen.provider or {}, places))[:MOST_CODES]
    period = encounter.get("period") or {}
    first, last = day_of(period.get("start")), day_of(period.get("end"), last=True)
    if not known or first is None or last is None or not 0 < (last - first).days <= MOST_NIGHTS:
        return
    for count in range((last - first).days):
        night = _iso(first + timedelta(days=count))
        yield Mark.NIGHT, (night,), 0, night, ""
        for place in known:
            yield Mark.PLACE, (night, *place), 0, night, ""


def _iso(day: date) -> str:
    return day.isoformat()


def _people(patient: Json, systems: Sequence[str]) -> Iterator[tuple[By, tuple[str, ...]]]:
    for system, value in _identifiers(patient, systems):
        yield By.IDENTIFIER, ("id", system, value)
    birth = patient.get("birthDate")
    for name in patient.get("name") or ():
        family, given = name.get("family"), next(iter(name.get("given") or ()), None)
        whole = isinstance(birth, str) and day_of(birth) and len(birth) == len("YYYY-MM-DD")
        if (
            whole
            and _plain(family)
            and _plain(given)
            and name.get("use") not in ("old", "nickname")
        ):
            yield By.NAME, ("name", _plain(family), _plain(given), str(birth))
            return


def _identifiers(resource: Json, systems: Sequence[str]) -> Iterator[tuple[str, str]]:
    for one in resource.get("identifier") or ():
        system, value = one.get("system"), one.get("value")
        if system in systems and isinstance(value, str) and (plain := _bare(value)):
            yield system, plain


def _bare(value: str) -> str:
    """An identifier without spaces, dashes and dots, in capitals: it is written in many ways."""
    return "".join(one for one in value.upper() if one.isalnum())


def _plain(text: Any) -> str:
    """A name in small letters without marks, spaces or signs."""
    if not isinstance(text, str):
        return ""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in spread if one.isalnum())


def _input(mark: Mark, person: tuple[str, ...], fields: tuple[str, ...]) -> bytes:
    parts = ["simdes/fingerprint/v1", mark.value, *person, "", *fields]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()


# What matches mean --------------------------------------------------------------------------------


def signals_of(matches: Iterable[Match], *, own: bytes = b"") -> tuple[Signal, ...]:
    """What our fingerprints that others have, too, say; one signal for a line, day and other.

    ``own`` is who asks: among a match's others it stands for another claim of its own.
    All matches of a claim have to be given together: a stay at the same place is no overlap, and
    the same service is a duplicate rather than a part.
    """
    groups: dict[tuple[str, int, str, bytes], list[Match]] = defaultdict(list)
    for one in matches:
        for other in one.others:
            groups[one.claim, one.line, one.day, other].append(one)
    found = [
        Signal(
            sign=sign,
            claim=claim,
            line=line,
            day=day,
            other=other,
            by=min((one.by for one in group), key=_STRENGTH.index),
            expected=group[0].coordinated,
            reason=_reason(sign, group, own=other == own),
            details=_details(group),
            own=other == own,
        )
        for (claim, line, day, other), every in groups.items()
        for sign, group in _meanings(every)
    ]
    return tuple(sorted(found, key=lambda one: (one.claim, one.line, one.day, one.sign, one.other)))


_STRENGTH: Final = (By.IDENTIFIER, By.NAME)


def _meanings(group: Sequence[Match]) -> Iterator[tuple[Sign, list[Match]]]:
    of = {mark: [one for one in group if one.mark is mark] for mark in Mark}
    placed = {one.by for one in of[Mark.PLACE]}
    if of[Mark.SERVICE]:
        yield Sign.DUPLICATE, of[Mark.SERVICE]
    elif of[Mark.BUNDLE]:
        yield Sign.UNBUNDLING, of[Mark.BUNDLE]
    if elsewhere := [one for one in of[Mark.NIGHT] if one.by not in placed]:
        yield Sign.OVERLAP, elsewhere


_SENTENCES: Final[Mapping[Sign, str]] = {
    Sign.DUPLICATE: "{who} has a line for the same patient{by}, the same service and day",
    Sign.OVERLAP: "{who} has a stay of the same patient{by} in another place for this night",
    Sign.UNBUNDLING: "{who} has, for the same patient{by} and day, a service that belongs to this"
    " one",
}
_BY: Final[Mapping[By, str]] = {
    By.IDENTIFIER: "",
    By.NAME: " (by name and date of birth alone, which may be two people)",
}
_COORDINATED: Final = " The claim names several insurers: compare what the other one paid."


def _details(group: Sequence[Match]) -> tuple[str, ...]:
    return tuple(sorted({one.detail for one in group if one.detail}))


def _reason(sign: Sign, group: Sequence[Match], *, own: bool) -> str:
    by = min((one.by for one in group), key=_STRENGTH.index)
    details = _details(group)
    who = "Another claim here" if own else "Another insurer"
    sentence = _SENTENCES[sign].format(by=_BY[by], who=who)
    if details:
        sentence += f": {', '.join(details)}"
    return sentence + "." + (_COORDINATED if group[0].coordinated else "")
