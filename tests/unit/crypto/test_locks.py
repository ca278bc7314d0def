"""Secrets under a passphrase and under a key."""

from __future__ import annotations

import cbor2
import pytest
from argon2.low_level import Type, hash_secret_raw
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto.locks import DEFAULT_COST, ArgonCost, lock, unlock, unwrap, wrap
from simdes.errors import (
    Invalid,
    SimdesError,
    Tampered,
    TooLarge,
    Unauthenticated,
    Unsupported,
)

from .conftest import Seeded

CHEAP = ArgonCost(passes=1, memory_kib=8, lanes=1)
KEY = b"k" * 32


def locked(secret: bytes = b"secret", passphrase: str = "passphrase") -> bytes:
    return lock(secret, passphrase, cost=CHEAP, random=Seeded("lock"))


def test_argon2id_gives_its_published_value() -> None:
    """RFC 9106 section 5.3's parameters without secret and data, as OpenSSL publishes them."""
    derived = hash_secret_raw(b"\1" * 32, b"\2" * 16, 3, 32, 4, 32, Type.ID)
    assert derived.hex() == "03aab965c12001c9d7d0d2de33192c0494b684bb148196d73c1df1acaf6d0c2e"


@settings(derandomize=True, deadline=None, database=None, max_examples=30)
@given(st.binary(max_size=300), st.text(max_size=30))
def test_a_lock_opens_with_its_passphrase_alone(secret: bytes, passphrase: str) -> None:
    one = locked(secret, passphrase)
    assert unlock(one, passphrase) == secret
    with pytest.raises(Unauthenticated):
        unlock(one, passphrase + "!")


def test_the_default_cost_is_the_second_choice_of_rfc_9106() -> None:
    assert ArgonCost(passes=3, memory_kib=65536, lanes=4) == DEFAULT_COST
    one = lock(b"secret", "passphrase", random=Seeded("lock"))
    assert unlock(one, "passphrase") == b"secret"
    header = cbor2.loads(one)
    assert (header["passes"], header["memory"], header["lanes"]) == (3, 65536, 4)


def test_every_flipped_byte_of_a_lock_is_refused() -> None:
    one = locked()
    for position in range(len(one)):
        changed = bytearray(one)
        changed[position] ^= 1 << position % 8
        with pytest.raises(SimdesError):
            unlock(bytes(changed), "passphrase")
    for end in range(len(one)):
        with pytest.raises(SimdesError):
            unlock(one[:end], "passphrase")


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("memory", 1024 * 1024 + 1, TooLarge),
        ("passes", 17, TooLarge),
        ("lanes", 17, TooLarge),
        ("lanes", 0, Invalid),
        ("passes", 0, Invalid),
        ("memory", 7, Invalid),
        ("memory", 2**40, Invalid),
        ("v", 2, Unsupported),
        ("suite", 2, Unsupported),
        ("critical", 1, Unsupported),
        ("type", "letter", Invalid),
        ("salt", b"short", Invalid),
    ],
)
def test_a_lock_that_somebody_else_wrote_costs_no_more_than_the_limit(
    field: str, value: object, error: type[SimdesError]
) -> None:
    header = {
        "type": "lock",
        "v": 1,
        "suite": 1,
        "passes": 1,
        "memory": 1024,
        "lanes": 1,
        "salt": b"s" * 16,
    }
    encoded = cbor2.dumps(header | {field: value}, canonical=True) + cbor2.dumps(b"data")
    with pytest.raises(error):
        unlock(encoded, "passphrase")


@pytest.mark.parametrize(
    ("cost", "error"),
    [
        (ArgonCost(passes=1, memory_kib=2**21, lanes=1), TooLarge),
        (ArgonCost(passes=0, memory_kib=8, lanes=1), Invalid),
        (ArgonCost(passes=1, memory_kib=8, lanes=2), Invalid),
    ],
)
def test_what_could_not_be_unlocked_is_not_locked(
    cost: ArgonCost, error: type[SimdesError]
) -> None:
    with pytest.raises(error):
        lock(b"secret", "passphrase", cost=cost, random=Seeded("lock"))


@settings(derandomize=True, deadline=None, database=None)
@given(st.binary(max_size=300), st.binary(max_size=30))
def test_what_is_wrapped_is_unwrapped(plaintext: bytes, aad: bytes) -> None:
    wrapped = wrap(KEY, plaintext, aad=aad, random=Seeded("wrap"))
    assert len(wrapped) == len(plaintext) + 41
    assert unwrap(KEY, wrapped, aad=aad) == plaintext


def test_two_wrappings_of_the_same_differ() -> None:
    random = Seeded("wrap")
    assert wrap(KEY, b"x", aad=b"", random=random) != wrap(KEY, b"x", aad=b"", random=random)


def test_every_flipped_byte_place_or_key_of_a_wrapping_is_refused() -> None:
    wrapped = wrap(KEY, b"plaintext", aad=b"place", random=Seeded("wrap"))
    for position in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[position] ^= 1 << position % 8
        with pytest.raises(Tampered if position else Unsupported):
            unwrap(KEY, bytes(changed), aad=b"place")
    for end in range(1, len(wrapped)):
        with pytest.raises(Tampered):
            unwrap(KEY, wrapped[:end], aad=b"place")
    with pytest.raises(Tampered):
        unwrap(KEY, wrapped, aad=b"another place")
    with pytest.raises(Tampered):
        unwrap(b"K" * 32, wrapped, aad=b"place")
    with pytest.raises(Unsupported):
        unwrap(KEY, b"", aad=b"place")
    with pytest.raises(Invalid):
        wrap(b"short", b"plaintext", aad=b"", random=Seeded("wrap"))
