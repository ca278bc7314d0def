"""The same release as a Spark job (https://spark.apache.org), for data beyond one machine.

The same functions on the same values, so the same result: de-identification in every partition,
people gathered on the driver (some hundred bytes each), one class to a task. Input are lines of
``{"subject": …, "resource": …}``; a ViewDefinition's tables are made of the output as of any
other. Needs the extra ``spark`` and Java 17.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from simdes.fhir.json import dumps, loads
from simdes.research.deidentify import Deidentifier
from simdes.research.enforce import Person, classes, recode, rules_of_class
from simdes.research.facts import Quasi, fact_of, quasi_of
from simdes.research.policy import Policy, read_policy
from simdes.research.telling import fact_as_told, patient_as_told

Resource = dict[str, Any]


def release_on_spark(
    context: Any, source: str, policy_data: bytes, *, secret: bytes, today: date, into: str
) -> int:
    """Release the lines at ``source`` as text files under ``into``; returns how many people.

    ``context`` is a SparkContext, ``policy_data`` the bytes of the policy. Each line written is a
    resource; the order of lines says nothing. Data between steps are on Spark's own disks.
    """
    policy = read_policy(policy_data)

    def deidentified(lines: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return _deidentified(lines, policy_data, secret, today)

    rows = context.textFile(source).mapPartitions(deidentified).persist(_storage())
    patients = dict(rows.filter(_is_patient).reduceByKey(min).collect())
    wanted = policy.rules.anonymity.sensitive
    latest = dict(rows.flatMap(lambda row: _sensitive(row, wanted)).reduceByKey(max).collect())
    people = [
        Person(name, quasi_of(loads(data)), latest.get(name, ("", ""))[1])
        for name, data in patients.items()
    ]
    recoding = recode(people, policy)
    found = [*classes(recoding)]
    number = {name: place for place, (_, names) in enumerate(found) for name in names}
    sensitive = {p.pseudonym: p.sensitive for p in people}
    shared = context.broadcast((found, number, patients, sensitive))

    def told(rows_of: tuple[int, Iterable[tuple[str, bytes]]]) -> list[str]:
        return _told(rows_of, shared.value, policy_data)

    by_class = rows.filter(lambda row: row[0] in shared.value[1]).map(
        lambda row: (shared.value[1][row[0]], row)
    )
    by_class.groupByKey(max(len(found), 1)).flatMap(told).saveAsTextFile(into)
    rows.unpersist()
    return len(number)


def _storage() -> Any:
    from pyspark import StorageLevel  # noqa: PLC0415 (an extra)

    return StorageLevel.DISK_ONLY


def _deidentified(
    lines: Iterable[str], policy_data: bytes, secret: bytes, today: date
) -> Iterator[tuple[str, bytes]]:
    deidentifier = Deidentifier(read_policy(policy_data), secret, today=today)
    for line in lines:
        row = loads(line.encode())
        made = deidentifier.resource(row["subject"], row["resource"])
        if made is not None:
            yield deidentifier.pseudonym(row["subject"]), dumps(made)


def _is_patient(row: tuple[str, bytes]) -> bool:
    return row[1].startswith(b'{"resourceType":"Patient"')


def _sensitive(row: tuple[str, bytes], wanted: str) -> list[tuple[str, tuple[str, str]]]:
    if not row[1].startswith(f'{{"resourceType":"{wanted}"'.encode()):
        return []
    fact = fact_of(loads(row[1]))
    return [(row[0], (max(fact.dates, default=""), fact.code))] if fact.code else []


def _told(
    rows: tuple[int, Iterable[tuple[str, bytes]]], shared: Any, policy_data: bytes
) -> list[str]:
    found, _, patients, sensitive = shared
    policy: Policy = read_policy(policy_data)
    quasi, people = found[rows[0]]
    resources: list[tuple[str, Resource]] = [
        (name, loads(data)) for name, data in rows[1] if not _is_patient((name, data))
    ]
    facts = [(name, fact_of(resource)) for name, resource in resources]
    rules = rules_of_class(people, facts, policy)
    values = {s if s in rules.codes else "" for s in (sensitive[name] for name in people)}
    if len(values) < policy.rules.anonymity.l:
        return []
    made = [patient_as_told(loads(patients[name]), Quasi(*quasi)) for name in people]
    for (_, fact), (_, resource) in zip(facts, resources, strict=True):
        precision = rules.told(fact)
        if precision is not None:
            made.append(fact_as_told(resource, rules.codes, precision))
    return [dumps(resource).decode() for resource in made]
