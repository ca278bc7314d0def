"""What a source deleted ends here, too: a tombstone, sealed and anchored like any version.

https://hl7.org/fhir/R4/http.html#delete. What came by a feed ends in every vault that has it, as
the source has it no more; what people wrote here over the API under the same id waits for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from simdes.access.vaults import vault_key
from simdes.exchange.facade.source import Change
from simdes.exchange.indexing import Written, index_own
from simdes.exchange.interactions.found import tombstone
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.versions import new_version
from simdes.fhir.json import dumps
from simdes.index import moments, outbox, resources, vaults
from simdes.index.resources import NewResource, Resource
from simdes.index.transaction import Transaction
from simdes.index.vaults import Vault


def end(node: Node, tx: Transaction, gone: Sequence[Change]) -> list[Change]:
    """End resources; those that people here wrote to are given back, for people to decide on.

    One that never came here, has ended already, or is in an erased vault, is done.
    """
    waiting: dict[tuple[str, str], Change] = {}
    rows: list[NewResource] = []
    times: list[int] = []
    for change in gone:
        found = resources.latest_of(tx, change.type, change.id)
        held = vaults.lock_many(tx, sorted({one.vault for one in found}))
        for one in found:
            if one.deleted or held[one.vault].is_closed:
                continue
            if one.account is not None:
                waiting[change.name] = change
                continue
            rows.append(_tombstone(node, held[one.vault], one))
            times.append(min(change.updated_ms or node.now_ms(), node.now_ms()))
    stored = resources.add(tx, rows)
    made = [
        Written(row, one, tombstone(row.type, row.logical_id))
        for row, one in zip(rows, stored, strict=True)
    ]
    outbox.add(tx, [one.stored.id for one in made if one.stored.created])
    index_own(tx, node.organisation, made)
    moments.put(tx, {one.stored.id: (None, at) for one, at in zip(made, times, strict=True)})
    return list(waiting.values())


def _tombstone(node: Node, vault: Vault, last: Resource) -> NewResource:
    return new_version(
        Home(vault.tag, vault_key(node.desk.keystore, vault)),
        type=last.type,
        logical_id=last.logical_id,
        content=dumps(dict(tombstone(last.type, last.logical_id))),
        category=last.category,
        labels=last.labels,
        created_ms=node.now_ms(),
        random=node.random,
        deleted=True,
    )
