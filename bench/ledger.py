"""How fast the ledger is: sending, anchoring, deciding, replaying, starting.

Run `.venv/bin/python bench/ledger.py` on an idle machine. Everything runs on the network's own
contracts; anchored batches count as 1,000 records each. With `--anvil` the same anchoring is
measured over JSON-RPC on a real node with blocks of one second, where npm's anvil is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from adapters.ledgers import Member, Town, running_anvil
from simdes.ledger.contracts import Reason, Request, Terms
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.journal import Journal
from simdes.ledger.lane import IN_FLIGHT, Call
from simdes.ledger.ledger import open_ledger
from simdes.ledger.transactions import sign_transaction

RECORDS = 1_000
MANIFEST = b"\x01\x55\x12\x20" + bytes(32)


def rate(count: int, work: Callable[[], object]) -> float:
    """Do the work once and return how many of `count` were done in a second."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


class Anchoring:
    """Signed anchoring transactions of one agent."""

    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger
        self.town = Town(ledger)
        self.member = Member(self.town, 1)
        self.nonce = ledger.nonce(self.member.agent.key.address)

    def call(self) -> Call:
        """Return the anchoring of a batch never seen before."""
        records = self.town.contracts.records
        return records.anchor(root=os.urandom(32), count=RECORDS, manifest=MANIFEST)

    def signed(self, count: int) -> list[bytes]:
        """Sign that many anchorings."""
        raws = []
        for _ in range(count):
            call = self.call()
            _, raw = sign_transaction(
                self.member.agent.key,
                chain_id=self.ledger.chain_id(),
                nonce=self.nonce,
                gas=400_000,
                to=call.to,
                data=call.data,
            )
            raws.append(raw)
            self.nonce += 1
        return raws


def sending(folder: Path) -> dict[str, float]:
    """Transactions per second into the embedded ledger, each commit durable."""
    work = Anchoring(open_ledger(f"embedded:{folder / 'send.db'}", clock=time.time))
    figures = {}
    singles = work.signed(3_000)
    figures["one durable commit each, tx/s"] = rate(
        len(singles), lambda: [work.ledger.send(raw) for raw in singles]
    )
    many = work.signed(10_000)
    groups = [many[i : i + 50] for i in range(0, len(many), 50)]
    figures["50 to a commit, tx/s"] = rate(
        len(many), lambda: [work.ledger.send_many(group) for group in groups]
    )
    lane = work.member.agent.lane
    figures["lane: simulated, signed, stored, sent, awaited, tx/s"] = rate(
        1_000, lambda: [lane.transact(work.call()) for _ in range(1_000)]
    )
    return figures


def anchoring(folder: Path) -> dict[str, float]:
    """Records anchored per second through a lane, batches in flight together."""
    work = Anchoring(open_ledger(f"embedded:{folder / 'anchor.db'}", clock=time.time))
    lane = work.member.agent.lane
    calls = [work.call() for _ in range(1_000)]
    return {"records anchored/s": RECORDS * rate(len(calls), lambda: lane.transact_many(calls))}


def deciding(folder: Path) -> dict[str, float]:
    """isAllowed per second, singly and in calls of 1,000."""
    town = Town(open_ledger(f"embedded:{folder / 'decide.db'}", clock=time.time))
    member = Member(town, 1)
    consents = town.contracts.consents
    terms = Terms(1, member.agent.id, 0, 1, 0, 1, 0, 1 << 40)
    request = Request(
        member.open_vault(), bytes(32), member.agent.key.address, 0, 0, 0, int(time.time())
    )
    question = (bytes(31) + b"\1", terms, bytes(32), request)
    if consents.are_allowed([question])[0].reason is not Reason.UNKNOWN_HANDLE:
        raise RuntimeError("the question is not the one meant to be measured")
    fields = dict(zip(("handle", "terms", "salt", "request"), question, strict=True))
    return {
        "one question a call, /s": rate(
            5_000, lambda: [consents.is_allowed(**fields) for _ in range(5_000)]
        ),
        "1,000 questions a call, /s": rate(
            20_000, lambda: [consents.are_allowed([question] * 1_000) for _ in range(20)]
        ),
    }


def starting(folder: Path, transactions: int) -> dict[str, float]:
    """Start with that many transactions, from the kept state and by replaying all of them."""
    path = folder / "start.db"
    work = Anchoring(open_ledger(f"embedded:{path}", clock=time.time))
    for _ in range(transactions // 1_000):
        work.ledger.send_many(work.signed(1_000))
    # As after a kill: what came after the last fold is replayed.
    work.ledger.journal.close()
    figures: dict[str, float] = {"journal, MB": path.stat().st_size / 1e6}

    def start() -> float:
        begin = time.perf_counter()
        journal = Journal(path, chain_id=None, default_chain_id=1)
        ledger = EmbeddedLedger(journal, clock=time.time)
        seconds = time.perf_counter() - begin
        if ledger.nonce(work.member.agent.key.address) < transactions:
            raise RuntimeError("the start lost transactions")
        ledger.journal.close()
        return seconds

    figures[f"start with {transactions} transactions, s"] = start()
    journal = Journal(path, chain_id=None, default_chain_id=1)
    journal.drop_state()
    journal.close()
    replayed = start()
    figures["start without the kept state, s"] = replayed
    figures["replay, tx/s"] = transactions / replayed
    return figures


def on_anvil() -> dict[str, float]:
    """Records anchored per second over JSON-RPC, one block a second, one lane."""
    with running_anvil(at_once=False) as url:
        work = Anchoring(open_ledger(url, clock=time.time))
        lane = work.member.agent.lane
        calls = [work.call() for _ in range(10 * IN_FLIGHT)]
        done = rate(len(calls), lambda: lane.transact_many(calls))
    return {"one lane, tx/s": done, "one lane, records anchored/s": RECORDS * done}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=100_000)
    parser.add_argument("--anvil", action="store_true")
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results: dict[str, Any] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
            f"load {os.getloadavg()[0]:.1f}",
            "sending": sending(folder),
            "anchoring": anchoring(folder),
            "deciding": deciding(folder),
            "starting": starting(folder, options.transactions),
        }
    if options.anvil:
        results["anvil, 1 s blocks"] = on_anvil()
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(results.pop("machine"))
    for part, figures in results.items():
        print(f"\n{part}")
        for label, value in figures.items():
            print(f"  {label:<55} {value:>14,.1f}")


if __name__ == "__main__":
    main()
