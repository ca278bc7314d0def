"""How statements are put into batches, so that neither times, sizes nor places tell anything.

docs/formats/statements.md, "Trees"; docs/prescriptions/privacy.md. One batch of each issuer in each
period, whether or not there is anything to state; everybody's periods begin together. At least 64
leaves, a power of two, half of them or more dummies, in random places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from simdes.errors import TooLarge
from simdes.proofs.poseidon import FIELD

LEAST_LEAVES: Final = 64
MOST_STATED: Final = 512
"""Statements in one batch; what is left waits for the next period, never for a batch between."""
_DUMMY_BYTES: Final = 48
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Composed:
    """A batch's leaves in their places, and the place of each statement, in the order given."""

    leaves: tuple[int, ...]
    places: tuple[int, ...]


def slot_at(now_seconds: int, period_seconds: int) -> int:
    """The number of the period in which a time lies; the same for every issuer."""
    return now_seconds // period_seconds


def compose(statements: Sequence[int], random: Callable[[int], bytes]) -> Composed:
    """Make a batch of statements (leaves), `MOST_STATED` at most. Raises TooLarge."""
    if len(statements) > MOST_STATED:
        raise TooLarge("a batch holds no more statements")
    size = LEAST_LEAVES
    while size < 2 * len(statements):
        size *= 2
    leaves = [*statements, *(dummy(random) for _ in range(size - len(statements)))]
    order = shuffled(range(size), random)
    where = {one: place for place, one in enumerate(order)}
    return Composed(
        tuple(leaves[one] for one in order),
        tuple(where[one] for one in range(len(statements))),
    )


def dummy(random: Callable[[int], bytes]) -> int:
    """A leaf that nothing is behind, and that looks like every other."""
    return int.from_bytes(random(_DUMMY_BYTES), "big") % FIELD


def shuffled(items: Sequence[T], random: Callable[[int], bytes]) -> list[T]:
    """The items in a random order (Fisher and Yates), by a source of random bytes."""
    mixed = list(items)
    for last in range(len(mixed) - 1, 0, -1):
        # 16 bytes for fewer than 2^10 choices: the bias is below 2^-100.
        other = int.from_bytes(random(16), "big") % (last + 1)
        mixed[last], mixed[other] = mixed[other], mixed[last]
    return mixed
