"""The copy of the keys that keeps no history, and the keys of the backups themselves.

What erasure destroys must not come back from a backup, so backups hold no such key. All keys of
now lie in one file beside them, which is written over whenever one is made or destroyed
(``docs/formats/backup.md``). A key goes from it only when the database says that it was destroyed:
an emptied database takes none along. What was destroyed stays listed, so that a database that was
brought back otherwise is told, too.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from simdes.access.keystore import KeyStore
from simdes.backup.repository import Repository, put, translated
from simdes.crypto import cbor
from simdes.crypto.digest import hkdf
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Invalid, NotFound, SimdesError, Tampered, Unsupported
from simdes.index.keys import NONE, CustodyKey, Keys

Random = Callable[[int], bytes]
NAMES: Final = ("keys", "keys.copy")
_TYPE: Final = "backup-keys"
_VERSION: Final = 1
_AAD: Final = b"simdes/backup-keys/v1"
_MOST_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The organisation's key store as a file, its keys of now, and each backup's key by name."""

    keystore: bytes
    keys: Keys = NONE
    archives: Mapping[str, bytes] = field(default_factory=dict)

    def with_archive(self, name: str, key: bytes) -> KeyFile:
        """The same with one more backup."""
        return replace(self, archives={**self.archives, name: key})

    def without_archives(self, names: set[str]) -> KeyFile:
        """The same without some backups, which nobody can read any more."""
        kept = {name: key for name, key in self.archives.items() if name not in names}
        return replace(self, archives=kept)

    def key_of(self, name: str) -> bytes:
        """A backup's key. Raises NotFound where it was let go of."""
        try:
            return self.archives[name]
        except KeyError:
            raise NotFound(
                "The key of this backup is gone: its time was over.", advice="Choose a newer one."
            ) from None


def read(repository: Repository, passphrase: str) -> tuple[KeyFile, KeyStore]:
    """Read the file with the organisation's passphrase; its key store comes with it, to read only.

    Raises NotFound where there is none, Unauthenticated for a wrong passphrase, Tampered where both
    copies are damaged.
    """
    failure: SimdesError = NotFound(
        f"{repository.folder} holds no keys.", advice="Name another copy of the backups."
    )
    for name in NAMES:
        try:
            document = _document(repository.folder / name)
            keystore = _keystore(document["keystore"], passphrase)
            return _opened(document, keystore), keystore
        except (Tampered, Invalid, NotFound) as error:
            failure = error if not isinstance(error, NotFound) else failure
    raise failure


def read_with(repository: Repository, keystore: KeyStore) -> KeyFile | None:
    """Read the file with the key store that runs here; None where there is none yet.

    Raises Tampered where both copies are damaged.
    """
    failure: SimdesError | None = None
    for name in NAMES:
        try:
            return _opened(_document(repository.folder / name), keystore)
        except NotFound:
            continue
        except (Tampered, Invalid) as error:
            failure = error
    if failure is not None:
        raise failure
    return None


def write(repository: Repository, file: KeyFile, keystore: KeyStore, random: Random) -> None:
    """Write the file over, one copy after the other."""
    body = zlib.compress(cbor.encode(_plain(file)), 1)
    sealed = wrap(_key(keystore), body, aad=_AAD + keystore.organisation, random=random)
    document = cbor.encode(
        {
            "type": _TYPE,
            "v": _VERSION,
            "suite": 1,
            "organisation": keystore.organisation,
            "keystore": file.keystore,
            "body": sealed,
        }
    )
    for name in NAMES:
        put(repository.folder / name, lambda out: out.write(document))


def _key(keystore: KeyStore) -> bytes:
    return hkdf(keystore.database_key, salt=b"", info=_AAD)


def _document(path: Path) -> dict[str, Any]:
    with translated(path.parent):
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"{path} does not exist.") from None
    try:
        found = cbor.decode(raw)
    except SimdesError:
        found = None
    if not isinstance(found, dict) or found.get("type") != _TYPE:
        raise Tampered(f"{path} is damaged.", advice=_ADVICE)
    if (found.get("v"), found.get("suite")) != (_VERSION, 1):
        raise Unsupported(f"{path} was written by a later release.")
    if not all(isinstance(found.get(name), bytes) for name in ("keystore", "body")):
        raise Tampered(f"{path} is damaged.", advice=_ADVICE)
    return found


def _keystore(raw: bytes, passphrase: str) -> KeyStore:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keystore.json"
        path.write_bytes(raw)
        return KeyStore.open(path, passphrase)


def _opened(document: Mapping[str, Any], keystore: KeyStore) -> KeyFile:
    if document.get("organisation") != keystore.organisation:
        raise Tampered("The keys beside the backups are another organisation's.", advice=_ADVICE)
    body = unwrap(_key(keystore), document["body"], aad=_AAD + keystore.organisation)
    inflating = zlib.decompressobj()
    plain: Any = cbor.decode(inflating.decompress(body, _MOST_BYTES))
    return KeyFile(
        keystore=document["keystore"],
        keys=_keys(plain),
        archives=dict(plain["archives"]),
    )


def _plain(file: KeyFile) -> dict[str, Any]:
    keys = file.keys
    return {
        "custody": [
            [
                one.public_digest,
                one.private_wrapped,
                one.vault or b"",
                one.epoch or 0,
                abs(one.created_ms),
            ]  # negative: set aside by a restore
            for one in keys.custody.values()
        ],
        "vaults": [[tag, key] for tag, key in keys.vaults.items()],
        "destroyed": sorted(keys.destroyed),
        "erased": sorted(keys.erased),
        "contents": sorted(keys.contents),
        "dropped": [[cid, one] for cid, one in sorted(keys.dropped)],
        "archives": [[name, key] for name, key in file.archives.items()],
    }


def _keys(plain: Mapping[str, Any]) -> Keys:
    custody = [
        CustodyKey(
            public_digest=digest,
            private_wrapped=private,
            vault=vault or None,
            epoch=epoch or None,
            created_ms=created_ms,
        )
        for digest, private, vault, epoch, created_ms in plain["custody"]
    ]
    return Keys(
        custody={one.public_digest: one for one in custody},
        vaults=dict(plain["vaults"]),
        destroyed=frozenset(plain["destroyed"]),
        erased=frozenset(plain["erased"]),
        contents=frozenset(plain["contents"]),
        dropped=frozenset((cid, one) for cid, one in plain["dropped"]),
    )


_ADVICE: Final = "Name another copy of the backups; without their keys they can't be read."
