"""The worker behind `submit`: open vaults, seal, store, anchor, audit; each step idempotent.

Every step takes what is durable, does its work outside any transaction, and writes the result in
one. Killed anywhere it starts again from what is durable: a body sealed twice leaves an orphan that
nobody can open, a batch is identified by its leaves and its organisation, and a transaction is
stored before it is sent and sent again unchanged. So nothing is lost and nothing is anchored twice
(ARCHITECTURE.md, "The two ways data flows"; formats in docs/formats/anchor-batch.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from simdes.access import vaults as vault_access
from simdes.access.categories import State
from simdes.access.descriptors import VaultDescriptor
from simdes.crypto import anchor
from simdes.crypto.keys import unwrap
from simdes.crypto.manifest import Manifest, ManifestEntry, encode_manifest, seal_entries
from simdes.crypto.seal import Item, SealedRecord, seal
from simdes.errors import Conflict, NotFound, SimdesError, Unavailable
from simdes.exchange.logbook import anchor_trail
from simdes.exchange.node import Node
from simdes.exchange.submit import resource_context
from simdes.index import batches, chain, contents, outbox, records, resources, vaults
from simdes.index.batches import Batch, NewBatch, Unbatched
from simdes.index.outbox import Claim
from simdes.index.records import NewLeaf, NewRecord
from simdes.index.resources import Resource
from simdes.index.vaults import Vault
from simdes.storage.cid import binary_cid
from simdes.tracing import step

LEASE_MS = 15_000
RETRY_MS = 1_000
SEAL_RESOURCES = 512
BODY_RESOURCES = 30
BODY_BYTES = 700_000
BATCH_RECORDS = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one round of the worker did."""

    vaults: int = 0
    resources: int = 0
    records: int = 0
    batches: int = 0
    audit_batches: int = 0

    def __add__(self, other: Progress) -> Progress:
        """Add two rounds up."""
        return Progress(
            vaults=self.vaults + other.vaults,
            resources=self.resources + other.resources,
            records=self.records + other.records,
            batches=self.batches + other.batches,
            audit_batches=self.audit_batches + other.audit_batches,
        )

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return self == Progress()


def work(node: Node, *, worker: str) -> Progress:
    """Do one round of every step; call it again until it is idle, and at every start.

    ``worker`` names one running worker (process and thread). Raises Unavailable where the ledger,
    the store or a custodian does not answer; what was done stays done. A step that fails keeps none
    of the others: a custodian that is down must hold up neither others' records nor the trail.
    """
    node.following.catch_up()
    steps: tuple[Callable[[], Progress], ...] = (
        lambda: finish_batches(node),
        lambda: open_vaults(node),
        lambda: seal_pending(node, worker=worker),
        lambda: anchor_sealed(node),
        lambda: Progress(audit_batches=anchor_trail(node)),
    )
    done = Progress()
    failures: list[SimdesError] = []
    for one in steps:
        try:
            done += one()
        except SimdesError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return done


def settle(node: Node, *, worker: str) -> Progress:
    """Work until nothing is left to do."""
    total = Progress()
    while not (done := work(node, worker=worker)).idle:
        total += done
    return total


@step("exchange.anchoring.open_vaults")
def open_vaults(node: Node) -> Progress:
    """Open on the network what `submit` began: custodians' keys, descriptor, transaction."""
    with node.database.read() as tx:
        waiting = vaults.in_state(tx, vaults.OPENING, limit=vault_access.MAX_VAULTS)
    if not waiting:
        return Progress()
    results = vault_access.open_vaults(
        opener(node), [one.tag for one in waiting], choose_custodians(node), m=node.shares_needed
    )
    failures = [error for error in results.values() if error is not None]
    if failures and len(failures) == len(results):
        raise failures[0]
    opened = [tag for tag, error in results.items() if error is None]
    node.database.write(lambda tx: outbox.free(tx, opened))
    return Progress(vaults=len(opened))


def opener(node: Node) -> vault_access.Opener:
    """What opening vaults needs, taken from the node."""
    desk = node.desk
    return vault_access.Opener(
        keystore=desk.keystore,
        database=desk.database,
        store=desk.store,
        directory=desk.directory,
        caller=node.agent_caller(),
        lane=node.agent,
        clock=desk.clock,
        random=desk.random,
    )


def choose_custodians(node: Node) -> tuple[bytes, ...]:
    """Return n verified organisations, this one first, the others in the order of their ids.

    Raises Unavailable while the network has fewer: records wait, and are safe, until it has.
    """
    with node.database.read() as tx:
        verified = [one.id for one in chain.organisations(tx) if one.state == State.VERIFIED]
    others = sorted(one for one in verified if one != node.organisation)
    chosen = (node.organisation, *others)[: node.custodians]
    if len(chosen) < node.custodians or node.organisation not in verified:
        raise Unavailable(
            f"A vault needs {node.custodians} verified organisations as custodians; the network "
            f"has {len(verified)}.",
            advice="Verify more organisations (`simdes organisation verify`); records wait.",
        )
    return chosen


