"""Signed transactions: the EIP-155 example, an independent signer, and everything malformed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ethereum import Account
from simdes.crypto.keys import SigningKey
from simdes.errors import Invalid, SimdesError, TooLarge
from simdes.ledger import rlp
from simdes.ledger.digests import keccak256
from simdes.ledger.transactions import (
    admit_transaction,
    intrinsic_gas,
    read_payload,
    read_transaction,
    sign_transaction,
)

# https://eips.ethereum.org/EIPS/eip-155#example
EIP_155 = bytes.fromhex(
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025"
    "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
    "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
)
KEY = SigningKey.from_bytes(b"\x46" * 32)
ADDRESS = "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"


def signed(**changes: Any) -> bytes:
    fields = {
        "chainId": 7,
        "nonce": 0,
        "gas": 100_000,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "to": b"\x11" * 20,
        "value": 0,
        "data": b"",
        **changes,
    }
    fields = {name: value for name, value in fields.items() if value is not None}
    return bytes(Account.sign_transaction(fields, KEY.to_bytes()).raw_transaction)


def test_the_example_of_eip_155_is_read() -> None:
    transaction = read_transaction(EIP_155)
    assert transaction.sender.hex() == ADDRESS
    assert (transaction.chain_id, transaction.nonce, transaction.gas) == (1, 9, 21_000)
    assert transaction.to == b"\x35" * 20
    assert transaction.value_wei == 10**18
    assert transaction.max_fee_wei == 20 * 10**9
    assert transaction.hash == keccak256(EIP_155)


fields = st.fixed_dictionaries(
    {
        "nonce": st.integers(0, 2**63),
        "gas": st.integers(21_000, 2**40),
        "data": st.binary(max_size=300),
        "to": st.one_of(st.none(), st.binary(min_size=20, max_size=20)),
    }
)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(fields, st.booleans(), st.integers(1, 2**40))
def test_our_signatures_are_those_of_eth_account(
    fields: dict[str, Any], dynamic_fee: bool, chain_id: int
) -> None:
    fee = {"gasPrice": 0, "maxFeePerGas": None, "maxPriorityFeePerGas": None}
    theirs = signed(
        chainId=chain_id,
        **{**fields, "to": fields["to"] or ""},
        **({} if dynamic_fee else fee),
    )
    tx_hash, ours = sign_transaction(KEY, chain_id=chain_id, dynamic_fee=dynamic_fee, **fields)
    assert ours == theirs
    transaction = read_transaction(ours)
    assert transaction.hash == tx_hash
    assert transaction.sender.hex() == ADDRESS
    assert (transaction.to, transaction.data) == (fields["to"], fields["data"])
    assert read_payload(ours) == (fields["to"], fields["data"], fields["gas"])


def test_an_access_list_is_read_and_paid_for() -> None:
    listed = [{"address": "0x" + "22" * 20, "storageKeys": ["0x" + "00" * 31 + "05"]}]
    for kind in (
        {"accessList": listed},
        {
            "accessList": listed,
            "gasPrice": 0,
            "type": 1,
            "maxFeePerGas": None,
            "maxPriorityFeePerGas": None,
        },
    ):
        transaction = read_transaction(signed(**kind))
        assert transaction.access_list == ((b"\x22" * 20, (5,)),)
        assert intrinsic_gas(transaction) == 21_000 + 2_400 + 1_900


def test_intrinsic_gas_counts_bytes_and_deployments() -> None:
    assert intrinsic_gas(read_transaction(signed(data=b"\0\0\1"))) == 21_000 + 2 * 4 + 16
    deployment = read_transaction(signed(to="", data=b"\1" * 33))
    assert intrinsic_gas(deployment) == 21_000 + 33 * 16 + 32_000 + 2 * 2


def test_every_byte_counts() -> None:
    """A changed byte is refused, or makes it another transaction of another sender."""
    raw = signed(data=b"\1\2\3", nonce=300)
    original = read_transaction(raw)
    for place in range(len(raw)):
        damaged = bytearray(raw)
        damaged[place] ^= 1
        try:
            read = read_transaction(bytes(damaged))
        except SimdesError:
            continue
        assert read.sender != original.sender


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\x03" + signed()[1:],  # a blob transaction
        b"\x04" + signed()[1:],  # a set-code transaction
        b"\x7f",
        b"\x02",
        b"\x02\xc0",
        signed() + b"\0",
        signed()[:-1],
        rlp.encode([b""] * 9),
        rlp.encode([[]] * 9),
        b"\x02" + rlp.encode([[b""]] * 12),
    ],
)
def test_malformed_transactions_are_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        read_transaction(raw)


def test_a_signature_without_a_chain_id_is_refused() -> None:
    """Before EIP-155 v was 27 or 28, and anybody could repeat the transaction elsewhere."""
    parts = rlp.decode(EIP_155)
    assert isinstance(parts, list)
    parts[6] = b"\x1b"
    with pytest.raises(Invalid, match="EIP-155"):
        read_transaction(rlp.encode(parts))


def test_a_priority_fee_above_the_fee_is_refused() -> None:
    parts = rlp.decode(signed()[1:])
    assert isinstance(parts, list)
    parts[2] = b"\1"
    with pytest.raises(Invalid, match="priority"):
        read_transaction(b"\2" + rlp.encode(parts))


def test_sizes_are_limited() -> None:
    with pytest.raises(TooLarge):
        read_transaction(signed(data=bytes(131_072), gas=10**7))
    read_transaction(signed(data=bytes(49_153), gas=10**7))
    with pytest.raises(TooLarge, match="3860"):
        read_transaction(signed(to="", data=bytes(49_153), gas=10**7))


def test_what_no_block_takes_is_not_admitted() -> None:
    admit_transaction(signed(), chain_id=7)
    for changes, reason in (
        ({"chainId": 8}, "wrong chain id"),
        ({"gas": 20_999}, "intrinsic"),
        ({"value": 1}, "funds"),
        ({"maxFeePerGas": 1}, "funds"),
    ):
        with pytest.raises(Invalid, match=reason):
            admit_transaction(signed(**changes), chain_id=7)
