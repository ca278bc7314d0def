"""Durable creates per second in the gateway's database, singly and in batches.

One create is what a gateway makes durable before it answers 201: a version of a resource (1 kB of
wrapped content) and its outbox row. Run it from the project's folder::

    .venv/bin/python bench/index.py [--seconds 3] [--postgresql URL] [--out FILE]

Without a URL a PostgreSQL is started in a temporary folder, with fsync on. Each figure stands
beside the disk's own limit, measured on the same disk in the same run (a 1 kB append and fsync).
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from adapters.postgres import Databases, running_postgres
from simdes.index import outbox, resources, vaults
from simdes.index.database import Database, open_database
from simdes.index.migrations import migrate
from simdes.index.resources import NewResource

CONTENT = os.urandom(1000)
TAG = hashlib.sha256(b"bench").digest()
Numbers = Iterator[int]


def main() -> int:
    """Measure and print one line a case; write them as JSON where asked."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3.0)
    arguments.add_argument("--postgresql", help="URL of a server where databases may be created")
    arguments.add_argument("--out", type=Path)
    options = arguments.parse_args()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="simdes-bench-") as folder:
        found["disk: fsync of 1 kB"] = rate(fsyncs(Path(folder) / "file"), options.seconds)
        url = f"sqlite:{folder}/index.db"
        migrate(url)
        found |= cases("sqlite", url, options.seconds)
    with postgresql(options.postgresql) as url:
        found |= cases("postgresql", url, options.seconds)
    for name, value in found.items():
        print(f"{name:<45} {value:>10,.0f} /s")
    if options.out:
        options.out.write_text(json.dumps(found, indent=2))
    return 0


@contextmanager
def postgresql(configured: str | None) -> Iterator[str]:
    """URL of a fresh database on the given server, or on one of our own."""
    if configured is None:
        with running_postgres(durable=True) as own, postgresql(own) as url:
            yield url
        return
    databases = Databases(configured, migrate)
    try:
        yield databases.create()
    finally:
        databases.drop_all()


def cases(name: str, url: str, seconds: float) -> dict[str, float]:
    """Measure creates (singly, by eight threads, fifty to a transaction), reads and claims."""
    with closing(open_database(url, connections=8)) as database:
        numbers = itertools.count()
        with database.transaction() as tx:
            vaults.add(tx, vault())
        one, fifty = creates(database, numbers, 1), creates(database, numbers, 50)
        return {
            f"{name}: creates, one client": rate(one, seconds),
            f"{name}: creates, eight threads": rate(one, seconds, threads=8),
            f"{name}: creates, fifty a transaction": rate(fifty, seconds),
            f"{name}: creates, fifty, four threads": rate(fifty, seconds, threads=4),
            f"{name}: reads by type and id": rate(reads(database), seconds),
            f"{name}: outbox claimed and completed": rate(claims(database), seconds / 3),
        }


def rate(work: Callable[[], int], seconds: float, *, threads: int = 1) -> float:
    """Things done per second by some threads at once; a call says how many it did."""
    done = [0] * threads
    end = time.perf_counter() + seconds

    def run(thread: int) -> None:
        while time.perf_counter() < end:
            done[thread] += work()

    running = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
    start = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(done) / (time.perf_counter() - start)


def creates(database: Database, numbers: Numbers, each: int) -> Callable[[], int]:
    """One transaction with `each` versions and their outbox rows."""

    def work() -> int:
        new = [resource(next(numbers)) for _ in range(each)]
        with database.transaction() as tx:
            outbox.add(tx, [stored.id for stored in resources.add(tx, new)])
        return each

    return work


def reads(database: Database) -> Callable[[], int]:
    """Read the latest version of resources that are there."""
    numbers = itertools.cycle(range(1000))

    def work() -> int:
        with database.read() as tx:
            resources.get(tx, vault=TAG, type="Observation", logical_id=f"r{next(numbers)}")
        return 1

    return work


def claims(database: Database) -> Callable[[], int]:
    """Claim 300 rows in one transaction, complete them in another."""

    def work() -> int:
        with database.transaction() as tx:
            mine = outbox.claim(tx, worker="bench", now_ms=0, lease_ms=10**9, limit=300)
        with database.transaction() as tx:
            outbox.complete(tx, [claim.id for claim in mine], worker="bench")
        return len(mine)

    return work


def fsyncs(path: Path) -> Callable[[], int]:
    """What the disk itself can do."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work() -> int:
        os.write(descriptor, CONTENT)
        os.fsync(descriptor)
        return 1

    return work


def vault() -> vaults.Vault:
    """The one vault of the run."""
    return vaults.Vault(
        tag=TAG,
        m=2,
        n=3,
        epoch=1,
        descriptor_cid="",
        control=None,
        home=1,
        key_wrapped=b"",
        state=vaults.OPEN,
        created_ms=0,
    )


def resource(number: int) -> NewResource:
    """A version of a resource of its own."""
    digest = hashlib.sha256(b"%d" % number).digest()
    return NewResource(
        type="Observation",
        logical_id=f"r{number}",
        vault=TAG,
        category=3,
        labels=0,
        content_wrapped=CONTENT,
        digest=digest,
        salt=digest,
        source_id=None,
        created_ms=number,
    )


if __name__ == "__main__":
    raise SystemExit(main())
