"""`simdes serve` killed while clients send transactions: each Bundle is there whole, or not at all.

https://hl7.org/fhir/R4/http.html#transaction. The real program on a real port, killed by SIGKILL at
moments drawn from a seed, again and again over one database. What was acknowledged stays.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.postgres import Databases
from faults import evidence
from faults.writer import WRITER
from simdes import app
from simdes.app import Opened
from support import consortium, gateways
from support.fhir_api import Api, application

CLIENTS = 4
OBSERVATIONS = 5
MOST_SECONDS = 0.5
SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
LEASE_OVER_SECONDS = 60

Json = dict[str, Any]


@dataclass(slots=True)
class Sent:
    """Bundles by number, and of the acknowledged ones what the server called their entries."""

    sent: int = 0
    acknowledged: dict[int, list[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self) -> int:
        """The next Bundle's number."""
        with self.lock:
            self.sent += 1
            return self.sent


@pytest.fixture(params=["sqlite", "postgresql"])
def network(
    request: pytest.FixtureRequest, tmp_path: Path, template: Path, postgres_url: str
) -> Iterator[Path]:
    """A network whose writer is on the database in turn."""
    if request.param == "sqlite":
        yield consortium.copy(template, tmp_path / "network")
        return
    folder = tmp_path / "network"
    databases = Databases(
        postgres_url, lambda url: consortium.found(folder, databases={WRITER: url})
    )
    databases.create()
    yield folder
    databases.drop_all()


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.accept)])
def test_after_every_kill_each_bundle_is_whole_or_absent(network: Path, kills: int) -> None:
    sent, draw = Sent(), random.Random(kills)
    with gateways.serving(network, "south", "east"):
        for _ in range(kills):
            _send_and_kill(network / WRITER, sent, draw)
    assert len(sent.acknowledged) >= kills, "killed before anything was acknowledged"
    clock = consortium.Clock(LEASE_OVER_SECONDS)  # what dead workers had claimed is free again
    with consortium.opened(network, clock=clock) as restarted:
        restarted.settle()
        assert list(_torn(restarted[WRITER], sent)) == []
        assert list(_found_otherwise(restarted[WRITER])) == []
        restarted.settle()  # looking has left audit entries, too
        assert evidence.wrong(restarted, WRITER, {}) == []


def _send_and_kill(data: Path, sent: Sent, draw: random.Random) -> None:
    with consortium.own_settings(), app.opened(data) as one:
        token = Api.of_agent(one, application(one)).token
        url = one.node.issuer.audience
    with gateways.serve(data) as program:
        before = len(sent.acknowledged)
        clients = [
            threading.Thread(target=_client, args=(url, token, sent)) for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        while len(sent.acknowledged) == before and program.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, MOST_SECONDS))
        os.kill(program.pid, signal.SIGKILL)
        program.wait()
        for client in clients:
            client.join()


def _client(url: str, token: str, sent: Sent) -> None:
    """Send one Bundle after the other until nobody answers."""
    with httpx.Client(timeout=30, headers={"authorization": f"Bearer {token}"}) as client:
        while True:
            number = sent.number()
            try:
                answer = client.post(url, json=_bundle(number))
            except httpx.HTTPError:
                return
            assert answer.status_code == 200, answer.text
            sent.acknowledged[number] = [
                one["response"]["location"].partition("/fhir/")[2].partition("/_history")[0]
                for one in answer.json()["entry"]
            ]


def _bundle(number: int) -> Json:
    patient = {"resourceType": "Patient", "identifier": [_identifier(number)]}
    observation = {
        "resourceType": "Observation",
        "identifier": [_identifier(number)],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"},
    }
    made = [("urn:uuid:11111111-1111-4111-8111-111111111111", patient)]
    made += [("", observation)] * OBSERVATIONS
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                **({"fullUrl": full_url} if full_url else {}),
                "resource": resource,
                "request": {"method": "POST", "url": str(resource["resourceType"])},
            }
            for full_url, resource in made
        ],
    }


def _identifier(number: int) -> Json:
    return {"system": SYSTEM, "value": f"bundle-{number}"}


def _torn(one: Opened, sent: Sent) -> Iterator[str]:
    """Bundles of which a part is there, acknowledged ones that are not found as acknowledged."""
    client = Api.of_agent(one, application(one))
    for number in range(1, sent.sent + 1):
        found = {
            f"{type_}/{resource['id']}"
            for type_ in ("Patient", "Observation")
            for resource in client.found(f"{type_}?identifier={SYSTEM}|bundle-{number}")
        }
        if number in sent.acknowledged and found != set(sent.acknowledged[number]):
            yield f"of the acknowledged Bundle {number} {len(found)} resources are found"
        if len(found) not in (0, OBSERVATIONS + 1):
            yield f"Bundle {number} is torn: {len(found)} resources are found"


def _found_otherwise(one: Opened) -> Iterator[str]:
    """Entries that are not the newest version of a resource, and search rows of nothing."""
    key = "type, logical_id, vault"
    newest = f"SELECT {key}, max(version) FROM resource GROUP BY {key}"
    with one.node.database.read() as tx:
        stored = {tuple(row) for row in tx.all(newest)}
        found = {tuple(row) for row in tx.all(f"SELECT {key}, version FROM entry")}
        if stored != found:
            yield f"{len(stored - found)} are not found, {len(found - stored)} are not there"
        for table in ("search_token", "search_text", "search_span", "search_reference"):
            row = tx.one(f"SELECT count(*) FROM {table} WHERE entry NOT IN (SELECT id FROM entry)")
            if row is None or row[0]:
                yield f"{table} has rows of nothing"
