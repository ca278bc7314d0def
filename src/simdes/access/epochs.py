"""A vault's epochs: who its custodians are, were and will be, and who dealt for whom.

The chain holds the digest of each epoch's descriptor; the read model keeps those that are past.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from simdes.access.descriptors import VaultDescriptor
from simdes.access.desk import Desk
from simdes.access.directory import Directory
from simdes.crypto.capsule import Dealer, read_capsule
from simdes.crypto.redistribution import dealers_of
from simdes.crypto.shares import Share
from simdes.errors import NotFound, SimdesError, Tampered
from simdes.index import chain
from simdes.ledger.accounts import State
from simdes.ledger.contracts import Contracts
from simdes.ledger.renewals import Renewal


def named(directory: Directory, renewal: Renewal) -> VaultDescriptor:
    """The custodians that a renewal names.

    Raises `Unavailable` when the descriptor is not in the content store now, `Tampered` when it
    says something else than the renewal.
    """
    found = directory.descriptor(renewal.descriptor)
    said = (found.tag, found.epoch, found.m, found.n)
    if said != (renewal.tag, renewal.epoch, renewal.m, renewal.n):
        raise Tampered("The descriptor of a vault's next epoch differs from what was agreed.")
    return found


def at(desk: Desk, tag: bytes, epoch: int) -> VaultDescriptor:
    """The custodians of a vault in an epoch; `NotFound` for one that our node has not seen."""
    with desk.database.read() as tx:
        row = chain.epoch_of(tx, tag, epoch)
    if row is None:
        raise NotFound("No such epoch of the vault is known here.")
    found = desk.directory.descriptor(row.descriptor)
    if (found.tag, found.epoch) != (tag, epoch):
        raise Tampered("A vault's descriptor is for another vault or epoch.")
    return found


def ever(desk: Desk, tag: bytes) -> tuple[VaultDescriptor, ...]:
    """A vault in all its epochs, as far as their descriptors can be read now."""
    with desk.database.read() as tx:
        known = chain.vault(tx, tag)
        last = known.epoch if known else 0
        rows = [chain.epoch_of(tx, tag, epoch) for epoch in range(1, last + 1)]
    found = []
    for row in rows:
        if row is not None:
            with suppress(SimdesError):
                found.append(desk.directory.descriptor(row.descriptor))
    return tuple(found)


def sees_to(desk: Desk, organisation: bytes, tag: bytes) -> bool:
    """Whether an organisation may see to a vault's next epoch: who opened it, or its custodians."""
    known = desk.contracts.accounts.vault(tag)
    if known is None:
        return False
    if known.organisation == organisation:
        return True
    opener = desk.contracts.accounts.organisation(known.organisation)
    if known.control is None and opener is not None and opener.state is State.VERIFIED:
        return False
    current = desk.directory.vault(tag)
    earlier = () if current.epoch == 1 else at(desk, tag, current.epoch - 1).custodians
    return any(one.organisation == organisation for one in (*current.custodians, *earlier))


def check_dealers(desk: Desk, tag: bytes, capsule: bytes, dealers: Sequence[Dealer]) -> None:
    """`Tampered` unless each dealer was a custodian of the old epoch, by an account of its own."""
    parsed = read_capsule(capsule)
    old = at(desk, tag, parsed.old_epoch)
    if len({one.index for one in dealers}) < old.m:
        raise Tampered("Fewer custodians dealt than the old epoch's threshold.")
    for dealer in dealers:
        if not 1 <= dealer.index <= old.n:
            raise Tampered(f"There was no custodian {dealer.index} in the old epoch.")
        custodian = old.custodians[dealer.index - 1].organisation
        signer = organisation_of(desk.contracts, dealer.address)
        if not custodian == dealer.organisation == signer:
            raise Tampered(f"Dealer {dealer.index} was not that custodian of the old epoch.")


def require_true_dealers(desk: Desk, tag: bytes, capsule: bytes, share: Share) -> None:
    """`check_dealers` for a share of a redistributed capsule that a reader got."""
    check_dealers(desk, tag, capsule, dealers_of(capsule, share))


def organisation_of(contracts: Contracts, address: bytes) -> bytes | None:
    """The organisation of the account whose key this is or was."""
    holder = contracts.accounts.holder_of(address)
    account = None if holder is None else contracts.accounts.account(holder)
    return None if account is None else account.organisation
