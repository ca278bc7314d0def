"""The organisation's own vault: where what is about no patient lives (Practitioner, ValueSet ...).

It is a vault like any other, sealed and anchored alike, found by an identifier that no patient can
have, and never anybody's to claim.
"""

from __future__ import annotations

from simdes.exchange.node import Node
from simdes.exchange.placing import begin
from simdes.index import vaults
from simdes.index.transaction import Transaction
from simdes.index.vaults import Identifier


def home_identifier(node: Node) -> Identifier:
    """The identifier that leads to this organisation's own vault."""
    return Identifier(vaults.ORGANISATION, f"0x{node.organisation.hex()}")


def home_vault(node: Node, tx: Transaction) -> bytes | None:
    """The tag of the organisation's own vault, None while there is none."""
    name = home_identifier(node)
    return vaults.find_many(tx, [name]).get(name)


def ensure_home(node: Node) -> bytes:
    """The tag of the organisation's own vault, begun now if there is none.

    It stays what it is for good, so it is looked up once.
    """
    if not node.own_vault:
        node.own_vault.append(_found_or_begun(node))
    return node.own_vault[0]


def _found_or_begun(node: Node) -> bytes:
    with node.database.read() as tx:
        known = home_vault(node, tx)
    if known is not None:
        return known

    def write(tx: Transaction) -> bytes:
        tx.lock("home vault")
        found = home_vault(node, tx)
        if found is not None:
            return found
        row = begin(node)
        vaults.add_many(tx, [row])
        vaults.link_organisation(tx, home_identifier(node).value, row.tag)
        return row.tag

    return node.database.write(write)
