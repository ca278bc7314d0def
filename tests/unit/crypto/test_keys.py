"""Signing keys against Ethereum's published vectors, opening keys against those of HPKE."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import keys
from simdes.crypto.digest import keccak256
from simdes.crypto.keys import (
    ORDER,
    PUBLIC_BYTES,
    SEALING_OVERHEAD_BYTES,
    OpeningKey,
    SigningKey,
    recover,
    seal_to,
)
from simdes.errors import Invalid, Tampered
from vectors import second_reader

from .conftest import Seeded

VECTORS = Path(__file__).parents[2] / "vectors"


def test_the_example_of_eip_712_is_signed_and_recovered() -> None:
    """https://github.com/ethereum/EIPs/blob/master/assets/eip-712/Example.js"""
    key = SigningKey.from_bytes(keccak256(b"cow"))
    digest = bytes.fromhex("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
    assert key.address.hex() == "cd2a3d9f938e13cd947ec05abc7fe734df8dd826"
    signature = key.sign(digest)
    assert signature[:32].hex() == (
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
    )
    assert signature[32:64].hex() == (
        "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
    )
    assert signature[64] == 28
    assert recover(digest, signature) == key.address


def test_the_example_of_eip_155_is_signed_over_its_hash() -> None:
    """https://eips.ethereum.org/EIPS/eip-155#example"""
    key = SigningKey.from_bytes(b"\x46" * 32)
    signature = key.sign(
        bytes.fromhex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53")
    )
    assert signature[:32].hex() == (
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
    )
    assert signature[32:64].hex() == (
        "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )
    assert signature[64] == 27  # v = 37 there, which is 27 + 10 with chain id 1
    assert key.address.hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"


@settings(derandomize=True, deadline=None, database=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_whoever_signed_is_recovered(seed: bytes, digest: bytes) -> None:
    key = SigningKey.generate(Seeded(seed.hex()))
    again = SigningKey.from_bytes(key.to_bytes())
    assert again.address == key.address and again.public == key.public
    assert key.public[0] == 4 and len(key.public) == 65
    assert recover(digest, key.sign(digest)) == key.address


def test_the_other_form_of_a_signature_is_refused() -> None:
    key, digest = SigningKey.generate(Seeded("key")), keccak256(b"digest")
    signature = key.sign(digest)
    s = ORDER - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + s.to_bytes(32, "big") + bytes((55 - signature[64],))
    with pytest.raises(Tampered, match="lower half"):
        recover(digest, twin)


def test_no_flipped_bit_of_signature_or_digest_recovers_the_signer() -> None:
    key, digest = SigningKey.generate(Seeded("key")), keccak256(b"digest")
    signed = digest + key.sign(digest)
    for position in range(len(signed) * 8):
        changed = bytearray(signed)
        changed[position // 8] ^= 1 << position % 8
        try:
            found = recover(bytes(changed[:32]), bytes(changed[32:]))
        except Tampered:
            continue
        assert found != key.address


@pytest.mark.parametrize(
    "signature",
    [b"", b"\0" * 65, b"\0" * 64 + b"\x1b", b"\xff" * 64 + b"\x1b", b"\1" * 64 + b"\0", b"\1" * 64],
)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(Tampered):
        recover(keccak256(b"digest"), signature)


@pytest.mark.parametrize(
    "secret", [b"", b"\0" * 32, ORDER.to_bytes(32, "big"), b"\xff" * 32, b"\1" * 33]
)
def test_what_is_no_signing_key_is_refused(secret: bytes) -> None:
    with pytest.raises(Invalid):
        SigningKey.from_bytes(secret)


def test_a_draw_that_is_no_key_is_drawn_again() -> None:
    draws = [b"\xff" * 32, b"\0" * 32, b"\1" * 32]
    assert SigningKey.generate(lambda _: draws.pop(0)).to_bytes() == b"\1" * 32


def test_only_digests_are_signed() -> None:
    with pytest.raises(Invalid):
        SigningKey.generate(Seeded("key")).sign(b"a message")


def test_keys_never_show_their_secret() -> None:
    signing, opening = SigningKey.generate(Seeded("a")), OpeningKey.generate(Seeded("b"))
    for key in (signing, opening):
        assert key.to_bytes().hex()[:16] not in repr(key) + str(key)


def test_the_published_hpke_vector_of_our_suite_holds() -> None:
    """The second reader's HPKE reproduces the vector, our keys its public key."""
    vector = json.loads((VECTORS / "hpke-mlkem768-x25519.json").read_text())["vector"]
    value = {k: bytes.fromhex(v) for k, v in vector.items() if isinstance(v, str)}
    assert OpeningKey.from_bytes(value["skRm"]).public == value["pkRm"]
    assert second_reader.public_key(value["skRm"]) == value["pkRm"]
    shared = second_reader.decapsulate(value["skRm"], value["enc"])
    key, nonce = second_reader.key_schedule(shared, value["info"])
    assert (shared, key, nonce) == (value["shared_secret"], value["key"], value["base_nonce"])
    assert value["suite_id"] == second_reader.SUITE
    first = {k: bytes.fromhex(v) for k, v in vector["encryptions"][0].items()}
    assert ChaCha20Poly1305(key).encrypt(nonce, first["pt"], first["aad"]) == first["ct"]


@settings(derandomize=True, deadline=None, database=None, max_examples=30)
@given(st.binary(max_size=200), st.binary(max_size=60), st.binary(max_size=60))
def test_what_is_sealed_is_opened_by_us_and_by_hpke_from_its_parts(
    plaintext: bytes, info: bytes, aad: bytes
) -> None:
    key = OpeningKey.generate(Seeded("key"))
    sealed = seal_to(key.public, plaintext, info=info, aad=aad)
    assert len(key.public) == PUBLIC_BYTES
    assert len(sealed) == len(plaintext) + SEALING_OVERHEAD_BYTES
    assert OpeningKey.from_bytes(key.to_bytes()).open(sealed, info=info, aad=aad) == plaintext
    assert second_reader.open_sealed(key.to_bytes(), sealed, info, aad) == plaintext


def test_another_key_use_or_context_opens_nothing() -> None:
    key, other = OpeningKey.generate(Seeded("a")), OpeningKey.generate(Seeded("b"))
    sealed = seal_to(key.public, b"secret", info=b"use", aad=b"context")
    for opener, info, aad in (
        (other, b"use", b"context"),
        (key, b"another use", b"context"),
        (key, b"use", b"another"),
        (key, b"use", b""),
        (key, b"usecontext", b""),
        (key, b"", b"usecontext"),
    ):
        with pytest.raises(Tampered):
            opener.open(sealed, info=info, aad=aad)


def test_every_flipped_byte_and_every_truncation_of_a_sealing_is_refused() -> None:
    key = OpeningKey.generate(Seeded("a"))
    sealed = seal_to(key.public, b"secret", info=b"use")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1 << position % 8
        with pytest.raises(Tampered):
            key.open(bytes(changed), info=b"use")
    for end in range(0, len(sealed), 31):
        with pytest.raises(Tampered):
            key.open(sealed[:end], info=b"use")
    with pytest.raises(Tampered):
        key.open(sealed + b"\0", info=b"use")


# Points of order 1, 2, 4 and 8 on Curve25519 (https://cr.yp.to/ecdh.html#validate).
LOW_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("point", LOW_ORDER)
def test_nothing_is_sealed_to_a_point_of_low_order(point: str) -> None:
    public = OpeningKey.generate(Seeded("a")).public[:1184] + bytes.fromhex(point)
    with pytest.raises(Invalid):
        seal_to(public, b"secret", info=b"use")


@pytest.mark.parametrize("public", [b"", b"\0" * 1215, b"\0" * 1217, b"\xff" * 1216])
def test_nothing_is_sealed_to_what_is_no_public_key(public: bytes) -> None:
    with pytest.raises(Invalid):
        seal_to(public, b"secret", info=b"use")


@pytest.mark.parametrize("seed", [b"", b"\1" * 31, b"\1" * 96])
def test_what_is_no_opening_key_is_refused(seed: bytes) -> None:
    with pytest.raises(Invalid):
        OpeningKey.from_bytes(seed)


def test_a_key_of_one_use_is_not_remembered_and_one_that_recurs_is() -> None:
    recurring, once = (OpeningKey.generate(os.urandom) for _ in range(2))
    keys._public_key.cache_clear()
    for key, how in ((recurring, False), (once, True)):
        sealed = seal_to(key.public, b"text", info=b"use", once=how)
        assert key.open(sealed, info=b"use") == b"text"
    assert keys._public_key.cache_info().currsize == 1
    with pytest.raises(Invalid):
        seal_to(once.public[1:], b"text", info=b"use", once=True)
