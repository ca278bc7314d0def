"""What must hold after any number of kills, compared between folders, content store and chain.

Every function returns what it found wrong, in words; an empty list is what a test asserts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from simdes.access.categories import State
from simdes.access.custody_release import opened_shares
from simdes.access.vaults import vault_key
from simdes.app import Opened
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap
from simdes.crypto.manifest import Manifest, decode_manifest
from simdes.crypto.seal import OpenedRecord, combine_shares, open_body
from simdes.crypto.shares import Share
from simdes.errors import SimdesError
from simdes.exchange.bundle import Submitted, resources_of
from simdes.exchange.node import Node
from simdes.exchange.submit import resource_context
from simdes.index import audit, batches, chain, outbox, records, resources, vaults
from simdes.index.batches import Batch
from simdes.index.resources import Resource
from simdes.index.rows import read, select
from simdes.index.vaults import Vault
from simdes.ledger import events
from simdes.mapper import map_bytes
from simdes.storage.cid import text_cid
from support.consortium import Consortium, sample_messages


def wrong(network: Consortium, writer: str, acknowledged: Mapping[str, bytes]) -> list[str]:
    """Everything that is not as it must be: at the writer, on chain, at the custodians."""
    node = network[writer].node
    return [
        *lost(node, acknowledged),
        *anchored_otherwise(node),
        *unreadable_by_custody(network, writer),
        *(problem for one in network.members.values() for problem in trail_differs(one)),
        *(problem for one in network.members.values() for problem in model_differs(one.node)),
    ]


def lost(node: Node, acknowledged: Mapping[str, bytes]) -> Iterator[str]:
    """Resources of acknowledged messages (name to vault) that aren't here, open and anchored."""
    for name, data in sample_messages():
        if name not in acknowledged:
            continue
        [message] = map_bytes(name, data, site=node.site).messages
        for resource in resources_of(message.bundle):
            problem = _missing(node, acknowledged[name], resource)
            if problem:
                yield f"{resource.type} of {name} {problem}"


def _missing(node: Node, tag: bytes, wanted: Submitted) -> str:
    with node.database.read() as tx:
        vault = vaults.get(tx, tag)
        versions = [
            one
            for one in resources.history(
                tx, vault=tag, type=wanted.type, logical_id=wanted.logical_id
            )
            if one.digest == sha256(wanted.content)
        ]
    if vault is None or not versions:
        return "is lost"
    if _content(node, vault, versions[0]) != wanted.content:
        return "has other bytes"
    return "" if versions[0].state == resources.ANCHORED else f"is {versions[0].state}"


def _content(node: Node, vault: Vault, row: Resource) -> bytes:
    context = resource_context(vault.tag, row.type, row.logical_id)
    return unwrap(vault_key(node.desk.keystore, vault), row.content_wrapped, aad=context)


def anchored_otherwise(node: Node) -> Iterator[str]:
    """Leaves that are not in exactly one batch on chain, batches that only one side knows."""
    with node.database.read() as tx:
        versions = [read(Resource, row) for row in tx.all(select(Resource, "resource"))]
        leaves = {
            one.resource_id: one
            for one in records.leaves(
                tx, [row[0] for row in tx.all("SELECT record_id FROM record")]
            )
        }
        local = {row[0]: read(Batch, row) for row in tx.all(select(Batch, "batch"))}
        waiting = outbox.pending(tx, now_ms=node.now_ms()).total
        unfinished = len(batches.unfinished(tx))
    if waiting or unfinished:
        yield f"{waiting} resources and {unfinished} batches wait still"
    manifests = dict(_manifests(node))
    on_chain = Counter(leaf for manifest in manifests.values() for leaf in manifest.leaves)
    if set(manifests) != set(local):
        yield f"the chain has {len(manifests)} batches, the database {len(local)}"
    for leaf, times in on_chain.items():
        if times > 1:
            yield f"leaf {leaf.hex()} is anchored {times} times"
    if len(leaves) != len(versions) or set(on_chain) != {one.leaf for one in leaves.values()}:
        yield f"{len(versions)} versions, {len(leaves)} leaves here, {len(on_chain)} on chain"
    for version in versions:
        place = leaves.get(version.id)
        if place is None or place.batch_id is None or place.position is None:
            yield f"{version.type} {version.id} is in no batch"
        elif (version.leaf, version.record_id) != (place.leaf, place.record_id) or (
            place.leaf not in _at(manifests.get(place.batch_id), place.position)
        ):
            yield f"{version.type} {version.id} is anchored elsewhere than it says"


def _at(manifest: Manifest | None, position: int) -> tuple[bytes, ...]:
    """The leaf at a position; () where there is none."""
    return manifest.leaves[position : position + 1] if manifest is not None else ()