@step("exchange.anchoring.seal_pending")
def seal_pending(node: Node, *, worker: str) -> Progress:
    """Seal what waits in the outbox, up to 512 resources a round."""
    claims = node.database.write(
        lambda tx: outbox.claim(
            tx, worker=worker, now_ms=node.now_ms(), lease_ms=LEASE_MS, limit=SEAL_RESOURCES
        )
    )
    if not claims:
        return Progress()
    with node.database.read() as tx:
        known = vaults.get_many(tx, sorted({claim.vault for claim in claims}))
        rows = {row.id: row for row in resources.get_many(tx, [one.resource_id for one in claims])}
    claims = _without_erased(node, claims, known, worker=worker)
    try:
        descriptors = _descriptors(node, [known[tag] for tag in {one.vault for one in claims}])
        ready = [claim for claim in claims if claim.vault in descriptors]
        _put_off(node, [claim for claim in claims if claim not in ready], worker=worker)
        sealed = _seal(node, known, descriptors, rows, _groups(ready, rows))
    except SimdesError:
        _put_off(node, claims, worker=worker)
        raise
    if ready:
        with node.database.transaction() as tx:
            records.add(tx, sealed)
            contents.add(tx, _stored(sealed), now_ms=node.now_ms())
            outbox.complete(tx, [claim.id for claim in ready], worker=worker)
    return Progress(resources=len(ready), records=len(sealed))


def _stored(
    sealed: Sequence[tuple[NewRecord, Sequence[NewLeaf]]],
) -> Iterator[tuple[str, str, bytes | None]]:
    for record, _ in sealed:
        yield record.body_cid, contents.BODY, record.record_id
        yield record.capsule_cid, contents.CAPSULE, record.record_id


def _descriptors(node: Node, known: Sequence[Vault]) -> dict[bytes, VaultDescriptor]:
    """The custodians of the vaults that are open, and that the ledger knows."""
    found: dict[bytes, VaultDescriptor] = {}
    for vault in known:
        if vault.state == vaults.OPEN:
            with suppress(NotFound):
                found[vault.tag] = node.desk.directory.vault(vault.tag)
    return found


def _without_erased(
    node: Node, claims: Sequence[Claim], known: Mapping[bytes, Vault], *, worker: str
) -> list[Claim]:
    """Let go of what came for a vault while it was erased: it can't be sealed without its key."""
    erased = [one.id for one in claims if known[one.vault].state == vaults.ERASED]
    if erased:
        node.database.write(lambda tx: outbox.complete(tx, erased, worker=worker))
    return [one for one in claims if one.id not in erased]


def _put_off(node: Node, claims: Sequence[Claim], *, worker: str) -> None:
    """Give back what can't be sealed now, such as that of a vault that the ledger forgot."""
    if claims:
        with node.database.transaction() as tx:
            outbox.release(
                tx,
                [claim.id for claim in claims],
                worker=worker,
                free_at_ms=node.now_ms() + RETRY_MS,
            )


def _groups(claims: Sequence[Claim], rows: Mapping[int, Resource]) -> list[list[Claim]]:
    """Split claims into bodies: one vault, category and label set, at most 30 and some 700 kB."""
    together: defaultdict[tuple[bytes, int, int], list[list[Claim]]] = defaultdict(lambda: [[]])
    sizes: defaultdict[tuple[bytes, int, int], int] = defaultdict(int)
    for claim in claims:
        key = (claim.vault, claim.category, claim.labels)
        size = len(rows[claim.resource_id].content_wrapped)
        group = together[key][-1]
        if group and (len(group) == BODY_RESOURCES or sizes[key] + size > BODY_BYTES):
            group = []
            together[key].append(group)
            sizes[key] = 0
        group.append(claim)
        sizes[key] += size
    return [group for groups in together.values() for group in groups]


def _seal(
    node: Node,
    known: Mapping[bytes, Vault],
    descriptors: Mapping[bytes, VaultDescriptor],
    rows: Mapping[int, Resource],
    groups: Sequence[Sequence[Claim]],
) -> list[tuple[NewRecord, list[NewLeaf]]]:
    """Seal each group into one body; store all bodies and capsules; return what to write down."""
    sealed = []
    for group in groups:
        members = [rows[claim.resource_id] for claim in group]
        vault = known[group[0].vault]
        sealed.append((members, _seal_group(node, vault, descriptors[vault.tag], members)))
    bodies = node.store.put_many([record.body for _, record in sealed])
    capsules = node.store.put_many([record.capsule for _, record in sealed])
    written = []
    for (members, record), body_cid, capsule_cid in zip(sealed, bodies, capsules, strict=True):
        first = members[0]
        new = NewRecord(
            record_id=record.record_id,
            vault=first.vault,
            category=first.category,
            labels=first.labels,
            epoch=descriptors[first.vault].epoch,
            body_cid=body_cid,
            body_digest=record.body_digest,
            capsule_cid=capsule_cid,
            organisation=node.organisation,
            author=node.desk.keystore.lanes[0].address,
            created_ms=node.now_ms(),
        )
        leaves = [NewLeaf(leaf, row.id) for leaf, row in zip(record.leaves, members, strict=True)]
        written.append((new, leaves))
    return written


