"""How long searches take by how much there is, on both databases, and what being found costs.

Run from the project's folder, on an idle machine::

    .venv/bin/python bench/search.py [--entries 100000] [--databases sqlite postgresql] [--plans]

Entries are of made-up patients with ten observations, two conditions, an encounter and a doctor
each; their values are extracted from FHIR as everywhere. A figure is the median of calls with
different values, in ms, of the whole verb: the statement that asks for sizes and the one that
searches. ``--plans`` prints what the databases make of the statements.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from adapters.postgres import Databases, running_postgres
from simdes.fhir.search.conditions import (
    All,
    Chain,
    Has,
    Include,
    Kind,
    Match,
    Query,
    ReferenceTest,
    Slot,
    Sort,
    SpanTest,
    TextTest,
    TokenTest,
)
from simdes.fhir.search.extract import extract
from simdes.fhir.search.spans import span_ms
from simdes.index import entries
from simdes.index.database import Database, open_database
from simdes.index.entries import NewEntry
from simdes.index.migrations import migrate
from simdes.index.search import count, include, search
from simdes.index.transaction import Transaction
from simdes.index.visible import OWN, Ground, Scope, Visible

US = b"\1" * 32
PER_PATIENT = 15
CODES = 200
NAMES = [f"{a}{b}{c}" for a in ("Ka", "Mo", "Ti", "Su", "Le") for b in ("ra", "ni", "bel", "so")
         for c in ("man", "dez", "ski", "son", "ley")]  # fmt: skip
TYPES = ("Patient", "Observation", "Condition", "Encounter", "Practitioner")
STAFF = Visible(
    grounds=(Ground(handle=OWN, vaults=None, categories=(1 << 63) - 1),),
    scopes=dict.fromkeys(TYPES, (Scope(),)),
)


def main() -> int:
    """Fill, measure, print; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--plans", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = []
    for name in options.databases:
        for size in options.entries:
            with opened(name) as database:
                found = fill(database, size)
                print(f"{name}, {size:,} entries: {found}", flush=True)
                for case, verb in cases(size).items():
                    found[case] = measured(database, verb, options.calls)
                    print(f"  {case:<52} {found[case]:>9.2f} ms", flush=True)
                    if options.plans:
                        explain(database, verb)
                results.append({"database": name, "entries": size, **found})
    if options.out:
        options.out.write_text(json.dumps(results, indent=2))
    return 0


@contextmanager
def opened(name: str) -> Iterator[Database]:
    """A fresh database of a kind."""
    with tempfile.TemporaryDirectory(prefix="simdes-bench-") as folder:
        if name == "sqlite":
            url = f"sqlite:{folder}/index.db"
            migrate(url)
            with closing(open_database(url)) as database:
                yield database
            return
        with (
            running_postgres() as server,
            closing(open_database(Databases(server, migrate).create())) as database,
        ):
            yield database


# What is there ------------------------------------------------------------------------------------


def ward(number: int) -> list[dict[str, Any]]:
    """The resources of a patient, always the same ones of a number."""
    draw = random.Random(number)  # noqa: S311 (nothing secret: the same patients in every run)
    day = f"{draw.randrange(1930, 2020)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
    subject = {"reference": f"Patient/p{number}"}
    doctor = f"Practitioner/d{number % 50}"
    patient = {
        "resourceType": "Patient",
        "id": f"p{number}",
        "identifier": [{"system": "urn:mrn", "value": f"{number}"}],
        "name": [{"family": NAMES[number % len(NAMES)], "given": [draw.choice(NAMES)]}],
        "gender": draw.choice(["male", "female"]),
        "birthDate": day,
        "address": [{"city": draw.choice(NAMES), "postalCode": f"{draw.randrange(99999):05}"}],
        "generalPractitioner": [{"reference": doctor}],
    }
    made: list[dict[str, Any]] = [
        patient,
        {"resourceType": "Practitioner", "id": doctor.partition("/")[2],
         "name": [{"family": NAMES[number % 50]}]},
        {"resourceType": "Encounter", "id": f"e{number}", "status": "finished",
         "class": {"code": "AMB"}, "subject": subject,
         "period": {"start": "2025-01-01", "end": "2025-01-03"}},
    ]  # fmt: skip
    for at in range(2):
        made.append(
            {"resourceType": "Condition", "id": f"c{number}-{at}", "subject": subject,
             "clinicalStatus": {"coding": [{"system": "urn:s", "code": "active"}]},
             "code": {"coding": [{"system": "urn:sct", "code": f"{draw.randrange(CODES)}"}]},
             "onsetDateTime": "2024-05-06"}
        )  # fmt: skip
    for at in range(10):
        when = f"2025-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}T10:00:00Z"
        coding = {"system": "http://loinc.org", "code": f"{draw.randrange(CODES)}-1"}
        made.append(
            {"resourceType": "Observation", "id": f"o{number}-{at}", "status": "final",
             "category": [{"coding": [{"system": "urn:cat", "code": "laboratory"}]}],
             "code": {"coding": [coding | {"display": "Glucose"}]}, "subject": subject,
             "encounter": {"reference": f"Encounter/e{number}"}, "effectiveDateTime": when,
             "performer": [{"reference": doctor}],
             "valueQuantity": {"value": draw.randrange(100), "unit": "mg",
                               "system": "http://unitsofmeasure.org", "code": "mg"}}
        )  # fmt: skip
    return made


