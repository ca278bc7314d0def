"""`renew`, `deal` and `accept`: how a vault gets its next epoch (docs/formats/vault.md).

One organisation sees to it. It asks another to agree (`renew`, while no patient controls the
vault), old custodians to split their shares for the new ones (`deal`), and new ones whether what
they got opens and holds (`accept`). What is agreed is what the contract would carry out: each
custodian asks its own node. Parts are sealed to the custodians that the agreed descriptor names,
so whoever asks for them learns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access import custody_keys, epochs
from simdes.access.audit_event import Verb
from simdes.access.custody_release import opened_shares
from simdes.access.custody_vaults import unfit_software
from simdes.access.descriptors import VaultDescriptor
from simdes.access.desk import UNREACHABLE, WRONG_EPOCH, Asker, Desk, Outcome, refuse
from simdes.access.held import held_records
from simdes.access.messages import AcceptBody, DealBody, EntryBody, RenewBody
from simdes.access.requests import hexed, unhex
from simdes.crypto import cbor
from simdes.crypto.capsule import MAX_CAPSULE_BYTES, REDISTRIBUTED, OpenedShare, Part
from simdes.crypto.dealing import deal as deal_share
from simdes.crypto.keys import OpeningKey
from simdes.crypto.seal import open_share
from simdes.errors import NotFound, SimdesError, Tampered, Unavailable
from simdes.index import custody as rows
from simdes.index import renewals
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import State
from simdes.ledger.renewals import Renewal, digest, require_agreed

RENEW_SECONDS: Final = 7 * 86_400

NOT_AGREED: Final = "NOT_AGREED"
NOT_CUSTODIAN: Final = "NOT_CUSTODIAN"
CONTROLLED: Final = "CONTROLLED"
UNFIT_CUSTODIANS: Final = "UNFIT_CUSTODIANS"
BAD_CAPSULE: Final = "BAD_CAPSULE"
BAD_ENTRY: Final = "BAD_ENTRY"
NOT_ITS_VAULT: Final = "NOT_ITS_VAULT"
DEADLINE: Final = "DEADLINE"


def renew(desk: Desk, asker: Asker, body: RenewBody) -> Outcome:
    """Our agreement to a provisional vault's next epoch; a patient's vault is the patient's."""
    renewal = body.renewal.value()
    reason = unfit_software(asker) or _why_not_renewed(desk, asker, renewal)
    attempt = asker.attempt(Verb.RENEW, vault=renewal.tag, reason=reason)
    if reason:
        return refuse(attempt)
    signed = desk.keystore.lanes[0].sign(digest(desk.contracts.accounts, renewal))
    return Outcome(
        attempts=(attempt,),
        receipt={"vault": hexed(renewal.tag), "epoch": renewal.epoch},
        body={"signature": signed},
    )


def _why_not_renewed(desk: Desk, asker: Asker, renewal: Renewal) -> str:
    known = desk.contracts.accounts.vault(renewal.tag)
    now = int(desk.clock())
    asking = asker.standing.organisation
    if known is None or not epochs.sees_to(desk, asking, renewal.tag):
        return NOT_ITS_VAULT
    refusals = (
        (renewal.organisation != asking, NOT_ITS_VAULT),
        (known.control is not None, CONTROLLED),
        (not now < renewal.deadline <= now + RENEW_SECONDS, DEADLINE),
        (renewal.epoch != known.epoch + 1, WRONG_EPOCH),
    )
    return next((why for refused, why in refusals if refused), "") or _why_unfit(desk, renewal)


def _why_unfit(desk: Desk, renewal: Renewal) -> str:
    try:
        old, new = desk.directory.vault(renewal.tag), epochs.named(desk.directory, renewal)
    except (Unavailable, NotFound):
        return UNREACHABLE
    except SimdesError:
        return UNFIT_CUSTODIANS
    if old.index_of(desk.organisation) is None:
        return NOT_CUSTODIAN
    return "" if _fit(desk, old, new) else UNFIT_CUSTODIANS


