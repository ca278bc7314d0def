"""Followers: what custodians and grantees fetch because of events, and what they do not believe."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import pytest

from simdes.access.consent import Grantee, decode_terms_row
from simdes.access.fetching import FETCHED, Fetcher
from simdes.access.following import follow_chain
from simdes.crypto import anchor
from simdes.crypto.manifest import Manifest, encode_manifest
from simdes.errors import Unavailable
from simdes.index import chain, checkpoints, custody, vaults
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.storage.cid import binary_cid
from unit.access.conftest import Scene
from unit.access.network import Network, Organisation


def entries(member: Organisation, record: bytes) -> list[custody.ManifestEntry]:
    with member.database.read() as tx:
        return custody.entries_of(tx, [record])


def restarted(member: Organisation, **changes: object) -> Fetcher:
    kept = member.fetcher
    parts = {
        name: getattr(kept, name)
        for name in ("keystore", "contracts", "directory", "database", "store", "clock", "random")
    }
    return Fetcher(**(parts | changes))  # type: ignore[arg-type]


def test_custodians_keep_entries_of_their_vaults_and_others_keep_none(scene: Scene) -> None:
    record = scene.written.sealed.record_id
    for member in (scene.home, scene.second, scene.third):
        [entry] = entries(member, record)
        assert (entry.vault, entry.category, entry.types) == (
            scene.vault.tag,
            3,
            ("Observation",),
        )
        assert entry.batch_id == scene.written.batch_id
    assert entries(scene.reader, record) == []


def test_the_grantees_organisation_and_the_custodians_learn_the_terms(scene: Scene) -> None:
    doctor = scene.reader.people["doctor"][0]
    consent = scene.network.grant(scene.home, "ada", scene.vault, Grantee.account(doctor.account))
    for member in (scene.home, scene.second, scene.third, scene.reader):
        with member.database.read() as tx:
            row = custody.terms(tx, scene.vault.tag, consent.handle)
        assert row is not None
        assert decode_terms_row(row) == consent
    fourth = scene.network.members[3]
    with fourth.database.read() as tx:
        assert custody.terms(tx, scene.vault.tag, consent.handle) is None


def test_the_patient_of_a_vault_is_known_to_its_custodians(scene: Scene) -> None:
    for member in (scene.home, scene.second):
        with member.database.read() as tx:
            row = vaults.get(tx, scene.vault.tag)
        assert row is not None
        assert row.control == scene.home.people["ada"][0].account


@pytest.mark.parametrize(
    "lie",
    [
        {"organisation": os.urandom(32)},
        {"author": os.urandom(20)},
        {"leaf_indexes": (3,)},
    ],
    ids=["organisation", "author", "leaf"],
)
def test_an_entry_that_its_author_could_not_have_written_is_not_kept(
    scene: Scene, lie: dict[str, object]
) -> None:
    before = scene.second.fetcher.given_up
    written = scene.network.write(
        scene.home, scene.vault, b"{}", alter=lambda entry: dataclasses.replace(entry, **lie)
    )
    assert entries(scene.second, written.sealed.record_id) == []
    assert scene.second.fetcher.given_up == before + 1


def test_a_member_cannot_list_records_as_another_members(scene: Scene) -> None:
    """`second` anchors an entry that names home and home's agent as its author."""
    written = scene.network.write(
        scene.second,
        scene.vault,
        b"{}",
        alter=lambda entry: dataclasses.replace(
            entry, organisation=scene.home.id, author=scene.home.keystore.lanes[0].address
        ),
    )
    assert entries(scene.third, written.sealed.record_id) == []


def anchor_list(member: Organisation, cid: str, leaves: list[bytes], root: bytes | None) -> None:
    member.agent.transact(
        member.contracts.records.anchor(
            root=root or anchor.root(leaves), count=len(leaves), manifest=binary_cid(cid)
        )
    )


def test_rubbish_in_a_manifest_list_stops_nobody(scene: Scene) -> None:
    network, second = scene.network, scene.second
    leaves = [os.urandom(32), os.urandom(32)]
    letters = (b"", b"\xff" * 100, os.urandom(500))
    listed = network.store.put(encode_manifest(Manifest(tuple(leaves), letters)))
    anchor_list(scene.home, listed, leaves, None)
    anchor_list(scene.home, network.store.put(b"no manifest"), [os.urandom(32)], None)
    anchor_list(scene.home, listed, leaves, os.urandom(32))  # another root than its leaves give
    record = network.write(scene.home, scene.vault, b"{}").sealed.record_id
    assert len(entries(second, record)) == 1
    assert second.fetcher._missing == []


