"""What stands on chain: salted leaves, Merkle trees, batch ids.

Format: ``docs/formats/anchor-batch.md``. The same tree serves record batches and audit batches;
the first byte of every preimage keeps leaves (0), nodes (1) and audit leaves (2) apart. An odd
node is promoted to the next level unchanged, so no leaf is ever counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from simdes.crypto.digest import Random, keccak256, sha256
from simdes.errors import Invalid, Tampered

_LEAF, _NODE, _AUDIT = b"\0", b"\1", b"\2"
TYPE_BYTES = 32


@lru_cache(maxsize=1024)
def type_field(resource_type: str) -> bytes:
    """Return a resource type's name as 32 bytes: 1 to 32 ASCII letters, then zeros."""
    if not (resource_type.isascii() and resource_type.isalpha() and len(resource_type) <= 32):
        raise Invalid("A resource type is 1 to 32 ASCII letters.")
    return resource_type.encode().ljust(TYPE_BYTES, b"\0")


def leaf(
    *, record_id: bytes, body_digest: bytes, type: str, salt: bytes, content_digest: bytes
) -> bytes:
    """Return the leaf of one resource version.

    keccak256(0 ‖ record id ‖ sha256(body) ‖ type ‖ keccak256(salt ‖ sha256(content))); every
    field is 32 bytes, `type` the resource type's name.
    """
    resource = (type, salt, content_digest)
    return leaves((resource,), record_id=record_id, body_digest=body_digest)[0]


def leaves(
    resources: Iterable[tuple[str, bytes, bytes]], *, record_id: bytes, body_digest: bytes
) -> tuple[bytes, ...]:
    """Return `leaf` of each (type, salt, content digest) of one record, in their order."""
    if not len(record_id) == len(body_digest) == 32:
        raise Invalid("A record id and a body digest are 32 bytes each.")
    start = _LEAF + record_id + body_digest
    result = []
    for resource_type, salt, content_digest in resources:
        if not len(salt) == len(content_digest) == 32:
            raise Invalid("A salt and a content digest are 32 bytes each.")
        result.append(
            keccak256(start + type_field(resource_type) + keccak256(salt + content_digest))
        )
    return tuple(result)


def audit_leaf(salt: bytes, entry: bytes) -> bytes:
    """Return the leaf of one audit entry: keccak256(2 ‖ salt ‖ sha256(entry)), salt 32 bytes."""
    return audit_leaf_of(salt, sha256(entry))


def audit_leaf_of(salt: bytes, digest: bytes) -> bytes:
    """Return the leaf of the audit entry with this SHA-256."""
    if len(salt) != 32:
        raise Invalid("An audit leaf's salt is 32 bytes.")
    return keccak256(_AUDIT + salt + digest)


def random_leaf(random: Random) -> bytes:
    """Return a leaf that commits to nothing, for a batch that holds no record."""
    return random(32)


def _node(left: bytes, right: bytes) -> bytes:
    return keccak256(_NODE + left + right)


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    if not leaves or any(len(one) != 32 for one in leaves):
        raise Invalid("A tree has at least one leaf, each of 32 bytes.")
    levels = [list(leaves)]
    while len(below := levels[-1]) > 1:
        above = [_node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append(above + below[2 * len(above) :])
    return levels


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle root of 1 or more leaves; of one leaf, that leaf."""
    return _levels(leaves)[-1][0]


def path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the siblings from leaf `index` to the root, lowest first; promotions add none."""
    return paths(leaves, (index,))[0]


def paths(leaves: Sequence[bytes], indexes: Sequence[int]) -> tuple[tuple[bytes, ...], ...]:
    """Return `path` of each index, hashing the tree once."""
    levels = _levels(leaves)
    if any(not 0 <= index < len(leaves) for index in indexes):
        raise Invalid("There is no leaf with this index.")
    return tuple(
        tuple(
            level[sibling]
            for height, level in enumerate(levels[:-1])
            if (sibling := (index >> height) ^ 1) < len(level)
        )
        for index in indexes
    )


def verify_path(leaf: bytes, *, index: int, count: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `leaf` is number `index` of the `count` leaves under `root`.

    Never raises: a malformed proof is a false one. The path must have exactly the length that
    index and count give.
    """
    if not 0 <= index < count or len(leaf) != 32 or any(len(one) != 32 for one in path):
        return False
    node, remaining = leaf, iter(path)
    while count > 1:
        if index ^ 1 < count:
            sibling = next(remaining, None)
            if sibling is None:
                return False
            node = _node(sibling, node) if index & 1 else _node(node, sibling)
        index, count = index >> 1, (count + 1) >> 1
    return next(remaining, None) is None and node == root


def check_root(leaves: Sequence[bytes], expected: bytes) -> None:
    """`Tampered` unless the leaves give the expected Merkle root."""
    if root(leaves) != expected:
        raise Tampered("The leaves do not give the anchored root.")


def batch_id(chain_id: int, organisation: bytes, root: bytes) -> bytes:
    """Return keccak256(chain id as uint256 ‖ organisation ‖ root), as the contract derives it."""
    if len(organisation) != 32 or len(root) != 32 or not 0 < chain_id < 2**256:
        raise Invalid("A batch id needs a chain id, a 32-byte organisation and a 32-byte root.")
    return keccak256(chain_id.to_bytes(32, "big") + organisation + root)