def _manifests(node: Node) -> Iterator[tuple[bytes, Manifest]]:
    """Batch id and manifest list of every batch of this organisation, from the chain's events."""
    contracts = node.contracts
    logs = contracts.ledger.logs(
        first=0, last=contracts.ledger.head().number, addresses=contracts.addresses.watched()
    )
    for event in map(contracts.decode, logs):
        if isinstance(event, events.Anchored) and event.organisation == node.organisation:
            batch = contracts.records.batch(event.batch_id)
            assert batch is not None
            assert (batch.root, batch.count) == (event.root, event.count)
            block = node.store.get(text_cid(event.manifest))
            yield event.batch_id, decode_manifest(block, root=event.root)


def unreadable_by_custody(network: Consortium, writer: str) -> Iterator[str]:
    """Records that the two custodians besides the writer could not give back between them."""
    node = network[writer].node
    others = [one.node for name, one in network.members.items() if name != writer]
    with node.database.read() as tx:
        sealed = [read(records.Record, row) for row in tx.all(select(records.Record, "record"))]
        known = vaults.get_many(tx, sorted({one.vault for one in sealed}))
        kept = resources.of_records(tx, [one.record_id for one in sealed])
    for record in sealed:
        try:
            opened = _opened(others, record)
        except SimdesError as error:
            said = ", ".join(_said(one, record) for one in others)
            yield f"record {record.record_id.hex()[:8]} does not open: {error.message} ({said})"
            continue
        vault = known[record.vault]
        here = {_content(node, vault, one) for one in kept if one.record_id == record.record_id}
        if here != {item.content for item in opened.items}:
            yield f"record {record.record_id.hex()[:8]} holds other resources"
    for tag, vault in known.items():
        if vault.state != vaults.OPEN or node.contracts.accounts.vault(tag) is None:
            yield f"vault {tag.hex()[:8]} is not open"


def _said(custodian: Node, record: records.Record) -> str:
    """What a custodian has of a record."""
    [found] = opened_shares(custodian.desk, record.vault, [record.record_id])
    return f"{custodian.name}: {found.reason or 'a share'}"


def _opened(custodians: list[Node], record: records.Record) -> OpenedRecord:
    shares = [
        Share(found.share.index, found.share.value)
        for custodian in custodians
        for found in opened_shares(custodian.desk, record.vault, [record.record_id])
        if found.share is not None
    ]
    store = custodians[0].store
    secret = combine_shares(store.get(record.capsule_cid), shares)
    return open_body(store.get(record.body_cid), secret, record_id=record.record_id)


def trail_differs(one: Opened) -> Iterator[str]:
    """Where the audit trail is not one chain, or not the one in AuditLog."""
    node = one.node
    count = node.desk.trail.verify_chain(node.database)
    with node.database.read() as tx:
        last = audit.newest_batch(tx)
        batches_here = [audit.get_batch(tx, seq) for seq in range(1, (last.seq if last else 0) + 1)]
        loose = audit.unbatched(tx, limit=1)
    head = node.contracts.audit_log.head(node.organisation)
    if (head.seq, head.root) != ((last.seq, last.root) if last else (0, bytes(32))):
        yield f"{node.name}: AuditLog's head is {head.seq}, the trail's {last and last.seq}"
    if head.total != count or loose:
        yield f"{node.name}: {count} audit entries, {head.total} of them on chain"
    for batch in batches_here:
        assert batch is not None
        root = node.contracts.audit_log.root_at(organisation=node.organisation, seq=batch.seq)
        if batch.state != audit.ANCHORED or root != batch.root:
            yield f"{node.name}: audit batch {batch.seq} is {batch.state}"


def model_differs(node: Node) -> Iterator[str]:
    """Where the read model is not what the chain's events say, or transactions hang."""
    node.following.catch_up()
    contracts = node.contracts
    logs = contracts.ledger.logs(
        first=0, last=contracts.ledger.head().number, addresses=contracts.addresses.watched()
    )
    found = [event for log in logs if (event := contracts.decode(log)) is not None]
    opened = [one.tag for one in found if isinstance(one, events.VaultOpened)]
    anchored = {one.batch_id for one in found if isinstance(one, events.Anchored)}
    with node.database.read() as tx:
        head = contracts.ledger.head().number
        model = {one.batch_id for one in chain.batches(tx, first_block=0, last_block=head)}
        kept = {row[0] for row in tx.all("SELECT tag FROM chain_vault")}
        home = {row[0] for row in tx.all("SELECT tag FROM vault WHERE home = 1")}
        sent = tx.all("SELECT hash FROM ledger_transaction WHERE state = 'sent'")
    if model != anchored or kept != set(opened) or len(opened) != len(set(opened)):
        yield f"{node.name}: the read model differs from the chain"
    own = {
        one.tag
        for one in found
        if isinstance(one, events.VaultOpened) and one.organisation == node.organisation
    }
    if own != home:
        yield f"{node.name}: {len(home)} vaults begun here, {len(own)} opened on chain"
    if any(contracts.ledger.receipt(hash_) is None for (hash_,) in sent):
        yield f"{node.name}: a stored transaction was not sent"
    if contracts.accounts.organisation(node.organisation).state != State.VERIFIED:
        yield f"{node.name} is not verified"
