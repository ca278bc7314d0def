"""Proofs as snarkjs writes them, which proves in the browser: to the bytes that contracts take.

docs/formats/statements.md, "Proofs and keys": A, B, C, of B's coordinates the imaginary part first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simdes.errors import Invalid
from simdes.proofs.verification_keys import BASE

_WORD = 32


def proof_bytes(proof: Mapping[str, Any]) -> bytes:
    """The 256 bytes of a proof in snarkjs' form. Raises Invalid for anything that is none."""
    try:
        a, b, c = (proof[f"pi_{name}"] for name in "abc")
        ends = (a[2], *b[2], c[2])
        twisted = (b[0][1], b[0][0], b[1][1], b[1][0])
        numbers = [int(one) for one in (a[0], a[1], *twisted, c[0], c[1])]
    except (KeyError, IndexError, TypeError, ValueError):
        raise Invalid("this is no proof of snarkjs") from None
    if tuple(map(str, ends)) != ("1", "1", "0", "1") or not all(0 <= n < BASE for n in numbers):
        raise Invalid("this is no proof of snarkjs")
    return b"".join(one.to_bytes(_WORD, "big") for one in numbers)
