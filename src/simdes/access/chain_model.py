"""The chain's events in our own database, and decisions over them.

`apply_events` writes what the contracts said into `simdes.index.chain`; `ChainView` reads it back
as what `policy.decide` needs. The model lags behind the head by what the follower has not read, so
it serves filters and views; a release asks the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from simdes.access.policy import Actor, Held, View
from simdes.errors import SimdesError
from simdes.index import chain as rows
from simdes.index import chain_consents as consents
from simdes.index import claims, mail
from simdes.index.transaction import Transaction
from simdes.ledger import events
from simdes.ledger.digests import selector
from simdes.ledger.ledger import Ledger
from simdes.ledger.terms import ZERO32


def apply_events(tx: Transaction, found: Sequence[events.ChainEvent]) -> None:
    """Write events in the chain's order; writing them again changes nothing."""
    for event in found:
        write = _WRITERS.get(type(event))
        if write is not None:
            write(tx, event)


class ChainView(View):
    """What a decision reads, from one transaction on the read model.

    Conditions are contracts and have no events: they are asked at the head of `ledger`.
    """

    def __init__(self, tx: Transaction, ledger: Ledger) -> None:
        self._tx = tx
        self._ledger = ledger
        self._actors: dict[bytes, Actor | None] = {}
        self._vaults: dict[bytes, rows.Vault | None] = {}
        self._held: dict[tuple[bytes, bytes], consents.Consent] = {}

    def read_ahead(self, vaults: Collection[bytes]) -> None:
        """Read what decisions about these vaults need, in two statements instead of two each.

        From then on the view is of this moment: who acts is looked up once, too.
        """
        if vaults:
            self._vaults |= dict.fromkeys(vaults)
            self._vaults |= {one.tag: one for one in rows.vaults_among(self._tx, vaults)}
            found = consents.among(self._tx, vaults)
            self._held |= {(one.vault, one.handle): one for one in found}

    def actor(self, address: bytes) -> Actor | None:
        """See `View`."""
        if not self._vaults:
            return self._actor(address)
        if address not in self._actors:
            self._actors[address] = self._actor(address)
        return self._actors[address]

    def _actor(self, address: bytes) -> Actor | None:
        account = rows.account_of(self._tx, address)
        if account is None:
            return None
        organisation = rows.organisation(self._tx, account.organisation)
        return Actor(
            account=account.id,
            organisation=account.organisation,
            role=account.role,
            account_state=account.state,
            organisation_state=organisation.state if organisation else 0,
            frozen=bool(account.frozen),
        )

    def vault(self, tag: bytes) -> tuple[bytes, int] | None:
        """See `View`."""
        vault = self._vaults[tag] if tag in self._vaults else rows.vault(self._tx, tag)
        return None if vault is None else (vault.control or ZERO32, vault.generation)

    def held(self, tag: bytes, handle: bytes) -> Held | None:
        """See `View`."""
        if tag in self._vaults:
            row = self._held.get((tag, handle))
        else:
            row = consents.get(self._tx, tag, handle)
        if row is None:
            return None
        return Held(
            status=row.state,
            generation=row.generation,
            commitment=row.commitment or ZERO32,
            account=row.account or ZERO32,
            opened_seconds=row.opened_seconds or 0,
            until_seconds=row.until_seconds or 0,
            outcome=row.outcome,
        )

    def is_open(self, condition: bytes, condition_id: bytes) -> bool:
        """See `View`; whatever a condition does but answer a clean true counts as closed."""
        try:
            answer = self._ledger.call(condition, _IS_OPEN + condition_id)
        except SimdesError:
            return False
        return answer == _TRUE


_IS_OPEN: Final = selector("isOpen(bytes32)")
_TRUE: Final = (1).to_bytes(32, "big")


# One writer for each event that changes what is decided or shown ------------------------------


def _organisation(tx: Transaction, event: events.OrganisationRegistered) -> None:
    rows.add_organisation(
        tx,
        rows.Organisation(
            id=event.organisation,
            kind=event.kind,
            state=rows.PENDING,
            descriptor=event.descriptor,
            account=event.account,
            block_number=event.log.block_number,
        ),
    )


def _account(tx: Transaction, event: events.AccountRegistered) -> None:
    rows.add_account(
        tx,
        rows.Account(
            id=event.account,
            organisation=event.organisation,
            role=event.role,
            state=rows.PENDING,
            address=event.key,
            frozen=0,
            block_number=event.log.block_number,
        ),
    )


def _recovered(tx: Transaction, event: events.AccountRecovered) -> None:
    rows.set_account_key(tx, event.account, event.new)
    rows.set_frozen(tx, event.account, frozen=False)


def _vault(tx: Transaction, event: events.VaultOpened) -> None:
    rows.add_vault(
        tx,
        rows.Vault(
            tag=event.tag,
            organisation=event.organisation,
            descriptor=event.descriptor,
            m=event.m,
            n=event.n,
            epoch=event.epoch,
            generation=0,
            control=None,
            block_number=event.log.block_number,
        ),
    )
    rows.add_epoch(tx, _epoch(event))


def _renewed(tx: Transaction, event: events.VaultRenewed) -> None:
    rows.renew_vault(tx, _epoch(event), m=event.m, n=event.n)


