"""Several feeds of one hospital at the same moment, about the same new patients.

Replicas share a PostgreSQL database; on SQLite one writer at a time is the rule anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.postgres import Databases
from faults import evidence
from simdes.exchange import anchoring
from simdes.exchange.submit import Accepted
from simdes.index import resources, vaults
from simdes.index.vaults import Identifier
from support import consortium
from support.bundles import SYSTEM, bundle
from support.consortium import Consortium

FEEDS = 4
PATIENTS = 12


@pytest.fixture(scope="module")
def databases(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Databases]]:
    folder = tmp_path_factory.mktemp("template") / "network"
    made = Databases(postgres_url, lambda url: consortium.found(folder, databases={"north": url}))
    yield folder, made
    made.drop_all()


@pytest.fixture(params=["sqlite", "postgresql"])
def network(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Consortium]:
    if request.param == "postgresql":
        template, made = request.getfixturevalue("databases")
        chosen = {"north": made.create()}
    else:
        template, chosen = request.getfixturevalue("template"), {}
    folder = consortium.copy(template, tmp_path / "network", databases=chosen)
    with consortium.opened(folder) as opened:
        yield opened


def test_feeds_that_see_a_new_patient_at_once_write_into_one_vault(network: Consortium) -> None:
    barrier = threading.Barrier(FEEDS)

    def feed(number: int) -> list[Accepted]:
        answers = []
        for patient in range(PATIENTS):
            name = f"patient-{patient}"
            message = bundle(name, observations=number + 1, hiv=False)
            barrier.wait()
            answers += network.submit("north", f"{name}-{number}.json", message)
        return [one for one in answers if isinstance(one, Accepted)]

    with ThreadPoolExecutor(FEEDS) as feeds:
        answers = [one for found in feeds.map(feed, range(FEEDS)) for one in found]
    assert len(answers) == FEEDS * PATIENTS
    node = network["north"].node
    with node.database.read() as tx:
        tags = [
            vaults.find(tx, Identifier(SYSTEM, f"patient-{patient}")) for patient in range(PATIENTS)
        ]
        assert {one.vault for one in answers} == set(tags)
        assert tx.all("SELECT count(*) FROM vault") == [(PATIENTS,)]
        for tag in tags:
            assert tag is not None
            kept = resources.of_vault(tx, tag, categories=range(64))
            assert sum(one.type == "Observation" for one in kept) == FEEDS


def test_workers_of_several_processes_anchor_everything_once(network: Consortium) -> None:
    for patient in range(PATIENTS):
        network.submit("north", f"{patient}.json", bundle(f"patient-{patient}"))
    barrier = threading.Barrier(FEEDS)

    def work(number: int) -> None:
        barrier.wait()
        for _ in range(20):
            anchoring.work(network["north"].node, worker=f"worker {number}")

    with ThreadPoolExecutor(FEEDS) as workers:
        list(workers.map(work, range(FEEDS)))
    network.settle()
    assert evidence.wrong(network, "north", {}) == []
