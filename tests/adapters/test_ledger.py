"""What a ledger promises, on the embedded one and on a real node."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from adapters.ledgers import random_key
from adapters.probes import ACCESS_LIST, LEGACY, ORDER, Probe, fresh_lane, signed
from simdes.errors import Conflict, Invalid, SimdesError, TooLarge
from simdes.ledger import rlp
from simdes.ledger.digests import keccak256
from simdes.ledger.lane import Lane
from simdes.ledger.ledger import Address, Ledger, Reverted
from simdes.ledger.transactions import sign_transaction

# --- blocks --------------------------------------------------------------------------------


def test_blocks_are_chained_from_the_genesis(ledger: Ledger, lane: Lane, probe: Address) -> None:
    head = ledger.head()
    assert head.number >= 1
    for number in {
        *range(1, min(head.number, 20) + 1),
        *range(max(1, head.number - 20), head.number + 1),
    }:
        block, parent = ledger.block(number), ledger.block(number - 1)
        assert block is not None
        assert parent is not None
        assert block.parent == parent.hash
        assert block.timestamp >= parent.timestamp
    assert ledger.block(head.number + 1_000) is None


def test_a_receipt_names_the_block_it_stands_in(
    ledger: Ledger, lane: Lane, contract: Probe
) -> None:
    receipt = lane.transact(contract.call("set", 1, 2))
    block = ledger.block(receipt.block_number)
    assert block is not None
    assert receipt.block_hash == block.hash
    assert all(log.block_hash == block.hash for log in receipt.logs)
    assert receipt.gas_used > 21_000


# --- transactions --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [{}, LEGACY, ACCESS_LIST], ids=["1559", "legacy", "2930"])
def test_every_kind_of_transaction_is_taken_at_zero_price(
    ledger: Ledger, contract: Probe, kind: dict[str, Any]
) -> None:
    key = random_key()
    data = contract.call("set", 7, 8).data
    raw = signed(ledger, key, to=contract.address, data=data, gas=400_000, **kind)
    sent = ledger.send(raw)
    assert sent == keccak256(raw)
    receipt = fresh_lane(ledger).wait(sent)
    assert receipt.succeeded
    assert receipt.logs[0].topics[1][-20:] == key.address
    assert ledger.nonce(key.address) == 1


@pytest.mark.parametrize("dynamic_fee", [True, False])
def test_our_own_signatures_say_the_same_as_eth_account(ledger: Ledger, dynamic_fee: bool) -> None:
    key, other = random_key(), random_key()
    fields = {"nonce": 3, "gas": 50_000, "data": b"\1\2"}
    _, ours = sign_transaction(
        key, chain_id=ledger.chain_id(), to=other.address, dynamic_fee=dynamic_fee, **fields
    )
    kind = {} if dynamic_fee else LEGACY
    assert ours == signed(ledger, key, to=other.address, **fields, **kind)


def test_the_same_transaction_sent_twice_happens_once(ledger: Ledger, contract: Probe) -> None:
    key = random_key()
    data = contract.call("set", 11, 1).data
    raw = signed(ledger, key, to=contract.address, data=data, gas=400_000)
    first = ledger.send(raw)
    assert ledger.send(raw) == first
    fresh_lane(ledger).wait(first)
    assert ledger.send(raw) == first
    assert ledger.nonce(key.address) == 1


def test_a_second_transaction_of_the_same_nonce_is_a_conflict(ledger: Ledger) -> None:
    key = random_key()
    fresh_lane(ledger).wait(ledger.send(signed(ledger, key)))
    with pytest.raises(Conflict):
        ledger.send(signed(ledger, key, data=b"\1"))
    assert ledger.nonce(key.address) == 1


def test_a_transaction_for_another_chain_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Invalid):
        ledger.send(signed(ledger, random_key(), chainId=ledger.chain_id() + 1))


def test_a_transaction_with_a_flipped_signature_is_not_the_signers(ledger: Ledger) -> None:
    key = random_key()
    fields = rlp.decode(signed(ledger, key)[1:])
    assert isinstance(fields, list)
    fields[-3] = b"\1" if fields[-3] == b"" else b""
    raw = b"\2" + rlp.encode(fields)
    with suppress(Invalid):  # where no key fits this signature
        fresh_lane(ledger).wait(ledger.send(raw))
    assert ledger.nonce(key.address) == 0


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (-1, b""),
        (-2, b""),
        (-1, rlp.encode_int(ORDER)),
        (-2, rlp.encode_int(ORDER)),
        (-3, b"\5"),
        (-1, b"\0" + b"\1" * 31),
    ],
    ids=["no s", "no r", "s too large", "r too large", "no such parity", "s not canonical"],
)
def test_an_unsigned_or_malformed_transaction_is_refused(
    ledger: Ledger, place: int, value: bytes
) -> None:
    fields = rlp.decode(signed(ledger, random_key())[1:])
    assert isinstance(fields, list)
    fields[place] = value
    with pytest.raises(Invalid):
        ledger.send(b"\2" + rlp.encode(fields))


def test_the_second_form_of_a_signature_is_refused(ledger: Ledger) -> None:
    """s and n - s both fit the key; only the lower one is valid (EIP-2)."""
    key = random_key()
    fields = rlp.decode(signed(ledger, key)[1:])
    assert isinstance(fields, list)
    fields[-1] = rlp.encode_int(ORDER - int.from_bytes(bytes(fields[-1]), "big"))
    fields[-3] = b"\1" if fields[-3] == b"" else b""
    with pytest.raises(SimdesError):
        fresh_lane(ledger).wait(ledger.send(b"\2" + rlp.encode(fields)))
    assert ledger.nonce(key.address) == 0


@pytest.mark.parametrize("raw", [b"", b"\2", b"\xc0", b"\x05\xc0", b"\2\xc1\x80", b"rubbish" * 9])
def test_rubbish_is_refused(ledger: Ledger, raw: bytes) -> None:
    with pytest.raises(Invalid):
        ledger.send(raw)


def test_gas_below_the_cost_of_the_data_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Invalid):
        ledger.send(signed(ledger, random_key(), gas=21_000, data=b"\1" * 100))


def test_gas_beyond_the_blocks_limit_is_refused(ledger: Ledger) -> None:
    with pytest.raises(TooLarge):
        ledger.send(signed(ledger, random_key(), gas=1 << 40))


def test_value_from_an_empty_account_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Invalid):
        ledger.send(signed(ledger, random_key(), value=1))


def test_a_price_from_an_empty_account_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Invalid):
        ledger.send(signed(ledger, random_key(), maxFeePerGas=10, maxPriorityFeePerGas=1))


def test_several_transactions_get_each_their_own_answer(ledger: Ledger) -> None:
    key, other = random_key(), random_key()
    raws = [
        signed(ledger, key, nonce=0),
        signed(ledger, other, chainId=ledger.chain_id() + 1),
        signed(ledger, key, nonce=1),
    ]
    first, refused, last = ledger.send_many(raws)
    assert (first, last) == (keccak256(raws[0]), keccak256(raws[2]))
    assert isinstance(refused, Invalid)
    lane = fresh_lane(ledger)
    assert lane.wait(keccak256(raws[0])).succeeded
    assert lane.wait(keccak256(raws[2])).succeeded
    assert ledger.send_many([]) == []


def test_an_unknown_transaction_has_no_receipt(ledger: Ledger) -> None:
    assert ledger.receipt(bytes(32)) is None
    assert ledger.receipts([bytes(32), b"\1" * 32]) == [None, None]


# --- calls ---------------------------------------------------------------------------------


def test_a_call_sees_the_head_and_leaves_no_trace(
    ledger: Ledger, lane: Lane, contract: Probe
) -> None:
    lane.transact(contract.call("set", 21, 34))
    assert contract.ask(ledger, "valueOf", 21) == (34,)
    data = contract.call("set", 21, 99).data
    ledger.call(contract.address, data)
    assert contract.ask(ledger, "valueOf", 21) == (34,)
    caller = random_key().address
    chain, time, seen = contract.ask(ledger, "surroundings", sender=caller)
    assert chain == ledger.chain_id()
    assert seen == "0x" + caller.hex()
    assert abs(time - ledger.head().timestamp) <= 20


def test_a_refusal_carries_its_data(ledger: Ledger, contract: Probe) -> None:
    call = contract.call("refuse", 5)
    with pytest.raises(Reverted) as refused:
        ledger.call(contract.address, call.data)
    assert refused.value.data.startswith(keccak256(b"Refused(uint256,bytes)")[:4])
    with pytest.raises(Reverted) as refused:
        ledger.estimate(contract.address, call.data, sender=random_key().address)
    assert refused.value.data[4:36] == (5).to_bytes(32, "big")


def test_a_call_without_end_is_stopped(ledger: Ledger, contract: Probe) -> None:
    with pytest.raises(Reverted):
        ledger.call(contract.address, contract.call("exhaust").data)


def test_several_calls_get_each_their_own_answer(
    ledger: Ledger, lane: Lane, contract: Probe
) -> None:
    lane.transact(contract.call("set", 31, 13))
    verbs = [contract.call("valueOf", 31), contract.call("refuse", 1), contract.call("count")]
    known, refused, count = ledger.call_many([(contract.address, call.data) for call in verbs])
    assert known == (13).to_bytes(32, "big")
    assert isinstance(refused, Reverted)
    assert isinstance(count, bytes)
    assert ledger.call_many([]) == []


def test_calls_are_answered_with_the_head_that_they_ran_on(
    ledger: Ledger, lane: Lane, contract: Probe
) -> None:
    written = lane.transact(contract.call("set", 31, 14))
    verbs = [contract.call("valueOf", 31), contract.call("refuse", 1)]
    head, [known, refused] = ledger.call_at_head([(contract.address, one.data) for one in verbs])
    assert head == ledger.block(head.number)
    assert head.number >= written.block_number
    assert known == (14).to_bytes(32, "big")
    assert isinstance(refused, Reverted)


def test_code_storage_and_balance_are_readable(ledger: Ledger, lane: Lane, contract: Probe) -> None:
    assert ledger.code(contract.address) == contract.code.deployed
    assert ledger.code(lane.address) == b""
    lane.transact(contract.call("set", 1, 1))
    (count,) = contract.ask(ledger, "count")
    assert ledger.storage(contract.address, 1) == count.to_bytes(32, "big")
    assert ledger.codes([lane.address, contract.address]) == [b"", contract.code.deployed]
    places = [(contract.address, 1), (contract.address, 99)]
    assert ledger.storages(places) == [count.to_bytes(32, "big"), bytes(32)]
    assert ledger.codes([]) == ledger.storages([]) == []
    assert ledger.balance(lane.address) == 0


def test_a_contract_makes_contracts(ledger: Ledger, lane: Lane, contract: Probe) -> None:
    lane.transact(contract.call("spawn"))
    (first,) = contract.ask(ledger, "child")
    lane.transact(contract.call("spawn"))
    (second,) = contract.ask(ledger, "child")
    assert first != second
    code = ledger.code(bytes.fromhex(second[2:]))
    assert code
    assert code == ledger.code(bytes.fromhex(first[2:]))


# --- events --------------------------------------------------------------------------------


def test_events_are_found_by_contract_topic_and_range(
    ledger: Ledger, lane: Lane, contract: Probe
) -> None:
    key = int.from_bytes(random_key().address, "big")
    first = lane.transact(contract.call("set", key, 1))
    second = lane.transact(contract.call("set", key, 2))
    start, end = first.block_number, second.block_number
    word = key.to_bytes(32, "big")
    topic = keccak256(b"Set(address,uint256,uint256)")
    found = ledger.logs(
        first=start, last=end, addresses=[contract.address], topics=[topic, None, word]
    )
    assert found == [*first.logs, *second.logs]
    assert ledger.logs(first=start, last=end, addresses=[], topics=[None, None, [word]]) == found
    assert ledger.logs(first=start, last=end, addresses=[lane.address]) == []
    wrong = [topic, b"\1" * 32]
    assert ledger.logs(first=start, last=end, addresses=[contract.address], topics=wrong) == []
    beyond = ledger.logs(first=end + 1, last=end + 99_999, addresses=[], topics=[topic, None, word])
    assert beyond == []
    assert ledger.logs(first=end, last=start - 1, addresses=[]) == []


def test_events_of_one_block_are_those_of_its_hash(
    ledger: Ledger, lane: Lane, contract: Probe
) -> None:
    written = lane.transact(contract.call("set", 3, 1))
    number = written.block_number
    block = ledger.block(number)
    assert block is not None
    asked = {"first": number, "last": number, "addresses": [contract.address], "end": block}
    assert ledger.logs(**asked) == list(written.logs)
    assert ledger.logs(**asked, topics=[b"\1" * 32]) == []
