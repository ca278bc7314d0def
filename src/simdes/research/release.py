"""A release: resources of many people in, files that may leave and the report of the rest out.

One stream in, in whatever order; memory grows with the people (some hundred bytes each) and with
the largest class, not with the resources, which wait in files under ``work`` in between. These
files are de-identified and not yet anonymous: ``work`` is the caller's, private, and emptied.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, Any

import msgspec

from simdes.fhir.json import dumps_own, loads_own
from simdes.research.anonymity import Measured, measure
from simdes.research.deidentify import Deidentifier
from simdes.research.enforce import (
    ClassRules,
    Person,
    Recoding,
    Suppressed,
    classes,
    recode,
    rules_of_class,
)
from simdes.research.facts import Fact, Quasi, fact_of, quasi_of
from simdes.research.policy import Policy
from simdes.research.telling import fact_as_told, patient_as_told

Resource = dict[str, Any]
FORMAT = "simdes-release-1"


@dataclass(slots=True)
class Outcome:
    """What became of a release. ``subjects``: who is in it, as the caller names them."""

    policy: Policy
    steps: Mapping[str, str]
    measured: Measured
    people_in: int
    subjects: frozenset[str]
    resources_in: int
    resources_out: Counter[str]
    dropped: Counter[str]
    suppressed: Suppressed
    before: Mapping[str, Counter[str]] = field(default_factory=dict)
    after: Mapping[str, Counter[str]] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return it as JSON, without anything of a person."""
        return {
            "format": FORMAT,
            "policy": self.policy.label,
            "policyDigest": self.policy.digest.hex(),
            "k": self.measured.k,
            "l": self.measured.l,
            "classes": self.measured.classes,
            "quasiIdentifiers": dict(self.steps),
            "people": {"in": self.people_in, "out": self.measured.rows},
            "resources": {
                "in": self.resources_in,
                "out": dict(sorted(self.resources_out.items())),
                "suppressed": dict(sorted(self.suppressed.resources.items())),
                "datesTold": dict(sorted(self.suppressed.dates.items())),
            },
            "dropped": dict(sorted(self.dropped.items())),
            "classesSuppressed": self.suppressed.classes,
            "codesSuppressed": len(self.suppressed.codes),
        }


def make_release(
    resources: Iterable[tuple[str, Resource]],
    policy: Policy,
    *,
    secret: bytes,
    today: date,
    work: Path,
    into: Path,
) -> Outcome:
    """Write what may leave of ``resources`` as one NDJSON file per type under ``into``.

    ``resources``: of each the person it is about, as the caller names people across organisations,
    and the resource. ``secret``: the study's. Raises ``Invalid`` for a secret that is too short.
    """
    deidentifier = Deidentifier(policy, secret, today=today)
    intake = _Intake(deidentifier)
    with (work / "deidentified.ndjson").open("wb") as spool:
        intake.read(resources, spool)
    recoding = recode(intake.people(), policy)
    suppressed = Suppressed(people=recoding.left_out)
    folder = work / "classes"
    folder.mkdir()
    found = [*classes(recoding)]
    _sort_into_classes(work / "deidentified.ndjson", recoding, [q for q, _ in found], folder)
    (work / "deidentified.ndjson").unlink()
    into.mkdir(parents=True, exist_ok=True)
    writer = _Writer(into, intake, policy, suppressed)
    with writer:
        for number, (quasi, people) in enumerate(found):
            writer.write_class(quasi, people, folder / f"{number}.ndjson")
    folder.rmdir()
    return Outcome(
        policy,
        recoding.steps,
        measure(writer.rows),
        people_in=len(intake.patients),
        subjects=frozenset(intake.subject_of[p] for p in writer.told),
        resources_in=intake.count,
        resources_out=writer.count,
        dropped=deidentifier.dropped,
        suppressed=suppressed,
        before=intake.shown,
        after=writer.shown,
    )


class _Intake:
    """The first pass: everything de-identified to a file, and who there is."""

    def __init__(self, deidentifier: Deidentifier) -> None:
        self._deidentifier = deidentifier
        self._sensitive_type = deidentifier.policy.rules.anonymity.sensitive
        self._latest: dict[str, tuple[str, str]] = {}
        self.patients: dict[str, bytes] = {}
        self.subject_of: dict[str, str] = {}
        self.count = 0
        self.shown: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def read(self, resources: Iterable[tuple[str, Resource]], spool: IO[bytes]) -> None:
        """De-identify ``resources`` into ``spool``."""
        for subject, resource in resources:
            self.count += 1
            made = self._deidentifier.resource(subject, resource)
            if made is None:
                continue
            pseudonym = self._deidentifier.pseudonym(subject)
            if made["resourceType"] == "Patient":
                self._add(subject, pseudonym, made)
                continue
            fact = fact_of(made)
            spool.write(dumps_own((pseudonym, fact, made)) + b"\n")
            note(self.shown, fact)
            if fact.type == self._sensitive_type and fact.code:
                latest = (max(fact.dates, default=""), fact.code)
                self._latest[pseudonym] = max(latest, self._latest.get(pseudonym, latest))

    def _add(self, subject: str, pseudonym: str, patient: Resource) -> None:
        """Keep one Patient of a person, whichever organisation's comes first in its bytes."""
        written = dumps_own(patient)
        known = self.patients.get(pseudonym)
        if known is None or written < known:
            self.patients[pseudonym] = written
        self.subject_of[pseudonym] = subject

    def people(self) -> Iterator[Person]:
        """Yield everybody of whom there is a Patient."""
        for pseudonym, patient in self.patients.items():
            quasi = quasi_of(loads_own(patient))
            note_person(self.shown, quasi)
            yield Person(pseudonym, quasi, self.sensitive(pseudonym))

    def sensitive(self, pseudonym: str) -> str:
        """Return the sensitive value of a person, "" if there is none."""
        return self._latest.get(pseudonym, ("", ""))[1]


