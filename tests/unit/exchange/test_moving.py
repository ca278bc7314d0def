"""A patient's account moves from a hosted key to a wallet, and back by guardians."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.ethereum import Account
from simdes.access.accounts import suspend_account, verify_account
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR
from simdes.cli import command_line
from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Forbidden, Invalid, Unauthenticated
from simdes.exchange import (
    consents,
    credentials,
    enrolment,
    guardians,
    indexing,
    moving,
    recovering,
    resharing,
    wallet_sign_ins,
    wallets,
)
from simdes.exchange.claims import fingerprints, opening, steps
from simdes.exchange.credentials import Client
from simdes.exchange.guardians import Chosen
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import issuing, settling
from simdes.exchange.signin import Session, sign_in
from simdes.index import guardians as rows
from simdes.index import vaults
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of

STEPS = (
    *(indexing.catch_up, issuing.work, settling.settle, opening.work, steps.settle),
    *(resharing.tend, guardians.put_in_force, fingerprints.tend, resharing.retire),
)
"""What a worker does in turn, beside sealing and anchoring (`exchange.worker`)."""
NEW = "a whole new passphrase"


@dataclass(slots=True)
class Town:
    """A network with a patient who wants a wallet, and friends who guard her."""

    network: Consortium
    clock: Clock
    vault: bytes

    @property
    def node(self) -> Node:
        return self.network["north"].node

    @property
    def rosa(self) -> Session:
        return self.network.session("north", "rosa")

    @property
    def account(self) -> bytes:
        return self.node.desk.keystore.person("rosa").account

    def wait(self) -> None:
        """Let the network's delay pass, and the workers do their part."""
        self.pass_delay()
        for one in self.network.members.values():
            guardians.put_in_force(one.node)
            recovering.tend(one.node)

    def pass_delay(self) -> None:
        self.clock.ahead_seconds += self.node.contracts.accounts.delay_seconds() + 1
        self.network.sessions.clear()

    def move(self, wallet: SigningKey) -> None:
        data = moving.prepare(self.node, self.rosa, wallet.address)
        signed = Account.sign_typed_data(wallet.to_bytes(), full_message=data.document())
        deadline = data.values[3]
        assert isinstance(deadline, int)
        moving.move(
            self.node,
            self.rosa,
            wallet.address,
            deadline=deadline,
            signature=bytes(signed.signature),
        )


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("moving") / "network", Clock()
    consortium.found(folder)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        network.submit("north", *consortium.sample_messages()[0])
        network.settle()
        with network["north"].node.database.read() as tx:
            [tag] = [one.tag for one in vaults.page(tx) if one.control is None][:1]
        network.enrol(tag, "rosa")
        yield Town(network, clock, tag)


def key() -> SigningKey:
    return SigningKey.generate(secrets.token_bytes)


def signed(town: Town, wallet: SigningKey, by: SigningKey) -> dict[str, Any]:
    data = moving.prepare(town.node, town.rosa, wallet.address)
    return {"deadline": data.values[3], "signature": by.sign(data.digest)}


