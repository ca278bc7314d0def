"""The main job on real messages, told step by step: `simdes demo` (paper, Fig. 3).

Three organisations, each with its own folder, keys, database and custody API, exchange one
patient's records. By default they run in this process; with ``separate`` each custody API is a
`simdes serve` process of its own. What is told was checked: a step that does not come out as it
must ends the demo with an error.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simdes import app, config
from simdes.access.categories import Category, Role
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR, Opened
from simdes.errors import Forbidden, SimdesError, Tampered, Unavailable
from simdes.exchange import (
    anchoring,
    consents,
    enrolment,
    intake,
    logbook,
    membership,
    opening,
    retrieve,
    submit,
    verification,
)
from simdes.exchange.retrieve import Retrieved
from simdes.exchange.signin import Session, sign_in
from simdes.exchange.submit import Accepted
from simdes.exchange.worker import worker_name
from simdes.index import vaults
from simdes.mapper import Mapping, report

SAMPLES = Path(__file__).parent / "samples" / "hl7v2"
START_SECONDS = 30
_PASSPHRASES = {
    ADMINISTRATOR: "an administrator's passphrase",
    "dr.lee": "a doctor's passphrase",
    "patient": "a patient's passphrase",
}
_MEMBERS = (
    ("north", "Hospital North", "hospital"),
    ("south", "Clinic South", "hospital"),
    ("east", "Insurer East", "insurer"),
)

Say = Callable[[str], None]


@dataclass(slots=True)
class Story:
    """What was told and measured so far; ``facts`` is what ``--json`` prints."""

    say: Say
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    number: int = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell a step and how long it took."""
        self.number += 1
        self.say(f"\n{self.number}. {title}")
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.facts.setdefault("seconds", {})[title] = round(seconds, 3)
        self.say(f"   ({seconds:.2f} s)")

    def tell(self, text: str) -> None:
        """Tell something inside a step."""
        self.say(f"   {text}")


@dataclass(frozen=True, slots=True)
class Cast:
    """The three organisations."""

    north: Opened
    south: Opened
    east: Opened

    def everybody(self) -> tuple[Opened, Opened, Opened]:
        """All of them."""
        return self.north, self.south, self.east


def run(data: Path, say: Say, *, separate: bool = False) -> dict[str, Any]:
    """Play the demo in an empty folder and return its facts. Raises where a step goes wrong."""
    story = Story(say)
    with ExitStack() as stack:
        cast = _found(story, data, stack, separate=separate)
        mappings = _map(story)
        vault = _ingest(story, cast.north, mappings)
        doctor = _refused_doctor(story, cast, vault)
        patient = _enrol(story, cast, vault)
        given = _grant(story, cast, patient, vault)
        read = _read(story, cast, doctor, vault)
        _revoke(story, cast, patient, doctor, vault, given)
        _log(story, cast, patient, vault, read)
    total = time.monotonic() - story.began
    story.facts["total_seconds"] = round(total, 2)
    say(f"\nAll of it took {total:.1f} seconds. Everything is in {data}.")
    return story.facts


# 1. Three organisations -----------------------------------------------------------------------


def _found(story: Story, data: Path, stack: ExitStack, *, separate: bool) -> Cast:
    with story.step("Three organisations found a network, each with its own keys and database"):
        ports = _free_ports(len(_MEMBERS))
        for (folder, name, kind), port in zip(_MEMBERS, ports, strict=True):
            settings = config.Settings(
                name=name,
                kind=kind,
                organisation="0x" + secrets.token_hex(32),
                ledger_url=f"embedded:{data / 'ledger.sqlite'}",
                store_url=f"file:{data / 'blocks'}",
                database_url="sqlite:simdes.sqlite",
                custody_url=f"http://127.0.0.1:{port}",
            )
            app.create(
                data / folder,
                settings,
                passphrase=None,
                administrator_passphrase=_PASSPHRASES[ADMINISTRATOR],
                network=data / "north" / "network.json" if folder != "north" else None,
                delays=app.DELAYS["demo"],
            )
            story.tell(f"{name} ({kind}): {data / folder}")
        if separate:
            for (folder, name, _), port in zip(_MEMBERS, ports, strict=True):
                _serve(stack, data / folder, port)
                story.tell(f"{name}'s custody API is a process of its own, on port {port}")
        members = [stack.enter_context(app.opened(data / folder)) for folder, _, _ in _MEMBERS]
        if not separate:
            for one in members:
                stack.enter_context(app.answering(one))
        cast = Cast(*members)
        owner = _sign_in(cast.north, ADMINISTRATOR)
        for one in (cast.south, cast.east):
            membership.verify_organisation(cast.north.node, owner.key, one.node.organisation)
        contracts = cast.north.node.contracts.addresses
        story.tell(
            f"Contracts on chain {contracts.chain_id}: Accounts, Consents, Records, AuditLog"
        )
        story.tell("Every record's key will be split 2-of-3 among them")
    story.facts["organisations"] = len(members)
    return cast


