"""One process holds a journal; others ask it; a killed one loses nothing it acknowledged."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simdes.errors import Invalid, Unavailable
from simdes.ledger import holding
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.holding import SharedLedger
from simdes.ledger.jsonrpc import JsonRpcLedger
from simdes.ledger.ledger import open_ledger
from unit.ledger.chains import COUNTER, Sender

TESTS = Path(__file__).parents[2]
# Sends transactions for ever and says each hash once the ledger acknowledged it.
WRITER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from simdes.ledger.ledger import open_ledger
from unit.ledger.chains import COUNTER, Sender
ledger = open_ledger("embedded:" + sys.argv[1], clock=time.time)
sender = Sender(ledger)
counter = bytes.fromhex(sys.argv[3])
many = int(sys.argv[4])
print("ready", flush=True)
while True:
    for sent in ledger.send_many([sender.sign(counter) for _ in range(many)]):
        print(sent.hex(), flush=True)
"""
# Opens the path that another process holds, sends one transaction there and tells the count.
GUEST = """
import sys, time
sys.path.insert(0, sys.argv[2])
from simdes.ledger.ledger import open_ledger
from unit.ledger.chains import Sender
ledger = open_ledger("embedded:" + sys.argv[1], clock=time.time)
sender = Sender(ledger, 2)
counter = bytes.fromhex(sys.argv[3])
receipt = ledger.receipt(sender.send(counter))
print(type(ledger).__name__, receipt.succeeded, ledger.storage(counter, 0).hex())
"""


def opened(path: Path, rest: str = "") -> SharedLedger:
    ledger = open_ledger(f"embedded:{path}{rest}", clock=time.time)
    assert isinstance(ledger, SharedLedger)
    return ledger


def run(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *(str(argument) for argument in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check_everything_acknowledged_is_there(path: Path, counter: bytes, said: list[str]) -> None:
    ledger = opened(path)
    try:
        assert all(ledger.receipts([bytes.fromhex(line) for line in said]))
        sender = Sender(ledger)
        # The deployment took the first nonce; each other transaction counted once.
        count = int.from_bytes(ledger.storage(counter, 0), "big")
        assert count == sender.nonce - 1
        assert count >= len(said)
    finally:
        ledger.close()


def kill_writers(path: Path, *, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    ledger = opened(path)
    counter = Sender(ledger).deploy(COUNTER)
    ledger.close()
    said: list[str] = []
    for _ in range(kills):
        writer = run(WRITER, path, TESTS, counter.hex(), dice.choice([1, 1, 7]))
        assert writer.stdout is not None
        if dice.random() < 0.8:  # sometimes it dies while it still starts
            assert writer.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0, 0.15))
        writer.send_signal(signal.SIGKILL)
        lines = writer.stdout.read().split("\n")
        writer.wait()
        said += [line for line in lines[:-1] if line and line != "ready"]
        check_everything_acknowledged_is_there(path, counter, said)
    assert said


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    kill_writers(tmp_path / "chain.db", kills=8, seed=1)


@pytest.mark.accept
def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    kill_writers(tmp_path / "chain.db", kills=200, seed=2)


def test_a_kept_state_half_written_by_a_killed_process_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many folds, so that kills fall into them."""
    monkeypatch.setattr(
        sys.modules[__name__],
        "WRITER",
        WRITER.replace(
            "ledger = open",
            "import simdes.ledger.embedded as e\n"
            "e.EmbeddedLedger.__init__.__kwdefaults__['fold_transactions'] = 3\nledger = open",
        ),
    )
    kill_writers(tmp_path / "chain.db", kills=3, seed=3)


def test_a_second_process_asks_the_first(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    ledger = opened(path)
    counter = Sender(ledger).deploy(COUNTER)
    guest = run(GUEST, path, TESTS, counter.hex())
    output, _ = guest.communicate(timeout=30)
    assert output.split() == ["JsonRpcLedger", "True", f"{1:064x}"]
    assert ledger.storage(counter, 0) == (1).to_bytes(32, "big")
    ledger.close()


def test_a_guest_finds_a_holder_that_came_back_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    first = opened(path)
    file = holding._beside(path.resolve(), "endpoint")
    guest = JsonRpcLedger(first.endpoint.url, find=holding._finder(file))
    head = guest.head()
    first.close()
    with pytest.raises(Unavailable):
        guest.head()
    second = opened(path)
    assert guest.head().number >= head.number
    assert guest.block(0) == second.block(0)
    guest.close()
    second.close()


def test_openings_of_one_process_share_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    (tmp_path / "link").symlink_to(tmp_path)
    first, second = opened(path), opened(tmp_path / "link" / "chain.db")
    assert first is second
    first.close()
    assert second.head().number >= 0
    second.close()
    with pytest.raises(Unavailable):
        second.head()
    again = opened(path)
    assert again is not first
    again.close()


def test_the_endpoint_file_is_for_its_owner_alone_and_goes_with_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "chain.db"
    ledger = opened(path)
    file = path.with_name("chain.db.endpoint")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["url"] == ledger.endpoint.url
    ledger.close()
    assert not file.exists()


def test_a_silent_holder_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_HOLDER_SECONDS", 0.2)
    path = tmp_path / "chain.db"
    script = (
        "import fcntl, sys, time; f = open(sys.argv[1] + '.lock', 'a');"
        "fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    )
    holder = run(script, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        for endpoint in (None, "rubbish", '{"url": "http://elsewhere.example/"}'):
            if endpoint is not None:
                path.with_name("chain.db.endpoint").write_text(endpoint)
            with pytest.raises(Unavailable, match="another process"):
                open_ledger(f"embedded:{path}", clock=time.time)
    finally:
        holder.kill()
        holder.communicate()
    opened(path).close()


def test_a_forked_child_must_open_the_ledger_itself(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "chain.db")
    child = os.fork()
    if child == 0:
        try:
            ledger.head()
        except Unavailable:
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    ledger.close()


@pytest.mark.parametrize(
    "rest", ["", "?chain=7", "{path}?chain=x", "{path}?chain=-1", "{path}?size=1", "{path}?chain"]
)
def test_a_malformed_url_is_refused(tmp_path: Path, rest: str) -> None:
    with pytest.raises(Invalid):
        open_ledger("embedded:" + rest.format(path=tmp_path / "chain.db"), clock=time.time)


def test_urls_of_no_known_kind_are_refused() -> None:
    for url in ("", "ftp://x", "chain.db", "ws://127.0.0.1:1"):
        with pytest.raises(Invalid):
            open_ledger(url, clock=time.time)


def test_the_chain_id_is_chosen_once(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    ledger = opened(path, "?chain=12")
    assert ledger.chain_id() == 12
    with pytest.raises(Invalid):
        opened(path, "?chain=13")
    ledger.close()
    with pytest.raises(Invalid):
        opened(path, "?chain=13")
    assert opened(path).chain_id() == 12
    opened(path).close()


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        opened(tmp_path / "file" / "chain.db")


def test_a_shared_ledger_is_the_embedded_one(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "chain.db")
    assert isinstance(ledger, EmbeddedLedger)
    ledger.close()
