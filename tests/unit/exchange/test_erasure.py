"""A vault erased everywhere: receipts, who does not answer, charts that the law keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from typer.testing import CliRunner

from simdes import app, console
from simdes.access import custody_erasure, orders
from simdes.access.orders import sign_order
from simdes.access.requests import verify_receipt
from simdes.app import Opened
from simdes.cli import command_line
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden, Invalid, NotFound, Unavailable
from simdes.exchange import erasure, membership
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.node import Node
from simdes.exchange.submit import Refused
from simdes.exchange.wallet_signatures import SIGN_SECONDS
from simdes.index import contents, custody, erasures, resources, vaults
from simdes.own_store import storekeeper
from support import consortium
from support.backups import NAMES, PATIENT_A, found
from support.consortium import Consortium

LAW = "ten years, § 630f BGB"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of three; a patient's record at north, anchored."""
    folder = tmp_path_factory.mktemp("erasure") / "network"
    found(folder, {})
    return folder


@pytest.fixture
def clock() -> consortium.Clock:
    return consortium.Clock()


@pytest.fixture
def network(template: Path, tmp_path: Path, clock: consortium.Clock) -> Iterator[Consortium]:
    folder = consortium.copy(template, tmp_path / "network")
    with consortium.opened(folder, clock=clock) as opened:
        yield opened


def the_vault(one: Opened) -> bytes:
    with one.node.database.read() as tx:
        [row] = tx.all("SELECT DISTINCT vault FROM record")
    return bytes(row[0])


def resubmit(network: Consortium) -> list[Any]:
    [(name, data)] = consortium.sample_messages(PATIENT_A)
    return network.submit("north", name, data.replace(b"OBX|1|", b"OBX|9|", 1))


def bound_keys(network: Consortium, tag: bytes) -> int:
    count = 0
    for one in network.members.values():
        with one.node.database.read() as tx:
            count += sum(key.private_wrapped is not None for key in custody.keys_of(tx, tag))
    return count


def with_duty(network: Consortium, name: str) -> None:
    """Let a member be one whose law has it keep charts."""
    one = network[name]
    desk = replace(one.node.desk, chart_duty=LAW)
    custodian = CustodyDesk(desk, one.node.following)
    app._here.shut(one.node.organisation)
    app._here.open(one.node.organisation, custodian.answer)


def test_everybody_signs_and_nothing_is_left_that_opens_it(network: Consortium) -> None:
    north = network["north"].node
    tag = the_vault(network["north"])
    before = erasure.look(north, tag)
    assert (before.holds, len(before.waiting), before.receipts) == (False, 3, ())
    assert bound_keys(network, tag) == 3
    done = erasure.erase(north, tag)
    assert done.holds and not done.waiting
    assert {one.chart for one in done.receipts} == {"erased", "none"}
    assert bound_keys(network, tag) == 0
    with north.database.read() as tx:
        row = vaults.get(tx, tag)
        assert row is not None and row.key_wrapped is None and row.state == vaults.ERASED
        assert contents.kept_of_vault(tx, tag) == []
        assert tx.one("SELECT 1 FROM entry WHERE vault = :tag", tag=tag) is None
    for receipt in done.receipts:  # evidence that holds by itself
        claims, _ = verify_receipt(receipt.token)
        assert json.dumps(claims.receipt).find(tag.hex()) > 0
    [answer] = resubmit(network)
    assert isinstance(answer, Refused)
    assert erasure.erase(north, tag).receipts == done.receipts  # nobody is asked twice


def test_stored_bytes_go_everywhere(network: Consortium) -> None:
    north = network["north"]
    tag = the_vault(north)
    with north.node.database.read() as tx:
        cids = contents.kept_of_vault(tx, tag)
    assert cids
    erasure.erase(north.node, tag)
    for _ in range(3):
        for name in NAMES:
            storekeeper(network[name]).work()
    for name in NAMES:
        for cid in cids:
            with pytest.raises(NotFound):
                network[name].node.store.get_block_here(cid)


