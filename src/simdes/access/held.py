"""The records whose shares a custodian keeps, one entry each: the one anchored first.

An organisation may list a record id that it copied from another's manifest. It can only do so
after the real one was anchored, so the entry in the earliest block is the record's; the time that
an entry claims for itself proves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from simdes.index import chain, renewals
from simdes.index import custody as rows
from simdes.index.custody import ManifestEntry
from simdes.index.transaction import Transaction

_EVERY_CATEGORY = range(64)
_PAGE = 1000


def held_records(
    tx: Transaction, vault: bytes, records: Sequence[bytes]
) -> dict[bytes, ManifestEntry]:
    """The entries of these records, of those that are in this vault."""
    first = _first_anchored(tx, records)
    return {record: entry for record, entry in first.items() if entry.vault == vault}


def at_epoch(
    tx: Transaction, held: Mapping[bytes, ManifestEntry], *, epoch: int
) -> dict[bytes, ManifestEntry]:
    """The same entries, each with the newest capsule of this epoch or an earlier one."""
    later = renewals.capsules(tx, list(held), epoch=epoch)
    return {
        record: replace(entry, capsule_cid=later[record].capsule_cid) if record in later else entry
        for record, entry in held.items()
    }


def at_present(
    tx: Transaction, vault: bytes, listed: Sequence[ManifestEntry]
) -> list[ManifestEntry]:
    """Entries of a vault, each with its capsule of the vault's present epoch."""
    known = chain.vault(tx, vault)
    held = {entry.record_id: entry for entry in listed}
    return list(at_epoch(tx, held, epoch=known.epoch if known else 1).values())


def held_in_vault(
    tx: Transaction, vault: bytes, *, after: bytes | None = None
) -> Iterator[ManifestEntry]:
    """Every record of a vault, in the order of its entry's time, behind record `after`."""
    place = (-1, b"")
    if after is not None:
        entry = _first_anchored(tx, [after]).get(after)
        if entry is None or entry.vault != vault:
            return
        place = (entry.created_ms, after)
    while True:
        page = rows.entries(tx, vault, categories=_EVERY_CATEGORY, after=place, limit=_PAGE)
        first = _first_anchored(tx, [entry.record_id for entry in page])
        yield from (entry for entry in page if first[entry.record_id] == entry)
        if len(page) < _PAGE:
            return
        place = (page[-1].created_ms, page[-1].record_id)


def _first_anchored(tx: Transaction, records: Sequence[bytes]) -> dict[bytes, ManifestEntry]:
    claims: dict[bytes, list[ManifestEntry]] = defaultdict(list)
    for entry in rows.entries_of(tx, records) if records else ():
        claims[entry.record_id].append(entry)
    return {
        record: listed[0] if len(listed) == 1 else min(listed, key=lambda one: _block(tx, one))
        for record, listed in claims.items()
    }


def _block(tx: Transaction, entry: ManifestEntry) -> tuple[int, bytes]:
    batch = chain.batch(tx, entry.batch_id)
    return (batch.block_number if batch else 1 << 62, entry.batch_id)
