"""The ledger of one organisation, opened with what its folder and its database know of the chain.

So a node of another network, or of this network's chain retold, is told from ours by its first
answer (`ledger.sightings`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from simdes.access.following import CHAIN
from simdes.config import Settings
from simdes.errors import SimdesError
from simdes.index import checkpoints
from simdes.index.database import Database
from simdes.index.transactions import Transactions
from simdes.ledger.ledger import Known, Ledger, open_ledger
from simdes.ledger.network import Addresses
from simdes.ledger.stored import StoredTransaction, send_lost

_REORGANISED_BLOCKS = 512
"""How far back a development node's reorganisation is looked for."""


def own_ledger(
    data: Path, settings: Settings, database: Database, clock: Callable[[], float]
) -> Ledger:
    """Open the ledger, telling what is known of it, so that no other chain is taken for it."""
    with database.read() as tx:
        reached = checkpoints.get(tx, CHAIN)
    try:
        genesis = Addresses.from_dict(json.loads((data / "network.json").read_text())).genesis
    except (OSError, ValueError, SimdesError):
        genesis = None  # `read_network` says what is wrong with the file
    known = Known(
        genesis=genesis,
        block=None if reached is None else (reached.block_number, reached.block_hash),
    )
    return open_ledger(
        settings.ledger_url, clock=clock, known=known, agreeing=settings.ledger_agree
    )


def send_lost_again(ledger: Ledger, transactions: Transactions[StoredTransaction]) -> None:
    """After a reorganisation: send again what stood in the blocks that are gone."""
    first = max(0, ledger.head().number - _REORGANISED_BLOCKS)
    send_lost(ledger, transactions, first_block=first)