class _Writer:
    """The last pass: class after class, what it may tell."""

    def __init__(self, into: Path, intake: _Intake, policy: Policy, suppressed: Suppressed) -> None:
        self._into = into
        self._intake = intake
        self._policy = policy
        self._suppressed = suppressed
        self._files = ExitStack()
        self._by_type: dict[str, IO[bytes]] = {}
        self.count: Counter[str] = Counter()
        self.rows: list[tuple[Quasi, str]] = []
        self.told: list[str] = []
        self.shown: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *raised: object) -> None:
        self._files.close()

    def write_class(self, quasi: Quasi, people: list[str], path: Path) -> None:
        """Write what the class of ``people`` tells of the resources in ``path``; removes it."""
        rules = rules_of_class(people, _facts(path), self._policy)
        values = [s if s in rules.codes else "" for s in map(self._intake.sensitive, people)]
        if len(set(values)) < self._policy.rules.anonymity.l:
            self._suppressed.people += len(people)
            self._suppressed.classes += 1
            path.unlink()
            return
        self.rows += [(quasi, value) for value in values]
        self.told += people
        for pseudonym in people:
            note_person(self.shown, quasi)
            patient = loads_own(self._intake.patients[pseudonym])
            self._put(patient_as_told(patient, quasi))
        for line in _lines(path):
            self._put_fact(line, rules)
        path.unlink()

    def _put_fact(self, line: _Line, rules: ClassRules) -> None:
        fact = line.fact
        precision = rules.told(fact)
        if precision is None:
            self._suppressed.resources[fact.type] += 1
            return
        self._suppressed.codes.update(c for c in fact.codes if c not in rules.codes)
        self._suppressed.dates[precision or "none"] += 1
        note(self.shown, fact if precision else fact._replace(dates=()))
        self._put(fact_as_told(loads_own(bytes(line.resource)), rules.codes, precision))

    def _put(self, resource: Resource) -> None:
        kind = resource["resourceType"]
        if kind not in self._by_type:
            path = self._into / f"{kind}.ndjson"
            self._by_type[kind] = self._files.enter_context(path.open("wb"))
        self._by_type[kind].write(dumps_own(resource) + b"\n")
        self.count[kind] += 1


def note(shown: defaultdict[str, Counter[str]], fact: Fact) -> None:
    """Count ``fact`` in the distributions that a report shows."""
    shown["resources by type"][fact.type] += 1
    shown[f"codes of {fact.type}"][fact.code or "none"] += 1
    told = shown["years of resources"]
    for year in {d[:4] for d in fact.dates} or ("none",):
        told[year] += 1


def note_person(shown: defaultdict[str, Counter[str]], quasi: Quasi) -> None:
    """Count a person in the distributions that a report shows."""
    decade = f"{quasi.birth[:3]}0s" if quasi.birth else "none"
    shown["people by decade of birth"][decade] += 1
    shown["people by sex"][quasi.sex or "none"] += 1
    state = " ".join(quasi.place.split("|")[:2])
    shown["people by place"][state or "none"] += 1


def manifest(outcome: Outcome, folder: Path, *, study: str) -> dict[str, Any]:
    """Return the manifest of a release: its report, and every file with size and SHA-256."""
    files = [
        {"name": str(path.relative_to(folder)), "bytes": path.stat().st_size, "sha256": _sha(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return {**outcome.report(), "study": study, "files": files}


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sort_into_classes(spool: Path, recoding: Recoding, quasis: list[Quasi], folder: Path) -> None:
    """Write each resource into its class's file; those of nobody who is told are left out."""
    number = {quasi: place for place, quasi in enumerate(quasis)}
    waiting: dict[int, list[bytes]] = {place: [] for place in number.values()}
    for place in waiting:
        (folder / f"{place}.ndjson").touch()
    size = 0

    def empty(place: int) -> None:
        with (folder / f"{place}.ndjson").open("ab") as out:
            out.writelines(waiting[place])
        waiting[place].clear()

    with spool.open("rb") as lines:
        for line in lines:
            quasi = recoding.class_of.get(line[2:34].decode())
            if quasi is None:
                continue
            place = number[quasi]
            waiting[place].append(line)
            size += len(line)
            if size > _MOST_WAITING:
                for other in waiting:
                    empty(other)
                size = 0
    for place in waiting:
        empty(place)


_MOST_WAITING = 16 * 1024 * 1024


class _Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What waits of a resource: whose, what may be known of it, and itself, read when it's told."""

    pseudonym: str
    fact: Fact
    resource: msgspec.Raw


_LINES = msgspec.json.Decoder(_Line)


def _lines(path: Path) -> Iterator[_Line]:
    with path.open("rb") as lines:
        for line in lines:
            yield _LINES.decode(line)


def _facts(path: Path) -> Iterator[tuple[str, Fact]]:
    for line in _lines(path):
        yield line.pseudonym, line.fact
