"""A patient's order to erase their vault, signed once, for software to carry to who was away.

A question to a custodian ends within a minute (`access.requests`), and a patient's key signs while
they are signed in. So the patient signs what stays: this chain, this vault, erase. It is judged
like the patient asking themselves, by who controls the vault at that moment, and no more can be
done with it than to erase what they wanted erased (docs/formats/custody-release.md, "erase"). A key
that is kept by a gateway signs it as JWS, a wallet of the patient's own as EIP-712 typed data.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from simdes.access.requests import Hex32, Seconds, Signer, decode, hexed, sign_jws, verify_jws
from simdes.crypto.keys import recover
from simdes.errors import Invalid, Tampered, Unauthenticated
from simdes.ledger.contracts import Contracts
from simdes.ledger.typed_data import TypedData

ORDER_TYPE: Final = "simdes-erasure+jws"
_WALLET: Final = "eip712"
_BY_WALLET: Final = re.compile(r"eip712\.(0|[1-9][0-9]{0,14})\.([0-9a-f]{130})")


class OrderClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the patient signs; the type of the JWS says that it is an order to erase."""

    chain: Seconds
    vault: Hex32
    iat: Seconds


def sign_order(signer: Signer, *, chain: int, vault: bytes, now_seconds: int) -> str:
    """An order to erase a vault, by who controls it."""
    claims = OrderClaims(chain=chain, vault=hexed(vault), iat=now_seconds)
    return sign_jws(signer, ORDER_TYPE, msgspec.json.encode(claims)).decode()


def typed_data(contracts: Contracts, *, vault: bytes, issued_seconds: int) -> TypedData:
    """What a wallet signs to order the same."""
    return contracts.accounts.erase_vault_data(tag=vault, issued=issued_seconds)


def wallet_order(*, issued_seconds: int, signature: bytes) -> str:
    """The order that a wallet signed as `typed_data`."""
    return f"{_WALLET}.{issued_seconds}.{signature.hex()}"


def read_order(order: str, *, contracts: Contracts, vault: bytes) -> bytes:
    """The address that signed an order about this vault on this chain, in either form.

    Raises `Invalid` for a bad form, `Unauthenticated` for one that is about something else or not
    signed; what a wallet signed about something else is of an address that is nobody's.
    """
    if order.startswith(f"{_WALLET}."):
        return _read_wallet_order(order, contracts, vault)
    payload, address = verify_jws(order.encode(), ORDER_TYPE)
    claims = decode(payload, OrderClaims)
    if (claims.chain, claims.vault) != (contracts.ledger.chain_id(), hexed(vault)):
        raise Unauthenticated("The order is about another vault, or for another chain.")
    return address


def _read_wallet_order(order: str, contracts: Contracts, vault: bytes) -> bytes:
    found = _BY_WALLET.fullmatch(order)
    if found is None:
        raise Invalid("That is no order of a wallet.")
    data = typed_data(contracts, vault=vault, issued_seconds=int(found[1]))
    try:
        return recover(data.digest, bytes.fromhex(found[2]))
    except Tampered as error:
        raise Unauthenticated("The order is not signed.") from error