def test_it_holds_without_one_that_is_away_and_is_whole_once_it_is_back(
    network: Consortium,
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    network.down("south")
    first = erasure.erase(north, tag)
    assert first.holds and len(first.receipts) == 2  # 2 of 3 are too few to open by the third
    assert list(first.waiting) == [network["south"].node.organisation]
    network.down("east")
    network.up("south")
    second = erasure.erase(north, tag)
    assert second.holds and not second.waiting
    assert bound_keys(network, tag) == 0


def test_who_was_away_is_asked_by_itself_once_it_is_back_without_the_patient(
    network: Consortium, clock: consortium.Clock
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    south = network["south"].node.organisation
    key = network.enrol(tag, "ada").key
    network.down("south")
    erasure.erase(north, tag, control=key)
    for tries in (1, 2, 3):
        clock.ahead_seconds += pause_of(north, tag)
        storekeeper(network["north"]).work()
        found = erasure.look(north, tag)
        assert list(found.waiting) == [south]
        assert found.begun is not None and found.begun.tries == tries
    assert pause_of(north, tag) > 12  # it is asked less and less often
    network.up("south")
    storekeeper(network["north"]).work()
    assert erasure.look(north, tag).waiting  # not before it is due
    clock.ahead_seconds += pause_of(north, tag)
    assert storekeeper(network["north"]).work().signed == 1
    done = erasure.look(north, tag)
    assert done.holds and not done.waiting and bound_keys(network, tag) == 0
    assert done.begun is not None and done.begun.settled_ms is not None
    clock.ahead_seconds += 7_200
    assert erasure.go_on(north) == 0


def test_a_round_asks_each_that_is_silent_once_and_goes_on_after_a_restart(
    template: Path, tmp_path: Path
) -> None:
    folder, clock = consortium.copy(template, tmp_path / "network"), consortium.Clock()
    with consortium.opened(folder, clock=clock) as network:
        tag = the_vault(network["north"])
        network.down("south")
        network.down("east")
        erasure.erase(network["north"].node, tag)
    clock.ahead_seconds += 60
    with consortium.opened(folder, clock=clock) as network:
        network.down("east")
        assert erasure.go_on(network["north"].node) == 1
        found = erasure.look(network["north"].node, tag)
        assert list(found.waiting) == [network["east"].node.organisation] and found.holds


def test_it_goes_on_while_our_own_store_does_not_answer(
    network: Consortium, clock: consortium.Clock
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    network.down("south")
    erasure.erase(north, tag)
    network.up("south")
    clock.ahead_seconds += pause_of(north, tag)
    away = mock.patch.object(type(north.store), "delete", side_effect=Unavailable("The store."))
    with away as deleting, pytest.raises(Unavailable, match="The store"):
        storekeeper(network["north"]).work()
    assert deleting.called and not erasure.look(north, tag).waiting


def test_what_one_process_asks_no_second_asks_at_the_same_time(
    network: Consortium, clock: consortium.Clock
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    network.down("south")
    erasure.erase(north, tag)
    network.up("south")
    clock.ahead_seconds += pause_of(north, tag)
    true, asked = erasure.ask, list[bytes]()

    def while_the_second_looks(caller: Any, organisation: bytes, *others: Any) -> Any:
        asked.append(organisation)
        if len(asked) == 1:
            assert erasure.go_on(north) == 0
        return true(caller, organisation, *others)

    with mock.patch.object(erasure, "ask", side_effect=while_the_second_looks):
        assert erasure.go_on(north) == 1
    assert asked == [network["south"].node.organisation]


def test_a_custodian_that_is_suspended_is_waited_for_until_it_signs_too(
    network: Consortium, clock: consortium.Clock
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    south = network["south"].node.organisation
    owner = network.session("north", consortium.ADMINISTRATOR).key
    membership.suspend_organisation(north, owner, south)
    found = erasure.erase(north, tag)
    assert found.holds and found.waiting == {south: "is suspended: asked once it is verified again"}
    assert found.begun is not None and found.begun.settled_ms is None
    assert pause_of(north, tag) > 3_500  # it can't be asked now
    with north.database.read() as tx:
        assert "suspended" in erasures.missing(tx, tag)[south].why  # for simdes doctor
    clock.ahead_seconds += pause_of(north, tag)
    assert erasure.go_on(north) == 0 and pause_of(north, tag) > 3_500
    owner = network.session("north", consortium.ADMINISTRATOR).key
    membership.verify_organisation(north, owner, south)
    network.settle()
    clock.ahead_seconds += pause_of(north, tag)
    assert erasure.go_on(north) == 1
    done = erasure.look(north, tag)
    assert not done.waiting and bound_keys(network, tag) == 0
    assert done.begun is not None and done.begun.settled_ms is not None


def test_it_is_not_settled_while_an_epochs_custodians_cant_be_read(network: Consortium) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    with mock.patch.object(erasure.epochs, "ever", return_value=()):
        found = erasure.erase(north, tag)
    assert found.unknown == 1 and not found.waiting
    assert found.begun is not None and found.begun.settled_ms is None


def test_an_order_by_a_key_that_was_replaced_waits_for_the_patient(
    network: Consortium, clock: consortium.Clock
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    south = network["south"].node.organisation
    ada = network.enrol(tag, "ada")
    network.down("south")
    erasure.erase(north, tag, control=ada.key)
    network.up("south")
    stranger = network.session("north", "dr.north").key
    with north.database.read() as tx:
        before = erasures.get(tx, tag)
    assert before is not None
    erasure.erase(north, tag, control=stranger)  # signs for nothing, and replaces no order
    with north.database.read() as tx:
        after = erasures.get(tx, tag)
    assert after is not None and after.signed == before.signed
    worthless = sign_order(
        stranger, chain=north.contracts.ledger.chain_id(), vault=tag, now_seconds=0
    )
    north.database.write(lambda tx: erasures.put(tx, replace(before, signed=worthless)))
    clock.ahead_seconds += pause_of(north, tag)
    assert erasure.go_on(north) == 0
    assert "BAD_ORDER" in erasure.look(north, tag).waiting[south]
    assert pause_of(north, tag) > 80_000  # each refusal stands in a trail: once a day
    assert not erasure.erase(north, tag, control=ada.key).waiting


def test_what_a_wallet_ordered_is_carried_on_and_an_older_custodian_is_told_of(
    network: Consortium, clock: consortium.Clock
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    south = network["south"].node.organisation
    ada = network.enrol(tag, "ada")
    order = signed_order(north, tag, ada.key)
    assert not erasure.ordered_by(north, tag, ada.key.address)
    older = mock.patch.object(custody_erasure, "_orderer", side_effect=reads_no_wallets(south))
    with older:
        found = erasure.erase(north, tag, order=order)
        assert found.refusing == (south,) and len(found.receipts) == 2
        assert pause_of(north, tag) < 60  # the others signed just now
        clock.ahead_seconds += pause_of(north, tag)
        assert erasure.go_on(north) == 0 and pause_of(north, tag) > 80_000
    assert erasure.ordered_by(north, tag, ada.key.address)
    clock.ahead_seconds += pause_of(north, tag)
    assert erasure.go_on(north) == 1, "it was upgraded meanwhile"
    done = erasure.look(north, tag)
    assert not done.waiting and not done.refusing and bound_keys(network, tag) == 0


def reads_no_wallets(organisation: bytes) -> Any:
    """A release before wallets' orders, at one organisation."""
    true = custody_erasure._orderer

    def orderer(desk: Any, carrier: Any, tag: bytes, known: Any, order: str) -> Any:
        if desk.organisation == organisation and order.startswith("eip712"):
            return carrier, custody_erasure.BAD_ORDER
        return true(desk, carrier, tag, known, order)

    return orderer


def signed_order(node: Node, tag: bytes, key: SigningKey) -> str:
    """What this key signs now, as a wallet does."""
    data = erasure.to_sign(node, tag)
    [issued] = [one for one in data.values if isinstance(one, int)]
    signature = key.sign(data.digest)
    return erasure.wallet_order(
        node, tag, wallet=key.address, issued_seconds=issued, signature=signature
    )


def test_an_order_of_somebody_else_or_of_another_time_begins_nothing(network: Consortium) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    ada, doctor = network.enrol(tag, "ada"), network.session("north", "dr.north")
    for order in (signed_order(north, tag, doctor.key), "eip712.1.00", "rubbish"):
        with pytest.raises(Forbidden):
            erasure.erase(north, tag, order=order)
    data = erasure.to_sign(north, tag)
    [now] = [one for one in data.values if isinstance(one, int)]
    for issued in (0, now - SIGN_SECONDS - 60, now + 3_600):
        signature = ada.key.sign(
            orders.typed_data(north.contracts, vault=tag, issued_seconds=issued).digest
        )
        with pytest.raises(Invalid, match="time to sign"):
            erasure.wallet_order(
                north, tag, wallet=ada.key.address, issued_seconds=issued, signature=signature
            )
    assert erasure.look(north, tag).begun is None and bound_keys(network, tag) == 3


def pause_of(node: Node, tag: bytes) -> float:
    """Seconds until who has not signed is asked again."""
    begun = erasure.look(node, tag).begun
    assert begun is not None
    return max(0.0, begun.next_ms / 1000 - node.desk.clock()) + 0.001


def test_it_does_not_hold_while_enough_are_away_to_open_a_record(network: Consortium) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    network.down("south")
    network.down("east")
    found = erasure.erase(north, tag)
    assert not found.holds and len(found.waiting) == 2
    assert [len(one.gone) for one in found.epochs] == [1]


def test_a_chart_that_the_law_keeps_is_named_and_nothing_new_comes_into_it(
    network: Consortium,
) -> None:
    with_duty(network, "north")
    with_duty(network, "south")
    north, tag = network["north"].node, the_vault(network["north"])
    done = erasure.erase(north, tag)
    kept = {one.organisation: (one.chart, one.duty) for one in done.receipts}
    assert kept[north.organisation] == ("kept", LAW)
    assert kept[network["south"].node.organisation] == ("none", "")  # it wrote nothing
    assert done.holds and bound_keys(network, tag) == 0
    with north.database.read() as tx:
        row = vaults.get(tx, tag)
        assert row is not None and row.key_wrapped is not None and row.is_closed
        assert resources.any_of_vault(tx, tag)
        assert contents.kept_of_vault(tx, tag) == []
    [answer] = resubmit(network)
    assert isinstance(answer, Refused)


def test_only_the_patient_has_a_vault_erased_that_they_control(network: Consortium) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    patient = network.enrol(tag, "ada")
    with pytest.raises(Forbidden, match="CONTROLLED"):
        erasure.erase(north, tag)
    assert bound_keys(network, tag) == 3 and erasure.look(north, tag).begun is None
    done = erasure.erase(north, tag, control=patient.key)
    assert done.holds and bound_keys(network, tag) == 0


def test_an_administrator_at_the_same_time_does_not_take_the_patients_order_away(
    network: Consortium,
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    patient = network.enrol(tag, "ada")
    network.down("south")
    found = erasure.look(north, tag)  # what the administrator's command saw
    signed = erasure.erase(north, tag, control=patient.key).begun
    assert signed is not None and signed.signed
    with mock.patch.object(erasure, "look", return_value=found), pytest.raises(Forbidden):
        erasure.erase(north, tag)
    assert erasure.look(north, tag).begun == signed


def test_what_somebody_else_kept_meanwhile_is_not_put_back(network: Consortium) -> None:
    south, tag = network["south"].node, the_vault(network["north"])
    theirs = erasures.Begun(vault=tag, signed="what the patient signed", begun_ms=1, next_ms=2)
    true = erasure.ask

    def meanwhile(*asked: Any) -> Any:
        south.database.write(lambda tx: erasures.put(tx, theirs))
        return true(*asked)

    with (
        mock.patch.object(erasure, "ask", side_effect=meanwhile),
        pytest.raises(Forbidden, match="NOT_ITS_VAULT"),
    ):
        erasure.erase(south, tag)
    with south.database.read() as tx:
        assert erasures.get(tx, tag) == theirs


def test_a_patients_vault_without_an_order_is_refused_before_it_is_a_job(
    network: Consortium,
) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    patient = network.enrol(tag, "ada")
    network.down("south")
    erasure.erase(north, tag, control=patient.key)
    # As the release before orders left it: our receipt is there, and nothing that goes on.
    north.database.write(lambda tx: tx.run("DELETE FROM erasure"))
    with pytest.raises(Forbidden, match="CONTROLLED"):
        erasure.erase(north, tag)
    assert erasure.look(north, tag).begun is None


def test_a_receipt_that_says_something_else_is_none(network: Consortium) -> None:
    north, tag = network["north"].node, the_vault(network["north"])
    true = erasure.ask

    def lying(caller: Any, organisation: bytes, verb: str, body: Any) -> Any:
        answer = true(caller, organisation, verb, body)
        if organisation == network["east"].node.organisation:
            return replace(answer, receipt=dict(answer.receipt) | {"epochs": [7]})
        return answer

    with mock.patch.object(erasure, "ask", side_effect=lying):
        found = erasure.erase(north, tag)
    assert list(found.waiting) == [network["east"].node.organisation]
    assert "agreed form" in found.waiting[network["east"].node.organisation]
    with pytest.raises(NotFound):
        erasure.look(north, bytes(32))


def command(data: Path, *arguments: str) -> tuple[int, Any]:
    words = ["vault", "erase", "--data", str(data), *arguments, "--json"]
    result = CliRunner().invoke(command_line(), words, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value or 0, json.loads(result.stdout)


def test_the_command_says_who_would_be_asked_then_who_signed(
    template: Path, tmp_path: Path
) -> None:
    folder = consortium.copy(template, tmp_path / "network")
    with consortium.opened(folder) as network:
        tag = f"0x{the_vault(network['north']).hex()}"
    with consortium.own_settings():
        code, would = command(folder / "north", "--patient", tag, "--dry-run")
        assert (code, would["holds"], len(would["waiting"]), would["receipts"]) == (0, False, 3, [])
        # The others' gateways do not run: ours signed, theirs are waited for.
        code, found = command(folder / "north", "--patient", tag)
        assert code == console.EXIT_CODES[Unavailable]
        assert (len(found["receipts"]), len(found["waiting"]), found["holds"]) == (1, 2, False)
        assert found["epochs"][0]["needed"] == 2
        verify_receipt(found["receipts"][0]["receipt"].encode())
        code, later = command(folder / "north", "--patient", tag, "--status")
        assert code == console.EXIT_CODES[Unavailable]
        assert later["waiting"] == found["waiting"] and later["job"]["nextMs"] > 0
        assert later["job"]["tries"] == 0 and later["job"]["settledMs"] is None
        plain = CliRunner().invoke(
            command_line(), ["vault", "erase", "--data", str(folder / "north"), "--patient", tag]
        )
        assert "keys destroyed" in plain.stdout and "does not hold yet" in plain.stdout
