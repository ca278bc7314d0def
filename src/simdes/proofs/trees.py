"""Poseidon trees of fixed depth whose free places hold zero: batches of statements, and forests.

A statement is a leaf of a batch, whose root is a leaf of its kind's forest
(docs/formats/statements.md). Poseidon of two elements is about half a millisecond here, so a tree
keeps its nodes: appending costs one hash a level.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from simdes.errors import Invalid, TooLarge
from simdes.proofs.poseidon import FIELD, poseidon

BATCH_DEPTH: Final = 10
FOREST_DEPTH: Final = 24
DAY_BITS: Final = 20
LATEST_DAY: Final = 2**DAY_BITS - 1
"""Days of statements count from 1970-01-01; the circuits take so many bits of them."""


@cache
def _empty_roots(depth: int = FOREST_DEPTH) -> tuple[int, ...]:
    roots = [0]
    for _ in range(depth):
        roots.append(poseidon(roots[-1], roots[-1]))
    return tuple(roots)


class Tree:
    """An append-only tree of `depth` levels, 24 at most, above its leaves."""

    def __init__(self, depth: int, leaves: Iterable[int] = ()) -> None:
        self._levels: list[list[int]] = [[] for _ in range(depth + 1)]
        for leaf in leaves:
            self._check(leaf)
            self._levels[0].append(leaf)
        for height in range(depth):
            below = self._levels[height]
            self._levels[height + 1] = [
                self._parent(height, place) for place in range((len(below) + 1) // 2)
            ]

    def __len__(self) -> int:
        return len(self._levels[0])

    @property
    def root(self) -> int:
        """What stands for all leaves and their places."""
        top = self._levels[-1]
        return top[0] if top else _empty_roots()[len(self._levels) - 1]

    def append(self, leaf: int) -> int:
        """Put a leaf at the next place; return the place. Raises TooLarge when none is left."""
        self._check(leaf)
        place = at = len(self)
        self._levels[0].append(leaf)
        for height in range(len(self._levels) - 1):
            at //= 2
            level, node = self._levels[height + 1], self._parent(height, at)
            if at == len(level):
                level.append(node)
            else:
                level[at] = node
        return place

    def siblings(self, place: int) -> list[int]:
        """What stands beside the way from a leaf to the root, the lowest first."""
        if not 0 <= place < len(self):
            raise Invalid("no leaf stands at this place of the tree")
        return [self._node(height, place >> height ^ 1) for height in range(len(self._levels) - 1)]

    def _check(self, leaf: int) -> None:
        if not 0 <= leaf < FIELD:
            raise Invalid("a leaf is no element of the field")
        if len(self) == 1 << (len(self._levels) - 1):
            raise TooLarge("the tree has no free place")

    def _parent(self, height: int, place: int) -> int:
        return poseidon(self._node(height, 2 * place), self._node(height, 2 * place + 1))

    def _node(self, height: int, place: int) -> int:
        level = self._levels[height]
        return level[place] if place < len(level) else _empty_roots()[height]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a statement stands: in a batch, and its batch in the forest."""

    batch_index: int
    batch_siblings: tuple[int, ...]
    forest_index: int
    forest_siblings: tuple[int, ...]

    @classmethod
    def of(cls, batch: Tree, index: int, forest: Tree, forest_index: int) -> Place:
        """The place of leaf `index` of a batch, itself leaf `forest_index` of a forest."""
        return cls(
            batch_index=index,
            batch_siblings=tuple(batch.siblings(index)),
            forest_index=forest_index,
            forest_siblings=tuple(forest.siblings(forest_index)),
        )

    def signals(self) -> dict[str, Any]:
        """The circuit's signals of it."""
        return {
            "batchIndex": self.batch_index,
            "batchSiblings": list(self.batch_siblings),
            "forestIndex": self.forest_index,
            "forestSiblings": list(self.forest_siblings),
        }
