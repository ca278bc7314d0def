"""What is erased stays erased: in backups, in a restored organisation, on IPFS and on chain."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from simdes import app, config
from simdes.access.keystore import KeyStore
from simdes.backup import checking
from simdes.backup.repository import open_repository
from simdes.crypto.capsule import Capsule, read_capsule, unseal_authored
from simdes.crypto.keys import OpeningKey, unwrap
from simdes.errors import NotFound, SimdesError
from simdes.exchange import erasure
from simdes.index import contents, custody, vaults
from simdes.index.database import open_database
from simdes.own_store import storekeeper
from simdes.storage.store import open_store
from support import consortium
from support.backups import NAMES, Stage, back_up_all, keep_keys_of_all
from support.consortium import Consortium


def everybody(stage: Stage) -> Path:
    """Where the backups of all lie, each organisation's in a folder of its own."""
    return stage.folder.parent / "everybody"


def shares_that_open(stage: Stage, capsule: bytes) -> int:
    """How many custodians' payloads open with every key of every backup, passphrases known.

    From the archives' databases and the files of keys beside them: whatever unwraps.
    """
    opened = 0
    for name in NAMES:
        words = (stage.folder / name / "passphrase").read_text().strip()
        repository = open_repository(everybody(stage) / name)
        keyfile, keystore = checking.unlocked(repository, words)
        wrapped = {one.public_digest: one.private_wrapped for one in keyfile.keys.custody.values()}
        for one in repository.listed():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "database"
                with (
                    checking.opened(repository, one.name, keyfile) as pieces,
                    path.open("wb") as file,
                ):
                    file.writelines(data for kind, data in pieces if kind == "database")
                with closing(sqlite3.connect(path)) as database:
                    wrapped |= dict(
                        database.execute(
                            "SELECT public_digest, private_wrapped FROM custody_key"
                            " WHERE length(private_wrapped) > 0"
                        ).fetchall()
                    )
        opened += sum(_opens(capsule, keystore, digest, one) for digest, one in wrapped.items())
    return opened


def _opens(capsule: bytes, keystore: KeyStore, digest: bytes, wrapped: bytes) -> bool:
    aad = b"simdes/custody-key/v1" + digest
    try:
        key = OpeningKey.from_bytes(unwrap(keystore.database_key, wrapped, aad=aad))
    except SimdesError:
        return False
    read = read_capsule(capsule)
    return any(_unseals(read, key, index) for index in range(1, len(NAMES) + 1))


def _unseals(capsule: Capsule, key: OpeningKey, index: int) -> bool:
    try:
        return bool(unseal_authored(capsule, key, index))
    except (SimdesError, IndexError):
        return False


def the_vault(network: Consortium) -> bytes:
    with network["north"].node.database.read() as tx:
        [row] = tx.all("SELECT DISTINCT vault FROM record")
    return bytes(row[0])


def erase_everywhere(stage: Stage) -> bytes:
    """Every custodian destroys its key of the vault, its author the local one, the bytes go."""
    with consortium.opened(stage.folder) as network:
        tag = the_vault(network)
        done = erasure.erase(network["north"].node, tag)
        assert done.holds and not done.waiting
        for _ in range(2):
            for name in NAMES:
                storekeeper(network[name]).work()
    return tag


def capsules(stage: Stage) -> list[bytes]:
    """Every key capsule there is in anybody's store."""
    with consortium.opened(stage.folder) as network:
        node = network["north"].node
        with node.database.read() as tx:
            cids = [row[0] for row in tx.all("SELECT cid FROM content WHERE kind = 'capsule'")]
        return [node.store.get(cid) for cid in cids]


def test_backups_of_everybody_open_no_record_whose_keys_were_destroyed(stage: Stage) -> None:
    kept = capsules(stage)
    back_up_all(stage.folder, everybody(stage), clock=stage.clock)
    assert kept
    # So the test would notice: before the erasure the very same search opens every share.
    assert all(shares_that_open(stage, capsule) == len(NAMES) for capsule in kept)
    erase_everywhere(stage)
    keep_keys_of_all(stage.folder, everybody(stage), clock=stage.clock)
    assert all(shares_that_open(stage, capsule) == 0 for capsule in kept)


