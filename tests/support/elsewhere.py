"""A resource that another organisation writes into a patient's vault, as its own journeys do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simdes.access.vaults import add_local
from simdes.exchange.prescriptions import records
from simdes.fhir.json import loads
from simdes.index import vaults
from simdes.index.transaction import Transaction
from support.consortium import Consortium


def write_at(network: Consortium, member: str, vault: bytes, resource: Mapping[str, Any]) -> None:
    """Write and anchor a resource at a member that did not open the vault."""
    node = network[member].node
    descriptor = node.desk.directory.vault(vault)

    def write(tx: Transaction) -> None:
        if vaults.get(tx, vault) is None:
            add_local(
                tx,
                node.desk.keystore,
                vault,
                m=descriptor.m,
                n=len(descriptor.custodians),
                home=False,
                random=node.random,
                now_ms=node.now_ms(),
            )
        made = loads(json.dumps({"id": node.new_id(), **resource}).encode())
        records.write(node, tx, records.home_of(node, tx, vault), [made], records.software(node))

    node.database.write(write)
    network.settle()
