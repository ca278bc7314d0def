"""An oblivious pseudo-random function that shows it was evaluated under its key.

RFC 9497 (https://www.rfc-editor.org/rfc/rfc9497), suite ristretto255-SHA512, mode VOPRF: who asks
blinds an input, who holds the key multiplies without learning input or output, and proves that
the same key was used as stands behind its public half (a proof of equal discrete logarithms for
the whole batch). `oprf_shares` divides the key. Format: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.crypto.digest import Random
from simdes.crypto.ristretto import (
    ORDER,
    SCALAR_BYTES,
    UNIFORM_BYTES,
    add,
    add_all,
    check_element,
    from_uniform,
    multiply,
    multiply_base,
    random_scalar,
    read_scalar,
    scalar_bytes,
)
from simdes.errors import Invalid, Tampered

PROOF_BYTES: Final = 2 * SCALAR_BYTES
MAX_BATCH: Final = 256
OUTPUT_BYTES: Final = 64
_CONTEXT: Final = b"OPRFV1-\x01-ristretto255-SHA512"
_BLOCK_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Blinded:
    """An input, what hides it (a secret of who asks), and the element that is sent."""

    input: bytes
    blind: int
    element: bytes

    def __repr__(self) -> str:
        return "Blinded()"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The products of a batch in its order, and one proof for all of them (c ‖ s)."""

    elements: tuple[bytes, ...]
    proof: bytes


def blind(value: bytes, *, random: Random) -> Blinded:
    """Hide an input of at most 65,535 bytes."""
    if len(value) > 0xFFFF:
        raise Invalid("An input is at most 65,535 bytes.")
    scalar = random_scalar(random)
    point = from_uniform(_expand(value, b"HashToGroup-" + _CONTEXT, UNIFORM_BYTES))
    return Blinded(value, scalar, multiply(scalar, point))


def evaluate(key: int, elements: Sequence[bytes], *, random: Random) -> Evaluation:
    """Multiply blinded elements (1 to 256) by a key and prove that it was this key.

    Raises `Tampered` for what is no element: nothing is multiplied then.
    """
    _check_batch(elements)
    for element in elements:
        check_element(element)
    products = [multiply(key, element) for element in elements]
    public = multiply_base(key)
    composite = _composite(public, elements, products)
    product = multiply(key, composite)
    nonce = random_scalar(random)
    challenge = _challenge(
        public, composite, product, multiply_base(nonce), multiply(nonce, composite)
    )
    response = (nonce - challenge * key) % ORDER
    return Evaluation(tuple(products), scalar_bytes(challenge) + scalar_bytes(response))


def verify(public: bytes, elements: Sequence[bytes], evaluation: Evaluation) -> None:
    """`Tampered` unless `evaluation` is that of `elements` under the key behind `public`."""
    _check_batch(elements)
    if len(evaluation.elements) != len(elements) or len(evaluation.proof) != PROOF_BYTES:
        raise Tampered("An evaluation has one product for each element, and one proof.")
    for element in (public, *evaluation.elements):
        check_element(element)
    challenge = read_scalar(evaluation.proof[:SCALAR_BYTES])
    response = read_scalar(evaluation.proof[SCALAR_BYTES:])
    weights = _weights(public, elements, evaluation.elements)
    composite = _weigh(weights, elements)
    product = _weigh(weights, evaluation.elements)
    base = add(multiply_base(response), multiply(challenge, public))
    same = add(multiply(response, composite), multiply(challenge, product))
    if not hmac.compare_digest(
        scalar_bytes(_challenge(public, composite, product, base, same)),
        evaluation.proof[:SCALAR_BYTES],
    ):
        raise Tampered("An evaluation does not verify: it was made with another key.")


def finalize(blinded: Blinded, product: bytes) -> bytes:
    """Return the function's output of an input, 64 bytes, from its verified product."""
    unblinded = multiply(pow(blinded.blind, -1, ORDER), product)
    return hashlib.sha512(_sized(blinded.input) + _sized(unblinded) + b"Finalize").digest()


def hash_to_scalar(data: bytes, *, tag: bytes = b"HashToScalar-" + _CONTEXT) -> int:
    """Return the scalar of some bytes under a domain tag."""
    return int.from_bytes(_expand(data, tag, UNIFORM_BYTES), "little") % ORDER


def _check_batch(elements: Sequence[bytes]) -> None:
    if not 1 <= len(elements) <= MAX_BATCH:
        raise Invalid(f"A batch is 1 to {MAX_BATCH} elements.")


def _weights(public: bytes, elements: Sequence[bytes], products: Sequence[bytes]) -> list[int]:
    """One weight for each pair, so that one proof speaks for all (RFC 9497, 2.2.1)."""
    seed = hashlib.sha512(_sized(public) + _sized(b"Seed-" + _CONTEXT)).digest()
    return [
        hash_to_scalar(
            _sized(seed)
            + number.to_bytes(2, "big")
            + _sized(element)
            + _sized(product)
            + b"Composite"
        )
        for number, (element, product) in enumerate(zip(elements, products, strict=True))
    ]


def _weigh(weights: Sequence[int], elements: Sequence[bytes]) -> bytes:
    return add_all([multiply(w, element) for w, element in zip(weights, elements, strict=True)])


def _composite(public: bytes, elements: Sequence[bytes], products: Sequence[bytes]) -> bytes:
    return _weigh(_weights(public, elements, products), elements)


def _challenge(*elements: bytes) -> int:
    return hash_to_scalar(b"".join(map(_sized, elements)) + b"Challenge")


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _expand(message: bytes, tag: bytes, length: int) -> bytes:
    """expand_message_xmd with SHA-512 (RFC 9380, 5.3.1); at most 64 bytes are asked for here."""
    suffix = tag + bytes((len(tag),))
    first = hashlib.sha512(
        bytes(_BLOCK_BYTES) + message + length.to_bytes(2, "big") + b"\0" + suffix
    ).digest()
    return hashlib.sha512(first + b"\1" + suffix).digest()[:length]
