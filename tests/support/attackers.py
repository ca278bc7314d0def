"""Attackers with real means: whole disks of custodians, and a custodian that gives false shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simdes import config
from simdes.access import custody_keys
from simdes.access.custody import Act, Custodian
from simdes.access.desk import Asker, Desk, Outcome
from simdes.access.keystore import KeyStore, read_passphrase
from simdes.crypto.keys import OpeningKey
from simdes.crypto.seal import combine_shares, open_body, open_share
from simdes.crypto.shares import Share
from simdes.errors import SimdesError
from simdes.index.custody import Key
from simdes.index.database import open_database
from simdes.index.rows import read, select


@dataclass(frozen=True, slots=True)
class Loot:
    """What somebody has who took whole disks.

    ``shares`` are the share numbers by record, ``opened`` the resources by record, ``copies`` how
    many encrypted copies of resources lie on those disks.
    """

    shares: dict[bytes, set[int]]
    opened: dict[bytes, tuple[bytes, ...]]
    copies: int


def rob(folders: Sequence[Path], blocks: Path) -> Loot:
    """Open whatever opens with the complete folders of organisations and the content store.

    Every private key on those disks is tried on every block; the shares of a record are combined
    and the secret is tried on every block as its body.
    """
    keys: list[tuple[bytes, OpeningKey]] = []
    copies = 0
    for folder in folders:
        store = KeyStore.open(folder / "keystore.json", read_passphrase(folder / "passphrase", {}))
        database = open_database(config.load(folder, {}).database_url)
        with database.read() as tx:
            rows = [read(Key, row) for row in tx.all(select(Key, "custody_key"))]
            for table in ("remote_copy", "resource", "source", "quarantine"):
                copies += len(tx.all(f"SELECT content_wrapped FROM {table}"))
        database.close()
        found = [custody_keys.open_key(store, row) for row in rows]
        keys += [(store.organisation, key) for key in found if key is not None]
        keys.append((store.organisation, store.descriptor_key))
    capsules, shares = _shares(keys, blocks)
    opened = {
        record: _bodies(capsules[record], record, found, blocks) for record, found in shares.items()
    }
    return Loot(
        {record: set(found) for record, found in shares.items()},
        {record: items for record, items in opened.items() if items},
        copies,
    )


def _shares(
    keys: Sequence[tuple[bytes, OpeningKey]], blocks: Path
) -> tuple[dict[bytes, bytes], dict[bytes, dict[int, Share]]]:
    capsules: dict[bytes, bytes] = {}
    shares: dict[bytes, dict[int, Share]] = defaultdict(dict)
    for block in _blocks(blocks):
        for organisation, key in keys:
            try:
                share = open_share(block, key, organisation)
            except SimdesError:
                continue
            capsules[share.record_id] = block
            shares[share.record_id][share.index] = Share(share.index, share.value)
    return capsules, shares


def _bodies(
    capsule: bytes, record: bytes, shares: dict[int, Share], blocks: Path
) -> tuple[bytes, ...]:
    try:
        secret = combine_shares(capsule, list(shares.values()))
    except SimdesError:
        return ()
    for block in _blocks(blocks):
        try:
            return tuple(item.content for item in open_body(block, secret, record_id=record).items)
        except SimdesError:
            continue
    return ()


def _blocks(folder: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


class Liar(Custodian):
    """A custodian whose software gives shares with one bit flipped, duly signed."""

    def _verb(self, method: str) -> tuple[type, Act]:
        kind, act = super()._verb(method)

        def lie(desk: Desk, asker: Asker, body: Any) -> Outcome:
            outcome = act(desk, asker, body)
            shares: Any = outcome.body.get("shares")
            if not shares:
                return outcome
            false = [
                [record, index, bytes([value[0] ^ 1]) + value[1:]]
                for record, index, value in shares
            ]
            return replace(outcome, body=outcome.body | {"shares": false})

        return kind, lie