def _serve(stack: ExitStack, data: Path, port: int) -> None:
    """Start `simdes serve` for a folder and wait until it answers; it ends with the demo."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "simdes", "serve", "--data", str(data), "--port", str(port)],
        stdout=subprocess.DEVNULL,
    )
    stack.callback(_stop, process)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"`simdes serve` for {data} ended at once.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Unavailable(f"`simdes serve` for {data} did not answer in {START_SECONDS} seconds.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


# 2. and 3. Messages become records ------------------------------------------------------------


def _map(story: Story) -> list[Mapping]:
    with story.step("Sample HL7 v2 messages become FHIR R4"):
        files = intake.source_files([SAMPLES])
        mappings = [intake.map_file(file) for file in files if file.name.endswith(".hl7")]
        summary = report(mappings)
        for event, count in summary["events"].items():
            story.tell(f"{count} × {event}")
        types = ", ".join(f"{count} {name}" for name, count in summary["resources"].items())
        story.tell(f"gave {types}")
        dropped = sum(one["count"] for one in summary["dropped"])
        story.tell(f"{dropped} fields have no place in FHIR; each is listed in the report")
    story.facts["messages"] = summary["messages"]
    story.facts["mapped_resources"] = sum(summary["resources"].values())
    story.facts["quarantined"] = len(summary["quarantined"])
    return mappings


def _ingest(story: Story, north: Opened, mappings: Sequence[Mapping]) -> bytes:
    with story.step("Hospital North validates, seals, stores and anchors them"):
        answers = [one for mapping in mappings for one in submit.submit(north.node, mapping)]
        accepted = [one for one in answers if isinstance(one, Accepted)]
        _must(len(accepted) == len(answers), "every sample message is accepted")
        stored = sum(one.resources for one in accepted)
        story.tell(f"{len(accepted)} messages acknowledged: {stored} resources, durable, encrypted")
        done = anchoring.settle(north.node, worker=worker_name())
        _wait_until_anchored(north)
        story.tell(
            f"{len({one.vault for one in accepted})} patients unknown to the network each got"
        )
        story.tell("a provisional vault, with custodians of three different owners")
        if done.records:
            story.tell(
                f"{done.records} sealed records stored by CID, {done.batches} batch on chain"
            )
    story.facts["resources"] = stored
    story.facts["patients"] = len({one.vault for one in accepted})
    return _choose_patient(north, accepted)


def _wait_until_anchored(north: Opened) -> None:
    """In separate processes the hospital's own worker may have taken the work."""
    deadline = time.monotonic() + START_SECONDS
    while not anchoring.everything_anchored(north.node):
        if time.monotonic() > deadline:
            raise Unavailable("The records were not anchored in time.")
        anchoring.work(north.node, worker=worker_name())
        time.sleep(0.05)


def _choose_patient(north: Opened, accepted: Sequence[Accepted]) -> bytes:
    """The patient with most observations."""
    held = {vault: _observations(north, vault) for vault in {one.vault for one in accepted}}
    return max(sorted(held), key=lambda vault: len(held[vault]))


def _observations(north: Opened, vault: bytes) -> list[tuple[str, str]]:
    """(type, id) of what Hospital North holds of a vault in the category of observations."""
    return anchoring.held_in(north.node, vault, Category.OBSERVATIONS)


# 4. to 7. Refused, enrolled, granted, read ----------------------------------------------------


