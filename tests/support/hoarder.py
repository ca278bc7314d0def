"""Somebody who kept everything: disks, backups and stored bytes, with every passphrase to them.

What they have is tried on what they have, knowing the formats and asking nobody: each custodian's
key on each capsule, what opens of a record's shares on each body, each local and each database key
on each value that lies encrypted in a database. The last without looking at the tags of the cipher,
so that nothing depends on knowing what a value was bound to.
"""

from __future__ import annotations

import hmac
import shutil
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from simdes.access.keystore import KeyStore, read_passphrase
from simdes.backup import checking
from simdes.backup.repository import open_repository
from simdes.crypto.keys import OpeningKey, unwrap
from simdes.crypto.seal import combine_shares, open_body, open_share
from simdes.crypto.shares import Share
from simdes.errors import SimdesError

_CUSTODY = b"simdes/custody-key/v1"
_LOCAL = b"simdes/vault-key/v1"
_WRAP = b"simdes/wrap/v1\0"
_SALT = slice(1, 25)
_SEALED = slice(25, -16)
_FIRST_BLOCK = (1).to_bytes(4, "little") + bytes(12)
"""Where RFC 8439 begins to encrypt, with the nonce of `wrap`."""


@dataclass(slots=True)
class Hoard:
    """What was taken, in a folder of its own."""

    place: Path
    stores: dict[bytes, KeyStore] = field(default_factory=dict)
    custody: set[tuple[bytes, bytes]] = field(default_factory=set)
    keys: set[bytes] = field(default_factory=set)
    wrapped: set[bytes] = field(default_factory=set)

    @property
    def blocks(self) -> Path:
        """Every stored block, once."""
        return self.place / "blocks"

    def take_disk(self, folder: Path) -> None:
        """An organisation's folder: key store, passphrase, database, store."""
        words = read_passphrase(folder / "passphrase", {})
        store = self._store(KeyStore.open(folder / "keystore.json", words))
        self._database(folder / "simdes.sqlite", store)
        self.take_blocks(folder / "blocks")

    def take_backups(self, folder: Path, passphrase: str) -> None:
        """Every backup of an organisation, and the keys beside them."""
        repository = open_repository(folder)
        keyfile, opened = checking.unlocked(repository, passphrase)
        store = self._store(opened)
        for digest, one in keyfile.keys.custody.items():
            self._custody_key(store, digest, one.private_wrapped)
        for tag, key in keyfile.keys.vaults.items():
            self._local_key(store, tag, key)
        for listed in repository.listed():
            path = self.place / f"{listed.name}.sqlite"
            with checking.opened(repository, listed.name, keyfile) as pieces:
                path.write_bytes(b"".join(data for kind, data in pieces if kind == "database"))
            self._database(path, store)
        self.take_blocks(folder / "blocks")

    def take_blocks(self, folder: Path) -> None:
        """Whatever lies in a content store."""
        self.blocks.mkdir(exist_ok=True)
        for path in folder.rglob("*"):
            if path.is_file() and not (self.blocks / path.name).exists():
                shutil.copy(path, self.blocks / path.name)

    def read(self) -> dict[str, bytes]:
        """Everything that opens, by how: ``shares`` of custodians, ``local`` keys."""
        return {
            "shares": b"\0".join(self._bodies()),
            "local": b"\0".join(_opened(key, one) for key in self.keys for one in self.wrapped),
        }

    def _store(self, store: KeyStore) -> KeyStore:
        self.keys.add(store.database_key)
        return self.stores.setdefault(store.organisation, store)

    def _database(self, path: Path, store: KeyStore) -> None:
        with closing(sqlite3.connect(path)) as database:
            for digest, one in database.execute(
                "SELECT public_digest, private_wrapped FROM custody_key"
            ).fetchall():
                self._custody_key(store, digest, one)
            for tag, one in database.execute("SELECT tag, key_wrapped FROM vault").fetchall():
                self._local_key(store, tag, one)
            self.wrapped.update(_wrapped(database))

    def _custody_key(self, store: KeyStore, digest: bytes, wrapped: bytes | None) -> None:
        with suppress(SimdesError):
            plain = unwrap(store.database_key, wrapped or b"", aad=_CUSTODY + digest)
            self.custody.add((store.organisation, plain))

    def _local_key(self, store: KeyStore, tag: bytes, wrapped: bytes | None) -> None:
        with suppress(SimdesError):
            self.keys.add(unwrap(store.database_key, wrapped or b"", aad=_LOCAL + tag))

    def _bodies(self) -> Iterator[bytes]:
        blocks = [path.read_bytes() for path in sorted(self.blocks.iterdir())]
        keys = [(one, OpeningKey.from_bytes(seed)) for one, seed in self.custody]
        keys += [(one, store.descriptor_key) for one, store in self.stores.items()]
        for capsule in blocks:
            for record, secret in _secrets(capsule, keys):
                for block in blocks:
                    with suppress(SimdesError):
                        yield from (
                            one.content for one in open_body(block, secret, record_id=record).items
                        )


def _secrets(capsule: bytes, keys: list[tuple[bytes, OpeningKey]]) -> Iterator[tuple[bytes, bytes]]:
    """A record and its secret, where a block is a capsule of which enough shares open."""
    found: defaultdict[bytes, dict[int, Share]] = defaultdict(dict)
    for organisation, key in keys:
        try:
            share = open_share(capsule, key, organisation)
        except SimdesError:
            continue
        found[share.record_id][share.index] = Share(share.index, share.value)
    for record, shares in found.items():
        with suppress(SimdesError):
            yield record, combine_shares(capsule, list(shares.values()))


def _wrapped(database: sqlite3.Connection) -> Iterator[bytes]:
    names = [name for (name,) in database.execute("SELECT name FROM pragma_table_list")]
    for table in names:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info('{table}')")]
        for column in (one for one in columns if one.endswith("_wrapped")):
            query = f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL'
            yield from (value for (value,) in database.execute(query))


def _opened(key: bytes, wrapped: bytes) -> bytes:
    """What a key makes of a wrapped value, right or wrong."""
    message_key = hmac.digest(key, _WRAP + wrapped[_SALT], sha256)
    plain = (
        Cipher(ChaCha20(message_key, _FIRST_BLOCK), mode=None).decryptor().update(wrapped[_SEALED])
    )
    with suppress(zlib.error):
        return zlib.decompress(plain)
    return plain
