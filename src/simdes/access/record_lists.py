"""Merkle lists of record ids: how a consent names single records without naming them on chain.

Leaf keccak256(4 ‖ record id), node keccak256(1 ‖ smaller ‖ larger), an odd node is promoted, as
`MerkleTree.contains` in the contracts checks it.
"""

from __future__ import annotations

from collections.abc import Sequence

from simdes.crypto.digest import keccak256
from simdes.errors import Invalid, NotFound


def records_root(records: Sequence[bytes]) -> bytes:
    """Merkle root of record ids for `Terms.records`: sorted pairs, an odd node promoted."""
    level = _leaves(records)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def record_proof(records: Sequence[bytes], record: bytes) -> tuple[bytes, ...]:
    """The siblings that lead from `record` to `records_root`; `NotFound` if it is not listed."""
    level = _leaves(records)
    leaf = _record_leaf(record)
    if leaf not in level:
        raise NotFound("The record is not among those of the consent.")
    at, path = level.index(leaf), []
    while len(level) > 1:
        if (sibling := at ^ 1) < len(level):
            path.append(level[sibling])
        level, at = _above(level), at >> 1
    return tuple(path)


def record_listed(root: bytes, record: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof leads from a record id to the root, as the contract checks it."""
    node = _record_leaf(record)
    for sibling in proof:
        node = _pair(node, sibling)
    return node == root


def _record_leaf(record: bytes) -> bytes:
    return keccak256(b"\4" + record)


def _leaves(records: Sequence[bytes]) -> list[bytes]:
    if not records:
        raise Invalid("A list of records for a consent must not be empty.")
    return sorted(_record_leaf(record) for record in set(records))


def _above(level: list[bytes]) -> list[bytes]:
    paired = [_pair(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return paired + level[2 * len(paired) :]


def _pair(one: bytes, other: bytes) -> bytes:
    return keccak256(b"\1" + min(one, other) + max(one, other))
