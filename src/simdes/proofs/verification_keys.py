"""What must hold of a verifying key before anybody believes a proof by it.

Groth16 over BN254 (https://eprint.iacr.org/2016/260), the key in snarkjs' form. Whoever knows how
gamma and delta are related forges proofs; they are equal where nobody contributed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simdes.errors import Tampered

BASE: Final = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Order of BN254's base field, of points' coordinates (EIP-197)."""

Pair = tuple[int, int]
"""a + b i, an element of the base field's extension by i with i^2 = -1."""

GENERATOR_2: Final = (
    (
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
    ),
    (
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
    ),
)
"""The generator of the second group (EIP-197): gamma, unless a set-up chose another."""


def require_sound(circuit: str, key: Mapping[str, Any], *, inputs: int | None = None) -> None:
    """Check the points of a verifying key. Raises Tampered saying what is wrong.

    All lie on their curves, none at infinity; gamma is the generator, delta another point; there is
    a point for each of `inputs` public inputs, none of them zero, so that each of them counts.
    """
    try:
        first = [_point(key["vk_alpha_1"]), *map(_point, key["IC"])]
        beta, gamma, delta = (_twisted(key[f"vk_{one}_2"]) for one in ("beta", "gamma", "delta"))
        count = int(key["nPublic"])
    except (KeyError, TypeError, ValueError, IndexError):
        raise _refusal(circuit, "is malformed") from None
    if not all(map(_on_curve, first)) or not all(map(_on_twist, (beta, gamma, delta))):
        raise _refusal(circuit, "has a point that is on no curve")
    if gamma == delta:
        raise _refusal(circuit, "was never contributed to: anybody can forge its proofs")
    if gamma != GENERATOR_2:
        raise _refusal(circuit, "has a gamma that is not the generator")
    if len(first) - 2 != count or (inputs is not None and count != inputs):
        raise _refusal(circuit, "is of another circuit")
    if len(set(first[2:])) != count:
        raise _refusal(circuit, "has one point for two public inputs")


def numbers_of(key: Mapping[str, Any]) -> list[int]:
    """All numbers of a sound key, in one order: the constants of its verifier."""
    points = [int(one) for point in (key["vk_alpha_1"], *key["IC"]) for one in point[:2]]
    for name in ("beta", "gamma", "delta"):
        points += [int(one) for pair in key[f"vk_{name}_2"][:2] for one in pair]
    return points


def placeholders(inputs: int) -> list[int]:
    """What stands for the numbers of a key in a verifier that gets its key later.

    Hashes, so that the compiler writes each out in full, and in no other place.
    """
    count = 2 + 2 * (inputs + 1) + 12
    texts = (f"simdes verifier number {place}".encode() for place in range(count))
    return [int.from_bytes(hashlib.sha256(text).digest(), "big") | 1 << 255 for text in texts]


def of_numbers(numbers: Sequence[int]) -> dict[str, Any]:
    """A key in snarkjs' form from its numbers, in the order of `numbers_of`."""
    left = iter(map(str, numbers))
    points = [[next(left), next(left), "1"] for _ in range((len(numbers) - 12) // 2)]
    key: dict[str, Any] = {"vk_alpha_1": points[0], "IC": points[1:], "nPublic": len(points) - 2}
    for name in ("beta", "gamma", "delta"):
        key[f"vk_{name}_2"] = [[next(left), next(left)] for _ in range(2)] + [["1", "0"]]
    return key


def _refusal(circuit: str, why: str) -> Tampered:
    return Tampered(f"the key of {circuit} {why}", advice="Hold a ceremony, or take its outcome.")


def _number(text: Any) -> int:
    number = int(text)
    if not 0 <= number < BASE:
        raise ValueError("no element of the base field")
    return number


def _point(words: Sequence[Any]) -> Pair:
    x, y, scale = map(_number, words)
    if scale != 1:
        raise ValueError("a point at infinity")
    return x, y


def _twisted(words: Sequence[Sequence[Any]]) -> tuple[Pair, Pair]:
    (x, y, scale) = ((_number(real), _number(imaginary)) for real, imaginary in words)
    if scale != (1, 0):
        raise ValueError("a point at infinity")
    return x, y


def _on_curve(point: Pair) -> bool:
    x, y = point
    return (y * y - x**3 - 3) % BASE == 0


def _times(one: Pair, other: Pair) -> Pair:
    (a, b), (c, d) = one, other
    return (a * c - b * d) % BASE, (a * d + b * c) % BASE


def _on_twist(point: tuple[Pair, Pair]) -> bool:
    x, y = point
    cube = _times(_times(x, x), x)
    # b = 3 / (9 + i) = 3 (9 - i) / 82
    inverse = pow(82, -1, BASE)
    sum_ = ((cube[0] + 27 * inverse) % BASE, (cube[1] - 3 * inverse) % BASE)
    return _times(y, y) == sum_
