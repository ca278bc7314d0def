"""A disaster, rehearsed: everything of one organisation is lost and restored, with real programs.

    python -m tools.drill [--folder DIR] [--seconds N] [--json]      (make drill)

Three organisations found a network, each with its own database, store and `simdes serve`. Records
come in and are acknowledged, one by one, while backups are made. The writer, a backup and the
gateway are killed, the organisation's folder is deleted, and `simdes restore` brings it back. Then:
every record that was acknowledged before the backup began is there, none is half there, every
anchor is the one on chain, the organisation works on, and a doctor at another organisation opens a
record of before with the share that the restored one gives.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from simdes import app
from simdes.access.categories import Role
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR
from simdes.config import load
from simdes.crypto.digest import sha256
from simdes.demo.stage import PASSPHRASES, Story, admit, found, must, signed_in
from simdes.errors import SimdesError
from simdes.exchange import anchoring, consents, enrolment, retrieve, submit
from simdes.exchange.worker import worker_name
from simdes.index import sources
from simdes.mapper import map_bytes

MEMBERS = ("north", "south", "east")
WAIT_SECONDS = 240.0
PAUSE_SECONDS = 0.1
"""Between two messages of the writer, as a busy feed has them; else it takes both cores."""
PATIENTS = 40
"""As many vaults as there are: each asks all custodians for a key, which takes its time."""
MESSAGE = (
    "MSH|^~\\&|DRILL|NORTH|SIMDES|NORTH|20261123080000||ORU^R01^ORU_R01|{0}|P|2.5\r"
    "PID|1||{1}^^^DRILL^MR||Drill^Number{1}||19800101|F\r"
    "OBR|1||{0}^DRILL|718-7^Hemoglobin^LN|||20261123075500|||||||||||||||20261123080000|||F\r"
    "OBX|1|NM|718-7^Hemoglobin^LN||13.{2}|g/dL|12-16|N|||F\r"
    "OBX|2|NM|4544-3^Hematocrit^LN||4{2}|%|36-46|N|||F"
)


def message(number: int) -> bytes:
    """A laboratory's report of that number."""
    return MESSAGE.format(number, number % PATIENTS, number % 10).encode()


def write(data: Path, log: Path) -> None:
    """Take messages in until killed; each is acknowledged into a file once it is durable."""
    acknowledged = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with app.opened(data) as one:
        number = 1
        while True:
            [answer] = submit.submit(
                one.node, map_bytes(f"{number}.hl7", message(number), site=one.node.site)
            )
            if not isinstance(answer, submit.Accepted):
                raise SystemExit("a message was refused")
            os.write(acknowledged, f"{number} {time.time()}\n".encode())
            number += 1
            time.sleep(PAUSE_SECONDS)


