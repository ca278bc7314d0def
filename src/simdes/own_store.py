"""The content store of an organisation, as its settings name it, and what tends it.

Reads fall back to other organisations' copies; the way to them, their descriptors, is remembered in
the organisation's folder, because it is needed just when the store is down.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simdes.access.asking import Caller, CustodyClient
from simdes.access.directory import Directory
from simdes.config import Settings
from simdes.custody_http import EitherCustody, HttpCustody
from simdes.errors import Unavailable
from simdes.exchange.elsewhere import Elsewhere
from simdes.exchange.storekeeping import Options, Storekeeper
from simdes.index import contents, safekeeping
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.storage.fallback import FallbackStore
from simdes.storage.remembered import RememberedStore
from simdes.storage.store import open_store

if TYPE_CHECKING:
    from simdes.app import Opened


def own_store(
    data: Path, settings: Settings, database: Database, agent: Caller, stack: ExitStack
) -> tuple[FallbackStore, CustodyClient]:
    """Open the store and the way to other organisations; ``stack`` closes both.

    ``agent`` is this organisation's software, which asks others for what the store does not give,
    and so far knows the way to custodians of this process alone. Raises as `open_store`.
    """
    here = open_store(settings.store_url)
    stack.callback(here.close)
    remembered = RememberedStore(open_store(f"file:{data / 'descriptors'}"), here)
    http = HttpCustody(Directory(agent.contracts, remembered))
    stack.callback(http.close)
    custody = EitherCustody(agent.client, http)
    organisation = bytes.fromhex(settings.organisation[2:])
    elsewhere = Elsewhere(replace(agent, client=custody), database, organisation=organisation)
    return FallbackStore(here, elsewhere, missed=partial(_read_soon, database)), custody


def storekeeper(one: Opened) -> Storekeeper:
    """What tends an organisation's store and its copies elsewhere."""
    settings = one.settings
    return Storekeeper(
        one.node,
        Options(
            copies=settings.copies,
            verify_seconds=settings.verify_hours * 3600,
            verify_bytes_per_second=settings.verify_mib_per_second << 20,
        ),
    )


def _read_soon(database: Database, cid: str) -> None:
    """Have a content that should be here looked at; a reader does not wait for a busy database."""

    def write(tx: Transaction) -> None:
        contents.read_soon(tx, [cid])
        safekeeping.read_soon(tx, [cid])

    with suppress(Unavailable):
        database.write(write, attempts=1)