def _refused_doctor(story: Story, cast: Cast, vault: bytes) -> Session:
    with story.step("Dr. Lee at Clinic South asks for the records, without consent"):
        _admit(cast.south, "dr.lee", Role.DOCTOR)
        doctor = _sign_in(cast.south, "dr.lee")
        with cast.north.node.database.read() as tx:
            known = vaults.identifiers(tx, vault)
        located = retrieve.locate(
            cast.south.node, doctor, [(one.system, one.value) for one in known]
        )
        _must([one.tag for one in located] == [vault], "the patient is located by identifier")
        story.tell("The patient is located by identifier: a tag and three custodians, no more")
        reason = _expect_refusal(cast.south, doctor, vault)
        story.tell(f"{reason} It is on record")
    story.facts["refused_before"] = reason
    return doctor


def _enrol(story: Story, cast: Cast, vault: bytes) -> Session:
    with story.step("The patient enrols at Hospital North: the provisional vault becomes theirs"):
        south_admin = _sign_in(cast.south, ADMINISTRATOR)
        enrolment.trust_checks(
            cast.south.node,
            south_admin,
            checked_by=cast.north.node.organisation,
            valid_seconds=86_400,
        )
        story.tell("Clinic South's administrator decides to rely on North's identity checks")
        enrolment.enrol(
            cast.north.node,
            _sign_in(cast.north, ADMINISTRATOR),
            "patient",
            vault=vault,
            passphrase=_PASSPHRASES["patient"],
            attesters=[cast.south.node.organisation],
        )
        control = cast.north.node.contracts.accounts.vault(vault)
        patient = _sign_in(cast.north, "patient")
        _must(
            control is not None and control.control == patient.actor.account,
            "the chain says that the patient controls the vault",
        )
        story.tell("Patient's signature + two organisations' word: the chain gives them control")
    return patient


def _grant(story: Story, cast: Cast, patient: Session, vault: bytes) -> bytes:
    with story.step("The patient grants observations only, for treatment, to the clinic's doctors"):
        given = consents.grant(
            cast.north.node,
            patient,
            vault=vault,
            grantee=Grantee.role_in(cast.south.node.organisation, "doctor"),
            categories=["observations"],
            purposes=["TREAT"],
            valid_seconds=30 * 86_400,
        )
        story.tell(f"Consent 0x{given.handle.hex()[:16]}… is contract state; no key changed hands")
    return given.handle


def _read(story: Story, cast: Cast, doctor: Session, vault: bytes) -> Retrieved:
    with story.step("Dr. Lee reads exactly those"):
        found = retrieve.retrieve(cast.south.node, doctor, vault=vault)
        types = Counter(one.type for one in found.resources)
        opened = [json.loads(one.content) for one in found.resources]
        _must(
            sorted((one["resourceType"], one["id"]) for one in opened)
            == sorted(_observations(cast.north, vault)),
            "the doctor reads exactly what Hospital North holds as observations",
        )
        story.tell(", ".join(f"{count} {name}" for name, count in sorted(types.items())))
        story.tell(f"Shares of 2 custodians, {len(found.receipts)} signed receipts; every byte")
        story.tell("checked against what Hospital North anchored")
        for one in opened:
            if value := _value(one):
                story.tell(f"For example: {value}")
                break
    story.facts["read"] = dict(types)
    return found


def _value(observation: dict[str, Any]) -> str:
    """Name and result of an Observation with a plain result, "" for anything else."""
    code = observation.get("code", {})
    name = code.get("text") or (code.get("coding") or [{}])[0].get("display", "")
    quantity = observation.get("valueQuantity", {})
    result = f"{quantity.get('value', '')} {quantity.get('unit', '')}".strip()
    result = result or observation.get("valueString", "")
    return f"{name}: {result}" if name and result else ""


# 8. and 9. Revoked, and evidence --------------------------------------------------------------


def _revoke(
    story: Story, cast: Cast, patient: Session, doctor: Session, vault: bytes, handle: bytes
) -> None:
    with story.step("The patient revokes; Dr. Lee asks again"):
        held = opening.copies_held(cast.south.node, vault)
        began = time.monotonic()
        consents.revoke(cast.north.node, patient, vault=vault, handle=handle)
        reason = _expect_refusal(cast.south, doctor, vault)
        seconds = time.monotonic() - began
        left = opening.copies_held(cast.south.node, vault)
        _must(held > 0 and left == 0, "the clinic's copies are gone")
        story.tell(f"{seconds * 1000:.0f} ms after the patient's decision: {reason}")
        story.tell(f"The clinic held {held} copies; it holds {left} now")
    story.facts["refused_after"] = reason
    story.facts["copies_left"] = left


