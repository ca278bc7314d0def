"""A custodian's HPKE keys: one for each vault and epoch, random, never derived from anything.

A pool of fresh keys is kept so that handing one out costs no key generation. Private halves are
wrapped under the organisation's database key; destroying one (erasure) closes the vault's shares
for good (docs/formats/vault.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from simdes.access.descriptors import VaultDescriptor
from simdes.access.keystore import KeyStore
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, unwrap, wrap
from simdes.index import custody as rows
from simdes.index.transaction import Transaction

POOL: Final = 64
ASIDE_MS: Final = 86_400_000
_AAD: Final = b"simdes/custody-key/v1"


def fill_pool(
    tx: Transaction,
    keystore: KeyStore,
    *,
    random: Callable[[int], bytes],
    now_ms: int,
    size: int = POOL,
) -> int:
    """Bring the pool up to `size` fresh keys; how many were made. A worker's step.

    What a restore set aside goes after a day: whoever was given a key opened the vault by then.
    """
    rows.drop_aside(tx, before_ms=now_ms - ASIDE_MS)
    missing = max(0, size - rows.pool_size(tx))
    rows.add_keys(tx, [_fresh(keystore, random, now_ms) for _ in range(missing)])
    return missing


def bind(
    tx: Transaction,
    keystore: KeyStore,
    asked: Sequence[tuple[bytes, int]],
    *,
    random: Callable[[int], bytes],
    now_ms: int,
) -> list[bytes]:
    """The public keys for these (vault, epoch); asked again, the same ones.

    Takes fresh keys from the pool, making some on the spot where it runs dry. Raises `Conflict`
    for an epoch whose key was destroyed.
    """
    if rows.pool_size(tx) < len(asked):
        fill_pool(tx, keystore, random=random, now_ms=now_ms, size=len(asked) + POOL)
    return [rows.bind(tx, vault, epoch).public for vault, epoch in asked]


def recover(
    tx: Transaction,
    organisation: bytes,
    vault: bytes,
    named: VaultDescriptor,
    aside: Mapping[bytes, bytes],
) -> rows.Key | None:
    """Bind the key of ours that a vault's descriptor names, where a restore had set it aside."""
    digests = [
        aside[one.public]
        for one in named.custodians
        if one.organisation == organisation and one.public in aside
    ]
    if named.tag != vault or not digests:
        return None
    rows.bind_aside(tx, digests[0], vault, named.epoch)
    return rows.key_of(tx, vault, named.epoch)


def opening_key(
    tx: Transaction, keystore: KeyStore, vault: bytes, *, epoch: int
) -> OpeningKey | None:
    """Our key of a vault and epoch; None when we hold none, or no longer."""
    row = rows.key_of(tx, vault, epoch)
    return None if row is None else open_key(keystore, row)


def open_key(keystore: KeyStore, row: rows.Key) -> OpeningKey | None:
    """The private key of a row; None once destroyed."""
    if row.private_wrapped is None:
        return None
    aad = _AAD + row.public_digest
    return OpeningKey.from_bytes(unwrap(keystore.database_key, row.private_wrapped, aad=aad))


def _fresh(keystore: KeyStore, random: Callable[[int], bytes], now_ms: int) -> rows.NewKey:
    key = OpeningKey.generate(random)
    name = sha256(key.public)
    return rows.NewKey(
        public_digest=name,
        public=key.public,
        private_wrapped=wrap(keystore.database_key, key.to_bytes(), aad=_AAD + name, random=random),
        created_ms=now_ms,
    )
