"""An organisation's own parts at one desk: keys, database, ledger, store, and what it may be asked.

Like `own_ledger` and `own_store` for `simdes.app`, which alone chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from simdes.access import anomaly
from simdes.access.asking import Caller, CustodyClient
from simdes.access.attestations import Attestations
from simdes.access.audit import Trail
from simdes.access.desk import Desk, Limits, PinWatch
from simdes.access.directory import Directory
from simdes.access.keystore import KeyStore
from simdes.config import Settings
from simdes.custody_http import LocalCustody
from simdes.index.database import open_database
from simdes.index.migrations import bring_up
from simdes.ledger.contracts import Contracts
from simdes.own_ledger import own_ledger, read_network, read_pins
from simdes.own_store import own_store


@contextmanager
def own_desk(
    data: Path,
    settings: Settings,
    word: str,
    *,
    here: LocalCustody,
    clock: Callable[[], float],
    random: Callable[[int], bytes],
    processes: int,
    upgrade: bool,
) -> Iterator[tuple[Desk, CustodyClient]]:
    """Open keys, database, ledger and store, and the way to other organisations; closed at the end.

    ``here`` are custodians of this process. Raises as `simdes.app.opened`.
    """
    with ExitStack() as stack:
        keystore = KeyStore.open(data / "keystore.json", word, random=random)
        database = open_database(settings.database_url)
        stack.callback(database.close)
        bring_up(database, settings.database_url, upgrade=upgrade)
        ledger = own_ledger(data, settings, database, clock)
        stack.callback(ledger.close)
        contracts = Contracts(ledger, read_network(data / "network.json", ledger))
        agent = Caller(keystore.lanes[0], here, contracts, clock, random)
        store, custody = own_store(data, settings, database, agent, stack)
        desk = Desk(
            keystore=keystore,
            contracts=contracts,
            directory=Directory(contracts, store),
            database=database,
            store=store,
            trail=Trail(keystore, contracts, clock=clock, random=random),
            attestations=Attestations(data / "attest.json", keystore.organisation),
            clock=clock,
            random=random,
            pins=PinWatch(read_pins(data)),
            limits=_limits(settings, processes),
            chart_duty=settings.chart_duty,
        )
        yield desk, custody


def _limits(settings: Settings, processes: int) -> Limits:
    whole = Limits()
    return replace(
        whole,
        calls_per_minute=share_of(whole.calls_per_minute, processes),
        locates_per_minute=share_of(whole.locates_per_minute, processes),
        keep_bytes=settings.keep_gib << 30,
        counts_of_researcher=settings.counts_of_researcher,
        counts_of_organisation=settings.counts_of_organisation,
        evaluations_per_day=settings.fingerprints_per_day,
        stale_after_seconds=settings.stale_after_seconds,
        reading=anomaly.rules(
            strangers_per_hour=settings.strangers_per_hour,
            patients_per_hour=settings.patients_per_hour,
            patients_per_day=settings.patients_per_day,
        ),
    )


def share_of(whole: int, processes: int) -> int:
    """One process's share of a limit, rounded up."""
    return -(-whole // processes)