def _epoch(event: events.VaultOpened | events.VaultRenewed) -> rows.Epoch:
    return rows.Epoch(tag=event.tag, epoch=event.epoch, descriptor=event.descriptor)


def _granted(tx: Transaction, event: events.Granted) -> None:
    consents.add(
        tx,
        [
            consents.Consent(
                vault=event.tag,
                handle=event.handle,
                state=consents.GRANTED,
                generation=event.generation,
                commitment=event.commitment,
                pointer=event.pointer,
                block_number=event.log.block_number,
            )
        ],
    )


def _emergency(tx: Transaction, event: events.EmergencyOpened) -> None:
    consents.add(
        tx,
        [
            consents.Consent(
                vault=event.tag,
                handle=event.handle,
                state=consents.EMERGENCY,
                emergency=1,
                generation=event.generation,
                account=event.account,
                organisation=event.organisation,
                reason=event.reason_digest,
                opened_seconds=event.opened_at,
                until_seconds=event.until,
                review_due_seconds=event.review_due,
                block_number=event.log.block_number,
            )
        ],
    )
    vault = rows.vault(tx, event.tag)
    if vault is not None and vault.control is not None:
        mail.alarm(tx, vault.control, at_ms=event.opened_at * 1000 + 999)  # whole seconds


def _revoked(tx: Transaction, event: events.Revoked) -> None:
    consents.revoke(tx, event.tag, event.handle, block_number=event.log.block_number)


def _anchored(tx: Transaction, event: events.Anchored) -> None:
    rows.add_batches(
        tx,
        [
            rows.Batch(
                batch_id=event.batch_id,
                organisation=event.organisation,
                root=event.root,
                count=event.count,
                manifest=event.manifest,
                block_number=event.log.block_number,
                transaction_hash=event.log.transaction_hash,
            )
        ],
    )


def _leaf(
    tx: Transaction, event: events.Superseded | events.Erased, successor: bytes | None
) -> None:
    rows.set_leaf_status(
        tx,
        rows.LeafStatus(
            organisation=event.organisation,
            leaf=event.leaf,
            status=rows.ERASED if successor is None else rows.SUPERSEDED,
            successor=successor,
            block_number=event.log.block_number,
        ),
    )


def _appended(tx: Transaction, event: events.Appended) -> None:
    rows.add_audit_roots(
        tx,
        [
            rows.AuditRoot(
                organisation=event.organisation,
                seq=event.seq,
                previous_root=event.previous_root,
                root=event.root,
                count=event.count,
                block_number=event.log.block_number,
                transaction_hash=event.log.transaction_hash,
            )
        ],
    )


def _taking_over(
    tx: Transaction,
    event: events.RecoveryRequested | events.KeyRotationRequested | events.GuardiansRequested,
) -> None:
    """Whoever holds an account's key hears of what may take it from them, while it waits."""
    mail.alarm(tx, event.account, at_ms=event.ready_at * 1000)


def _claim_reversed(tx: Transaction, event: events.ClaimReversed) -> None:
    """A claim of ours may have ended with its payment before: its provider's software goes on."""
    claims.resume(tx, event.claim.to_bytes(32, "big"))


Writer = Callable[[Transaction, Any], None]
_WRITERS: Final[Mapping[type[events.ChainEvent], Writer]] = {
    events.OrganisationRegistered: _organisation,
    events.OrganisationVerified: lambda tx, e: rows.set_organisation_state(
        tx, e.organisation, rows.VERIFIED
    ),
    events.OrganisationSuspended: lambda tx, e: rows.set_organisation_state(
        tx, e.organisation, rows.SUSPENDED
    ),
    events.DescriptorSet: lambda tx, e: rows.set_descriptor(tx, e.organisation, e.descriptor),
    events.AccountRegistered: _account,
    events.AccountVerified: lambda tx, e: rows.set_account_state(tx, e.account, rows.VERIFIED),
    events.AccountSuspended: lambda tx, e: rows.set_account_state(tx, e.account, rows.SUSPENDED),
    events.KeyRotated: lambda tx, e: rows.set_account_key(tx, e.account, e.new),
    events.AccountFrozen: lambda tx, e: rows.set_frozen(tx, e.account, frozen=True),
    events.AccountRecovered: _recovered,
    events.VaultOpened: _vault,
    events.VaultRenewed: _renewed,
    events.VaultSet: lambda tx, e: rows.set_control(tx, e.tag, e.account),
    events.Granted: _granted,
    events.Revoked: _revoked,
    events.RevokedAll: lambda tx, e: rows.set_generation(tx, e.tag, e.generation),
    events.EmergencyOpened: _emergency,
    events.RecoveryRequested: _taking_over,
    events.KeyRotationRequested: _taking_over,
    events.GuardiansRequested: _taking_over,
    events.EmergencyReviewed: lambda tx, e: consents.review(tx, e.tag, e.handle, e.outcome),
    events.Anchored: _anchored,
    events.Superseded: lambda tx, e: _leaf(tx, e, e.successor),
    events.Erased: lambda tx, e: _leaf(tx, e, None),
    events.Appended: _appended,
    events.ClaimReversed: _claim_reversed,
}