def test_what_cannot_be_fetched_yet_is_fetched_later_also_after_a_restart(scene: Scene) -> None:
    network, second = scene.network, scene.second
    network.follow()
    written = network.write(scene.home, scene.vault, b"{}", follow=False)
    away = _Away(second.fetcher.store)
    fetcher = restarted(second, store=away)
    assert fetcher.step() == 0
    with second.database.read() as tx:
        held_back = checkpoints.get(tx, FETCHED)
    assert held_back is not None
    assert held_back.block_number < network.ledger.head().number
    later = network.write(scene.home, scene.vault, b"{}", follow=False)
    fetcher.step()
    assert entries(second, written.sealed.record_id) == []
    again = restarted(second)  # the store is back, and so are we
    again.step()
    assert len(entries(second, written.sealed.record_id)) == 1
    assert len(entries(second, later.sealed.record_id)) == 1
    away.away = False
    network.clock.advance(5)
    assert fetcher.step() == 2  # the one that never stopped gets them too
    assert fetcher._missing == []


def test_what_never_comes_is_given_up_after_a_day_and_blocks_nothing(scene: Scene) -> None:
    network, second = scene.network, scene.second
    network.follow()
    leaves = [os.urandom(32)]
    from simdes.storage.cid import cid_of

    anchor_list(scene.home, cid_of(os.urandom(9)), leaves, None)
    fetcher = restarted(second)
    fetcher.step()
    assert len(fetcher._missing) == 1
    tries = 0
    for _ in range(200):
        network.clock.advance(700)
        tries += 1
        fetcher.step()
        if not fetcher._missing:
            break
    assert fetcher.given_up == 1
    assert 100 < tries < 140
    with second.database.read() as tx:
        reached = checkpoints.get(tx, FETCHED)
    assert reached is not None
    assert reached.block_number >= network.ledger.head().number - 2


def test_what_a_full_disk_did_not_take_is_fetched_when_there_is_room(scene: Scene) -> None:
    network, second = scene.network, scene.second
    network.follow()
    full = _Full(second.fetcher.database)
    fetcher = restarted(second, database=full)
    fetcher.step()
    written = network.write(scene.home, scene.vault, b"{}", follow=False)
    full.full = True
    with pytest.raises(Unavailable):
        fetcher.step()
    full.full = False
    later = network.write(scene.home, scene.vault, b"{}", follow=False)
    fetcher.step()
    assert len(entries(second, written.sealed.record_id)) == 1
    assert len(entries(second, later.sealed.record_id)) == 1


class _Full:
    """A database that takes nothing while it is full."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.full = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    def write(self, body: Callable[[Transaction], object]) -> object:
        if self.full:
            raise Unavailable("The disk is full")
        return self._database.write(body)


class _Away:
    """A content store that does not answer."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.away = True

    def __getattr__(self, name: str) -> object:
        if self.away:
            raise Unavailable("the store is down")
        return getattr(self._store, name)


def test_following_again_from_the_start_changes_nothing(scene: Scene) -> None:
    second = scene.second
    tables = (*chain.TABLES, "manifest_entry", "terms", "vault", "custody_key")

    def everything() -> list[object]:
        with second.database.read() as tx:
            return [sorted(map(repr, tx.all(f"SELECT * FROM {table}"))) for table in tables]

    second.follow()
    before = everything()
    second.database.write(lambda tx: checkpoints.forget(tx, "chain"))
    second.database.write(lambda tx: checkpoints.forget(tx, FETCHED))
    follow_chain(second.database, second.contracts)
    restarted(second).step()
    assert everything() == before


def test_the_read_model_says_what_the_chain_says(network: Network) -> None:
    home = network.members[0]
    network.follow()
    with home.database.read() as tx:
        for member in network.members:
            organisation = chain.organisation(tx, member.id)
            known = home.contracts.accounts.organisation(member.id)
            assert organisation is not None
            assert known is not None
            assert (organisation.state, organisation.descriptor) == (
                known.state,
                known.descriptor,
            )
            for account in chain.accounts(tx, member.id):
                standing = home.contracts.accounts.standing(account.address)
                assert standing is not None
                assert (account.id, account.role, account.state) == (
                    standing.account,
                    standing.role,
                    standing.account_state,
                )
