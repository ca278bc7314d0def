"""The chain as its events tell it: organisations, accounts, vaults, batches, audit roots.

Consents and emergencies are in `simdes.index.chain_consents`. A follower writes events in the
chain's order, with its checkpoint in the same transaction; every verb may be repeated, so a
follower may start over at any block. Kinds, roles and states are the contracts' numbers; times
are unix seconds. Releases ask the contract itself; this model serves search filters and views.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from simdes.index import checkpoints
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

PENDING, VERIFIED, SUSPENDED = 1, 2, 3
SUPERSEDED, ERASED = 1, 2
TABLES = (
    "chain_organisation",
    "chain_account",
    "chain_vault",
    "chain_epoch",
    "chain_consent",
    "chain_batch",
    "chain_leaf",
    "chain_audit_root",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation; ``descriptor`` is the digest of its signed descriptor."""

    id: bytes
    kind: int
    state: int
    descriptor: bytes
    account: bytes
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account; ``address`` is its present key."""

    id: bytes
    organisation: bytes
    role: int
    state: int
    address: bytes
    frozen: int
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A vault; ``control`` None while provisional, ``generation`` counts `revokeAll`."""

    tag: bytes
    organisation: bytes
    descriptor: bytes
    m: int
    n: int
    epoch: int
    generation: int
    control: bytes | None
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Who a vault's custodians were in an epoch: the digest of the descriptor that names them."""

    tag: bytes
    epoch: int
    descriptor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An anchored batch; ``manifest`` is the binary CID of its manifest list."""

    batch_id: bytes
    organisation: bytes
    root: bytes
    count: int
    manifest: bytes
    block_number: int
    transaction_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafStatus:
    """What an organisation declared of one of its leaves."""

    organisation: bytes
    leaf: bytes
    status: int
    successor: bytes | None
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRoot:
    """One appended audit batch of an organisation."""

    organisation: bytes
    seq: int
    previous_root: bytes
    root: bytes
    count: int
    block_number: int
    transaction_hash: bytes


_ORGANISATION = select(Organisation, "chain_organisation")
_ACCOUNT = select(Account, "chain_account")
_VAULT = select(Vault, "chain_vault")
_EPOCH = select(Epoch, "chain_epoch")
_BATCH = select(Batch, "chain_batch")
_LEAF = select(LeafStatus, "chain_leaf")
_ROOT = select(AuditRoot, "chain_audit_root")


def forget(tx: Transaction, *, follower: str) -> None:
    """Drop the whole model and the follower's checkpoint: another chain, or a reorganised one."""
    for table in TABLES:
        tx.run("DELETE FROM " + table)  # noqa: S608 - names of this file
    checkpoints.forget(tx, follower)


def add_organisation(tx: Transaction, organisation: Organisation) -> None:
    """Add a newly registered organisation; one known already stays as it is."""
    tx.insert("chain_organisation", [row_of(organisation)], conflict="(id) DO NOTHING")


def set_organisation_state(tx: Transaction, id: bytes, state: int) -> None:
    """Set an organisation verified or suspended."""
    tx.run("UPDATE chain_organisation SET state = :state WHERE id = :id", state=state, id=id)


def set_descriptor(tx: Transaction, id: bytes, descriptor: bytes) -> None:
    """Set the digest of an organisation's descriptor."""
    tx.run(
        "UPDATE chain_organisation SET descriptor = :descriptor WHERE id = :id",
        descriptor=descriptor,
        id=id,
    )


def organisation(tx: Transaction, id: bytes) -> Organisation | None:
    """Return an organisation by its id."""
    row = tx.one(_ORGANISATION + " WHERE id = :id", id=id)
    return None if row is None else read(Organisation, row)


def organisations(tx: Transaction) -> list[Organisation]:
    """Return every organisation, in the order of registration."""
    rows = tx.all(_ORGANISATION + " ORDER BY block_number, id")
    return [read(Organisation, row) for row in rows]


def add_account(tx: Transaction, account: Account) -> None:
    """Add a newly registered account; one known already stays as it is."""
    tx.insert("chain_account", [row_of(account)], conflict="(id) DO NOTHING")


def set_account_state(tx: Transaction, id: bytes, state: int) -> None:
    """Set an account verified or suspended."""
    tx.run("UPDATE chain_account SET state = :state WHERE id = :id", state=state, id=id)


def set_account_key(tx: Transaction, id: bytes, address: bytes) -> None:
    """Set an account's key, after a rotation or a recovery."""
    tx.run("UPDATE chain_account SET address = :address WHERE id = :id", address=address, id=id)


def set_frozen(tx: Transaction, id: bytes, *, frozen: bool) -> None:
    """Freeze an account, or free it again after a recovery."""
    tx.run("UPDATE chain_account SET frozen = :frozen WHERE id = :id", frozen=int(frozen), id=id)


def account(tx: Transaction, id: bytes) -> Account | None:
    """Return an account by its id."""
    row = tx.one(_ACCOUNT + " WHERE id = :id", id=id)
    return None if row is None else read(Account, row)


def account_of(tx: Transaction, address: bytes) -> Account | None:
    """Return the account whose present key this is."""
    row = tx.one(_ACCOUNT + " WHERE address = :address", address=address)
    return None if row is None else read(Account, row)


def accounts(tx: Transaction, organisation: bytes) -> list[Account]:
    """Return an organisation's accounts, in the order of registration."""
    rows = tx.all(
        _ACCOUNT + " WHERE organisation = :organisation ORDER BY block_number, id",
        organisation=organisation,
    )
    return [read(Account, row) for row in rows]