def fill(database: Database, size: int) -> dict[str, Any]:
    """Put about as many entries, forty patients to a transaction."""
    began = time.perf_counter()
    spent = {"extract": 0.0, "resources": 0.0, "entries": 0.0}
    patients = size // PER_PATIENT
    for start in range(0, patients, 40):
        numbers = range(start, min(start + 40, patients))
        with database.transaction() as tx:
            put(tx, numbers, spent)
    if database.dialect == "postgresql":
        with database.transaction() as tx:
            tx.run("ANALYZE")
    taken = {f"{name} (ms each)": round(1000 * one / size, 3) for name, one in spent.items()}
    return {"filled (s)": round(time.perf_counter() - began, 1), **taken}


def put(tx: Transaction, numbers: range, spent: dict[str, float]) -> None:
    """Store patients and make them findable."""
    tags = {number: hashlib.sha256(b"%d" % number).digest() for number in numbers}
    tx.insert("vault", [
        {"tag": tag, "m": 2, "n": 3, "epoch": 1, "descriptor_cid": "", "control": None, "home": 1,
         "key_wrapped": b"", "state": "open", "created_ms": 1} for tag in tags.values()
    ])  # fmt: skip
    made = [(tags[number], one) for number in numbers for one in ward(number)]
    began = time.perf_counter()
    rows = tx.insert("resource", [
        {"type": one["resourceType"], "logical_id": one["id"], "version": 1, "vault": tag,
         "category": 3, "labels": 0, "content_wrapped": b"x" * 600, "digest": bytes(32),
         "salt": bytes(32), "state": "pending", "created_ms": 1} for tag, one in made
    ], returning="type, logical_id, vault, id")  # fmt: skip
    ids = {(type_, name, bytes(tag)): row for type_, name, tag, row in rows}
    spent["resources"] += time.perf_counter() - began
    began = time.perf_counter()
    values = [extract(one) for _, one in made]
    spent["extract"] += time.perf_counter() - began
    began = time.perf_counter()
    new = [
        NewEntry(type=one["resourceType"], logical_id=one["id"], vault=tag, category=3, labels=0,
                 version=1, deleted=0, updated_ms=int(numbers[0]), handle=OWN, organisation=US,
                 resource_id=ids[one["resourceType"], one["id"], tag])
        for tag, one in made
    ]  # fmt: skip
    entries.put(tx, list(zip(new, values, strict=True)))
    spent["entries"] += time.perf_counter() - began


# What is asked ------------------------------------------------------------------------------------

Verb = Callable[[Any, random.Random], object]


def token(name: str, code: str) -> Match:
    """A code under a slot."""
    return Match(Slot(name, Kind.TOKEN), (TokenTest(None, code),))


def of_patient(name: str, number: int) -> Match:
    """About a patient."""
    return Match(Slot(name, Kind.REFERENCE), (ReferenceTest("Patient", f"p{number}"),))


def named(draw: random.Random) -> Match:
    """A family name."""
    return Match(Slot("Patient.family", Kind.STRING), (TextTest(draw.choice(NAMES).lower()),))


def code(draw: random.Random) -> str:
    """A code of observations."""
    return f"{draw.randrange(CODES)}-1"


NEWEST = (Sort(Slot("Observation.date", Kind.DATE), descending=True),)
OLDEST = (Sort(Slot("Observation.date", Kind.DATE)),)


