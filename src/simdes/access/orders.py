"""A patient's order to erase their vault, signed once, for software to carry to who was away.

A question to a custodian ends within a minute (`access.requests`), and a patient's key signs while
they are signed in. So the patient signs what stays: this chain, this vault, erase. It is judged
like the patient asking themselves, by who controls the vault at that moment, and no more can be
done with it than to erase what they wanted erased (docs/formats/custody-release.md, "erase").
"""

from __future__ import annotations

from typing import Final

import msgspec

from simdes.access.requests import Hex32, Seconds, Signer, decode, hexed, sign_jws, verify_jws
from simdes.errors import Unauthenticated

ORDER_TYPE: Final = "simdes-erasure+jws"


class OrderClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the patient signs; the type of the JWS says that it is an order to erase."""

    chain: Seconds
    vault: Hex32
    iat: Seconds


def sign_order(signer: Signer, *, chain: int, vault: bytes, now_seconds: int) -> str:
    """An order to erase a vault, by who controls it."""
    claims = OrderClaims(chain=chain, vault=hexed(vault), iat=now_seconds)
    return sign_jws(signer, ORDER_TYPE, msgspec.json.encode(claims)).decode()


def read_order(order: str, *, chain: int, vault: bytes) -> bytes:
    """The address that signed an order about this vault on this chain.

    Raises `Invalid` for a bad form, `Unauthenticated` for one that is about something else or not
    signed.
    """
    payload, address = verify_jws(order.encode(), ORDER_TYPE)
    claims = decode(payload, OrderClaims)
    if (claims.chain, claims.vault) != (chain, hexed(vault)):
        raise Unauthenticated("The order is about another vault, or for another chain.")
    return address
