"""Verifiable Shamir shares of a record's secret.

Shamir, "How to share a secret" (https://doi.org/10.1145/359168.359176) over the prime field
p = 2²⁵⁶ − 189. The polynomial's coefficients are derived from the secret, so whoever combines m
shares recomputes all n and compares them with the commitments: a share changed by a custodian and
one made wrong by the author are told apart. Format: ``docs/formats/key-capsule.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.crypto.digest import hkdf_expand, hkdf_extract, sha256
from simdes.errors import Invalid, Tampered

PRIME: Final = 2**256 - 189
MAX_SHARES: Final = 255
_SECRET_TAG: Final = b"simdes/secret/v1\0"
_SHARE_TAG: Final = b"simdes/share/v1\0"
_COEFFICIENT_TAG: Final = b"simdes/coefficient/v1\0"


@dataclass(frozen=True, slots=True)
class Share:
    """One custodian's part: its number 1..n and its value.

    The value is 32 bytes in an author's capsule; in a redistributed one, a CBOR array of the
    payloads the custodian got, one per dealer.
    """

    index: int
    value: bytes

    def __repr__(self) -> str:
        return f"Share(index={self.index})"


@dataclass(frozen=True, slots=True)
class Commitments:
    """SHA-256 commitments to the secret and to each share in the order of their index."""

    secret: bytes
    shares: tuple[bytes, ...]


def check_threshold(*, m: int, n: int) -> None:
    """`Invalid` unless 2 <= m <= n <= 255: with m = 1 every custodian alone could read."""
    if not 2 <= m <= n <= MAX_SHARES:
        raise Invalid("m custodians of n must satisfy 2 <= m <= n <= 255.")


def is_secret(candidate: bytes) -> bool:
    """Tell whether 32 bytes are a field element, which a random draw misses once in 2²⁴⁸."""
    return len(candidate) == 32 and int.from_bytes(candidate, "big") < PRIME


def commit_secret(secret: bytes, *, record_id: bytes) -> bytes:
    """Return the commitment to a record's secret."""
    return sha256(_SECRET_TAG + record_id + secret)


def commit_share(index: int, value: bytes, *, record_id: bytes, epoch: int) -> bytes:
    """Return the commitment to the share `index` of `epoch`."""
    place = epoch.to_bytes(4, "big") + bytes((index,))
    return sha256(b"".join((_SHARE_TAG, record_id, place, value)))


def evaluate(coefficients: Sequence[int], x: int) -> int:
    """Return the polynomial's value at x, lowest coefficient first, in the field."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % PRIME
    return value


def interpolate(points: Sequence[tuple[int, int]], x: int = 0) -> int:
    """Return at x the value of the lowest polynomial through points with distinct abscissas."""
    total = 0
    for i, (xi, yi) in enumerate(points):
        numerator, denominator = yi, 1
        for j, (xj, _) in enumerate(points):
            if i != j:
                numerator = numerator * (x - xj) % PRIME
                denominator = denominator * (xi - xj) % PRIME
        total += numerator * pow(denominator, -1, PRIME)
    return total % PRIME


def split(secret: bytes, *, m: int, n: int, record_id: bytes, epoch: int) -> tuple[Share, ...]:
    """Split a 32-byte secret below p into n shares of which any m give it back.

    Deterministic: coefficient j is HKDF(secret, salt = record id, info = tag ‖ epoch ‖ j),
    48 bytes, reduced modulo p.
    """
    check_threshold(m=m, n=n)
    if not is_secret(secret):
        raise Invalid("A secret to split is 32 bytes, as a number below the prime.")
    coefficients = [int.from_bytes(secret, "big")]
    key, place = hkdf_extract(secret, salt=record_id), epoch.to_bytes(4, "big")
    for j in range(1, m):
        info = _COEFFICIENT_TAG + place + bytes((j,))
        derived = hkdf_expand(key, info=info, length=48)
        coefficients.append(int.from_bytes(derived, "big") % PRIME)
    return tuple(Share(x, evaluate(coefficients, x).to_bytes(32, "big")) for x in range(1, n + 1))


def commit(secret: bytes, shares: Sequence[Share], *, record_id: bytes, epoch: int) -> Commitments:
    """Return the commitments to a secret and its shares."""
    return Commitments(
        commit_secret(secret, record_id=record_id),
        tuple(commit_share(s.index, s.value, record_id=record_id, epoch=epoch) for s in shares),
    )


def share_matches(share: Share, commitments: Commitments, *, record_id: bytes, epoch: int) -> bool:
    """Tell whether a share is the one that was committed to."""
    return (
        1 <= share.index <= len(commitments.shares)
        and is_secret(share.value)
        and commit_share(share.index, share.value, record_id=record_id, epoch=epoch)
        == commitments.shares[share.index - 1]
    )


def check_enough(shares: Sequence[Share], *, m: int) -> None:
    """`Invalid` when an index comes twice or fewer than m shares are there."""
    if len({share.index for share in shares}) != len(shares):
        raise Invalid("A share was given twice.")
    if len(shares) < m:
        raise Invalid(f"{m} shares are needed and only {len(shares)} are there.")


def combine(
    shares: Sequence[Share], *, m: int, record_id: bytes, epoch: int, commitments: Commitments
) -> bytes:
    """Return the secret from m or more shares, every one checked.

    `Tampered` names the culprit: the custodian whose share is not the committed one, or the author
    when the shares are as committed but do not belong to one polynomial or to the secret.
    """
    n = len(commitments.shares)
    check_threshold(m=m, n=n)
    check_enough(shares, m=m)
    for share in shares:
        if not share_matches(share, commitments, record_id=record_id, epoch=epoch):
            raise Tampered(
                f"Share {share.index} is bad: its custodian did not give the share it got."
            )
    points = [(s.index, int.from_bytes(s.value, "big")) for s in shares[:m]]
    secret = interpolate(points).to_bytes(32, "big")
    expected = split(secret, m=m, n=n, record_id=record_id, epoch=epoch)
    if commit(secret, expected, record_id=record_id, epoch=epoch) != commitments:
        raise Tampered("The shares are as committed but inconsistent: the author made them wrong.")
    return secret
