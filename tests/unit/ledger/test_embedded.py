"""The embedded ledger: blocks, durability, restart, and what happens when the disk fails."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Conflict, Invalid, Tampered, Unavailable, Unsupported
from simdes.ledger.chain import EMPTY_BLOCK_SECONDS
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.journal import Journal
from simdes.ledger.ledger import Ledger, Log, Reverted, open_ledger
from unit.ledger.chains import COUNTER, REFUSER, TELLER, WRITER, Clock, Sender

# Of chain 746337; networks pin it, so it must never change.
GENESIS = "cff760fc42db2a127259007e3396c531e9216fd2e4e5dbad29c16691420c582c"


def opened(
    path: Path | None = None, *, clock: Clock | None = None, fold: int = 10_000, chain: int = 7
) -> EmbeddedLedger:
    journal = Journal(path, chain_id=chain, default_chain_id=chain)
    return EmbeddedLedger(journal, clock=clock or Clock(), fold_transactions=fold)


def crash(ledger: EmbeddedLedger) -> None:
    """Let go of the file as a killed process does: nothing is folded, nothing tidied up."""
    ledger._journal.close()


def test_it_is_a_ledger() -> None:
    assert isinstance(opened(), Ledger)


# --- blocks --------------------------------------------------------------------------------


def test_the_genesis_follows_from_the_chain_id_alone(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "a"), opened(tmp_path / "b")
    assert first.block(0) == second.block(0)
    assert first.block(0) != opened(tmp_path / "c", chain=8).block(0)
    genesis = opened(tmp_path / "d", chain=746_337).block(0)
    assert genesis is not None
    assert genesis.hash.hex() == GENESIS
    assert genesis.parent == bytes(32)


def test_a_reader_of_an_old_head_gets_a_new_empty_block() -> None:
    clock = Clock()
    ledger = opened(clock=clock)
    head = ledger.head()
    assert ledger.head() == head
    clock.now += EMPTY_BLOCK_SECONDS
    newer = ledger.head()
    assert newer.number == head.number + 1
    assert newer.parent == head.hash
    assert newer.timestamp == int(clock.now)


def test_time_never_runs_backwards() -> None:
    clock = Clock()
    ledger = opened(clock=clock)
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    before = ledger.head()
    clock.now -= 1_000
    sender.send(counter)
    assert ledger.head().timestamp == before.timestamp


def test_a_call_sees_the_present_time_and_asks_for_no_block() -> None:
    clock = Clock()
    ledger = opened(clock=clock)
    teller = Sender(ledger).deploy(TELLER)
    head = ledger.head()
    clock.now += 10_000
    answer = ledger.call(teller, b"")
    assert int.from_bytes(answer[32:], "big") == int(clock.now)
    assert ledger.block(head.number + 1) is None


def test_the_state_of_earlier_blocks_is_not_kept() -> None:
    ledger = opened()
    sender = Sender(ledger)
    teller = sender.deploy(TELLER)
    head = ledger.head().number
    assert ledger.call(teller, b"", block=head)
    with pytest.raises(Unavailable):
        ledger.call(teller, b"", block=head - 1)


def test_concurrent_senders_share_a_block() -> None:
    ledger = opened()
    counter = Sender(ledger).deploy(COUNTER)
    senders = [Sender(ledger, secret) for secret in range(2, 10)]
    ready = threading.Barrier(len(senders))
    hashes: list[bytes] = []

    def work(sender: Sender) -> None:
        ready.wait()
        for _ in range(25):
            hashes.append(sender.send(counter))

    threads = [threading.Thread(target=work, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(hashes)) == 200
    assert ledger.storage(counter, 0) == (200).to_bytes(32, "big")
    counts = [int.from_bytes(log.data, "big") for log in logs_of(ledger, counter)]
    assert counts == list(range(1, 201))


def logs_of(ledger: EmbeddedLedger, contract: bytes) -> list[Log]:
    return ledger.logs(first=0, last=ledger.head().number, addresses=[contract])


def test_transactions_handed_in_together_share_a_block_and_its_log_numbers() -> None:
    ledger = opened()
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    sent = ledger.send_many([sender.sign(counter) for _ in range(50)])
    receipts = [ledger.receipt(h) for h in sent if isinstance(h, bytes)]
    assert len(receipts) == 50
    blocks = {receipt.block_number for receipt in receipts if receipt}
    assert len(blocks) == 1
    assert [r.logs[0].index for r in receipts if r] == list(range(50))


def test_a_block_does_not_pass_its_gas_limit() -> None:
    ledger = opened()
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    sent = ledger.send_many([sender.sign(counter, gas=200_000_000) for _ in range(6)])
    numbers = [r.block_number for h in sent if isinstance(h, bytes) and (r := ledger.receipt(h))]
    assert len(numbers) == 6
    assert numbers == sorted(numbers)


def test_nonces_neither_repeat_nor_jump() -> None:
    ledger = opened()
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    raw = sender.sign(counter)
    assert ledger.send_many([raw, raw]) == [ledger.send(raw)] * 2
    sender.nonce += 1
    with pytest.raises(Conflict, match="too high"):
        ledger.send(sender.sign(counter))
    sender.nonce = 0
    with pytest.raises(Conflict, match="too low"):
        ledger.send(sender.sign(counter))
    assert ledger.nonce(sender.key.address) == 2
    assert ledger.storage(counter, 0) == (1).to_bytes(32, "big")


def test_a_failed_transaction_uses_its_nonce_and_says_why() -> None:
    ledger = opened()
    sender = Sender(ledger)
    refuser = sender.deploy(REFUSER)
    receipt = ledger.receipt(sender.send(refuser, b"because"))
    assert receipt is not None
    assert not receipt.succeeded
    assert receipt.revert == b"because"
    assert receipt.logs == ()
    assert ledger.nonce(sender.key.address) == 2


def test_an_estimate_is_enough_after_everything_turned_cold(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "chain.db", fold=1)
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    gas = ledger.estimate(counter, b"", sender=sender.key.address)
    receipt = ledger.receipt(sender.send(counter, gas=gas))
    assert receipt is not None
    assert receipt.succeeded
    with pytest.raises(Reverted):
        ledger.estimate(sender.deploy(REFUSER), b"no", sender=sender.key.address)


# --- restart -------------------------------------------------------------------------------


def everything(ledger: EmbeddedLedger, counter: bytes, writer: bytes) -> tuple[object, ...]:
    head = ledger.head().number
    return (
        [ledger.block(number) for number in range(head + 1)],
        ledger.logs(first=0, last=head, addresses=[]),
        ledger.nonce(Sender(ledger).key.address),
        ledger.storage(counter, 0),
        [ledger.storage(writer, slot) for slot in range(40)],
        ledger.code(counter),
    )


@pytest.mark.parametrize("fold", [1, 7, 10_000], ids=["every time", "now and then", "never"])
@pytest.mark.parametrize("end", ["close", "crash"])
def test_a_restart_finds_everything_as_it_was(tmp_path: Path, fold: int, end: str) -> None:
    path, clock = tmp_path / "chain.db", Clock()
    ledger = opened(path, clock=clock, fold=fold)
    sender = Sender(ledger)
    counter, writer = sender.deploy(COUNTER), sender.deploy(WRITER)
    refuser = sender.deploy(REFUSER)
    for i in range(20):
        clock.now += 1
        sender.send(counter)
        sender.send(writer, (i % 13).to_bytes(32, "big"))
        sender.send(refuser, b"no")
    before = everything(ledger, counter, writer)
    ledger.close() if end == "close" else crash(ledger)
    again = opened(path, clock=clock, fold=fold)
    assert everything(again, counter, writer) == before
    sender = Sender(again)
    sender.send(counter)
    assert again.storage(counter, 0) == (21).to_bytes(32, "big")
    assert sender.deploy(COUNTER) != counter


@settings(derandomize=True, max_examples=15, deadline=None)
@given(st.lists(st.sampled_from("cwrdxfk"), min_size=1, max_size=25))
def test_any_history_survives_any_crash(
    tmp_path_factory: pytest.TempPathFactory, history: list[str]
) -> None:
    """Against a ledger that never stopped: c count, w write, r refuse, d deploy, x crash."""
    path = tmp_path_factory.mktemp("history") / "chain.db"
    clock = Clock()
    steady, broken = opened(clock=clock), opened(path, clock=clock, fold=3)
    contracts = [Sender(steady).deploy(code) for code in (COUNTER, WRITER, REFUSER)]
    for code in (COUNTER, WRITER, REFUSER):
        Sender(broken).deploy(code)
    for step, what in enumerate(history):
        if what == "x":
            crash(broken)
            broken = opened(path, clock=clock, fold=3)
        elif what == "k":
            clock.now += EMPTY_BLOCK_SECONDS
        elif what == "f":
            broken._chain.fold()
        else:
            to = None if what == "d" else contracts["cwr".index(what)]
            data = COUNTER if what == "d" else step.to_bytes(32, "big")
            for ledger in (steady, broken):
                Sender(ledger).send(to, data)
    assert everything(broken, *contracts[:2])[0][0] == everything(steady, *contracts[:2])[0][0]
    assert everything(broken, *contracts[:2])[2:] == everything(steady, *contracts[:2])[2:]
    bare = [
        [(log.data, log.block_number) for log in logs_of(x, contracts[0])] for x in (steady, broken)
    ]
    assert bare[0] == bare[1]


def test_a_start_replays_only_what_came_after_the_kept_state(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    ledger = opened(path, fold=10)
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    for _ in range(24):
        sender.send(counter)
    crash(ledger)
    journal = Journal(path, chain_id=None, default_chain_id=1)
    kept, state, nonces = journal.kept_state()
    assert len(list(journal.entries_after(kept))) == 5
    assert (counter, 0, 19) in state.slots
    assert nonces == {sender.key.address: 20}
    journal.close()


def test_a_kept_state_that_does_not_fit_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    ledger = opened(path, fold=5)
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    for _ in range(12):
        sender.send(counter)
    crash(ledger)
    with sqlite3.connect(path) as file:
        file.execute("UPDATE state_slot SET value = x'63'")
    file.close()
    again = opened(path)
    assert again.storage(counter, 0) == (12).to_bytes(32, "big")


# --- damage --------------------------------------------------------------------------------


def damaged(tmp_path: Path, statement: str) -> Path:
    path = tmp_path / "chain.db"
    ledger = opened(path)
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    for _ in range(5):
        sender.send(counter)
    crash(ledger)
    with sqlite3.connect(path) as file:
        file.execute(statement)
    file.close()
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE block SET timestamp = timestamp + 1 WHERE number = 3",
        "UPDATE block SET gas_used = gas_used + 1 WHERE number = 3",
        "UPDATE block SET parent = zeroblob(32) WHERE number = 3",
        "DELETE FROM block WHERE number = 3",
        "DELETE FROM ledger_transaction WHERE nonce = 2",
        "UPDATE ledger_transaction SET succeeded = 0 WHERE nonce = 2",
        "UPDATE ledger_transaction SET logs = x'' WHERE nonce = 2",
        "UPDATE ledger_transaction SET revert = x'01' WHERE nonce = 2",
        "UPDATE ledger_transaction SET hash = zeroblob(32) WHERE nonce = 2",
        "UPDATE ledger_transaction SET contract = zeroblob(20) WHERE nonce = 0",
        "UPDATE block SET number = 99 WHERE number = (SELECT max(number) FROM block)",
    ],
)
def test_a_damaged_journal_is_not_opened(tmp_path: Path, statement: str) -> None:
    path = damaged(tmp_path, statement)
    with pytest.raises(Tampered):
        opened(path)


def test_a_journal_of_another_chain_or_release_is_not_opened(tmp_path: Path) -> None:
    path = damaged(tmp_path, "UPDATE meta SET value = 99 WHERE name = 'format'")
    with pytest.raises(Unsupported):
        opened(path)
    opened(tmp_path / "b", chain=7).close()
    with pytest.raises(Invalid):
        opened(tmp_path / "b", chain=8)


def test_a_file_that_is_no_journal_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to have a header" * 10)
    with pytest.raises(Unavailable):
        opened(path)


def test_what_could_not_be_written_did_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chain.db"
    ledger = opened(path)
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    sender.send(counter)
    pages = ledger._journal._writer.execute("PRAGMA page_count").fetchone()[0]
    ledger._journal._writer.execute(f"PRAGMA max_page_count = {pages}")
    lost = 0
    for _ in range(200):  # until the file is full
        try:
            sender.send(counter)
        except Unavailable:
            lost += 1
            sender.nonce -= 1
            break
    assert lost == 1
    count = ledger.nonce(sender.key.address) - 1
    assert ledger.storage(counter, 0) == count.to_bytes(32, "big")
    ledger._journal._writer.execute("PRAGMA max_page_count = 1000000")
    sender.send(counter)
    assert ledger.storage(counter, 0) == (count + 1).to_bytes(32, "big")
    crash(ledger)
    assert opened(path).storage(counter, 0) == (count + 1).to_bytes(32, "big")


def test_a_closed_ledger_answers_nothing() -> None:
    ledger = opened()
    sender = Sender(ledger)
    ledger.close()
    ledger.close()
    with pytest.raises(Unavailable):
        ledger.head()
    with pytest.raises(Unavailable):
        sender.send(b"\1" * 20)
    with pytest.raises(Unavailable):
        ledger.block(0)


def test_a_ledger_in_memory_is_gone_with_its_object() -> None:
    ledger = open_ledger("embedded::memory:", clock=Clock())
    assert ledger.chain_id() == 746_337
    other = open_ledger("embedded::memory:?chain=99", clock=Clock())
    assert other.chain_id() == 99
