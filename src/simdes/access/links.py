"""That an audit entry stands directly behind the entry whose digest it names.

An entry holds the digest of the one before it, a batch the salted leaf of each; nothing ties the
two but whoever built the batch. A link shows where the leaf of the entry before stands, without
showing that entry: its digest is known, its salt is given. So an organisation whose leaves are in
another order than its entries, or who has two entries behind one, can't show both
(docs/formats/custody-release.md, "reconcile").
"""

from __future__ import annotations

from typing import Any

import msgspec

from simdes.access.audit import Batches
from simdes.access.evidence import AuditDocument, Place, check_path
from simdes.access.requests import Hex32, hexed, unhex
from simdes.crypto import anchor
from simdes.errors import Tampered
from simdes.index import audit as rows
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import Contracts

MOST_BETWEEN = 64
"""Empty batches that may lie between an entry and the one before it."""


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the leaf of the entry before stands."""

    salt: Hex32
    batch: Place


def link_of(tx: Transaction, entry: rows.Entry, batches: Batches) -> dict[str, Any] | None:
    """The link of an anchored entry; None for the first entry, or one not anchored."""
    before = rows.get(tx, entry.seq - 1)
    place = None if before is None else batches.place(before)
    if before is None or place is None:
        return None
    seq, index, leaves = place
    return {
        "salt": hexed(before.salt),
        "batch": {
            "seq": seq,
            "root": hexed(anchor.root(leaves)),
            "count": len(leaves),
            "index": index,
            "path": [hexed(node) for node in anchor.path(leaves, index)],
        },
    }


def check_link(
    proof: AuditDocument, previous: bytes, link: Link | None, contracts: Contracts
) -> None:
    """`Tampered` unless the entry of a verified proof stands behind the one that it names."""
    place, organisation = proof.batch, unhex(proof.organisation)
    if place is None:
        return
    if previous == rows.ZERO:
        if place.index or not _is_empty_between(contracts, organisation, 0, place.seq):
            raise Tampered("An entry says that it is the first, and is not.")
        return
    if link is None:
        raise Tampered("It is not shown where the entry before stands.")
    _check_before(contracts, organisation, link.batch, place)
    leaf = anchor.audit_leaf_of(unhex(link.salt), previous)
    before = contracts.audit_log.entry_at(organisation=organisation, seq=link.batch.seq)
    if before is None or (before.root, before.count) != (
        unhex(link.batch.root),
        link.batch.count,
    ):
        raise Tampered("The batch of the entry before is not the one that the chain holds.")
    check_path(leaf, link.batch.index, link.batch.count, link.batch.path, before.root)


def _check_before(contracts: Contracts, organisation: bytes, before: Place, place: Place) -> None:
    """The place directly before another: in the same batch, or at the end of an earlier one."""
    if before.seq == place.seq:
        fits = before.index == place.index - 1
    else:
        fits = (
            before.seq < place.seq
            and place.index == 0
            and before.index == before.count - 1
            and _is_empty_between(contracts, organisation, before.seq, place.seq)
        )
    if not fits:
        raise Tampered("An entry does not stand behind the one that it names.")


def _is_empty_between(contracts: Contracts, organisation: bytes, first: int, last: int) -> bool:
    """Whether the batches between two can be empty ones, which hold one random leaf each."""
    if last - first - 1 > MOST_BETWEEN:
        return False
    batches = (
        contracts.audit_log.entry_at(organisation=organisation, seq=seq)
        for seq in range(first + 1, last)
    )
    return all(one is not None and one.count == 1 for one in batches)
