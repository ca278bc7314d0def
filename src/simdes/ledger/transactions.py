"""Signed Ethereum transactions: written by lanes, read and checked by the embedded ledger.

Legacy with EIP-155 replay protection, EIP-2930 (type 1) and EIP-1559 (type 2); blob and
set-code transactions are refused. https://eips.ethereum.org/EIPS/eip-2718 and its successors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import coincurve

from simdes.errors import Invalid, TooLarge
from simdes.ledger import rlp
from simdes.ledger.digests import keccak256
from simdes.ledger.ledger import Address

MAX_RAW_OCTETS = 131_072
"""Larger transactions are refused, as public nodes do."""
MAX_INIT_CODE_OCTETS = 49_152
"""EIP-3860."""
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = _ORDER // 2

AccessList = tuple[tuple[Address, tuple[int, ...]], ...]


class Signer(Protocol):
    """A secp256k1 key that signs; `crypto.SigningKey` is one."""

    @property
    def address(self) -> Address:
        """The account's address."""

    def sign(self, digest: bytes) -> bytes:
        """Sign 32 bytes: r ‖ s ‖ v, 65 bytes, low s, v 27 or 28."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction, its signature checked. `to` is None for a deployment."""

    hash: bytes
    kind: int
    chain_id: int
    nonce: int
    gas: int
    max_fee_wei: int
    priority_fee_wei: int
    to: Address | None
    value_wei: int
    data: bytes
    access_list: AccessList
    sender: Address
    r: int
    s: int
    parity: int
    raw: bytes


def sign_transaction(
    signer: Signer,
    *,
    chain_id: int,
    nonce: int,
    gas: int,
    to: Address | None,
    data: bytes,
    dynamic_fee: bool = True,
) -> tuple[bytes, bytes]:
    """Sign a zero-price transaction, of type 2 or legacy; return its hash and raw bytes."""
    number = rlp.encode_int
    target: list[rlp.Item] = [number(gas), to or b"", b"", data]
    if dynamic_fee:
        prefix = b"\x02"
        fields: list[rlp.Item] = [number(chain_id), number(nonce), b"", b"", *target, []]
        signature = signer.sign(keccak256(prefix + rlp.encode(fields)))
        v = signature[64] - 27
    else:
        prefix = b""
        fields = [number(nonce), b"", *target]
        signature = signer.sign(keccak256(rlp.encode([*fields, number(chain_id), b"", b""])))
        v = signature[64] - 27 + 35 + 2 * chain_id
    r, s = signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")
    raw = prefix + rlp.encode([*fields, number(v), r, s])
    return keccak256(raw), raw


def read_transaction(raw: bytes) -> Transaction:
    """Parse a signed transaction and recover who signed it.

    Raises `Invalid` for anything malformed, unprotected by a chain id, of an unknown type or badly
    signed (a high s included: EIP-2), `TooLarge` beyond `MAX_RAW_OCTETS`.
    """
    if len(raw) > MAX_RAW_OCTETS:
        raise TooLarge(f"the transaction is larger than {MAX_RAW_OCTETS} bytes")
    if not raw:
        raise Invalid("the transaction is empty")
    if raw[0] >= 0xC0:
        return _legacy(raw)
    if raw[0] in _TYPED_FIELDS:
        return _typed(raw)
    raise Invalid(f"transactions of type {raw[0]} are not known here")


def admit_transaction(raw: bytes, *, chain_id: int) -> Transaction:
    """Read a transaction and check all that needs no state.

    Nodes accept some transactions that no block will ever take (Besu: a price or value that the
    account can't pay; anvil: gas below the intrinsic cost) and then let them block their sender's
    nonce. Raises `Invalid` for those, for another chain's, and for what `read_transaction` refuses.
    """
    transaction = read_transaction(raw)
    if transaction.chain_id != chain_id:
        raise Invalid(
            f"wrong chain id: the transaction is for chain {transaction.chain_id}, "
            f"this is {chain_id}"
        )
    if transaction.gas < intrinsic_gas(transaction):
        raise Invalid("intrinsic gas too low: the gas limit doesn't cover the data")
    if transaction.value_wei or transaction.max_fee_wei:
        raise Invalid("insufficient funds: there is no money here; send at zero price and value")
    return transaction


def read_payload(raw: bytes) -> tuple[Address | None, bytes, int]:
    """Return recipient, data and gas limit of a transaction that was checked before."""
    first = 0 if raw[0] >= 0xC0 else raw[0]
    fields = _fields(rlp.decode(raw[1:] if first else raw), _TYPED_FIELDS.get(first, 9))
    at = {0: 3, 1: 4, 2: 5}[first]
    gas, to, data = rlp.decode_int(fields[at - 1]), fields[at], fields[at + 2]
    if not isinstance(to, bytes) or not isinstance(data, bytes):
        raise Invalid("the transaction's recipient or data is malformed")
    return to or None, data, gas


