"""Trees of statements: appended or built at once, their ways lead to the root."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid, TooLarge
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.trees import FOREST_DEPTH, Tree


def plain_root(leaves: list[int], depth: int) -> int:
    """All places of a small tree, free ones zero, hashed level by level."""
    level = leaves + [0] * (2**depth - len(leaves))
    while len(level) > 1:
        level = [poseidon(*level[i : i + 2]) for i in range(0, len(level), 2)]
    return level[0]


def climbed(leaf: int, place: int, siblings: list[int]) -> int:
    for sibling in siblings:
        leaf = poseidon(sibling, leaf) if place & 1 else poseidon(leaf, sibling)
        place >>= 1
    return leaf


LEAVES = st.lists(st.integers(0, FIELD - 1), max_size=8)


@settings(derandomize=True, max_examples=20, deadline=None)
@given(LEAVES)
def test_its_root_is_that_of_all_places(leaves: list[int]) -> None:
    tree = Tree(3)
    for place, leaf in enumerate(leaves):
        assert tree.append(leaf) == place
    assert tree.root == Tree(3, leaves).root == plain_root(leaves, 3)
    for place, leaf in enumerate(leaves):
        assert climbed(leaf, place, tree.siblings(place)) == tree.root


def test_a_deep_tree_is_mostly_free() -> None:
    tree = Tree(FOREST_DEPTH, [7, 8, 9])
    assert climbed(9, 2, tree.siblings(2)) == tree.root
    assert Tree(FOREST_DEPTH).root == climbed(0, 0, Tree(FOREST_DEPTH, [0]).siblings(0))


def test_a_full_tree_takes_no_more() -> None:
    tree = Tree(1, [1, 2])
    with pytest.raises(TooLarge):
        tree.append(3)
    with pytest.raises(TooLarge):
        Tree(1, [1, 2, 3])


@pytest.mark.parametrize("leaf", [-1, FIELD])
def test_a_leaf_is_an_element(leaf: int) -> None:
    with pytest.raises(Invalid):
        Tree(2, [leaf])


@pytest.mark.parametrize("place", [-1, 2, 9])
def test_a_way_starts_at_a_leaf(place: int) -> None:
    with pytest.raises(Invalid):
        Tree(2, [1, 2]).siblings(place)