def _fit(desk: Desk, old: VaultDescriptor, new: VaultDescriptor) -> bool:
    """Software agrees to a change of some custodians, never to a weaker or a wholly new set."""
    stay = sum(old.index_of(one.organisation) is not None for one in new.custodians)
    verified = all(_verified(desk, one.organisation) for one in new.custodians)
    return verified and new.m >= old.m and stay >= old.m


def _verified(desk: Desk, organisation: bytes) -> bool:
    known = desk.contracts.accounts.organisation(organisation)
    return known is not None and known.state is State.VERIFIED


def deal(desk: Desk, asker: Asker, body: DealBody) -> Outcome:
    """Our shares of records, split and sealed to the custodians of the agreed next epoch."""
    renewal = body.renewal.value()
    records = tuple(dict.fromkeys(unhex(record) for record in body.records))
    reason = unfit_software(asker) or why_not_agreed(
        desk, asker, renewal, [unhex(one) for one in body.signatures]
    )
    if reason:
        return refuse(asker.attempt(Verb.DEAL, vault=renewal.tag, records=records, reason=reason))
    try:
        new = epochs.named(desk.directory, renewal)
    except SimdesError:
        return refuse(
            asker.attempt(Verb.DEAL, vault=renewal.tag, records=records, reason=UNREACHABLE)
        )
    dealt = deal_records(desk, new, records)
    return Outcome(
        attempts=(asker.attempt(Verb.DEAL, vault=renewal.tag, records=records),),
        receipt={
            "vault": hexed(renewal.tag),
            "epoch": renewal.epoch,
            "dealt": [hexed(record) for record, _, _ in dealt],
        },
        body={"parts": [[record, *part_row(part)] for record, _, part in dealt]},
    )


def why_not_agreed(desk: Desk, asker: Asker, renewal: Renewal, signatures: Sequence[bytes]) -> str:
    """ "" where the contract would put the renewal in force for the asker, or has done so."""
    if not epochs.sees_to(desk, asker.standing.organisation, renewal.tag):
        return NOT_ITS_VAULT
    known = desk.contracts.accounts.vault(renewal.tag)
    if known is not None and known.epoch == renewal.epoch:
        return "" if known.descriptor == renewal.descriptor else NOT_AGREED
    try:
        require_agreed(desk.contracts.accounts, renewal, signatures, sender=asker.address)
    except Unavailable:
        raise
    except SimdesError:
        return NOT_AGREED
    return ""


def deal_records(
    desk: Desk, new: VaultDescriptor, records: Sequence[bytes]
) -> list[tuple[bytes, OpenedShare, Part]]:
    """Split our share of each record that opens here for the custodians of a later epoch."""
    dealt = []
    for one in opened_shares(desk, new.tag, records, before=new.epoch):
        if one.share is not None:
            part = deal_share(
                one.share,
                organisation=desk.organisation,
                epoch=new.epoch,
                m=new.m,
                custodians=new.custodians,
                signer=desk.keystore.lanes[0],
            )
            dealt.append((one.record, one.share, part))
    return dealt


