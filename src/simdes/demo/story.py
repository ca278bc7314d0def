"""The main job on real messages, told step by step: `simdes demo` (paper, Fig. 3).

Three organisations, each with its own folder, keys, database and custody API, exchange one
patient's records. By default they run in this process; with ``separate`` each custody API is a
`simdes serve` process of its own. What is told was checked: a step that does not come out as it
must ends the demo with an error.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from simdes.access.categories import Category, Role
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR, Opened
from simdes.demo.stage import (
    PASSPHRASES,
    START_SECONDS,
    Cast,
    Say,
    Story,
    admit,
    found,
    must,
    signed_in,
)
from simdes.errors import Forbidden, Tampered, Unavailable
from simdes.exchange import (
    anchoring,
    consents,
    enrolment,
    intake,
    logbook,
    opening,
    retrieve,
    submit,
    verification,
)
from simdes.exchange.retrieve import Retrieved
from simdes.exchange.running import worker_name
from simdes.exchange.signin import Session
from simdes.exchange.submit import Accepted
from simdes.index import vaults
from simdes.mapper import Mapping, report

SAMPLES = Path(__file__).parents[1] / "samples" / "hl7v2"


def run(data: Path, say: Say, *, separate: bool = False) -> dict[str, Any]:
    """Play the demo in an empty folder and return its facts. Raises where a step goes wrong."""
    story = Story(say)
    with ExitStack() as stack:
        cast = found(story, data, stack, separate=separate)
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
        must(len(accepted) == len(answers), "every sample message is accepted")
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
        admit(cast.south, "dr.lee", Role.DOCTOR)
        doctor = signed_in(cast.south, "dr.lee")
        with cast.north.node.database.read() as tx:
            known = vaults.identifiers(tx, vault)
        located = retrieve.locate(
            cast.south.node, doctor, [(one.system, one.value) for one in known]
        )
        must([one.tag for one in located] == [vault], "the patient is located by identifier")
        story.tell("The patient is located by identifier: a tag and three custodians, no more")
        reason = _expect_refusal(cast.south, doctor, vault)
        story.tell(f"{reason} It is on record")
    story.facts["refused_before"] = reason
    return doctor


def _enrol(story: Story, cast: Cast, vault: bytes) -> Session:
    with story.step("The patient enrols at Hospital North: the provisional vault becomes theirs"):
        south_admin = signed_in(cast.south, ADMINISTRATOR)
        enrolment.trust_checks(
            cast.south.node,
            south_admin,
            checked_by=cast.north.node.organisation,
            valid_seconds=86_400,
        )
        story.tell("Clinic South's administrator decides to rely on North's identity checks")
        enrolment.enrol(
            cast.north.node,
            signed_in(cast.north, ADMINISTRATOR),
            "patient",
            vault=vault,
            passphrase=PASSPHRASES["patient"],
            attesters=[cast.south.node.organisation],
        )
        control = cast.north.node.contracts.accounts.vault(vault)
        patient = signed_in(cast.north, "patient")
        must(
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
        must(
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
        must(held > 0 and left == 0, "the clinic's copies are gone")
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
        must(forged != proof, "the forged proof differs")
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
        must(not log.silent, "every organisation answers")
        wanted = [one for one in log.entries if one.verb != "log"]
        if all(one.anchored for one in wanted):
            return tuple(wanted)
        time.sleep(0.1)
    raise Unavailable("The audit entries were not anchored in time.")


def _prove_record(story: Story, cast: Cast, read: Retrieved) -> None:
    one = next(one for one in read.resources if one.type == "Observation")
    must(one.place is not None and one.record_id is not None, "a read resource has its place")
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


def _expect_refusal(south: Opened, doctor: Session, vault: bytes) -> str:
    try:
        retrieve.retrieve(south.node, doctor, vault=vault)
    except Forbidden as error:
        return error.message
    raise Tampered("Records were opened without consent.")
