"""An organisation leaves and another joins: five custodians, 3-of-5, six organisations.

Every record opens before, during and after; who left has nothing that helps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simdes.access import custody_keys
from simdes.access.consent import Grantee
from simdes.cli import command_line
from simdes.crypto.keys import OpeningKey
from simdes.crypto.seal import combine_shares, open_share, read_capsule
from simdes.crypto.shares import Share
from simdes.errors import Conflict, Forbidden, SimdesError, Tampered, Unavailable
from simdes.exchange import consents, renewal, resharing, retrieve
from simdes.exchange.node import Node
from simdes.exchange.renewal import Renewed
from simdes.exchange.submit import Accepted
from simdes.index import custody, renewals
from support import consortium
from support.bundles import bundle
from support.consortium import Clock, Consortium
from support.stored import stores

FIVE = ("north", "south", "east", "west", "hill")
NEEDED = 3
PATIENTS = ("ada", "bea")


@dataclass(frozen=True, slots=True)
class Scene:
    """north wrote; ada controls her vault, bea's is provisional; south's doctor reads ada's."""

    network: Consortium
    folder: Path
    clock: Clock
    vaults: dict[str, bytes]

    def node(self, name: str) -> Node:
        return self.network[name].node

    def id(self, name: str) -> bytes:
        return self.node(name).organisation

    def read(self) -> set[str]:
        """What Dr. Lee at south reads of ada's records, from custodians and not from a copy."""
        south = self.node("south")
        south.database.write(lambda tx: tx.run("DELETE FROM remote_copy"))
        session = self.network.session("south", "dr.lee")
        found = retrieve.retrieve(south, session, vault=self.vaults["ada"])
        assert found.culprits == {}
        return {json.loads(one.content)["id"] for one in found.resources}

    def custodians(self, patient: str) -> list[bytes]:
        descriptor = self.node("east").desk.directory.vault(self.vaults[patient])
        return [one.organisation for one in descriptor.custodians]

    def change(self, patient: str = "ada", **more: object) -> Renewed:
        """west leaves, lake joins."""
        node, vault = self.node("north"), self.vaults[patient]
        if patient == "ada":
            more = {"control": self.network.session("north", "ada").key} | more
        new = renewal.successors(node, vault, leaving=[self.id("west")], joining=[self.id("lake")])
        if node.desk.directory.vault(vault).index_of(self.id("lake")) is not None:
            new = tuple(self.custodians(patient))
        return renewal.renew(node, vault, new, m=NEEDED, **more)  # type: ignore[arg-type]

    def keys(self, name: str, patient: str = "ada") -> dict[int, str]:
        """State of a member's custody keys of a vault, by epoch."""
        with self.node(name).database.read() as tx:
            return {one.epoch: one.state for one in custody.keys_of(tx, self.vaults[patient])}  # type: ignore[misc]

    def capsules(self, epoch: int, patient: str = "ada") -> dict[bytes, bytes]:
        """Capsules of an epoch by record, as north knows them."""
        node = self.node("north")
        with node.database.read() as tx:
            listed = custody.entries(tx, self.vaults[patient], categories=range(64))
            later = renewals.capsules(tx, [one.record_id for one in listed], epoch=epoch)
        return {
            one.record_id: node.store.get(
                later[one.record_id].capsule_cid if one.record_id in later else one.capsule_cid
            )
            for one in listed
        }

    def opening_key(self, name: str, epoch: int) -> OpeningKey | None:
        node = self.node(name)
        with node.database.read() as tx:
            return custody_keys.opening_key(tx, node.desk.keystore, self.vaults["ada"], epoch=epoch)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("custodians") / "network"
    consortium.found(folder, names=FIVE, shares_needed=NEEDED, stores=stores(FIVE))
    with consortium.opened(folder) as network:
        for patient in PATIENTS:
            [answer] = network.submit("north", f"{patient}.json", bundle(patient))
            assert isinstance(answer, Accepted)
            network.settle()
            (folder / patient).write_bytes(answer.vault)
        ada = (folder / "ada").read_bytes()
        session = network.enrol(ada, "ada")
        network.settle()
        consents.grant(
            network["north"].node,
            session,
            vault=ada,
            categories=["observations", "allergies"],
            grantee=Grantee.role_in(network["south"].node.organisation, "doctor"),
            purposes=["TREAT"],
            valid_seconds=30 * 86_400,
        )
        network.settle()
    consortium.join(folder, "lake", names=FIVE, shares_needed=NEEDED)
    return folder


@pytest.fixture
def scene(prepared: Path, tmp_path: Path) -> Iterator[Scene]:
    folder = consortium.copy(prepared, tmp_path / "network")
    vaults = {patient: (folder / patient).read_bytes() for patient in PATIENTS}
    clock = Clock()
    with consortium.opened(folder, clock=clock) as network:
        yield Scene(network, folder, clock, vaults)


READABLE = {"ada-observation-0", "ada-observation-1", "ada-allergy"}


