"""Which organisations of the network hold vaults of somebody with a number, for their staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.exchange import retrieve
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import vaults
from simdes.index.vaults import ORGANISATION

MOST_SYSTEMS: Final = 50


@dataclass(frozen=True, slots=True)
class Held:
    """A vault's tag, and the organisation that opened it."""

    tag: bytes
    organisation: bytes


def find(node: Node, session: Session, system: str, number: str) -> list[Held]:
    """The vaults of a person by a number and who issued it; each member that is asked writes it
    down. Raises Forbidden where the caller may not look for patients."""
    located = retrieve.locate(node, session, [(system, number)])
    found = []
    for one in located:
        known = node.contracts.accounts.vault(one.tag)
        if known is not None:
            found.append(Held(one.tag, known.organisation))
    return found


def systems(node: Node) -> list[str]:
    """Who issues the numbers that patients here have: identifier systems."""
    with node.database.read() as tx:
        return [
            one for one in vaults.systems(tx, limit=MOST_SYSTEMS) if one not in ("", ORGANISATION)
        ]