def test_a_restore_brings_no_erased_key_and_no_erased_content_back(each_stage: Stage) -> None:
    stage = each_stage
    stage.back_up()
    with consortium.own_settings():
        database = open_database(config.load(stage.data).database_url)
    with closing(database), database.read() as tx:
        erased = [row[0] for row in tx.all("SELECT cid FROM content WHERE record_id IS NOT NULL")]
    tag = erase_everywhere(stage)
    stage.keep_keys()
    with closing(open_store(f"file:{stage.backups / 'blocks'}")) as blocks:
        assert not any(blocks.has(cid) for cid in erased)
    stage.lose()
    done = stage.restore()
    assert done.given_back is not None
    assert done.given_back.vaults_erased == 1
    assert done.given_back.custody_keys_destroyed >= 1
    assert done.given_back.contents_erased == len(erased)
    assert done.contents_erased == len(erased)
    assert done.anchors is not None
    assert done.anchors.wrong == []
    assert done.anchors.erased == done.anchors.resources > 0
    with consortium.opened(stage.folder) as network:
        node = network["north"].node
        with node.database.read() as tx:
            vault = vaults.get(tx, tag)
            assert vault is not None
            assert (vault.key_wrapped, vault.state) == (None, vaults.ERASED)
            assert {one.private_wrapped for one in custody.keys_of(tx, tag)} == {None}
            assert all(one.state != contents.KEPT for one in contents.get_many(tx, erased).values())
        storekeeper(network["north"]).work()
        for cid in erased:
            with pytest.raises((NotFound, SimdesError)):
                node.store.get_block_here(cid)


def test_a_database_brought_back_by_its_own_tools_loses_its_erased_keys(stage: Stage) -> None:
    stage.back_up()
    path = stage.data / "simdes.sqlite"
    old = stage.folder.parent / "old.sqlite"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(old)) as copied:
        source.backup(copied)
    tag = erase_everywhere(stage)
    stage.keep_keys()
    stage.lose()
    stage.data.mkdir()
    shutil.copy(old, path)
    done = stage.restore(keep_database=True)
    assert done.anchors is not None
    assert done.anchors.wrong == []
    with consortium.own_settings():
        database = open_database(config.load(stage.data).database_url)
    with closing(database), database.read() as tx:
        assert {one.private_wrapped for one in custody.keys_of(tx, tag)} == {None}
        vault = vaults.get(tx, tag)
    assert vault is not None
    assert vault.key_wrapped is None


def test_old_backups_go_and_their_keys_with_them(stage: Stage) -> None:
    first = stage.back_up()
    repository = open_repository(stage.backups)
    forgotten = stage.folder.parent / "forgotten"
    shutil.copy(repository.path(first.name), forgotten)
    stage.clock.ahead_seconds += 31 * 86_400
    second = stage.back_up()
    assert second.removed == [first.name]
    assert [one.name for one in repository.listed()] == [second.name]
    shutil.copy(forgotten, repository.path(first.name))
    stage.lose()
    with pytest.raises(NotFound, match="key of this backup is gone"):
        stage.restore(name=first.name)
    assert stage.restore().name == second.name


def _text(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def test_nothing_of_a_patient_lies_in_clear_among_backups(stage: Stage) -> None:
    with consortium.own_settings():
        database = open_database(config.load(stage.data).database_url)
    with closing(database), database.read() as tx:
        values = {row[0] for row in tx.all("SELECT value FROM identifier") if len(row[0]) > 4}
        names = {row[0] for row in tx.all("SELECT DISTINCT head FROM search_text")}
    seeded = [one.encode() for one in values | {_text(name) for name in names}]
    seeded = [one for one in seeded if len(one) > 4]
    assert len(seeded) > 3
    live = (stage.data / "simdes.sqlite").read_bytes()
    assert any(one in live for one in seeded)
    stage.back_up()
    assert stage.passphrase
    files = [path for path in stage.backups.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        data = path.read_bytes()
        assert not [one for one in seeded if one in data], path.name
        assert stage.passphrase.encode() not in data
    assert not list(stage.data.glob("*-backup*"))
    assert app.passphrase_file(stage.data).exists()