def test_commands_write_what_is_signed_and_send_it(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Commands go by the real time, which later tests here leave behind.
    file, wallet = tmp_path / "move.json", key()
    monkeypatch.setenv("SIMDES_USER_PASSPHRASE", passphrase_of("rosa"))
    data = ("--data", str(town.network["north"].data), "--user", "rosa")

    def simdes(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(command_line(words[0]), [*words[:2], *data, *words[2:]])
        assert (done.exit_code == 0) is (code == 0), done.output
        return done.output

    address = ("--address", f"0x{wallet.address.hex()}")
    simdes("wallet", "move", *address, code=1)
    simdes("wallet", "move", *address, "--signature", "0x", code=1)
    assert "no guardians" in simdes("wallet", "move", *address, "--out", str(file))
    document = json.loads(file.read_text())["typedData"]
    signature = Account.sign_typed_data(wallet.to_bytes(), full_message=document).signature
    then = ("--request", str(file), "--signature")
    simdes("wallet", "move", *then, f"0x{bytes(65).hex()}", code=1)
    assert "simdes key cancel" in simdes("wallet", "move", *then, f"0x{signature.hex()}")
    assert recovering.waiting_wallet(town.node, town.account) is not None
    assert "Withdrawn" in simdes("key", "cancel")
    file.write_text("{}")
    simdes("wallet", "move", *then, f"0x{signature.hex()}", code=1)
    for member in town.network.members:
        town.network.up(member)  # a command that ends takes the member's custody API along


def test_only_a_wallet_that_is_there_takes_an_account(town: Town) -> None:
    node, wallet = town.node, key()
    mine = signed(town, wallet, wallet)
    for wrong in (
        signed(town, wallet, key()),
        mine | {"signature": bytes(65)},
        mine | {"deadline": mine["deadline"] - 1},
    ):
        with pytest.raises(Forbidden):
            moving.move(node, town.rosa, wallet.address, **wrong)
    with pytest.raises(Forbidden):
        moving.move(node, town.rosa, key().address, **mine)
    for deadline in (1, node.now_seconds() + wallets.SIGN_SECONDS + 60):
        with pytest.raises(Invalid):
            moving.move(node, town.rosa, wallet.address, **(mine | {"deadline": deadline}))
    assert node.contracts.accounts.pending_rotation(town.account) is None


def test_what_may_not_move_or_be_moved_to_is_refused(town: Town) -> None:
    node, rosa = town.node, town.rosa
    doctor = town.network.session("north", "dr.north")
    for taken in (rosa.actor.address, doctor.actor.address, bytes(20)):
        with pytest.raises(Conflict):
            moving.prepare(node, rosa, taken)
    with pytest.raises(Forbidden):
        moving.prepare(node, doctor, key().address)
    with pytest.raises(Forbidden):
        moving.standing(node, doctor)
    recovering.rotate(node, rosa, NEW)
    with pytest.raises(Conflict, match="waits"):
        moving.prepare(node, rosa, key().address)
    with pytest.raises(Conflict):
        moving.call_off(node, rosa)  # a new key is withdrawn where it is shown
    recovering.cancel_rotation(node, rosa)


def test_it_waits_and_can_be_called_off(town: Town) -> None:
    node, wallet = town.node, key()
    town.move(wallet)
    waiting = moving.standing(node, town.rosa).waiting
    assert waiting is not None and waiting.key == wallet.address
    with pytest.raises(Conflict):
        moving.prepare(node, town.rosa, key().address)
    recovering.tend(node)
    assert not node.desk.keystore.person("rosa").wallet, "the delay is not over"
    moving.call_off(node, town.rosa)
    town.wait()
    assert town.rosa.key.address == node.desk.keystore.person("rosa").address
    assert moving.standing(node, town.rosa).waiting is None


def test_a_suspended_account_and_one_that_a_recovery_waits_for_stay(town: Town) -> None:
    node, rosa, contracts = town.node, town.rosa, town.node.contracts
    administrator = node.lane(town.network.session("north", ADMINISTRATOR).key)
    suspend_account(contracts, administrator, town.account)
    with pytest.raises(Forbidden, match="suspended"):
        moving.prepare(node, rosa, key().address)
    verify_account(contracts, administrator, town.account)
    befriend(town)
    begun = recovering.begin(node, "rosa", NEW, address="203.0.113.8")
    friend = town.network.session("south", "friend.south")
    recovering.vouch(town.network["south"].node, friend, town.account, begun.code)
    recovering.tend(node)
    with pytest.raises(Conflict, match="asked for a new key"):
        moving.prepare(node, town.rosa, key().address)
    recovering.veto(node, town.rosa)
    seen = moving.standing(node, town.rosa)
    assert seen.guarded and seen.wards == 0 and seen.waiting is None
    friend_node = town.network["south"].node
    assert moving.standing(friend_node, town.network.session("south", "friend.south")).wards == 1


class Killed(BaseException):
    """A process ends in the middle."""


def killing(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, *, after: bool) -> None:
    real: Callable[..., Any] = getattr(where, name)

    def killed(*given: Any, **named: Any) -> Any:
        if after:
            real(*given, **named)
        raise Killed

    monkeypatch.setattr(where, name, killed)


def test_a_kill_between_any_two_steps_loses_and_repeats_nothing(town: Town) -> None:
    node, wallet = town.node, key()
    accounts, keystore = node.contracts.accounts, node.desk.keystore
    file = town.network["north"].data / "keystore.json"
    before = file.read_bytes()
    client = Client("203.0.113.7", "a browser")
    cookie = credentials.sign_in(node, "rosa", passphrase_of("rosa"), client=client).cookie
    for after in (False, True):  # before the ledger has it, and after
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            killing(patch, type(node.lane(town.rosa.key)), "transact", after=after)
            town.move(wallet)
    waiting = accounts.pending_rotation(town.account)
    assert waiting is not None and waiting.key == wallet.address
    assert recovering.waiting_wallet(node, town.account) == waiting
    recovering.tend(node)
    with node.database.read() as tx:
        [kept] = rows.recoveries(tx, town.account)
    assert kept.state == rows.SENT, "strangers who ask for keys push it out no more"
    town.pass_delay()
    old = town.rosa
    for where, name, after in (
        (type(node.agent), "transact", True),
        (type(keystore), "replace_key", False),
        (type(keystore), "replace_key", True),
    ):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            killing(patch, where, name, after=after)
            recovering.tend(node)
    assert recovering.tend(node) == 1
    assert recovering.tend(node) == 0
    person = keystore.person("rosa")
    assert person.wallet and person.address == wallet.address
    with pytest.raises(Unauthenticated):
        sign_in(node, "rosa", passphrase_of("rosa"))
    with pytest.raises(Unauthenticated):
        _ = old.key
    with pytest.raises(Unauthenticated):
        credentials.resume(node, cookie)
    decides_by_wallet(town, wallet)
    file.write_bytes(before)
    signs_in_after_a_restore(town, wallet)
    lets_a_new_key_in(town)


def befriend(town: Town) -> None:
    """Two friends elsewhere who guard her, one of whom suffices."""
    chosen = []
    for name in ("south", "east"):
        network = town.network
        person = enrolment.add_person(
            network[name].node,
            network.session(name, ADMINISTRATOR),
            f"friend.{name}",
            role=network["north"].node.desk.keystore.person("rosa").role,
            passphrase=passphrase_of(f"friend.{name}"),
        )
        chosen.append(Chosen(account=person.account, label=name))
    guardians.appoint(town.node, town.rosa, chosen, threshold=1, name="Rosa")
    town.wait()


def decides_by_wallet(town: Town, wallet: SigningKey) -> None:
    """The vault is the wallet's now: it grants and withdraws; feeds and workers go on."""
    node, network = town.node, town.network
    network.submit("north", *consortium.sample_messages()[0])
    network.settle()
    for step in STEPS:
        step(node)
    south = network["south"].node
    request = wallets.grant(
        node,
        vault=town.vault,
        grantee=Grantee.organisation(south.organisation),
        categories=["observations"],
        purposes=["TREAT"],
        valid_seconds=86_400,
    )
    wallets.send(node, request, wallet.sign(request.data.digest))
    node.following.catch_up()
    [given] = [one for one in consents.listed(node, town.vault) if one.state == "active"]
    assert given.organisation == south.organisation
    request = wallets.revoke(node, vault=town.vault, handle=given.handle)
    wallets.send(node, request, wallet.sign(request.data.digest))


def signs_in_after_a_restore(town: Town, wallet: SigningKey) -> None:
    """The key store is of before the move: the chain says whose key it is, and the wallet signs."""
    node = town.node
    assert not node.desk.keystore.person("rosa").wallet
    with pytest.raises(Forbidden):
        sign_in(node, "rosa", passphrase_of("rosa"))
    asking = wallet_sign_ins.prepare(node, wallet.address, binding="a browser")
    signature = wallet.sign(asking.data.digest)
    client = Client("203.0.113.7", "a browser")
    wallet_sign_ins.sign_in(node, asking.held, signature, binding="a browser", client=client)
    assert node.desk.keystore.person("rosa").wallet


def lets_a_new_key_in(town: Town) -> None:
    """The wallet is lost: guardians let in a key that is kept here again, under a passphrase."""
    node, south = town.node, town.network["south"].node
    begun = recovering.begin(node, "rosa", NEW, address="203.0.113.9")
    friend = town.network.session("south", "friend.south")
    recovering.vouch(south, friend, town.account, begun.code)
    recovering.tend(node)
    town.wait()
    assert not node.desk.keystore.person("rosa").wallet
    again = sign_in(node, "rosa", NEW)
    assert consents.vaults_of(node, again) == [town.vault]
    with pytest.raises(Forbidden):
        wallets.revoke(node, vault=town.vault, handle=bytes(32))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"wallet": "0x" + "ab" * 20},
        {"wallet": "0x" + "ab" * 19, "deadline": "1"},
        {"wallet": "0x" + "ab" * 32, "deadline": "1"},
        {"wallet": 7, "deadline": "1"},
        {"wallet": "0x" + "ab" * 20, "deadline": float("inf")},
        {"wallet": "0x" + "ab" * 20, "deadline": []},
    ],
)
def test_a_file_that_is_no_request_to_move_is_refused(message: dict[str, object]) -> None:
    text = json.dumps({"type": "wallet-move", "v": 1, "typedData": {"message": message}})
    with pytest.raises(Invalid):
        moving.read(text)
