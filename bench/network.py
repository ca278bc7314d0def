"""How fast a network of separate programs is: audited on chain, opened elsewhere, revoked.

Run `.venv/bin/python bench/network.py` on an idle machine. Four organisations, 3-of-4 custodians,
SQLite and a shared file store; a ledger node (anvil) with a block every second; three
`simdes serve` asked over HTTP, the reader's organisation in this process. Wall-clock times of one
client, and CPU times beside them: on one machine all four share its cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import httpx  # noqa: E402
from exchange import (  # noqa: E402
    NAMES,
    WORD,
    enrolled,
    fill,
    grant,
    open_singly,
)

from adapters.ledgers import running_anvil  # noqa: E402
from simdes import app, config  # noqa: E402
from simdes.access.audit_event import Attempt, Verb  # noqa: E402
from simdes.access.categories import Role  # noqa: E402
from simdes.app import ADMINISTRATOR, Opened  # noqa: E402
from simdes.errors import Forbidden  # noqa: E402
from simdes.exchange import (  # noqa: E402
    anchoring,
    consents,
    enrolment,
    logbook,
    membership,
    retrieve,
)
from simdes.exchange.following import known_consents  # noqa: E402
from simdes.exchange.signin import sign_in  # noqa: E402
from support.gateways import free_ports  # noqa: E402

READER = "two"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = 250
"""Entries written in one transaction: what a release of many records writes."""


def found(data: Path, url: str) -> None:
    """Four organisations that know each other."""
    ports = free_ports(len(NAMES))
    for name, port in zip(NAMES, ports, strict=True):
        settings = config.Settings(
            name=name,
            kind="hospital",
            organisation="0x" + secrets.token_hex(32),
            ledger_url=url,
            store_url=f"file:{data / 'blocks'}",
            database_url="sqlite:simdes.sqlite",
            custody_url=f"http://127.0.0.1:{port}",
            shares_needed=3,
            custodians=4,
        )
        app.create(
            data / name,
            settings,
            passphrase=WORD,
            administrator_passphrase=WORD,
            network=data / "one" / "network.json" if name != "one" else None,
            delays=app.DELAYS["demo"],
        )
    with app.opened(data / "one", passphrase=WORD) as one:
        owner = sign_in(one.node, ADMINISTRATOR, WORD)
        for name in NAMES[1:]:
            other = config.load(data / name, {}).organisation
            membership.verify_organisation(one.node, owner.key, bytes.fromhex(other[2:]))


@contextmanager
def all_in_one(data: Path) -> Iterator[list[Opened]]:
    """Everybody in this process, to prepare."""
    with ExitStack() as stack:
        members = [stack.enter_context(app.opened(data / name, passphrase=WORD)) for name in NAMES]
        for one in members:
            stack.enter_context(app.answering(one))
        yield members


@contextmanager
def serving(data: Path, names: Sequence[str]) -> Iterator[list[int]]:
    """`simdes serve` of organisations, answering; their process ids."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SIMDES_")}
    environment["SIMDES_PASSPHRASE"] = WORD
    programs = []
    with ExitStack() as stack:
        for name in names:
            log = stack.enter_context((data / name / "serve.log").open("wb"))
            words = [sys.executable, "-m", "simdes", "serve", "--data", str(data / name)]
            program = subprocess.Popen(words, env=environment, stdout=log, stderr=log)  # noqa: S603
            stack.callback(program.wait, 120)
            stack.callback(program.terminate)
            programs.append(program.pid)
        for name in names:
            url = config.load(data / name, {}).custody_url
            until = time.monotonic() + 120
            while not _answers(url):
                if time.monotonic() > until:
                    raise SystemExit(f"{name} does not answer")
                time.sleep(0.1)
        yield programs


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time of processes so far."""
    spent = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent += int(fields[11]) + int(fields[12])
    return spent / TICKS


# What is measured -------------------------------------------------------------------------------


def audited(members: Sequence[Opened], entries: int) -> dict[str, float]:
    """Write down attempts at every organisation, then put them on chain, all at the same time."""
    attempts = [_attempt(one) for one in members]
    wrote = [_write(one, attempt, entries) for one, attempt in zip(members, attempts, strict=True)]
    cpu = time.process_time()
    alone = _anchor([members[0]])
    cpu = time.process_time() - cpu
    together = _anchor(members[1:])
    return {
        "written_per_cpu_second": entries * len(members) / sum(cpu for cpu, _ in wrote),
        "written_per_second": entries * len(members) / sum(wall for _, wall in wrote),
        "one_organisation_on_chain_per_second": entries / alone,
        "one_organisation_on_chain_per_cpu_second": entries / cpu,
        "three_organisations_on_chain_per_second": 3 * entries / together,
        "entries_each": entries,
    }


def _attempt(one: Opened) -> Attempt:
    return Attempt(
        verb=Verb.RELEASE,
        account=secrets.token_bytes(32),
        address=secrets.token_bytes(20),
        role=int(Role.DOCTOR),
        organisation=one.node.organisation,
        purpose=0,
        vault=None,
        records=(secrets.token_bytes(32),),
        handle=secrets.token_bytes(32),
    )


def _write(one: Opened, attempt: Attempt, entries: int) -> tuple[float, float]:
    desk = one.node.desk
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(entries // PAGE):
        desk.database.write(lambda tx: desk.trail.append(tx, [attempt] * PAGE))
    return time.process_time() - cpu, time.perf_counter() - wall


def _anchor(members: Sequence[Opened]) -> float:
    def all_of(one: Opened) -> None:
        while logbook.anchor_trail(one.node):
            pass

    began = time.perf_counter()
    with ThreadPoolExecutor(len(members)) as pool:
        list(pool.map(all_of, members))
    return time.perf_counter() - began


def open_many(reader: Any, doctor: Any, vault: bytes, pids: Sequence[int]) -> dict[str, float]:
    """Open everything in one call: nothing of it is held here."""
    began, cpu, theirs = time.perf_counter(), time.process_time(), cpu_seconds(pids)
    read = retrieve.retrieve(reader, doctor, vault=vault)
    seconds = time.perf_counter() - began
    count = len(read.resources)
    own, others = time.process_time() - cpu, cpu_seconds(pids) - theirs
    return {
        "records": count,
        "per_second": count / seconds,
        "reader_cpu_per_second": count / own,
        "custodian_cpu_per_second": count * len(pids) / others,
    }


def revoked(
    author: Any, patient: Any, reader: Any, doctor: Any, vault: bytes, times: int
) -> dict[str, float]:
    """From the patient's decision until the reader is refused, own copies and custodians alike."""
    whole, after_block = [], []
    for _ in range(times):
        given = grant(author, patient, reader, vault)
        _until(lambda: retrieve.retrieve(reader, doctor, vault=vault), refused=False)
        began = time.perf_counter()
        consents.revoke(author, patient, vault=vault, handle=given.handle)
        in_block = time.perf_counter()
        _until(lambda: retrieve.retrieve(reader, doctor, vault=vault), refused=True)
        ended = time.perf_counter()
        whole.append(1000 * (ended - began))
        after_block.append(1000 * (ended - in_block))
    return {
        "p50_ms": statistics.median(whole),
        "most_ms": max(whole),
        "after_its_block_most_ms": max(after_block),
        "count": times,
    }


