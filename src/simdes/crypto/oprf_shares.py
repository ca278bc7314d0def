"""A key of the oblivious function that nobody holds: made in parts, used in parts, handed on.

Shamir's sharing over the order of ristretto255 with Feldman's commitments
(https://doi.org/10.1109/SFCS.1987.4): every dealer shares a number of its own, each receiver checks
its part, and the key is the sum of what was dealt (Pedersen,
https://doi.org/10.1007/3-540-46416-6_47, with a proof that each dealer knows its number, as in
https://eprint.iacr.org/2020/852). Handing on is the same with the old shares as numbers (as
https://doi.org/10.1007/3-540-44750-4_27 renews shares), and leaves the key as it was. m
evaluations by shares give the evaluation by the key. Format: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.crypto.digest import Random
from simdes.crypto.oprf import PROOF_BYTES, hash_to_scalar
from simdes.crypto.ristretto import (
    ORDER,
    SCALAR_BYTES,
    add,
    add_all,
    check_element,
    multiply,
    multiply_base,
    random_scalar,
    read_scalar,
    scalar_bytes,
)
from simdes.crypto.shares import check_threshold
from simdes.errors import Invalid, Tampered

_KNOWN_TAG: Final = b"simdes/fingerprint-known/v1"


@dataclass(frozen=True, slots=True)
class Dealt:
    """A number shared among n: commitments to the polynomial (m), the parts for 1..n (secret)."""

    commitments: tuple[bytes, ...]
    parts: tuple[int, ...]

    def __repr__(self) -> str:
        return "Dealt()"


def deal(number: int, *, m: int, n: int, random: Random) -> Dealt:
    """Share a number, of which any m parts give it back."""
    check_threshold(m=m, n=n)
    polynomial = [number, *(random_scalar(random) for _ in range(m - 1))]
    commitments = tuple(multiply_base(coefficient) for coefficient in polynomial)
    return Dealt(commitments, tuple(_value(polynomial, x) for x in range(1, n + 1)))


def prove_known(number: int, *, bound: bytes, random: Random) -> bytes:
    """Show that who deals knows the number it commits to (Schnorr), bound to plan and dealer."""
    nonce = random_scalar(random)
    challenge = _known(multiply_base(number), multiply_base(nonce), bound)
    return scalar_bytes(challenge) + scalar_bytes((nonce + challenge * number) % ORDER)


def check_known(commitment: bytes, proof: bytes, *, bound: bytes) -> None:
    """`Tampered` unless `proof` shows that the number behind `commitment` is known."""
    if len(proof) != PROOF_BYTES:
        raise Tampered("A proof is two scalars.")
    challenge, response = read_scalar(proof[:SCALAR_BYTES]), read_scalar(proof[SCALAR_BYTES:])
    nonce = add(multiply_base(response), multiply(-challenge % ORDER, check_element(commitment)))
    if _known(commitment, nonce, bound) != challenge:
        raise Tampered("A dealer does not show that it knows what it deals.")


def check_part(index: int, part: int, commitments: Sequence[bytes]) -> None:
    """`Tampered` unless `part` is the one of receiver `index` (1..n) in what was committed to."""
    if multiply_base(part) != public_part(index, commitments):
        raise Tampered("A part is not the one that its dealer committed to.")


def public_part(index: int, commitments: Sequence[bytes]) -> bytes:
    """Return the public half of receiver `index`'s part; of the number itself at 0."""
    total = check_element(commitments[0])
    power = 1
    for commitment in commitments[1:]:
        power = power * index % ORDER
        if power:
            total = add(total, multiply(power, check_element(commitment)))
    return total


def weights(indexes: Sequence[int]) -> dict[int, int]:
    """Return Lagrange's coefficient at 0 of each index; `Invalid` if one comes twice or is 0."""
    if len(set(indexes)) != len(indexes) or not indexes or min(indexes) < 1:
        raise Invalid("The numbers of custodians are distinct and above 0.")
    found = {}
    for one in indexes:
        above = below = 1
        for other in indexes:
            if other != one:
                above = above * other % ORDER
                below = below * (other - one) % ORDER
        found[one] = above * pow(below, -1, ORDER) % ORDER
    return found


def join_parts(parts: Mapping[int, int], weighing: Mapping[int, int]) -> int:
    """Return a receiver's share: its parts by dealer, each weighed (1 in a fresh key)."""
    return sum(weighing[dealer] * part for dealer, part in parts.items()) % ORDER


def join_elements(elements: Mapping[int, bytes], weighing: Mapping[int, int]) -> bytes:
    """Return the same of elements: of m evaluations, the evaluation by the key itself."""
    return add_all([multiply(weighing[one], element) for one, element in elements.items()])


def check_shares(public: bytes, shares: Sequence[bytes], *, m: int) -> None:
    """`Tampered` unless public shares 1..n lie on one polynomial of m coefficients at the key.

    Any m of them in a row must give the key: then all do.
    """
    check_threshold(m=m, n=len(shares))
    for element in (public, *shares):
        check_element(element)
    for first in range(1, len(shares) - m + 2):
        chosen = range(first, first + m)
        joined = join_elements({one: shares[one - 1] for one in chosen}, weights(chosen))
        if joined != public:
            raise Tampered("The public shares of a key do not belong together.")


def _value(polynomial: Sequence[int], x: int) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * x + coefficient) % ORDER
    return value


def _known(commitment: bytes, nonce: bytes, bound: bytes) -> int:
    return hash_to_scalar(commitment + nonce + bound, tag=_KNOWN_TAG)
