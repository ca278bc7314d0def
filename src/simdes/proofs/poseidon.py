"""The Poseidon hash over BN254's scalar field, with x^5 and the parameters that circom uses.

Grassi et al., "Poseidon: A New Hash Function for Zero-Knowledge Proof Systems" (USENIX Security
2021, https://eprint.iacr.org/2019/458): 8 full rounds, the published number of partial rounds for
each width, constants from the Grain generator of appendix F. So contracts, circuits and this module
agree with each other, and with everybody's Poseidon on this field.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from operator import add, mul
from typing import Final

FIELD: Final = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order of BN254's scalar field: what circuits calculate in (EIP-197)."""

FULL_ROUNDS: Final = 8
PARTIAL_ROUNDS: Final = {2: 56, 3: 57, 4: 56, 5: 60, 6: 60, 7: 63}
"""Width (inputs + 1) -> partial rounds, for 128 bits of security (paper, table 7; rounded up)."""

_BITS = 254


def poseidon(*inputs: int) -> int:
    """Hash 1 to 6 field elements to one. Raises ValueError for another number, or one too large.

    Values are never reduced: two inputs that mean the same element would be two names of it.
    """
    if len(inputs) + 1 not in PARTIAL_ROUNDS:
        raise ValueError("Poseidon takes 1 to 6 inputs here")
    if not all(0 <= one < FIELD for one in inputs):
        raise ValueError("an input is no element of the field")
    constants, matrix = parameters(len(inputs) + 1)
    partial = range(FULL_ROUNDS // 2, FULL_ROUNDS // 2 + PARTIAL_ROUNDS[len(inputs) + 1])
    state = [0, *inputs]
    for number, added in enumerate(constants):
        state = [*map(add, state, added)]
        if number in partial:
            state[0] = pow(state[0], 5, FIELD)
        else:
            state = [pow(one, 5, FIELD) for one in state]
        state = [sum(map(mul, row, state)) % FIELD for row in matrix]
    return state[0]


@lru_cache(maxsize=len(PARTIAL_ROUNDS))
def parameters(width: int) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Round constants (rounds x width) and the matrix (width x width) of a permutation."""
    bits = _grain(width)
    rounds = FULL_ROUNDS + PARTIAL_ROUNDS[width]
    constants = [[_below_field(bits) for _ in range(width)] for _ in range(rounds)]
    while True:
        drawn = [_number(bits) % FIELD for _ in range(2 * width)]
        xs, ys = drawn[:width], drawn[width:]
        if len(set(drawn)) == len(drawn) and all((x + y) % FIELD for x in xs for y in ys):
            break
    matrix = tuple(tuple(pow(x + y, -1, FIELD) for y in ys) for x in xs)
    return tuple(map(tuple, constants)), matrix


def _grain(width: int) -> Iterator[int]:
    """Bits of the Grain generator in self-shrinking mode (paper, appendix F)."""
    seed = (1, 2), (0, 4), (_BITS, 12), (width, 12), (FULL_ROUNDS, 10), (PARTIAL_ROUNDS[width], 10)
    text = "".join(f"{value:0{length}b}" for value, length in seed) + "1" * 30
    state = [int(one) for one in text]

    def step() -> int:
        new = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.append(new)
        del state[0]
        return new

    for _ in range(160):
        step()
    while True:
        keep, bit = step(), step()
        if keep:
            yield bit


def _number(bits: Iterator[int]) -> int:
    value = 0
    for _ in range(_BITS):
        value = value << 1 | next(bits)
    return value


def _below_field(bits: Iterator[int]) -> int:
    while True:
        value = _number(bits)
        if value < FIELD:
            return value
