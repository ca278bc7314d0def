"""Many clients at the same resources at the same moment: nothing is lost, nothing is made twice.

https://hl7.org/fhir/R4/http.html#concurrency and #ccreate.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx

from support.fhir_api import Api, Json

CLIENTS = 32
COUNTERS = 4
SYSTEM = "urn:oid:2.16.840.1.113883.4.1"

Make = Callable[..., Json]


def at_once(one: Callable[[int], Any]) -> list[Any]:
    """What `CLIENTS` threads get that begin together."""
    begin = Barrier(CLIENTS)

    def run(number: int) -> Any:
        begin.wait()
        return one(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, range(CLIENTS)))


def value(resource: Json) -> int:
    """What a counter stands at."""
    return int(resource["valueQuantity"]["value"])


def versions(doctor: Api, name: str) -> list[Json]:
    """Every version of a resource, the first one first."""
    bundle = doctor.get(f"{name}/_history?_count=100").json()
    return [one["resource"] for one in reversed(bundle["entry"])]


def test_no_increment_of_32_writers_is_lost(doctor: Api, pulse: Make) -> None:
    names = [f"Observation/{doctor.create(pulse(0))['id']}" for _ in range(COUNTERS)]

    def increment(number: int) -> int:
        name, tries = names[number % COUNTERS], 0
        while True:
            tries += 1
            read = doctor.get(name)
            changed = read.json()
            changed["valueQuantity"]["value"] = value(changed) + 1
            answer = doctor.send("PUT", name, changed, headers={"if-match": read.headers["etag"]})
            if answer.status_code == 200:
                return tries
            assert answer.status_code in (409, 412), answer.text

    tries = at_once(increment)
    assert sum(tries) > CLIENTS, "nobody met anybody"
    for name in names:
        every = versions(doctor, name)
        assert [one["meta"]["versionId"] for one in every] == [
            str(number) for number in range(1, len(every) + 1)
        ]
        assert [value(one) for one in every] == list(range(CLIENTS // COUNTERS + 1))


def test_no_increment_is_lost_between_who_names_and_who_searches(
    doctor: Api, pulse: Make, number: str
) -> None:
    key = [{"system": SYSTEM, "value": f"both-{number}"}]
    name = f"Observation/{doctor.create(pulse(0, identifier=key))['id']}"
    found = f"Observation?identifier={SYSTEM}|both-{number}"

    def increment(writer: int) -> None:
        while True:
            read = doctor.get(name)
            changed = read.json()
            changed["valueQuantity"]["value"] = value(changed) + 1
            to = found if writer % 2 else name
            answer = doctor.send("PUT", to, changed, headers={"if-match": read.headers["etag"]})
            if answer.status_code == 200:
                return
            assert answer.status_code in (409, 412), answer.text

    at_once(increment)
    assert [value(one) for one in versions(doctor, name)] == list(range(CLIENTS + 1))


def test_conditional_creates_of_one_condition_make_one_resource(
    doctor: Api, pulse: Make, number: str
) -> None:
    sent = pulse(identifier=[{"system": SYSTEM, "value": f"once-{number}"}])
    condition = f"identifier={SYSTEM}|once-{number}"

    def create(_: int) -> httpx.Response:
        return doctor.send("POST", "Observation", sent, headers={"if-none-exist": condition})

    answers = at_once(create)
    assert sorted(one.status_code for one in answers) == [200] * (CLIENTS - 1) + [201]
    [made] = doctor.found(f"Observation?{condition}")
    assert {one.json()["id"] for one in answers} == {made["id"]}
    assert made["meta"]["versionId"] == "1"


def test_of_many_updates_that_create_one_does_and_the_others_update(
    doctor: Api, pulse: Make, number: str
) -> None:
    name = f"Observation/same-{number}"

    def update(writer: int) -> httpx.Response:
        return doctor.send("PUT", name, pulse(writer, id=f"same-{number}"))

    answers = at_once(update)
    assert sorted(one.status_code for one in answers) == [200] * (CLIENTS - 1) + [201]
    [first] = [one for one in answers if one.status_code == 201]
    assert first.headers["etag"] == 'W/"1"'
    acknowledged = {one.json()["meta"]["versionId"]: writer for writer, one in enumerate(answers)}
    stored = {one["meta"]["versionId"]: value(one) for one in versions(doctor, name)}
    assert stored == acknowledged
    assert sorted(map(int, stored)) == list(range(1, CLIENTS + 1))


def test_transactions_over_the_same_resources_in_any_order_hold_together(
    doctor: Api, pulse: Make
) -> None:
    pair = [doctor.create(pulse(0)) for _ in range(2)]

    def change(writer: int) -> int:
        entries = [
            {
                "resource": pulse(writer + 1, id=one["id"]),
                "request": {"method": "PUT", "url": f"Observation/{one['id']}"},
            }
            for one in (pair if writer % 2 else reversed(pair))
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        return doctor.send("POST", "", bundle).status_code

    assert at_once(change) == [200] * CLIENTS
    one, other = (versions(doctor, f"Observation/{it['id']}") for it in pair)
    assert [value(it) for it in one] == [value(it) for it in other]
    assert len(one) == CLIENTS + 1
