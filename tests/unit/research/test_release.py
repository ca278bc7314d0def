"""A whole release: what is in it, how anonymous it is, and an attacker who knows a lot."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from datetime import date
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from simdes.fhir.json import dumps, loads
from simdes.fhir.validate import validate
from simdes.research import Outcome, make_release, manifest, measure, policy
from simdes.research.facts import fact_of, quasi_of
from unit.research.population import RARE, people

SECRET = b"k" * 32
TODAY = date(2026, 11, 23)
COUNT = 200


class Released:
    """A release of the invented people, read back."""

    def __init__(self, folder: Path, name: str, resources: list[Any]) -> None:
        work, self.folder = folder / "work", folder / "out"
        work.mkdir(parents=True)
        self.outcome: Outcome = make_release(
            resources, policy(name), secret=SECRET, today=TODAY, work=work, into=self.folder
        )
        self.left_behind = [*work.rglob("*.ndjson")]
        self.resources = [
            loads(line)
            for path in sorted(self.folder.glob("*.ndjson"))
            for line in path.read_bytes().splitlines()
        ]
        self.patients = [r for r in self.resources if r["resourceType"] == "Patient"]
        self.of: dict[str, list[Any]] = defaultdict(list)
        for resource in self.resources:
            if resource["resourceType"] != "Patient":
                self.of[resource["subject"]["reference"].removeprefix("Patient/")].append(resource)
        self.facts = {name: {fact_of(r) for r in rs} for name, rs in self.of.items()}


NAMES = ("hipaa-safe-harbor", "hipaa-safe-harbor-years", "gdpr-strict")


@pytest.fixture(scope="module")
def source() -> list[Any]:
    return list(people(COUNT, seed=4))


@pytest.fixture(scope="module", params=NAMES)
def released(request, tmp_path_factory, source) -> Released:
    return Released(tmp_path_factory.mktemp(request.param), request.param, source)


def test_every_class_has_k_people_and_l_sensitive_values(released):
    wanted = released.outcome.policy.rules.anonymity
    diagnoses = {
        name: max((max(fact_of(r).dates, default=""), fact_of(r).code) for r in found)[1]
        for name, rs in released.of.items()
        if (found := [r for r in rs if r["resourceType"] == "Condition"])
    }
    rows = [(quasi_of(p), diagnoses.get(p["id"], "")) for p in released.patients]
    found = measure(rows)
    assert found.k >= wanted.k
    assert found.k == released.outcome.measured.k
    assert released.outcome.measured.l >= wanted.l
    assert len(rows) >= 0.8 * COUNT
    assert len(released.resources) > 1000


def test_any_two_facts_of_anybody_are_shared_by_k_people_of_the_class(released):
    k = released.outcome.policy.rules.anonymity.k
    by_class: dict[Any, list[str]] = defaultdict(list)
    for patient in released.patients:
        by_class[quasi_of(patient)].append(patient["id"])
    for names in by_class.values():
        facts = {n: released.facts.get(n, set()) for n in names}
        pairs: Counter[Any] = Counter()
        for known in facts.values():
            pairs.update(combinations(sorted(known), 2))
            pairs.update((f, f) for f in known)
        assert min(pairs.values(), default=k) >= k


def test_an_attacker_who_knows_person_dates_rare_diagnoses_and_text_is_right_one_time_in_k(
    released, source
):
    """The attacker holds the original record of a target, searches the release for it and guesses.

    Known: the quasi-identifiers exactly, any two facts with the days between them, the rarest
    diagnosis, the text of notes. Candidates are the people released whose data don't contradict.
    """
    k = released.outcome.policy.rules.anonymity.k
    records: dict[str, list[Any]] = defaultdict(list)
    for subject, resource in source:
        records[subject].append(resource)
    rng = Random(7)
    chances = []
    for subject in rng.sample(sorted(released.outcome.subjects), 50):
        candidates = same_quasi(records[subject][0], released)
        for known in knowledge(records[subject], rng):
            left = [
                c
                for c in candidates
                if all(may_have(released.facts.get(c["id"], ()), f) for f in known)
            ]
            left = consistent_gap(left, known, released) or left or candidates
            chances.append(1 / len(left))
    assert max(chances) <= 1 / k
    assert len(chances) > 400


def knowledge(record: list[Any], rng: Random) -> Any:
    """What the attacker may know: pairs of facts, the rare diagnosis with anything, a text."""
    facts = [r for r in record if r["resourceType"] != "Patient"]
    rare = [r for r in facts if r.get("code", {}).get("coding", [{}])[0].get("code") in RARE]
    for _ in range(8):
        yield tuple(rng.sample(facts, 2))
    for one in rare:
        yield (one,)
        yield (one, rng.choice(facts))


def same_quasi(patient: Any, released: Released) -> list[Any]:
    """Who in the release may be ``patient``, by birth (two years' shift), sex and place."""
    steps = released.outcome.steps
    born = int(patient["birthDate"][:4])
    span = 1 if steps["birth"] == "*" else int(steps["birth"])
    state = patient["address"][0]["state"]

    def fits(other: Any) -> bool:
        told = other.get("birthDate")
        if told and not int(told) - 1 <= born <= int(told) + span:
            return int(told) <= TODAY.year - 89 + 1 and born <= int(told) + span
        if "gender" in other and other["gender"] != patient["gender"]:
            return False
        place = other.get("address", [{}])[0]
        return place.get("state", state) == state

    return [p for p in released.patients if fits(p)]


def may_have(told: Any, fact: Any) -> bool:
    """Whether a person's released facts have ``fact``: same type and code, a possible year."""
    wanted, year = fact_of(fact), int(when(fact)[:4])
    for other in told:
        years = {int(d[:4]) for d in other.dates} or {year}
        near = any(abs(y - year) <= 1 for y in years)
        if (other.type, other.code) == (wanted.type, wanted.code) and near:
            return True
    return False


def consistent_gap(candidates: list[Any], known: Any, released: Released) -> list[Any]:
    """Those candidates who have the two facts with the known number of days between them."""
    if len(known) < 2:
        return []
    first, second = (fact_of(f) for f in known)
    gap = day(when(known[1])) - day(when(known[0]))

    def has(candidate: Any) -> bool:
        facts = released.facts.get(candidate["id"], ())
        dates = [
            [f.dates[0] for f in facts if (f.type, f.code) == (w.type, w.code) and f.dates]
            for w in (first, second)
        ]
        exact = [(a, b) for a in dates[0] for b in dates[1] if len(a) >= 10 and len(b) >= 10]
        return any(day(b) - day(a) == gap for a, b in exact)

    return [c for c in candidates if has(c)]


def when(resource: Any) -> str:
    """The date of an original fact."""
    period = resource.get("period", {}).get("start", "")
    return resource.get("onsetDateTime") or resource.get("effectiveDateTime") or period


def day(text: str) -> int:
    return date.fromisoformat(text[:10]).toordinal()


def test_without_enforcement_the_same_attacker_succeeds(source):
    """So the test above can fail: de-identified alone, two dated facts single people out."""
    facts: dict[str, set[Any]] = defaultdict(set)
    for subject, resource in source:
        if resource["resourceType"] == "Encounter":
            facts[subject].add(when(resource))
    gaps = Counter(
        day(b) - day(a) for dates in facts.values() for a, b in combinations(sorted(dates), 2)
    )
    assert sum(n == 1 for n in gaps.values()) > 100


def test_what_is_released_is_valid_and_says_nothing_of_names(released):
    kinds: Counter[str] = Counter()
    for resource in released.resources:
        kinds[resource["resourceType"]] += 1
        if kinds[resource["resourceType"]] < 60:
            assert [p for p in validate(resource) if p.is_error] == []
    text = b"".join(map(dumps, released.resources)).decode()
    for planted in ("Ndiaye", "Awa", "999-", "Rue X", "555-01", "told me", "vault-"):
        assert planted not in text
    assert {"Patient", "Condition", "Observation", "Encounter"} <= kinds.keys()


def test_rare_diagnoses_do_not_leave(released):
    text = b"".join(map(dumps, released.resources)).decode()
    for patient_count, code in ((1, c) for c in RARE):
        bearers = {r["subject"]["reference"] for r in released.resources if code in str(r)}
        assert (
            not bearers or len(bearers) >= patient_count * released.outcome.policy.rules.anonymity.k
        )
    assert text


def test_the_manifest_has_policy_digest_and_every_file(released):
    made = manifest(released.outcome, released.folder, study="s1")
    assert made["policyDigest"] == released.outcome.policy.digest.hex()
    assert {f["name"] for f in made["files"]} == {p.name for p in released.folder.iterdir()}
    for row in made["files"]:
        data = (released.folder / row["name"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["bytes"] == len(data)
    assert "vault-" not in str(made)
    assert released.left_behind == []


def test_the_order_of_the_source_changes_nothing(tmp_path, source):
    mixed = source[:]
    Random(3).shuffle(mixed)
    first, second = (
        Released(tmp_path / str(n), "hipaa-safe-harbor", rows)
        for n, rows in enumerate((source, mixed))
    )
    lines = [sorted(map(dumps, r.resources)) for r in (first, second)]
    assert lines[0] == lines[1]
    assert first.outcome.report() == second.outcome.report()


def test_too_few_people_are_not_released_at_all(tmp_path):
    few = Released(tmp_path, "gdpr-strict", list(people(6, seed=1)))
    assert few.resources == []
    assert few.outcome.measured.k == 0
    assert few.outcome.report()["people"] == {"in": 6, "out": 0}
