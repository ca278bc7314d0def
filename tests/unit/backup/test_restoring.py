"""An organisation is lost and restored: what it had, what went on meanwhile, what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simdes import app, config
from simdes.access import custody_keys
from simdes.access.audit_event import Verb
from simdes.backup import restoring
from simdes.errors import (
    Conflict,
    NotFound,
    SimdesError,
    Tampered,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from simdes.exchange import anchoring, retrieve
from simdes.exchange.mail import words
from simdes.index import audit, custody, keys, mail, vaults
from simdes.index.database import open_database
from support import consortium
from support.backups import PATIENT_B, PATIENT_C, Stage
from support.consortium import Consortium


def own_vaults(network: Consortium, member: str = "north") -> list[bytes]:
    with network[member].node.database.read() as tx:
        return [one.tag for one in vaults.page(tx) if one.home]


def work(stage: Stage, member: str, *names: str) -> None:
    """A member takes messages in and everybody does what there is to do."""
    with consortium.opened(stage.folder, clock=stage.clock) as network:
        for name, data in consortium.sample_messages(*names):
            network.submit(member, name, data)
        network.settle()


def rows(stage: Stage, query: str) -> list[tuple[Any, ...]]:
    with consortium.own_settings():
        database = open_database(config.load(stage.data).database_url)
    try:
        with database.read() as tx:
            return tx.all(query)
    finally:
        database.close()


def test_everything_of_an_organisation_comes_back_and_every_anchor_holds(each_stage: Stage) -> None:
    stage = each_stage
    before = rows(stage, "SELECT count(*), max(id) FROM resource")
    made = stage.back_up()
    assert made.contents == made.contents_copied > 0
    assert made.contents_missing == 0
    stage.lose()
    done = stage.restore()
    assert done.anchors is not None
    assert done.anchors.wrong == []
    assert done.anchors.batches > 0
    assert done.anchors.resources == before[0][0]
    assert done.anchors.audit_batches > 0
    assert (done.contents, done.contents_missing) == (made.contents, 0)
    assert rows(stage, "SELECT count(*), max(id) FROM resource") == before
    with consortium.opened(stage.folder) as network:
        reader = network.session("north", "dr.north")
        for tag in own_vaults(network):
            retrieve.retrieve(network["north"].node, reader, vault=tag)
        network.settle()
    # It goes on where it was: new ids follow the old ones, new records are anchored.
    work(stage, "north", PATIENT_B)
    ids = [row[0] for row in rows(stage, "SELECT id FROM resource ORDER BY id")]
    assert len(set(ids)) == len(ids) > before[0][0]
    assert before[0][1] + 1 in ids
    with consortium.opened(stage.folder) as network:
        assert anchoring.everything_anchored(network["north"].node)


def test_a_restore_to_a_time_takes_the_newest_backup_until_then(stage: Stage) -> None:
    first = stage.back_up()
    stage.clock.ahead_seconds += 60
    work(stage, "north", PATIENT_B)
    stage.clock.ahead_seconds += 60
    second = stage.back_up()
    assert second.contents_copied == second.contents - first.contents > 0
    kept = rows(stage, "SELECT count(*) FROM resource")[0][0]
    stage.lose()
    done = stage.restore(until_ms=second.created_ms - 1)
    assert done.name == first.name
    assert done.anchors is not None
    assert done.anchors.wrong == []
    assert done.anchors.unknown_batches == 1
    assert rows(stage, "SELECT count(*) FROM resource")[0][0] < kept
    with pytest.raises(NotFound):
        stage.restore(until_ms=first.created_ms - 1, replace=True)


def test_the_audit_trail_goes_on_behind_what_was_lost_and_says_so(each_stage: Stage) -> None:
    stage = each_stage
    stage.back_up()
    for _ in range(2):  # two batches more, of which the backup knows nothing
        with consortium.opened(stage.folder) as network:
            node, reader = network["north"].node, network.session("north", "dr.north")
            for tag in own_vaults(network):
                retrieve.retrieve(node, reader, vault=tag)
            network.settle()
            head = node.contracts.audit_log.head(node.organisation)
    stage.lose()
    done = stage.restore()
    assert done.anchors is not None
    assert done.anchors.wrong == []
    assert done.anchors.lost_audit_batches == 2
    with consortium.opened(stage.folder) as network:
        network.settle()
        node = network["north"].node
        after = node.contracts.audit_log.head(node.organisation)
        assert after.seq > head.seq
        with node.database.read() as tx:
            batch = audit.newest_batch(tx)
        assert batch is not None
        assert (batch.seq, batch.root) == (after.seq, after.root)
        entries = [one for _, one in node.desk.trail.entries(node.database)]
        [said] = [one.attempt for one in entries if one.attempt.verb is Verb.RESTORE]
        assert said.count == 3


def test_keys_that_were_handed_out_since_are_not_lost(stage: Stage) -> None:
    stage.back_up()
    work(stage, "south", PATIENT_B)  # north gives a key, and `serve` writes it down
    assert stage.keep_keys()
    assert not stage.keep_keys()
    work(stage, "south", PATIENT_C)  # north gives a key, and is lost before anything is written
    stage.lose()
    done = stage.restore()
    assert done.given_back is not None
    with consortium.opened(stage.folder) as network:
        network.settle()
        opened = own_vaults(network, "south")
        node = network["north"].node
        with node.database.read() as tx:
            for tag in opened:
                assert custody_keys.opening_key(tx, node.desk.keystore, tag, epoch=1) is not None
                assert custody.entries(tx, tag, categories=range(64))
            handed = {key.public_digest for key in custody.bound_keys(tx)}
            waiting = custody.aside(tx)
        # What may have been handed out is handed out no more; new ones are made.
        assert set(waiting.values()).isdisjoint(handed)
        asked = [(bytes([9]) * 32, 1)]
        bound = node.database.write(
            lambda tx: custody_keys.bind(
                tx, node.desk.keystore, asked, random=node.random, now_ms=node.now_ms()
            )
        )
        assert bound[0] not in waiting
        later = node.now_ms() + custody_keys.ASIDE_MS + 1000
        node.database.write(
            lambda tx: custody_keys.fill_pool(
                tx, node.desk.keystore, random=node.random, now_ms=later
            )
        )
        with node.database.read() as tx:
            assert custody.aside(tx) == {}


def test_nobody_is_signed_in_and_no_copy_is_left_after_a_restore(stage: Stage) -> None:
    with consortium.opened(stage.folder) as network:
        network.session("north", "dr.north")
    assert rows(stage, "SELECT count(*) FROM session") != [(0,)]
    stage.back_up()
    stage.lose()
    stage.restore()
    assert rows(stage, "SELECT count(*) FROM session") == [(0,)]
    assert rows(stage, "SELECT count(*) FROM remote_copy") == [(0,)]


def test_of_mails_news_alone_goes_out_after_a_restore(stage: Stage) -> None:
    """A copy of an address that somebody may have removed since is used for no mail."""
    with consortium.opened(stage.folder) as network:
        account = network.session("north", "dr.north").actor.account
        letter = mail.Outgoing(
            id=bytes(16),
            account=account,
            kind=words.CHANGED,
            address_wrapped=b"removed since",
            nonce=None,
            language="en",
            made_ms=1,
            next_ms=1,
            until_ms=2**50,
        )
        news = replace(letter, id=bytes([1]) * 16, kind=words.NEWS, address_wrapped=None)
        code = mail.Code(
            account=account,
            address_wrapped=b"removed since",
            nonce=bytes(32),
            language="en",
            tries=1,
            expires_ms=2**50,
        )
        with network["north"].node.database.transaction() as tx:
            mail.put_code(tx, code)
            mail.add(tx, letter)
            mail.add(tx, news)
    stage.back_up()
    stage.lose()
    stage.restore()
    assert rows(stage, "SELECT kind FROM mail_letter") == [(words.NEWS,)]
    assert rows(stage, "SELECT count(*) FROM mail_code") == [(0,)]


def test_what_the_folder_holds_comes_back_and_the_passphrase_does_not(stage: Stage) -> None:
    (stage.data / "mapping").mkdir()
    (stage.data / "mapping" / "site.toml").write_text('name = "North"\n')
    (stage.data / "link").symlink_to("/etc/passwd")
    stage.back_up()
    stage.lose()
    with consortium.own_settings():
        done = restoring.restore(
            restoring.Wanted(data=stage.data, folder=stage.backups, passphrase=stage.passphrase)
        )
    assert {"simdes.toml", "network.json", "pins.json", "mapping/site.toml"} <= set(done.files)
    assert not (stage.data / "passphrase").exists()
    assert not (stage.data / "link").exists()
    assert not (stage.data / app.RESTORING).exists()
    for path in (*stage.data.glob("*.*"), stage.data / "mapping" / "site.toml"):
        assert path.stat().st_mode & 0o077 == 0 or path.suffix in (".sqlite-shm", ".sqlite-wal")


def test_a_ledger_that_lives_on_is_never_put_back(stage: Stage) -> None:
    stage.back_up()
    work(stage, "south", PATIENT_B)
    with consortium.opened(stage.folder) as network:
        head = network["south"].node.contracts.ledger.head()
    stage.lose()
    assert stage.restore().ledger == "kept"
    with consortium.opened(stage.folder) as network:
        assert network["south"].node.contracts.ledger.head().number >= head.number


def test_a_ledger_that_was_lost_with_the_rest_comes_back(stage: Stage) -> None:
    stage.back_up()
    stage.lose()
    for path in stage.folder.glob("ledger.sqlite*"):
        path.unlink()
    done = stage.restore()
    assert done.ledger == "restored"
    assert done.anchors is not None
    assert done.anchors.wrong == []


# What is refused, with nothing changed ----------------------------------------------------------


def test_a_live_organisation_is_not_restored_over(stage: Stage) -> None:
    stage.back_up()
    with consortium.opened(stage.folder), pytest.raises(Conflict, match="running"):
        stage.restore(replace=True)


def test_a_database_that_is_there_is_kept_unless_it_may_go(each_stage: Stage) -> None:
    stage = each_stage
    stage.back_up()
    before = rows(stage, "SELECT count(*) FROM resource")
    with pytest.raises(Conflict, match="database"):
        stage.restore()
    assert not (stage.data / app.RESTORING).exists()
    assert rows(stage, "SELECT count(*) FROM resource") == before
    done = stage.restore(replace=True)
    assert rows(stage, "SELECT count(*) FROM resource") == before
    if each_stage.empty_database is None:
        aside = Path(done.database_aside)
        assert aside.is_file()
        with pytest.raises(Conflict, match="earlier restore"):
            stage.restore(replace=True)


def test_a_database_that_somebody_uses_is_not_restored_over(each_stage: Stage) -> None:
    stage = each_stage
    if stage.empty_database is None:
        return  # a file's users have the folder's lanes
    stage.back_up()
    with consortium.own_settings():
        other = open_database(config.load(stage.data).database_url)
    try:
        with other.read() as tx, pytest.raises(Conflict, match="connected"):
            tx.one("SELECT 1")
            stage.restore(replace=True)
    finally:
        other.close()


def test_a_restore_that_was_broken_off_is_repeated_and_nothing_starts_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.back_up()
    stage.lose()

    def broken(*_: object, **__: object) -> None:
        raise Unavailable("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_lay_contents", broken)
        with pytest.raises(Unavailable, match="power"):
            stage.restore()
    shutil.copy(stage.folder.parent / "passphrase", stage.data / "passphrase")
    with (
        consortium.own_settings(),
        pytest.raises(Conflict, match="broken off"),
        app.opened(stage.data),
    ):
        pass
    done = stage.restore()
    assert done.anchors is not None
    assert done.anchors.wrong == []


@pytest.mark.parametrize("where", [0.02, 0.3, 0.7, 0.999])
def test_a_damaged_backup_is_found_before_anything_is_changed(stage: Stage, where: float) -> None:
    made = stage.back_up()
    stage.lose()
    [path] = (stage.backups / "archives").glob(f"{made.name}*")
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 1
    path.write_bytes(data)
    with pytest.raises((Tampered, SimdesError)):
        stage.restore()
    assert not stage.data.exists() or list(stage.data.iterdir()) == []


def test_a_backup_that_was_cut_off_is_none(stage: Stage) -> None:
    made = stage.back_up()
    stage.lose()
    [path] = (stage.backups / "archives").glob(f"{made.name}*")
    path.write_bytes(path.read_bytes()[:-24])
    with pytest.raises(Tampered, match="ends too early"):
        stage.restore()


def test_backups_need_their_passphrase_room_and_a_known_release(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.back_up()
    stage.lose()
    with pytest.raises(Unauthenticated):
        stage.restore(passphrase="another one")
    with monkeypatch.context() as patched:
        patched.setattr("simdes.backup.checking.HEAD", "0003")
        with pytest.raises(Unsupported, match="revision"):
            stage.restore()
    with monkeypatch.context() as patched:
        usage = shutil.disk_usage("/")._replace(free=1 << 20)
        patched.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(Unavailable, match="room"):
            stage.restore()
    with pytest.raises(NotFound):
        stage.restore(folder=stage.folder.parent / "elsewhere")
    with pytest.raises(Conflict, match="another organisation"):
        stage.restore(data=stage.folder / "south", replace=True)
    assert stage.restore().anchors is not None


def test_one_spoilt_copy_of_the_keys_does_not_matter_two_do(stage: Stage) -> None:
    stage.back_up()
    stage.lose()
    path = stage.backups / "keys"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    other = stage.backups / "keys.copy"
    sound = other.read_bytes()
    other.write_bytes(data)
    with pytest.raises(Tampered):
        stage.restore()
    other.write_bytes(sound)
    assert stage.restore().anchors is not None


def test_an_emptied_database_takes_no_key_along(stage: Stage) -> None:
    stage.back_up()
    with consortium.own_settings():
        database = open_database(config.load(stage.data).database_url)
    with database.transaction() as tx:
        held = keys.held(tx)
        tx.run("DELETE FROM custody_key")
        tx.run("UPDATE vault SET key_wrapped = :empty", empty=b"")
    database.close()
    stage.keep_keys()
    stage.lose()
    done = stage.restore()
    assert done.given_back is not None
    assert done.given_back.custody_keys == len(held.custody)
    assert done.given_back.vault_keys == len(held.vaults)