def _until(act: Any, *, refused: bool) -> None:
    while True:
        try:
            act()
        except Forbidden:
            if refused:
                return
        else:
            if not refused:
                return


def prepare(members: Sequence[Opened], records: int) -> tuple[bytes, bytes]:
    """Vaults of two patients of the author: one with many records, a body each, one with one."""
    author, reader = members[0].node, members[1].node
    anchoring.BODY_RESOURCES = 1  # the worst case of reading
    fill(author, patient=1, count=records)
    fill(author, patient=2, count=1)
    admin = sign_in(reader, ADMINISTRATOR, WORD)
    enrolment.add_person(reader, admin, "doctor", role=Role.DOCTOR, passphrase=WORD)
    enrolment.trust_checks(reader, admin, checked_by=author.organisation, valid_seconds=3600)
    many, one = (enrolled(author, reader, number)[0] for number in (1, 2))
    for member in members:
        anchoring.settle(member.node, worker="bench")
    return many, one


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Run everything once and return its figures."""
    with tempfile.TemporaryDirectory() as folder, running_anvil(at_once=False) as url:
        data = Path(folder)
        found(data, url)
        with all_in_one(data) as members:
            vault, single = prepare(members, asked.records)
            figures: dict[str, Any] = {"audited": audited(members, asked.entries)}
        served = [name for name in NAMES if name != READER]
        with (
            serving(data, served) as pids,
            app.opened(data / READER, passphrase=WORD) as two,
            app.opened(data / "one", passphrase=WORD) as one,
            app.answering(two),
        ):
            reader, author = two.node, one.node
            patient = sign_in(author, "patient-2", WORD)
            doctor = sign_in(reader, "doctor", WORD)
            reader.following.catch_up()
            figures["open_one"] = open_singly(reader, doctor, single, asked.singles)
            figures["open_batch"] = open_many(reader, doctor, vault, pids)
            [known] = known_consents(reader.desk, single)
            consents.revoke(author, patient, vault=single, handle=known.consent.handle)
            times = asked.revocations
            figures["revoked"] = revoked(author, patient, reader, doctor, single, times)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000)
    parser.add_argument("--singles", type=int, default=200)
    parser.add_argument("--entries", type=int, default=50_000)
    parser.add_argument("--revocations", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    asked = parser.parse_args()
    figures = measure(asked)
    figures["machine"] = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    figures["load"] = round(os.getloadavg()[0], 1)
    if asked.out:
        asked.out.write_text(json.dumps(figures, indent=2) + "\n")
    for part, values in figures.items():
        print(f"{part}: {values}")


if __name__ == "__main__":
    main()
