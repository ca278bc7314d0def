"""To any moment: PostgreSQL's archived WAL brings the database back, `restore` the rest; and IPFS.

https://www.postgresql.org/docs/current/continuous-archiving.html, docs/operations/backup.md.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.postgres import PostgresServer, with_name
from simdes import config
from simdes.exchange import erasure, retrieve
from simdes.index import contents, custody, vaults
from simdes.index.database import open_database
from simdes.storage.store import open_store
from support import consortium
from support.backups import NAMES, PATIENT_A, PATIENT_B, PATIENT_C, Stage
from support.consortium import Consortium
from support.kubo import swarm


def named_vault(network: Consortium, *, but: set[bytes]) -> bytes:
    """The patient's vault that came since."""
    with network["north"].node.database.read() as tx:
        [tag] = {row[0] for row in tx.all("SELECT DISTINCT vault FROM record")} - but
    return bytes(tag)


def work(stage: Stage, name: str) -> None:
    """North takes a message in, and everybody does what there is to do."""
    with consortium.opened(stage.folder, clock=stage.clock) as network:
        for one, data in consortium.sample_messages(name):
            network.submit("north", one, data)
        network.settle()
        network.settle()


def count(stage: Stage) -> Any:
    with consortium.own_settings():
        database = open_database(config.load(stage.data).database_url)
    try:
        with database.read() as tx:
            return tx.one("SELECT count(*), max(id) FROM resource")
    finally:
        database.close()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer.running(durable=True, archiving=True) as running:
        with psycopg.connect(running.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE north")
        yield running


@pytest.mark.accept
def test_a_database_comes_back_to_the_moment_with_nothing_that_was_erased_since(
    server: PostgresServer, tmp_path: Path
) -> None:
    folder = tmp_path / "network"
    stores = dict.fromkeys(NAMES, "file:blocks")
    consortium.found(
        folder, names=NAMES, stores=stores, databases={"north": with_name(server.url, "north")}
    )
    stage = Stage(folder)
    shutil.copy(stage.data / "passphrase", tmp_path / "passphrase")
    work(stage, PATIENT_A)
    with consortium.opened(folder) as network:
        erased = named_vault(network, but=set())
    stage.back_up()
    server.base_backup()
    work(stage, PATIENT_B)  # behind the backup and the base: in the log alone
    with consortium.opened(folder) as network:
        second = named_vault(network, but={erased})
    before = count(stage)
    server.ask("SELECT pg_create_restore_point('the moment')")
    with consortium.opened(folder) as network:
        assert erasure.erase(network["north"].node, erased).holds
    work(stage, PATIENT_C)
    stage.keep_keys()  # as `simdes serve` does within seconds
    assert count(stage)[0] > before[0]
    server.archive()

    settings = (stage.data / "simdes.toml").read_text()
    shutil.rmtree(stage.data)
    stage.data.mkdir()
    (stage.data / "simdes.toml").write_text(settings)
    server.recover("the moment")
    done = stage.restore(keep_database=True)
    assert done.anchors is not None and done.anchors.wrong == []
    assert done.anchors.batches > 0
    assert count(stage) == before
    with consortium.opened(folder) as network:
        north = network["north"].node
        with north.database.read() as tx:
            vault = vaults.get(tx, erased)
            assert vault is not None and vault.key_wrapped is None
            assert {one.private_wrapped for one in custody.keys_of(tx, erased)} == {None}
        reader = network.session("north", "dr.north")
        assert retrieve.retrieve(north, reader, vault=second).resources
        network.settle()
    work(stage, PATIENT_C)  # the sources send again what came since
    assert count(stage)[0] > before[0]


@pytest.mark.nodes
@pytest.mark.accept
def test_an_organisation_is_restored_onto_a_new_ipfs_node(tmp_path: Path) -> None:
    with swarm(tmp_path / "old", 1) as [old], swarm(tmp_path / "new", 1) as [new]:
        folder = tmp_path / "network"
        stores = dict.fromkeys(NAMES, "file:blocks") | {"north": f"ipfs:{old.url}"}
        consortium.found(folder, names=NAMES, stores=stores)
        stage = Stage(folder)
        shutil.copy(stage.data / "passphrase", tmp_path / "passphrase")
        work(stage, PATIENT_A)
        with consortium.opened(folder) as network:
            tag = named_vault(network, but=set())
            with network["north"].node.database.read() as tx:
                cids = contents.kept_of_vault(tx, tag)
        assert cids
        stage.back_up()
        settings = (stage.data / "simdes.toml").read_text()
        shutil.rmtree(stage.data)
        old.kill()
        stage.data.mkdir()
        moved = f"store_url = {json.dumps(f'ipfs:{new.url}')}"
        (stage.data / "simdes.toml").write_text(re.sub(r"(?m)^store_url = .*$", moved, settings))
        done = stage.restore()
        assert done.anchors is not None and done.anchors.wrong == []
        assert done.contents >= len(cids) and done.contents_missing == 0
        store = open_store(f"ipfs:{new.url}")
        try:
            assert all(store.has(cid) for cid in cids)
        finally:
            store.close()
        with consortium.opened(folder) as network:
            reader = network.session("north", "dr.north")
            assert retrieve.retrieve(network["north"].node, reader, vault=tag).resources
        work(stage, PATIENT_B)
