"""Keccak-256 and EIP-712, against the specification's own example."""

from __future__ import annotations

import pytest

from simdes.errors import Invalid
from simdes.ledger.digests import (
    domain_separator,
    keccak256,
    selector,
    struct_hash,
    typed_digest,
)

# https://eips.ethereum.org/EIPS/eip-712, assets/eip-712/Example.js
MAIL = "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
PERSON = "Person(string name,address wallet)"
DIGEST = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"


def test_keccak_is_ethereums_and_not_sha3() -> None:
    assert keccak256(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"


def test_the_example_of_eip_712_gives_its_digest() -> None:
    separator = domain_separator(name="Ether Mail", version="1", chain_id=1, contract=b"\xcc" * 20)
    assert separator.hex() == "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"

    def person(name: bytes, wallet: str) -> bytes:
        values = (keccak256(name), bytes.fromhex(wallet))
        return struct_hash(PERSON, ("bytes32", "address"), values)

    sender = person(b"Cow", "CD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")
    recipient = person(b"Bob", "bB" * 20)
    kinds = ("bytes32", "bytes32", "bytes32")
    mail = struct_hash(MAIL, kinds, (sender, recipient, keccak256(b"Hello, Bob!")))
    assert mail.hex() == "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
    assert typed_digest(separator, mail).hex() == DIGEST


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bytes32", bytes(31)),
        ("address", bytes(32)),
        ("uint64", 1 << 64),
        ("uint256", -1),
        ("uint8", b"\1"),
        ("bytes32", 5),
        ("string", b"hello"),
    ],
)
def test_a_value_that_does_not_fit_is_not_signed(kind: str, value: bytes | int) -> None:
    with pytest.raises(Invalid):
        struct_hash("T(x)", (kind,), (value,))
