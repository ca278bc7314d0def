"""JSON Web Tokens that somebody else signed: what is common to client assertions and DPoP proofs.

https://www.rfc-editor.org/rfc/rfc8725: the algorithm is one of a closed list, the type is checked,
the key is the one expected and never one that the token itself points to.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from simdes.access.requests import unb64
from simdes.decoding import ready
from simdes.errors import SimdesError, Unauthenticated

Key = ECKey | RSAKey
T = TypeVar("T")

MAX_BYTES: Final = 8_192
SKEW_SECONDS: Final = 5
_RSA_BITS: Final = (2_048, 8_192)
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384"}


@dataclass(frozen=True, slots=True)
class Unverified:
    """A compact JWS by its header: nothing of it may be believed yet."""

    text: str
    header: dict[str, Any]


def read(text: str, *, typ: str, algorithms: Collection[str]) -> Unverified:
    """Read a compact JWS of one type and of these algorithms.

    Raises `Unauthenticated`, also for a ``crit`` header: no extension is understood here.
    """
    try:
        if len(text) > MAX_BYTES or text.count(".") != 2:
            raise Unauthenticated("A signed token is malformed.")
        header = json.loads(unb64(text.split(".", 1)[0]))
    except (ValueError, SimdesError, RecursionError) as error:
        raise Unauthenticated("A signed token is malformed.") from error
    if not isinstance(header, dict) or header.get("typ") != typ:
        raise Unauthenticated("A signed token is of another type.")
    if header.get("alg") not in algorithms or "crit" in header or "b64" in header:
        raise Unauthenticated("A signed token is of an algorithm that is not accepted.")
    return Unverified(text, header)


def verify(unverified: Unverified, key: Key, kind: type[T]) -> T:
    """The claims, once the signature is the key's. Raises `Unauthenticated`."""
    algorithm = str(unverified.header["alg"])
    if not fits(key, algorithm):
        raise Unauthenticated("The key is not one for this algorithm.")
    try:
        unb64(unverified.text.rsplit(".", 1)[1])
        signed = jws.deserialize_compact(
            unverified.text.encode("ascii"), key, algorithms=[algorithm], registry=_REGISTRY
        )
        return msgspec.json.decode(signed.payload, type=ready(kind))
    except (JoseError, SimdesError, ValueError, RecursionError) as error:
        raise Unauthenticated("A signed token does not verify.") from error


# Proofs carry their own key and names of it; what is believed of them is checked above.
_REGISTRY: Final = jws.JWSRegistry(
    algorithms=["ES256", "ES384", "RS256", "RS384", "PS256"], strict_check_header=False
)


def fits(key: Key, algorithm: str) -> bool:
    """Whether a key is of the kind and strength that an algorithm is used with."""
    if isinstance(key, ECKey):
        return _CURVES.get(algorithm) == key.curve_name
    low, high = _RSA_BITS
    return algorithm[:2] in ("RS", "PS") and low <= key.raw_value.key_size <= high