def acknowledged(log: Path, *, before: float) -> list[int]:
    """The numbers of the messages that were acknowledged before a time."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return [int(line[0]) for line in lines if len(line) == 2 and float(line[1]) < before]


# Programs ---------------------------------------------------------------------------------------


def start(*words: object, **options: Any) -> subprocess.Popen[str]:
    """Start a program of ours."""
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"SIMDES_LOG_LEVEL": "error"} | options.pop("env", {}),
        **options,
    )


def simdes(*words: object, **environment: str) -> Any:
    """Run a command to its end; the JSON that it prints."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "simdes", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    if done.returncode:
        raise SimdesError(f"simdes {words[0]} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


@contextmanager
def served(folder: Path, *names: str) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """`simdes serve` of members, answering; ended with the block."""
    programs = {name: start("-m", "simdes", "serve", "--data", folder / name) for name in names}
    try:
        for name, program in programs.items():
            port = int(load(folder / name).custody_url.rpartition(":")[2])
            until = time.monotonic() + WAIT_SECONDS
            while socket.socket().connect_ex(("127.0.0.1", port)):
                must(program.poll() is None and time.monotonic() < until, f"{name} answers")
                time.sleep(0.1)
        yield programs
    finally:
        for program in programs.values():
            program.terminate()
        for program in programs.values():
            program.wait(60)


def kill(*programs: subprocess.Popen[str]) -> None:
    """Take the power away."""
    for program in programs:
        program.send_signal(signal.SIGKILL)
        program.wait()


# The drill --------------------------------------------------------------------------------------


def drill(folder: Path, *, seconds: float, say: Any) -> dict[str, Any]:
    """Run the drill in an empty folder; what was found and how long each part took."""
    story = Story(say)
    vault = _network(story, folder)
    backups, log = folder.parent / "backups", folder.parent / "acknowledged"
    passphrase = (folder / "north" / "passphrase").read_text().strip()
    made, began = _lose(story, folder, backups, log, seconds)
    with story.step("Every backup is read again"):
        checked = simdes(
            "backup", "verify", "--from", backups, "--all", SIMDES_PASSPHRASE=passphrase
        )
        must(all(one["sound"] for one in checked), "every backup is whole")
        story.facts["backups"] = len(checked)
    with story.step("Restored from the backup"):
        done = simdes(
            "restore", "--data", folder / "north", "--from", backups, SIMDES_PASSPHRASE=passphrase
        )
        anchors = done["anchors"]
        must(done["name"] == made and not anchors["wrong"], "every anchor is the one on chain")
        story.tell(f"{anchors['batches']} batches, {anchors['resources']} resources compared")
    (folder / "north" / "passphrase").touch(mode=0o600)
    (folder / "north" / "passphrase").write_text(passphrase + "\n")
    _nothing_lost(story, folder, acknowledged(log, before=began))
    _works_on(story, folder, vault)
    story.facts |= {"restored": done, "total_seconds": round(time.monotonic() - story.began, 1)}
    return story.facts


def _network(story: Story, folder: Path) -> bytes:
    """Three organisations with stores of their own; a record that a doctor elsewhere may read."""
    with ExitStack() as stack:
        cast = found(story, folder, stack, separate=False)
        with story.step("A patient's record at North; the patient lets doctors at South read it"):
            admit(cast.south, "dr.lee", Role.DOCTOR)
            [answer] = submit.submit(
                cast.north.node, map_bytes("0.hl7", message(0), site=cast.north.node.site)
            )
            if not isinstance(answer, submit.Accepted):
                raise SimdesError("The drill's own message is refused.")
            for one in cast.everybody():
                anchoring.settle(one.node, worker=worker_name())
            enrolment.trust_checks(
                cast.south.node,
                signed_in(cast.south, ADMINISTRATOR),
                checked_by=cast.north.node.organisation,
                valid_seconds=86_400,
            )
            vault = answer.vault
            enrolment.enrol(
                cast.north.node,
                signed_in(cast.north, ADMINISTRATOR),
                "patient",
                vault=vault,
                passphrase=PASSPHRASES["patient"],
                attesters=[cast.south.node.organisation],
            )
            consents.grant(
                cast.north.node,
                signed_in(cast.north, "patient"),
                vault=vault,
                grantee=Grantee.role_in(cast.south.node.organisation, "doctor"),
                categories=["observations"],
                purposes=["TREAT"],
                valid_seconds=86_400,
            )
            for one in cast.everybody():
                anchoring.settle(one.node, worker=worker_name())
    for name in MEMBERS:
        shutil.copytree(folder / "blocks", folder / name / "blocks")
        path = folder / name / "simdes.toml"
        path.write_text(path.read_text().replace(f"file:{folder / 'blocks'}", "file:blocks"))
    shutil.rmtree(folder / "blocks")
    return vault


def _lose(
    story: Story, folder: Path, backups: Path, log: Path, seconds: float
) -> tuple[str, float]:
    """Work, back up, be killed, lose everything; the last backup and when it began."""
    north = folder / "north"
    with served(folder, "south", "east"), served(folder, "north") as programs:
        with story.step("Records come in while backups are made; one backup is killed half way"):
            writer = start("-m", "tools.drill", "--write", north, log)
            simdes("backup", "--data", north, "--to", backups)
            broken = start("-m", "simdes", "backup", "--data", north, "--to", backups)
            until = time.monotonic() + WAIT_SECONDS
            while broken.poll() is None and not list((backups / "archives").glob("*.coming")):
                must(time.monotonic() < until, "a backup begins")
                time.sleep(0.005)
            kill(broken)
            time.sleep(seconds)
            began = time.time()
            made = simdes("backup", "--data", north, "--to", backups)
            story.facts["backup_seconds"] = round(time.time() - began, 2)
            time.sleep(seconds)
            must(writer.poll() is None, "the writer still writes")
            count = len(acknowledged(log, before=began))
            must(count > 0, "something was acknowledged before the backup")
            story.tell(f"{count} messages acknowledged before the backup of {made['bytes']} bytes")
        with story.step("North's programs are killed, and everything of it is deleted"):
            kill(writer, *programs.values())
            shutil.rmtree(north)
    story.facts |= {"acknowledged": count, "backup": made}
    return str(made["name"]), began


def _nothing_lost(story: Story, folder: Path, numbers: Sequence[int]) -> None:
    with story.step("Every acknowledged record is there, none half"):
        with app.opened(folder / "north") as one, one.node.database.read() as tx:
            known = sources.known(tx, [sha256(message(number)) for number in numbers])
            halves = tx.all(  # each message has two results; what is nobody's is stored once
                "SELECT s.id FROM source AS s WHERE 2 <> (SELECT count(*) FROM resource AS r"
                " WHERE r.source_id = s.id AND r.type = 'Observation')"
            )
        lost = len(numbers) - len(known)
        must(not lost, f"none of {len(numbers)} is lost, but {lost} are")
        must(not halves, "every message's resources came back together")
        story.tell(f"{len(numbers)} of {len(numbers)}")


def _works_on(story: Story, folder: Path, vault: bytes) -> None:
    with story.step("North goes on; a doctor at South opens a record with North's share"):
        with (
            served(folder, "north"),
            app.opened(folder / "south") as south,
            app.answering(south),
        ):
            doctor = signed_in(south, "dr.lee")
            read = retrieve.retrieve(south.node, doctor, vault=vault)
            must(len(read.resources) > 0, "the doctor reads the record, East being away")
            story.tell(f"{len(read.resources)} resources, checked against their anchor")
        with served(folder, "north", "south", "east"), app.opened(folder / "north") as north:
            until = time.monotonic() + WAIT_SECONDS  # new vaults need every custodian
            while not anchoring.everything_anchored(north.node):
                must(time.monotonic() < until, "everything accepted is anchored")
                time.sleep(0.2)
        story.facts["read_elsewhere"] = len(read.resources)


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, help="an empty folder; default: a temporary one")
    parser.add_argument("--seconds", type=float, default=3.0, help="of work around the backup")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("--write", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        write(*asked.write)
        return

    def say(text: str) -> None:
        print(text, file=sys.stderr if asked.json else sys.stdout, flush=True)

    with tempfile.TemporaryDirectory(prefix="simdes-drill-") as made:
        place = asked.folder or Path(made)
        (place / "network").mkdir(parents=True)
        facts = drill((place / "network").resolve(), seconds=asked.seconds, say=say)
    if asked.json:
        print(json.dumps(facts))
    else:
        say(f"\nNothing was lost; {facts['total_seconds']} seconds in all.")


if __name__ == "__main__":
    main()
