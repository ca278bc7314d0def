"""Leaves, trees and batch ids, against a second way of computing them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import anchor
from simdes.crypto.digest import keccak256, sha256
from simdes.errors import Invalid, Tampered

LEAVES = [keccak256(bytes((i,))) for i in range(40)]


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """Recursive: the left subtree is the largest power of two below the count."""
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return keccak256(b"\1" + root_by_definition(leaves[:left]) + root_by_definition(leaves[left:]))


@pytest.mark.parametrize("count", range(1, 41))
def test_promoting_odd_nodes_is_splitting_at_the_largest_power_of_two(count: int) -> None:
    assert anchor.root(LEAVES[:count]) == root_by_definition(LEAVES[:count])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 21, 40])
def test_every_leaf_has_a_path_to_the_root_and_no_other_claim_holds(count: int) -> None:
    leaves = LEAVES[:count]
    root = anchor.root(leaves)
    for index, path in enumerate(anchor.paths(leaves, range(count))):
        assert path == anchor.path(leaves, index)
        good = {"index": index, "count": count, "path": path, "root": root}
        assert anchor.verify_path(leaves[index], **good)
        for bad in (
            {"index": index ^ 1},
            {"index": index + count},
            {"index": -1},
            {"count": 0},
            {"path": (*path, leaves[0])},
            {"path": path[:-1] if path else (leaves[0],)},
            {"root": keccak256(root)},
        ):
            assert not anchor.verify_path(leaves[index], **(good | bad))
        assert not anchor.verify_path(keccak256(leaves[index]), **good)


@settings(derandomize=True, deadline=None, database=None)
@given(st.integers(1, 40), st.data())
def test_any_flipped_bit_of_a_proof_is_refused(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    root, path = anchor.root(LEAVES[:count]), anchor.path(LEAVES[:count], index)
    fields = [LEAVES[index], root, *path]
    which = data.draw(st.integers(0, len(fields) - 1))
    at, bit = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
    changed = bytearray(fields[which])
    changed[at] ^= 1 << bit
    fields[which] = bytes(changed)
    assert not anchor.verify_path(
        fields[0], index=index, count=count, path=fields[2:], root=fields[1]
    )


def test_a_proof_with_a_false_count_is_refused_unless_its_shape_is_the_same() -> None:
    root, path = anchor.root(LEAVES[:5]), anchor.path(LEAVES[:5], 4)
    assert [
        count
        for count in range(1, 41)
        if anchor.verify_path(LEAVES[4], index=4, count=count, path=path, root=root)
    ] == [5]


def test_malformed_proofs_are_false_and_raise_nothing() -> None:
    root = anchor.root(LEAVES[:2])
    for leaf, path in ((b"", (LEAVES[1],)), (LEAVES[0], (b"short",)), (LEAVES[0], ())):
        assert not anchor.verify_path(leaf, index=0, count=2, path=path, root=root)


def test_a_node_cannot_pass_for_a_leaf_of_a_smaller_batch() -> None:
    """Leaves hash 129 bytes that start with 0, nodes 65 that start with 1."""
    node = keccak256(b"\1" + LEAVES[0] + LEAVES[1])
    made = anchor.leaf(
        record_id=LEAVES[0],
        body_digest=LEAVES[1],
        type="Patient",
        salt=LEAVES[2],
        content_digest=LEAVES[3],
    )
    assert node != made
    inner = keccak256(LEAVES[2] + LEAVES[3])
    assert made == keccak256(b"\0" + LEAVES[0] + LEAVES[1] + b"Patient".ljust(32, b"\0") + inner)


def test_every_field_of_a_leaf_counts() -> None:
    good = {
        "record_id": LEAVES[0],
        "body_digest": LEAVES[1],
        "type": "Patient",
        "salt": LEAVES[2],
        "content_digest": LEAVES[3],
    }
    others = {"type": "Person", **{k: LEAVES[9] for k in good if k != "type"}}
    made = {anchor.leaf(**good), *(anchor.leaf(**(good | {k: v})) for k, v in others.items())}
    assert len(made) == 6
    for field in good.keys() - {"type"}:
        with pytest.raises(Invalid):
            anchor.leaf(**(good | {field: b"short"}))


@pytest.mark.parametrize("name", ["", "a" * 33, "Patiént", "Pati ent", "Patient1", "Patient\0"])
def test_a_type_is_ascii_letters_that_fit(name: str) -> None:
    with pytest.raises(Invalid):
        anchor.type_field(name)


def test_an_audit_leaf_is_salted_and_apart_from_other_leaves() -> None:
    entry = b'{"resourceType":"AuditEvent"}'
    assert anchor.audit_leaf(LEAVES[0], entry) == keccak256(b"\2" + LEAVES[0] + sha256(entry))
    assert anchor.audit_leaf(LEAVES[0], entry) != anchor.audit_leaf(LEAVES[1], entry)
    with pytest.raises(Invalid):
        anchor.audit_leaf(b"short", entry)


def test_a_batch_id_depends_on_chain_organisation_and_root() -> None:
    made = anchor.batch_id(1337, LEAVES[0], LEAVES[1])
    assert made == keccak256((1337).to_bytes(32, "big") + LEAVES[0] + LEAVES[1])
    assert len({made, anchor.batch_id(1, LEAVES[0], LEAVES[1])}) == 2
    for chain, organisation, root in (
        (0, LEAVES[0], LEAVES[1]),
        (1, b"", LEAVES[1]),
        (1, LEAVES[0], b""),
    ):
        with pytest.raises(Invalid):
            anchor.batch_id(chain, organisation, root)


def test_a_tree_needs_a_leaf_and_a_path_needs_its_index() -> None:
    for leaves in ([], [b"short"]):
        with pytest.raises(Invalid):
            anchor.root(leaves)
    for index in (-1, 3):
        with pytest.raises(Invalid):
            anchor.path(LEAVES[:3], index)
    anchor.check_root(LEAVES[:3], anchor.root(LEAVES[:3]))
    with pytest.raises(Tampered):
        anchor.check_root(LEAVES[:3], anchor.root(LEAVES[:4]))


def test_an_empty_batch_holds_a_random_leaf() -> None:
    assert anchor.random_leaf(lambda size: b"r" * size) == b"r" * 32