def part_row(part: Part) -> list[cbor.Value]:
    """A part as it travels."""
    return [part.dealer, list(part.commitments), list(part.sealed)]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a new custodian found: entries and capsules to keep, reasons of the bad ones."""

    entries: tuple[rows.ManifestEntry, ...]
    capsules: tuple[renewals.Capsule, ...]
    bad: dict[bytes, str]


def accept(desk: Desk, asker: Asker, body: AcceptBody) -> Outcome:
    """Look at our shares of the next epoch; those that open and hold are kept."""
    renewal = body.renewal.value()
    records = tuple(unhex(entry.record) for entry in body.entries)
    reason = unfit_software(asker)
    if not reason and not epochs.sees_to(desk, asker.standing.organisation, renewal.tag):
        reason = NOT_ITS_VAULT
    found = None if reason else accept_entries(desk, renewal, body.entries)
    if found is None:
        reason = reason or NOT_CUSTODIAN
        return refuse(asker.attempt(Verb.ACCEPT, vault=renewal.tag, records=records, reason=reason))

    def write(tx: Transaction) -> dict[str, cbor.Value]:
        write_kept(tx, found)
        return {}

    return Outcome(
        attempts=(asker.attempt(Verb.ACCEPT, vault=renewal.tag, records=records),),
        receipt={
            "vault": hexed(renewal.tag),
            "epoch": renewal.epoch,
            "good": [hexed(one.record_id) for one in found.capsules],
            "bad": {hexed(record): why for record, why in found.bad.items()},
        },
        write=write,
    )


def write_kept(tx: Transaction, found: Kept) -> None:
    """Keep what was found good."""
    rows.add_entries(tx, found.entries)
    renewals.add_capsules(tx, found.capsules)


def accept_entries(desk: Desk, renewal: Renewal, entries: Sequence[EntryBody]) -> Kept | None:
    """What to keep of these entries; None where this organisation is no custodian of the epoch."""
    new = epochs.named(desk.directory, renewal)
    index = new.index_of(desk.organisation)
    with desk.database.read() as tx:
        key = custody_keys.opening_key(tx, desk.keystore, renewal.tag, epoch=renewal.epoch)
        held = held_records(tx, renewal.tag, [unhex(one.record) for one in entries])
    if index is None or key is None:
        return None
    added, capsules, bad = [], [], {}
    for body in entries:
        record = unhex(body.record)
        entry = held.get(record) or body.entry(renewal.tag)
        reason = "" if record in held else _why_false(desk, entry)
        reason = reason or _why_bad(desk, new, entry, body.capsule_cid, key, index)
        if reason:
            bad[record] = reason
            continue
        added.append(entry)
        capsules.append(
            renewals.Capsule(
                record_id=record,
                epoch=renewal.epoch,
                vault=renewal.tag,
                capsule_cid=body.capsule_cid,
            )
        )
    return Kept(tuple(added), tuple(capsules), bad)


def _why_false(desk: Desk, entry: rows.ManifestEntry) -> str:
    """An entry that we did not get from its author must be of a batch of its author's."""
    batch = desk.contracts.records.batch(entry.batch_id)
    of_author = epochs.organisation_of(desk.contracts, entry.author)
    if (
        batch is None
        or batch.organisation != entry.organisation
        or of_author != entry.organisation
        or max(entry.indexes) >= batch.count
    ):
        return BAD_ENTRY
    return ""


def _why_bad(
    desk: Desk,
    new: VaultDescriptor,
    entry: rows.ManifestEntry,
    capsule_cid: str,
    key: OpeningKey,
    index: int,
) -> str:
    try:
        capsule = desk.store.get(capsule_cid, most_bytes=MAX_CAPSULE_BYTES)
    except SimdesError as error:
        return UNREACHABLE if isinstance(error, (Unavailable, NotFound)) else BAD_CAPSULE
    try:
        share = open_share(capsule, key, desk.organisation, index=index)
        if share.kind == REDISTRIBUTED:
            epochs.check_dealers(desk, new.tag, capsule, share.dealers)
    except Unavailable:
        return UNREACHABLE
    except SimdesError:
        return BAD_CAPSULE
    signed = (share.record_id, share.vault, share.category, share.labels)
    wanted = (entry.record_id, entry.vault, entry.category, entry.labels)
    if (share.epoch, share.m, share.n) != (new.epoch, new.m, new.n):
        return WRONG_EPOCH
    author = (share.organisation, share.author)
    return "" if (signed, author) == (wanted, (entry.organisation, entry.author)) else BAD_CAPSULE


def part_of(row: cbor.Value) -> tuple[bytes, Part]:
    """Read one part as it travels; `Tampered` unless it is of the agreed form."""
    if isinstance(row, list) and len(row) == 4:
        record, dealer, commitments, sealed = row
        if (
            isinstance(record, bytes)
            and isinstance(dealer, int)
            and isinstance(commitments, list)
            and isinstance(sealed, list)
            and all(isinstance(one, bytes) for one in (*commitments, *sealed))
        ):
            return record, Part(dealer, tuple(commitments), tuple(sealed))  # type: ignore[arg-type]
    raise Tampered("A custodian's parts are not of the agreed form.")
