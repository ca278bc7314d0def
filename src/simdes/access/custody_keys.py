"""A custodian's HPKE keys: one for each vault and epoch, random, never derived from anything.

A pool of fresh keys is kept so that handing one out costs no key generation. Private halves are
wrapped under the organisation's database key; destroying one (erasure) closes the vault's shares
for good (docs/formats/vault.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from simdes.access.keystore import KeyStore
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, unwrap, wrap
from simdes.errors import Unavailable
from simdes.index.transaction import Transaction

POOL: Final = 64
_AAD: Final = b"simdes/custody-key/v1"


def fill_pool(
    tx: Transaction,
    keystore: KeyStore,
    *,
    random: Callable[[int], bytes],
    now_ms: int,
    size: int = POOL,
) -> int:
    """Bring the pool up to `size` fresh keys; how many were made."""
    row = tx.one("SELECT count(*) FROM custody_key WHERE state = 'pool'")
    missing = size - int(row[0] if row else 0)
    rows = []
    for _ in range(missing):
        key = OpeningKey.generate(random)
        name = sha256(key.public)
        wrapped = wrap(keystore.database_key, key.to_bytes(), aad=_AAD + name, random=random)
        rows.append(
            {
                "public_digest": name,
                "public": key.public,
                "private_wrapped": wrapped,
                "state": "pool",
                "created_ms": now_ms,
            }
        )
    if rows:
        tx.insert("custody_key", rows)
    return len(rows)


def bind(
    tx: Transaction,
    keystore: KeyStore,
    asked: Sequence[tuple[bytes, int]],
    *,
    random: Callable[[int], bytes],
    now_ms: int,
) -> list[bytes]:
    """The public keys for these (vault, epoch); asked again, the same ones.

    Takes fresh keys from the pool, made on the spot where it runs dry.
    """
    tx.lock("custody-keys")
    publics: dict[tuple[bytes, int], bytes] = {}
    for vault, epoch in asked:
        row = tx.one(
            "SELECT public FROM custody_key WHERE vault = :v AND epoch = :e", v=vault, e=epoch
        )
        if row is not None:
            publics[vault, epoch] = row[0]
    missing = [place for place in dict.fromkeys(asked) if place not in publics]
    if missing:
        fill_pool(tx, keystore, random=random, now_ms=now_ms, size=max(POOL, len(missing)))
    fresh = tx.all(
        "SELECT public_digest, public FROM custody_key WHERE state = 'pool' "
        "ORDER BY created_ms, public_digest LIMIT :n",
        n=len(missing),
    )
    if len(fresh) < len(missing):
        raise Unavailable("The pool of custody keys is empty.")
    for (vault, epoch), (name, public) in zip(missing, fresh, strict=True):
        tx.run(
            "UPDATE custody_key SET state = 'bound', vault = :v, epoch = :e "
            "WHERE public_digest = :n",
            v=vault,
            e=epoch,
            n=name,
        )
        publics[vault, epoch] = public
    return [publics[place] for place in asked]


def opening_key(
    tx: Transaction, keystore: KeyStore, vault: bytes, *, epoch: int
) -> OpeningKey | None:
    """Our key of a vault and epoch; None when we hold none, or no longer."""
    row = tx.one(
        "SELECT public_digest, private_wrapped FROM custody_key "
        "WHERE vault = :v AND epoch = :e AND state = 'bound'",
        v=vault,
        e=epoch,
    )
    return None if row is None else _open(keystore, row[0], row[1])


def key_of(tx: Transaction, keystore: KeyStore, public_digest: bytes) -> OpeningKey | None:
    """Our bound key with this public half (by SHA-256); None when it is not ours."""
    row = tx.one(
        "SELECT private_wrapped FROM custody_key WHERE public_digest = :n AND state = 'bound'",
        n=public_digest,
    )
    return None if row is None else _open(keystore, public_digest, row[0])


def bound_digests(tx: Transaction) -> list[bytes]:
    """SHA-256 of every bound public key: enough to tell which letters are for us."""
    return [
        row[0] for row in tx.all("SELECT public_digest FROM custody_key WHERE state = 'bound'")
    ]


def _open(keystore: KeyStore, name: bytes, wrapped: bytes) -> OpeningKey:
    return OpeningKey.from_bytes(unwrap(keystore.database_key, wrapped, aad=_AAD + name))
