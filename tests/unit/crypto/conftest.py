"""A small world to seal in: four custodians, an author, and randomness that repeats."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from simdes.crypto.keys import OpeningKey, SigningKey
from simdes.crypto.seal import (
    Custodian,
    Item,
    OpenedShare,
    SealedRecord,
    open_share,
    seal,
)


class Seeded:
    """Randomness that repeats: SHAKE-256 of a seed and a counter."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._drawn = 0

    def __call__(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}/{self._drawn}".encode()).digest(size)


@dataclass(frozen=True)
class World:
    """Who takes part in a test."""

    random: Callable[[int], bytes]
    keys: tuple[OpeningKey, ...]
    custodians: tuple[Custodian, ...]
    author: SigningKey
    organisation: bytes
    vault: bytes

    def items(self, *contents: bytes) -> tuple[Item, ...]:
        return tuple(Item("Observation", content, self.random(32)) for content in contents)

    def seal(
        self,
        items: Sequence[Item] | None = None,
        *,
        m: int = 3,
        n: int = 4,
        epoch: int = 1,
        labels: int = 0,
    ) -> SealedRecord:
        return seal(
            items or self.items(b'{"resourceType":"Observation","valueQuantity":{"value":4.00}}'),
            vault=self.vault,
            category=3,
            labels=labels,
            epoch=epoch,
            m=m,
            custodians=self.custodians[:n],
            author=self.author,
            organisation=self.organisation,
            random=self.random,
        )

    def open(self, capsule: bytes, *indexes: int) -> list[OpenedShare]:
        """Shares as their custodians open them; all four without `indexes`."""
        return [
            open_share(capsule, self.keys[i - 1], self.custodians[i - 1].organisation, index=i)
            for i in indexes or range(1, len(self.keys) + 1)
        ]


def make_world(seed: str) -> World:
    random = Seeded(seed)
    keys = tuple(OpeningKey.generate(random) for _ in range(4))
    return World(
        random=random,
        keys=keys,
        custodians=tuple(Custodian(random(32), key.public) for key in keys),
        author=SigningKey.generate(random),
        organisation=random(32),
        vault=random(32),
    )


@pytest.fixture
def world() -> World:
    return make_world("world")


@pytest.fixture
def other_world() -> World:
    return make_world("another world")
