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
from simdes.errors import Conflict, NotFound, SimdesError
from simdes.index import checkpoints
from simdes.index.database import Database
from simdes.index.transactions import Transactions
from simdes.ledger.ledger import Known, Ledger, open_ledger
from simdes.ledger.network import Addresses, Pins
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


def read_network(path: Path, ledger: Ledger) -> Addresses:
    """Read a network's description and compare it with the ledger; Conflict if it is another's."""
    try:
        addresses = Addresses.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFound(
            f"{path} does not exist.", advice="Ask a member for the network's network.json."
        ) from None
    except ValueError as error:
        raise Conflict(f"{path} is not a network description.") from error
    genesis = ledger.block(0)
    if ledger.chain_id() != addresses.chain_id or (genesis and genesis.hash != addresses.genesis):
        raise Conflict(
            "The ledger is not the one of this network.",
            advice="Point --ledger at a node of the network that network.json describes.",
        )
    return addresses


def read_pins(data: Path) -> Pins:
    """Read what the operator accepted of the network; Conflict where it can't be read."""
    try:
        return Pins.from_dict(json.loads((data / "pins.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, SimdesError) as error:
        raise Conflict(
            "What the operator accepted of the network (pins.json) can't be read.",
            advice="Restore it, or accept the network anew with `simdes doctor --accept`.",
        ) from error