def add_vault(tx: Transaction, vault: Vault) -> None:
    """Add a newly opened vault; one known already stays as it is."""
    tx.insert("chain_vault", [row_of(vault)], conflict="(tag) DO NOTHING")


def renew_vault(tx: Transaction, epoch: Epoch, *, m: int, n: int) -> None:
    """Give a vault its next epoch; an older one than the present changes nothing."""
    add_epoch(tx, epoch)
    tx.run(
        "UPDATE chain_vault SET descriptor = :descriptor, m = :m, n = :n, epoch = :epoch"
        " WHERE tag = :tag AND epoch < :epoch",
        m=m,
        n=n,
        **row_of(epoch),
    )


def add_epoch(tx: Transaction, epoch: Epoch) -> None:
    """Add an epoch of a vault; one known already stays as it is."""
    tx.insert("chain_epoch", [row_of(epoch)], conflict="(tag, epoch) DO NOTHING")


def epoch_of(tx: Transaction, tag: bytes, epoch: int) -> Epoch | None:
    """Return an epoch of a vault, past or present."""
    row = tx.one(_EPOCH + " WHERE tag = :tag AND epoch = :epoch", tag=tag, epoch=epoch)
    return None if row is None else read(Epoch, row)


def set_control(tx: Transaction, tag: bytes, control: bytes) -> None:
    """Set the account that controls a vault."""
    tx.run("UPDATE chain_vault SET control = :control WHERE tag = :tag", control=control, tag=tag)


def set_generation(tx: Transaction, tag: bytes, generation: int) -> None:
    """Set a vault's generation; it never falls."""
    tx.run(
        "UPDATE chain_vault SET generation = :generation"
        " WHERE tag = :tag AND generation < :generation",
        generation=generation,
        tag=tag,
    )


def vault(tx: Transaction, tag: bytes) -> Vault | None:
    """Return a vault by its tag."""
    row = tx.one(_VAULT + " WHERE tag = :tag", tag=tag)
    return None if row is None else read(Vault, row)


def vaults_among(tx: Transaction, tags: Collection[bytes]) -> list[Vault]:
    """Return those of the vaults that are known, in no order."""
    rows = tx.all(_VAULT + " WHERE tag IN :tags", tags=sorted(tags))
    return [read(Vault, row) for row in rows]


def vaults_of(tx: Transaction, control: bytes) -> list[Vault]:
    """Return the vaults that an account controls, oldest first."""
    rows = tx.all(_VAULT + " WHERE control = :control ORDER BY block_number, tag", control=control)
    return [read(Vault, row) for row in rows]


def add_batches(tx: Transaction, batches: Sequence[Batch]) -> None:
    """Add anchored batches; those known already stay as they are."""
    tx.insert("chain_batch", [row_of(one) for one in batches], conflict="(batch_id) DO NOTHING")


def batch(tx: Transaction, batch_id: bytes) -> Batch | None:
    """Return an anchored batch by its id."""
    row = tx.one(_BATCH + " WHERE batch_id = :id", id=batch_id)
    return None if row is None else read(Batch, row)


def batches(tx: Transaction, *, first_block: int, last_block: int) -> list[Batch]:
    """Return the batches anchored in a range of blocks, both ends included."""
    rows = tx.all(
        _BATCH + " WHERE block_number BETWEEN :first AND :last ORDER BY block_number, batch_id",
        first=first_block,
        last=last_block,
    )
    return [read(Batch, row) for row in rows]


def last_batch(tx: Transaction, *, but: bytes) -> int:
    """Return the block of the newest batch of any organisation but one; 0 without one."""
    row = tx.one("SELECT max(block_number) FROM chain_batch WHERE organisation <> :own", own=but)
    return 0 if row is None or row[0] is None else int(row[0])


def set_leaf_status(tx: Transaction, status: LeafStatus) -> None:
    """Note that a leaf was superseded or erased; erased is the last word."""
    tx.insert(
        "chain_leaf",
        [row_of(status)],
        conflict="(organisation, leaf) DO UPDATE SET status = excluded.status,"
        " successor = excluded.successor, block_number = excluded.block_number"
        " WHERE excluded.status >= chain_leaf.status",
    )


def leaf_statuses(
    tx: Transaction, organisation: bytes, leaves: Sequence[bytes]
) -> dict[bytes, LeafStatus]:
    """Return what was declared of these leaves, by leaf; current ones are left out."""
    rows = tx.all(
        _LEAF + " WHERE organisation = :organisation AND leaf IN :leaves",
        organisation=organisation,
        leaves=leaves,
    )
    return {row[1]: read(LeafStatus, row) for row in rows}


def add_audit_roots(tx: Transaction, roots: Sequence[AuditRoot]) -> None:
    """Add appended audit batches; those known already stay as they are."""
    tx.insert(
        "chain_audit_root",
        [row_of(root) for root in roots],
        conflict="(organisation, seq) DO NOTHING",
    )


def audit_root(tx: Transaction, organisation: bytes, seq: int) -> AuditRoot | None:
    """Return one audit batch of an organisation."""
    row = tx.one(
        _ROOT + " WHERE organisation = :organisation AND seq = :seq",
        organisation=organisation,
        seq=seq,
    )
    return None if row is None else read(AuditRoot, row)


def audit_roots(tx: Transaction, organisation: bytes, *, after: int = 0) -> list[AuditRoot]:
    """Return an organisation's audit batches behind number ``after``, in order."""
    rows = tx.all(
        _ROOT + " WHERE organisation = :organisation AND seq > :after ORDER BY seq",
        organisation=organisation,
        after=after,
    )
    return [read(AuditRoot, row) for row in rows]