def _log(story: Story, cast: Cast, patient: Session, vault: bytes, read: Retrieved) -> None:
    with story.step("The patient's log: who looked, who was refused, why, when"):
        for one in cast.everybody():
            logbook.anchor_trail(one.node)
        log = _anchored_log(cast.north, patient, vault)
        names = {one.node.organisation: one.settings.name for one in cast.everybody()}
        for entry in log:
            when = time.strftime("%H:%M:%S", time.gmtime(entry.time_ms / 1000))
            outcome = "granted" if entry.granted else f"refused: {entry.words}"
            who = f"{entry.role} of {names[entry.organisation]}"
            story.tell(
                f"{when}  {who:23} {entry.verb:9} {entry.purpose:6} {outcome}; "
                f"noted by {names[entry.observer]}"
            )
    with story.step("A proof of it holds for anybody; a tampered one does not"):
        contracts = cast.east.node.contracts
        refusal = next(one for one in log if not one.granted and one.role == "doctor")
        proof = json.dumps(refusal.proof).encode()
        path = cast.north.data / "proof.json"
        path.write_bytes(proof)
        shown = verification.verify(proof, contracts)
        story.tell(f"The refusal is proven: {shown['outcome']}, anchored {shown['anchored']}")
        forged = json.dumps(
            refusal.proof | {"entry": refusal.proof["entry"].replace('"4"', '"0"', 1)}
        ).encode()
        _must(forged != proof, "the forged proof differs")
        story.tell(
            f"The same proof with the refusal rewritten: {_expect_tampered(forged, contracts)}"
        )
        _prove_record(story, cast, read)
        story.tell(f"Try it: simdes verify {path} --network {cast.north.data / 'network.json'}")
        story.tell(f"        --ledger {cast.north.settings.ledger_url}")
    story.facts["log_entries"] = len(log)
    story.facts["proof"] = str(path)


def _anchored_log(north: Opened, patient: Session, vault: bytes) -> tuple[logbook.Logged, ...]:
    """The log once every entry of before this question is on chain."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        log = logbook.read_log(north.node, patient, vault=vault)
        _must(not log.silent, "every organisation answers")
        wanted = [one for one in log.entries if one.verb != "log"]
        if all(one.anchored for one in wanted):
            return tuple(wanted)
        time.sleep(0.1)
    raise Unavailable("The audit entries were not anchored in time.")


def _prove_record(story: Story, cast: Cast, read: Retrieved) -> None:
    one = next(one for one in read.resources if one.type == "Observation")
    _must(one.place is not None and one.record_id is not None, "a read resource has its place")
    assert one.place is not None and one.record_id is not None  # noqa: S101 - said above
    proof = opening.prove(
        cast.south.node,
        record_id=one.record_id,
        resource_type=one.type,
        content=one.content,
        place=one.place,
    )
    document = json.dumps(proof).encode()
    shown = verification.verify(document, cast.east.node.contracts, content=one.content)
    story.tell(f"The Observation that was read {shown['content']} at {shown['anchored']}")


def _expect_tampered(document: bytes, contracts: Any) -> str:
    try:
        verification.verify(document, contracts)
    except Tampered as error:
        return f"refused. {error.message}"
    raise Tampered("A tampered proof was accepted.")


# What every step needs ------------------------------------------------------------------------


def _expect_refusal(south: Opened, doctor: Session, vault: bytes) -> str:
    try:
        retrieve.retrieve(south.node, doctor, vault=vault)
    except Forbidden as error:
        return error.message
    raise Tampered("Records were opened without consent.")


def _admit(one: Opened, user: str, role: Role) -> None:
    enrolment.add_person(
        one.node, _sign_in(one, ADMINISTRATOR), user, role=role, passphrase=_PASSPHRASES[user]
    )


def _sign_in(one: Opened, user: str) -> Session:
    return sign_in(one.node, user, _PASSPHRASES[user])


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise SimdesError(f"The demo went wrong: it is not so that {what}.")


def empty_folder(path: Path | None) -> Path:
    """The folder for a demo: a new one under the user's cache, or the named one if it is empty."""
    if path is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        path = cache / "simdes" / time.strftime("demo-%Y%m%d-%H%M%S")
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise SimdesError(f"{path} is not empty.", advice="Choose another folder with --data.")
    return path.resolve()