def intrinsic_gas(transaction: Transaction) -> int:
    """Return the gas that a transaction costs before it runs (EIP-2028, 2930, 3860)."""
    zeros = transaction.data.count(0)
    gas = 21_000 + 4 * zeros + 16 * (len(transaction.data) - zeros)
    if transaction.to is None:
        gas += 32_000 + 2 * ((len(transaction.data) + 31) // 32)
    return gas + sum(2_400 + 1_900 * len(keys) for _, keys in transaction.access_list)


_TYPED_FIELDS = {1: 11, 2: 12}


def _legacy(raw: bytes) -> Transaction:
    fields = _fields(rlp.decode(raw), 9)
    v = rlp.decode_int(fields[6])
    if v < 35:
        raise Invalid("the transaction is not bound to a chain id (EIP-155)")
    chain_id, parity = divmod(v - 35, 2)
    digest = keccak256(rlp.encode([*fields[:6], rlp.encode_int(chain_id), b"", b""]))
    price = rlp.decode_int(fields[1])
    return _transaction(
        raw,
        kind=0,
        chain_id=chain_id,
        nonce=fields[0],
        fees_wei=(price, price),
        target=fields[2:6],
        access_list=(),
        digest=digest,
        parity=parity,
        signature=fields[7:],
    )


def _typed(raw: bytes) -> Transaction:
    kind = raw[0]
    fields = _fields(rlp.decode(raw[1:]), _TYPED_FIELDS[kind])
    parity = rlp.decode_int(fields[-3])
    if parity > 1:
        raise Invalid("the transaction's signature has no such parity")
    priority = rlp.decode_int(fields[2])
    most = rlp.decode_int(fields[3]) if kind == 2 else priority
    if priority > most:
        raise Invalid("the transaction's priority fee is above its highest fee")
    return _transaction(
        raw,
        kind=kind,
        chain_id=rlp.decode_int(fields[0]),
        nonce=fields[1],
        fees_wei=(most, priority),
        target=fields[kind + 2 : kind + 6],
        access_list=_access_list(fields[kind + 6]),
        digest=keccak256(raw[:1] + rlp.encode(fields[:-3])),
        parity=parity,
        signature=fields[-2:],
    )


def _transaction(
    raw: bytes,
    *,
    kind: int,
    chain_id: int,
    nonce: rlp.Item,
    fees_wei: tuple[int, int],
    target: list[rlp.Item],
    access_list: AccessList,
    digest: bytes,
    parity: int,
    signature: list[rlp.Item],
) -> Transaction:
    gas, to, value, data = target
    if not isinstance(data, bytes) or not isinstance(to, bytes) or len(to) not in (0, 20):
        raise Invalid("the transaction's recipient or data is malformed")
    if not to and len(data) > MAX_INIT_CODE_OCTETS:
        raise TooLarge(f"the deployment is larger than {MAX_INIT_CODE_OCTETS} bytes (EIP-3860)")
    r, s = rlp.decode_int(signature[0]), rlp.decode_int(signature[1])
    return Transaction(
        hash=keccak256(raw),
        kind=kind,
        chain_id=chain_id,
        nonce=rlp.decode_int(nonce, octets=8),
        gas=rlp.decode_int(gas, octets=8),
        max_fee_wei=fees_wei[0],
        priority_fee_wei=fees_wei[1],
        to=to or None,
        value_wei=rlp.decode_int(value),
        data=data,
        access_list=access_list,
        sender=_sender(digest, r, s, parity),
        r=r,
        s=s,
        parity=parity,
        raw=raw,
    )


def _sender(digest: bytes, r: int, s: int, parity: int) -> Address:
    if not 0 < r < _ORDER or not 0 < s <= _HALF_ORDER:
        raise Invalid("the transaction's signature is out of range (EIP-2)")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((parity,))
    try:
        public = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception:  # coincurve raises bare Exception where no point fits
        raise Invalid("the transaction's signature belongs to no key") from None
    return keccak256(public.format(compressed=False)[1:])[-20:]


def _fields(item: rlp.Item, count: int) -> list[rlp.Item]:
    if not isinstance(item, list) or len(item) != count:
        raise Invalid("the transaction has the wrong number of fields")
    return item


def _access_list(item: rlp.Item) -> AccessList:
    entries: list[tuple[Address, tuple[int, ...]]] = []
    if not isinstance(item, list):
        raise Invalid("the access list is malformed")
    for entry in item:
        address, keys = _fields(entry, 2)
        if not isinstance(address, bytes) or len(address) != 20 or not isinstance(keys, list):
            raise Invalid("the access list is malformed")
        if any(not isinstance(key, bytes) or len(key) != 32 for key in keys):
            raise Invalid("the access list is malformed")
        entries.append((address, tuple(int.from_bytes(bytes(key), "big") for key in keys)))
    return tuple(entries)