def _seal_group(
    node: Node, vault: Vault, descriptor: VaultDescriptor, rows: Sequence[Resource]
) -> SealedRecord:
    """Seal resources of one vault, category and label set into one body."""
    key = vault_access.vault_key(node.desk.keystore, vault)
    items = [
        Item(
            row.type,
            unwrap(
                key,
                row.content_wrapped,
                aad=resource_context(vault.tag, row.type, row.logical_id),
            ),
            row.salt,
        )
        for row in rows
    ]
    return seal(
        items,
        vault=vault.tag,
        category=rows[0].category,
        labels=rows[0].labels,
        epoch=descriptor.epoch,
        m=descriptor.m,
        custodians=descriptor.custodians,
        author=node.desk.keystore.lanes[0],
        organisation=node.organisation,
        random=node.random,
    )


@step("exchange.anchoring.anchor_sealed")
def anchor_sealed(node: Node) -> Progress:
    """Put sealed records into one batch and anchor it."""
    with node.database.read() as tx:
        waiting = batches.unbatched(tx, limit=BATCH_RECORDS)
    if not waiting:
        return Progress()
    leaves = [leaf.leaf for one in waiting for leaf in one.leaves]
    root = anchor.root(leaves)
    batch = NewBatch(
        batch_id=anchor.batch_id(node.contracts.ledger.chain_id(), node.organisation, root),
        root=root,
        count=len(leaves),
        manifest_cid=node.store.put(encode_manifest(_manifest(node, leaves, waiting))),
        created_ms=node.now_ms(),
    )
    try:
        with node.database.transaction() as tx:
            batches.build(tx, batch, leaves=leaves)
            stored = (batch.manifest_cid, contents.MANIFEST, None)
            contents.add(tx, [stored], now_ms=node.now_ms())
    except Conflict:
        return Progress()  # another worker of ours took them; its batch stands
    return finish_batches(node)


@step("exchange.anchoring.finish_batches")
def finish_batches(node: Node) -> Progress:
    """Anchor every batch that was built and is not known to be in a block.

    What an earlier run signed is sent again unchanged first; the chain then says which batches
    it has, so that none is anchored twice.
    """
    with node.database.read() as tx:
        unfinished = batches.unfinished(tx)
    if unfinished:
        node.agent.resume()
    for batch in unfinished:
        _finish(node, batch)
    return Progress(batches=len(unfinished))


def _finish(node: Node, batch: Batch) -> None:
    contract = node.contracts.records
    block = node.contracts.ledger.head().number
    if contract.batch(batch.batch_id) is None:
        try:
            receipt = node.agent.transact(
                contract.anchor(
                    root=batch.root,
                    count=batch.count,
                    manifest=binary_cid(batch.manifest_cid),
                )
            )
            block = receipt.block_number
        except Conflict:
            if contract.batch(batch.batch_id) is None:
                raise
    with node.database.transaction() as tx:
        batches.anchored(tx, batch.batch_id, block_number=block)


def _manifest(node: Node, leaves: Sequence[bytes], waiting: Sequence[Unbatched]) -> Manifest:
    """All leaves in clear, and for each vault one letter to its custodians."""
    by_vault: defaultdict[bytes, list[ManifestEntry]] = defaultdict(list)
    position = 0
    for one in waiting:
        indexes = tuple(range(position, position + len(one.leaves)))
        position += len(one.leaves)
        by_vault[one.record.vault].append(_entry(one, indexes))
    letters = []
    for tag, entries in by_vault.items():
        custodians = node.desk.directory.vault(tag).custodians
        publics = [custodian.public for custodian in custodians]
        letters.append(seal_entries(tag, entries, publics, random=node.random))
    return Manifest(tuple(leaves), tuple(letters))


def _entry(one: Unbatched, indexes: tuple[int, ...]) -> ManifestEntry:
    record = one.record
    return ManifestEntry(
        record_id=record.record_id,
        category=record.category,
        labels=record.labels,
        types=tuple(leaf.type for leaf in one.leaves),
        body_cid=record.body_cid,
        body_digest=record.body_digest,
        capsule_cid=record.capsule_cid,
        leaf_indexes=indexes,
        organisation=record.organisation,
        author=record.author,
        time_ms=record.created_ms,
    )


def everything_anchored(node: Node) -> bool:
    """Whether every resource accepted here is in a block, but for what was erased before."""
    with node.database.read() as tx:
        waiting = outbox.pending(tx, now_ms=node.now_ms()).total
        return waiting == resources.counts(tx)[resources.SEALED] == 0


def held_in(node: Node, vault: bytes, category: int) -> list[tuple[str, str]]:
    """(type, id) of the resources that this organisation holds of a vault in a category."""
    with node.database.read() as tx:
        kept = resources.of_vault(tx, vault, categories=[category])
    return [(one.type, one.logical_id) for one in kept]