def cases(size: int) -> Mapping[str, Verb]:
    """Searches by name."""
    patients = size // PER_PATIENT
    subject = Slot("Observation.subject", Kind.REFERENCE)

    def one(query: Callable[[random.Random], Query], visible: Visible = STAFF) -> Verb:
        return lambda tx, draw: search(tx, visible, query(draw), limit=20)

    def observations(*where: Match | Chain, sorts: tuple[Sort, ...] = ()) -> Query:
        return Query(types=("Observation",), where=All(where), sorts=sorts)

    def patient_code(draw: random.Random) -> Query:
        number = draw.randrange(patients)
        code_ = ward(number)[5]["code"]["coding"][0]["code"]
        return observations(
            of_patient("Observation.patient", number), token("Observation.code", code_),
            sorts=NEWEST,
        )  # fmt: skip

    def birth(draw: random.Random) -> Query:
        its = ward(draw.randrange(patients))[0]
        low, high = span_ms(its["birthDate"])
        born = Match(Slot("Patient.birthdate", Kind.DATE), (SpanTest("eq", low, high),))
        family = Match(
            Slot("Patient.family", Kind.STRING), (TextTest(its["name"][0]["family"].lower()),)
        )
        return Query(types=("Patient",), where=All((family, born)))

    def conditions(tx: Transaction, draw: random.Random) -> object:
        where = token("Condition.code", f"{draw.randrange(CODES)}")
        hits = search(tx, STAFF, Query(types=("Condition",), where=where), limit=20)
        asked = Include("Condition", (Slot("Condition.subject", Kind.REFERENCE),))
        return include(tx, STAFF, [asked], [hit.id for hit in hits], limit=100)

    def everything_of(tx: Transaction, draw: random.Random) -> object:
        tag = hashlib.sha256(b"%d" % draw.randrange(patients)).digest()
        mine = Visible(
            grounds=(Ground(handle=OWN, vaults=(tag,), categories=(1 << 63) - 1),),
            scopes=STAFF.scopes,
        )
        return search(tx, mine, Query(types=(), sorts=()), limit=50)

    def since(draw: random.Random) -> Match:
        low, high = span_ms(f"2025-{draw.randrange(1, 13):02}-15")
        return Match(Slot("Observation.date", Kind.DATE), (SpanTest("ge", low, high),))

    return {
        "Observation?patient&code&_sort=-date": one(patient_code),
        "Patient?family&birthdate": one(birth),
        "Condition?code&_include=Condition:subject": conditions,
        "a patient's own everything": everything_of,
        "Observation?patient": one(
            lambda draw: observations(of_patient("Observation.patient", draw.randrange(patients)))
        ),
        "Observation?code": one(lambda draw: observations(token("Observation.code", code(draw)))),
        "Observation?code&_sort=-date": one(
            lambda draw: observations(token("Observation.code", code(draw)), sorts=NEWEST)
        ),
        "Observation?status=final&_sort=date": one(
            lambda draw: observations(token("Observation.status", "final"), sorts=OLDEST)
        ),
        "Observation?date=ge&_sort=date": one(lambda draw: observations(since(draw), sorts=OLDEST)),
        "Observation?_sort=-_lastUpdated": one(
            lambda draw: observations(sorts=(Sort(None, "updated", True),))
        ),
        "Patient?gender=female": one(
            lambda draw: Query(types=("Patient",), where=token("Patient.gender", "female"))
        ),
        "Patient?family": one(lambda draw: Query(types=("Patient",), where=named(draw))),
        "Practitioner?family": one(
            lambda draw: Query(
                types=("Practitioner",),
                where=Match(Slot("Practitioner.family", Kind.STRING), (TextTest("ka"),)),
            )
        ),
        "Observation?subject.family&code": one(
            lambda draw: observations(
                Chain(subject, ("Patient",), named(draw)), token("Observation.code", code(draw))
            )
        ),
        "Patient?_has:Observation:subject:code&family": one(
            lambda draw: Query(
                types=("Patient",),
                where=All(
                    (
                        Has("Observation", subject, token("Observation.code", code(draw))),
                        named(draw),
                    )
                ),
            )
        ),
        "count of Observation?patient&code": lambda tx, draw: count(tx, STAFF, patient_code(draw)),
        "count of Observation?code": lambda tx, draw: count(
            tx, STAFF, observations(token("Observation.code", code(draw)))
        ),
    }


def measured(database: Database, verb: Verb, calls: int) -> float:
    """The median call, in ms."""
    draw = random.Random(7)  # noqa: S311
    taken = []
    for _ in range(calls):
        with database.read() as tx:
            began = time.perf_counter()
            verb(tx, draw)
            taken.append(1000 * (time.perf_counter() - began))
        if sum(taken) > 20_000:
            break
    return round(statistics.median(taken), 2)


def explain(database: Database, verb: Verb) -> None:
    """Print the plans of a verb's statements."""
    prefix = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN ANALYZE "
    with database.read() as tx:
        verb(_Planned(tx, prefix), random.Random(7))  # noqa: S311


class _Planned:
    """A transaction that prints the plan of each query before it runs it."""

    def __init__(self, tx: Transaction, prefix: str) -> None:
        self._tx, self._prefix, self.unled = tx, prefix, tx.unled

    def all(self, sql: str, /, **params: Any) -> Sequence[Any]:
        """Print the plan; run the query."""
        for row in self._tx.all(self._prefix + sql, **params):
            print("     ", row[-1])
        return self._tx.all(sql, **params)

    def one(self, sql: str, /, **params: Any) -> Any:
        """The same, for one row."""
        return next(iter(self.all(sql, **params)), None)


if __name__ == "__main__":
    raise SystemExit(main())
