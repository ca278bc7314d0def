"""The virtual machine: what it keeps, what it takes back, and how its state is folded."""

from __future__ import annotations

from simdes.ledger import rlp
from simdes.ledger.digests import keccak256
from simdes.ledger.machine import Machine
from unit.ledger.chains import COUNTER, REFUSER, TELLER, WRITER

SENDER = b"\x11" * 20
GAS = 1_000_000


def machine() -> Machine:
    made = Machine(chain_id=7, gas_limit=10_000_000)
    made.at(number=1, timestamp=5)
    return made


def deploy(evm: Machine, code: bytes, nonce: int = 0) -> bytes:
    outcome = evm.transact(sender=SENDER, nonce=nonce, to=None, data=code, gas=GAS)
    assert outcome.created is not None
    return outcome.created


def count(evm: Machine, counter: bytes) -> int:
    outcome = evm.transact(sender=SENDER, nonce=0, to=counter, data=b"", gas=GAS)
    [(_, _, data)] = outcome.logs
    return int.from_bytes(data, "big")


def test_a_contracts_address_follows_from_sender_and_nonce() -> None:
    evm = machine()
    for nonce in (0, 1, 5):
        expected = keccak256(rlp.encode([SENDER, rlp.encode_int(nonce)]))[-20:]
        assert deploy(evm, COUNTER, nonce) == expected
    assert evm.code(expected) == COUNTER[11:]


def test_transactions_stay_and_calls_do_not() -> None:
    evm = machine()
    counter = deploy(evm, COUNTER)
    assert [count(evm, counter) for _ in range(3)] == [1, 2, 3]
    for _ in range(3):
        outcome = evm.call(sender=SENDER, nonce=1, to=counter, data=b"", gas=GAS)
        assert outcome.logs[0][2] == (4).to_bytes(32, "big")
    assert evm.storage(counter, 0) == 3


def test_a_simulated_deployment_leaves_nothing() -> None:
    evm = machine()
    deploy(evm, COUNTER)
    outcome = evm.call(sender=SENDER, nonce=1, to=None, data=COUNTER, gas=GAS)
    assert outcome.created is not None
    assert evm.code(outcome.created) == b""
    assert deploy(evm, COUNTER, 1) == outcome.created


def test_a_refusal_carries_its_data_and_changes_nothing() -> None:
    evm = machine()
    refuser = deploy(evm, REFUSER)
    outcome = evm.transact(sender=SENDER, nonce=1, to=refuser, data=b"because", gas=GAS)
    assert not outcome.succeeded
    assert outcome.output == b"because"
    assert not outcome.halted


def test_running_out_of_gas_is_told_apart_from_a_refusal() -> None:
    evm = machine()
    counter = deploy(evm, COUNTER)
    outcome = evm.transact(sender=SENDER, nonce=1, to=counter, data=b"", gas=22_000)
    assert (outcome.succeeded, outcome.output, outcome.gas_used) == (False, b"", 22_000)
    assert "OutOfGas" in outcome.halted
    unfit = evm.transact(sender=SENDER, nonce=1, to=counter, data=b"", gas=100)
    assert unfit.halted
    assert evm.storage(counter, 0) == 0


def test_the_block_is_what_was_set() -> None:
    evm = machine()
    teller = deploy(evm, TELLER)
    evm.at(number=77, timestamp=1_234)
    outcome = evm.call(sender=SENDER, nonce=0, to=teller, data=b"", gas=GAS)
    assert int.from_bytes(outcome.output[:32], "big") == 77
    assert int.from_bytes(outcome.output[32:], "big") == 1_234


def test_folding_keeps_the_state_and_makes_it_cold() -> None:
    evm = machine()
    counter, writer = deploy(evm, COUNTER), deploy(evm, WRITER, 1)
    for value in (0, 1, 2**256 - 1):
        data = value.to_bytes(32, "big")
        evm.transact(sender=SENDER, nonce=2, to=writer, data=data, gas=GAS)
    count(evm, counter)
    warm = evm.transact(sender=SENDER, nonce=3, to=counter, data=b"", gas=GAS).gas_used
    state = evm.fold()
    assert state.accounts[counter] == (1, COUNTER[11:])
    assert set(state.slots) == {
        (counter, 0, 2),
        (writer, 1, 1),
        (writer, 2**256 - 1, 2**256 - 1),
    }
    cold = evm.transact(sender=SENDER, nonce=4, to=counter, data=b"", gas=GAS).gas_used
    assert cold > warm + 2_000
    assert evm.storage(counter, 0) == 3
    assert evm.fold().slots == [(counter, 0, 3)]
    assert evm.fold().slots == []


def test_a_slot_set_back_to_zero_stays_zero() -> None:
    evm = machine()
    # SSTORE(0, calldata)
    switch = deploy(evm, bytes.fromhex("600780600b6000396000f3" + "60003560005500"))
    for value, expected in ((9, 9), (0, 0)):
        data = value.to_bytes(32, "big")
        evm.transact(sender=SENDER, nonce=1, to=switch, data=data, gas=GAS)
        assert evm.fold().slots == [(switch, 0, expected)]
        assert evm.storage(switch, 0) == expected


def test_a_loaded_state_behaves_like_the_one_it_was_taken_from() -> None:
    first, second = machine(), machine()
    counter = deploy(first, COUNTER)
    for _ in range(5):
        count(first, counter)
    second.load(first.fold())
    second.at(number=1, timestamp=5)
    assert second.code(counter) == first.code(counter)
    results = [
        evm.transact(sender=SENDER, nonce=1, to=counter, data=b"", gas=GAS)
        for evm in (first, second)
    ]
    assert results[0] == results[1]
    assert results[0].logs[0][2] == (6).to_bytes(32, "big")
    assert deploy(first, COUNTER, 9) == deploy(second, COUNTER, 9)


def test_calls_leave_nothing_behind_in_revms_journal() -> None:
    evm = machine()
    counter = deploy(evm, COUNTER)
    before = evm._evm.journal_len
    for _ in range(2_000):
        evm.call(sender=SENDER, nonce=1, to=counter, data=b"", gas=GAS)
    assert evm._evm.journal_len == before
    assert len(evm._evm.checkpoint_ids) == 1


def test_a_call_in_a_contracts_name_does_not_harm_the_contract() -> None:
    """revm takes a new nonce only with the whole account, code included."""
    evm = machine()
    counter = deploy(evm, COUNTER)
    count(evm, counter)
    evm.call(sender=counter, nonce=0, to=None, data=COUNTER, gas=GAS)
    assert evm.code(counter) == COUNTER[11:]
    assert count(evm, counter) == 2
    evm.fold()
    evm.call(sender=counter, nonce=0, to=None, data=COUNTER, gas=GAS)
    assert evm.code(counter) == COUNTER[11:]
    assert count(evm, counter) == 3