def test_every_record_opens_before_during_and_after(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scene.read() == READABLE
    bodies = _bodies(scene)
    place = scene.custodians("ada").index(scene.id("west"))
    force = renewal._put_in_force
    seen: list[set[str]] = []

    def watched(*arguments: object) -> None:
        seen.append(scene.read())
        force(*arguments)  # type: ignore[arg-type]
        seen.append(scene.read())

    monkeypatch.setattr(renewal, "_put_in_force", watched)
    done = scene.change()
    assert seen == [READABLE, READABLE]
    assert (done.epoch, done.records > 0) == (2, True)
    assert scene.custodians("ada")[place] == scene.id("lake"), "the number of who left"
    scene.network.settle()
    scene.network.down("west")
    assert scene.read() == READABLE
    for name in ("east", "hill"):
        scene.network.down(name)
    assert scene.read() == READABLE, "north, south and lake are three of the five"
    scene.network.down("lake")
    with pytest.raises(Unavailable):
        scene.read()
    assert _bodies(scene) == bodies, "bodies are never sealed again"


def _bodies(scene: Scene) -> set[str]:
    with scene.node("north").database.read() as tx:
        listed = custody.entries(tx, scene.vaults["ada"], categories=range(64))
    return {one.body_cid for one in listed}


def test_who_left_has_nothing_that_helps(scene: Scene) -> None:
    old, stolen = scene.capsules(1), scene.opening_key("west", 1)
    assert stolen is not None
    scene.change()
    scene.network.settle()
    new = scene.capsules(2)
    assert {read_capsule(one).epoch for one in new.values()} == {2}
    for _ in FIVE:  # nothing is destroyed while what was sealed just before may still come
        assert scene.keys("west") == {1: custody.BOUND}
    scene.clock.ahead_seconds += resharing.GRACE_SECONDS + 60
    for name in (*FIVE, "lake"):
        resharing.retire(scene.node(name))
    assert scene.keys("west") == {1: custody.DESTROYED}
    assert scene.keys("lake") == {2: custody.BOUND}
    for name in ("north", "south", "east", "hill"):
        assert scene.keys(name) == {1: custody.DESTROYED, 2: custody.BOUND}
    # A thief has west's key from before, and the disks of two that stayed.
    for record, capsule in old.items():
        first = open_share(capsule, stolen, scene.id("west"))
        others = [scene.opening_key(name, 2) for name in ("south", "east")]
        later = [
            open_share(new[record], key, scene.id(name))
            for name, key in zip(("south", "east"), others, strict=True)
            if key is not None
        ]
        assert len(later) == 2
        shares = [Share(one.index, one.value) for one in (first, *later)]
        for raw in (capsule, new[record]):
            with pytest.raises(SimdesError):
                combine_shares(raw, shares)
            with pytest.raises(SimdesError):
                combine_shares(raw, shares[:1])
        for name in FIVE[:3]:
            assert scene.opening_key(name, 1) is None
    assert scene.read() == READABLE


def test_keys_stay_while_a_record_has_no_capsule_of_the_new_epoch(scene: Scene) -> None:
    scene.change()
    scene.network.settle()
    record = next(iter(scene.capsules(2)))
    south = scene.node("south")
    south.database.write(lambda tx: renewals.drop_capsules(tx, [record], epoch=2))
    scene.clock.ahead_seconds += resharing.GRACE_SECONDS + 60
    assert resharing.retire(south) == 0
    assert scene.keys("south")[1] == custody.BOUND
    assert resharing.tend(scene.node("north")) == 0, "north has them all; south is not asked again"


def test_what_is_anchored_meanwhile_is_dealt_afterwards(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    force = renewal._put_in_force

    def late(*arguments: object) -> None:
        later = bundle("ada").replace(b"ada-allergy", b"ada-later")
        [answer] = scene.network.submit("north", "later.json", later)
        assert isinstance(answer, Accepted)
        scene.network.settle("north")
        force(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(renewal, "_put_in_force", late)
    scene.change()
    assert resharing.tend(scene.node("north")) > 0
    assert resharing.tend(scene.node("north")) == 0
    scene.network.settle()
    scene.network.down("west")
    assert scene.read() == READABLE | {"ada-later"}
    assert {read_capsule(one).epoch for one in scene.capsules(2).values()} == {2}


def epoch(scene: Scene, patient: str) -> int:
    known = scene.node("north").contracts.accounts.vault(scene.vaults[patient])
    assert known is not None
    return known.epoch


def test_only_who_must_agree_gives_a_vault_other_custodians(scene: Scene) -> None:
    with pytest.raises(Forbidden, match="patient"):
        scene.change(control=None)
    with pytest.raises(SimdesError):
        scene.change(control=scene.network.session("north", "admin").key)
    assert epoch(scene, "ada") == 1
    with pytest.raises(SimdesError):  # south did not open bea's vault
        renewal.renew(scene.node("south"), scene.vaults["bea"], scene.custodians("bea"), m=NEEDED)
    for new in (("north", "lake"), ("north", "south", "lake"), ("north", "south", "nobody")):
        known = [bytes(32) if one == "nobody" else scene.id(one) for one in new]
        with pytest.raises(SimdesError):  # weaker, nearly all new, unknown
            renewal.renew(scene.node("north"), scene.vaults["bea"], known, m=2)
    assert epoch(scene, "bea") == 1


def test_all_vaults_at_once_but_those_of_patients(scene: Scene) -> None:
    north = scene.node("north")
    change = renewal.Change(leaving=(scene.id("west"),), joining=(scene.id("lake"),))
    done, waiting = renewal.renew_all(north, change)
    assert scene.vaults["bea"] in {one.vault for one in done}
    assert [(one.vault, one.failed) for one in waiting] == [(scene.vaults["ada"], False)]
    assert scene.id("lake") in scene.custodians("bea")
    again, _ = renewal.renew_all(north, change)
    assert again == [], "nothing is left to do"
    counted = renewal.custodians(north)
    assert counted[scene.id("west")] == 1
    assert counted[scene.id("lake")] == len(done)
    scene.network.settle()
    with scene.node("lake").database.read() as tx:
        assert custody.entries(tx, scene.vaults["bea"], categories=range(64))
    one = renewal.renew_one(
        north, scene.vaults["ada"], change, control=scene.network.session("north", "ada").key
    )
    assert one.epoch == 2
    # And back again, long before the keys of the first epoch are destroyed.
    back = renewal.Change(leaving=(scene.id("lake"),), joining=(scene.id("west"),))
    control = scene.network.session("north", "ada").key
    assert renewal.renew_one(north, scene.vaults["ada"], back, control=control).epoch == 3
    scene.network.settle()
    assert scene.read() == READABLE
    assert {read_capsule(raw).epoch for raw in scene.capsules(3).values()} == {3}


def test_the_commands_do_it_and_say_what_waits(scene: Scene) -> None:
    def run(*words: str, user: str = "") -> Any:
        told = ["vault", *words, "--data", str(scene.folder / "north"), "--json"]
        env = {"SIMDES_USER_PASSPHRASE": consortium.passphrase_of(user)}
        result = CliRunner().invoke(command_line(), told, env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        scene.network.up("north")  # the command answered for north and took that with it
        return json.loads(result.stdout)

    change = ("renew", "--leaving", "Pharmacy West", "--joining", "Hospital Lake")
    ada = "0x" + scene.vaults["ada"].hex()
    told = run(*change)
    assert [one["vault"] for one in told["waiting"]] == [ada]
    assert all(one["epoch"] == 2 for one in told["renewed"])
    told = run(*change, "--patient", ada, "--user", "ada", user="ada")
    assert [one["vault"] for one in told["renewed"]] == [ada]
    counted = run("custodians")
    assert "0x" + scene.id("west").hex() not in counted
    assert len(set(counted.values())) == 1
    assert scene.read() == READABLE


def test_killed_at_any_step_it_goes_on_and_every_record_opens(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    steps = (
        (renewal, "share_out"),  # agreed on
        (resharing, "_store"),  # dealt, not stored
        (resharing, "_let_all_keep"),  # stored
        (renewal, "_put_in_force"),  # kept by all
    )
    before: dict[bytes, bytes] = {}
    for place, (module, name) in enumerate(steps):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, killed)
            with pytest.raises(Killed):
                scene.change()
        assert scene.read() == READABLE
        if place == 2:
            before = scene.capsules(2)
    with pytest.raises(Conflict):  # what is under way is finished first
        renewal.renew(
            scene.node("north"),
            scene.vaults["ada"],
            scene.custodians("ada"),
            m=NEEDED,
            control=scene.network.session("north", "ada").key,
        )
    assert scene.change().epoch == 2
    assert scene.read() == READABLE
    assert scene.capsules(2) == before, "what was dealt is not dealt again"


def test_custodians_that_are_down_stop_it_only_where_they_are_needed(scene: Scene) -> None:
    for name in ("west", "hill", "east"):
        scene.network.down(name)
    with pytest.raises(Unavailable):
        scene.change()
    scene.network.up("east")
    with pytest.raises(SimdesError):  # hill stays: it must say that its shares open
        scene.change()
    assert scene.read() == READABLE
    scene.network.up("hill")
    assert scene.change().epoch == 2, "west, who leaves, is not missed"
    assert scene.read() == READABLE


def test_a_dealer_that_cheats_is_found_by_who_receives(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = resharing._take

    def bent(node: Node, body: object, custodian: bytes, parts: dict[bytes, list]) -> None:  # type: ignore[type-arg]
        take(node, body, custodian, parts)  # type: ignore[arg-type]
        for record, dealt in parts.items():
            part = dealt[-1]
            flipped = tuple(one[:-1] + bytes((one[-1] ^ 1,)) for one in part.sealed)
            parts[record] = [*dealt[:-1], type(part)(part.dealer, part.commitments, flipped)]

    with monkeypatch.context() as patched:
        patched.setattr(resharing, "_take", bent)
        with pytest.raises(Tampered, match="BAD_CAPSULE"):
            scene.change()
    assert scene.read() == READABLE
    assert scene.change().epoch == 2
    assert scene.read() == READABLE
