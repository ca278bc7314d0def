"""How fast the whole path is: ingest, anchor, open elsewhere, revoke, on the embedded default.

Run `.venv/bin/python bench/exchange.py` on an idle machine. Four organisations, 3-of-4 custodians,
in one process: embedded ledger, SQLite, file store, custody requests as signed bytes without HTTP.
Wall-clock times of one client; resources are one laboratory Observation each.
"""

from __future__ import annotations

import argparse
import json
import platform
import secrets
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from simdes import app, config
from simdes.access.categories import Role
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR, Opened
from simdes.errors import Forbidden
from simdes.exchange import anchoring, consents, enrolment, membership, retrieve, submit
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.signin import sign_in
from simdes.fhir.json import dumps
from simdes.index import copies
from simdes.mapper import map_bytes

WORD = "a benchmark's passphrase"
NAMES = ("one", "two", "three", "four")


def found(data: Path, stack: ExitStack) -> list[Opened]:
    """Four organisations that know each other."""
    for name in NAMES:
        settings = config.Settings(
            name=name,
            kind="hospital",
            organisation="0x" + secrets.token_hex(32),
            ledger_url=f"embedded:{data / 'ledger.sqlite'}",
            store_url=f"file:{data / 'blocks'}",
            database_url="sqlite:simdes.sqlite",
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
    members = [stack.enter_context(app.opened(data / name, passphrase=WORD)) for name in NAMES]
    for one in members:
        stack.enter_context(app.answering(one))
    owner = sign_in(members[0].node, ADMINISTRATOR, WORD)
    for one in members[1:]:
        membership.verify_organisation(members[0].node, owner.key, one.node.organisation)
    return members


def bundle(patient: int, number: int) -> bytes:
    """A Bundle of one patient and one Observation."""
    subject = {"reference": f"Patient/patient-{patient}"}
    observation = {
        "resourceType": "Observation",
        "id": f"observation-{patient}-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
        "subject": subject,
        "effectiveDateTime": "2026-11-22T09:30:00+01:00",
        "valueQuantity": {"value": number, "unit": "mg/dL"},
    }
    identifier = {"system": "urn:oid:2.999.1", "value": f"bench-{patient}"}
    person = {"resourceType": "Patient", "id": f"patient-{patient}", "identifier": [identifier]}
    base = "https://bench.example/fhir"
    entries = [
        {"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one}
        for one in (person, observation)
    ]
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def fill(node: Any, *, patient: int, count: int) -> dict[str, float]:
    """Submit and anchor `count` Observations of one patient; resources per second of each part."""
    sources = [bundle(patient, number) for number in range(count)]
    began = time.perf_counter()
    mapped = [map_bytes(f"{number}.json", source) for number, source in enumerate(sources)]
    at_mapped = time.perf_counter()
    for mapping in mapped:
        submit.submit(node, mapping)
    at_submitted = time.perf_counter()
    anchoring.settle(node, worker="bench")
    at_anchored = time.perf_counter()
    return {
        "mapped_per_second": count / (at_mapped - began),
        "acknowledged_per_second": count / (at_submitted - at_mapped),
        "sealed_stored_anchored_per_second": count / (at_anchored - at_submitted),
    }


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(records: int, singles: int) -> dict[str, Any]:
    """Run the path once and return its figures."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        custodians = CpuTime()
        timed = custodians.around(CustodyDesk.answer)
        stack.enter_context(mock.patch.object(CustodyDesk, "answer", timed))
        members = found(Path(folder), stack)
        author, reader = members[0].node, members[1].node
        anchoring.BODY_RESOURCES = 1  # one record a resource, the worst case of reading
        figures: dict[str, Any] = {"ingest": fill(author, patient=1, count=records)}
        fill(author, patient=2, count=1)
        admin = sign_in(reader, ADMINISTRATOR, WORD)
        enrolment.add_person(reader, admin, "doctor", role=Role.DOCTOR, passphrase=WORD)
        enrolment.trust_checks(reader, admin, checked_by=author.organisation, valid_seconds=3600)
        doctor = sign_in(reader, "doctor", WORD)
        vault, patient, given = enrolled(author, reader, 1)
        single, _, _ = enrolled(author, reader, 2)
        figures["open_batch"] = open_batch(reader, doctor, vault, custodians)
        figures["open_one"] = open_singly(reader, doctor, single, singles)
        figures["revocation_to_refusal_ms"] = revoke(author, reader, patient, doctor, given)
        return figures


def open_batch(reader: Any, doctor: Any, vault: bytes, custodians: CpuTime) -> dict[str, float]:
    """Open everything in one call; also what of the CPU time was the reader's own.

    The custodians answer in threads of this process, so their CPU time can be taken off.
    """
    began, cpu_began, theirs = time.perf_counter(), time.process_time(), custodians.seconds
    read = retrieve.retrieve(reader, doctor, vault=vault)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    cpu_seconds -= custodians.seconds - theirs
    count = len(read.resources)
    return {
        "records": count,
        "per_second": count / seconds,
        "reader_cpu_per_second": count / cpu_seconds,
    }


class CpuTime:
    """CPU seconds of a verb, added up over the threads that call it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def around(self, verb: Any) -> Any:
        """The verb, timed."""

        def timed(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return verb(*arguments)
            finally:
                with self._lock:
                    self.seconds += time.thread_time() - began

        return timed


def open_singly(reader: Any, doctor: Any, vault: bytes, count: int) -> dict[str, float]:
    """Latency of reading a vault of one record that is not held as a copy, in milliseconds.

    The whole verb: consents, list, shares, body, anchor, copy and audit entry.
    """
    times = []
    cpu = time.process_time()
    for _ in range(count):
        reader.database.write(lambda tx: copies.drop_vault(tx, vault))
        began = time.perf_counter()
        read = retrieve.retrieve(reader, doctor, vault=vault)
        times.append(1000 * (time.perf_counter() - began))
        if len(read.resources) != 1:
            raise SystemExit("that was not one record")
    return {
        "p50_ms": statistics.median(times),
        "p99_ms": percentile(times, 0.99),
        "cpu_ms_each": 1000 * (time.process_time() - cpu) / count,
        "count": len(times),
    }


def enrolled(author: Any, reader: Any, number: int) -> tuple[bytes, Any, Any]:
    """The vault of a patient by number, the patient's session, and what they grant the reader."""
    vault = enrolment.find_vault(author, [("urn:oid:2.999.1", f"bench-{number}")])
    owner = sign_in(author, ADMINISTRATOR, WORD)
    enrolment.enrol(author, owner, f"patient-{number}", vault=vault, passphrase=WORD)
    patient = sign_in(author, f"patient-{number}", WORD)
    return vault, patient, grant(author, patient, reader, vault)


def grant(author: Any, patient: Any, reader: Any, vault: bytes) -> Any:
    """Let the reader's doctors see the patient's results."""
    return consents.grant(
        author,
        patient,
        vault=vault,
        grantee=Grantee.role_in(reader.organisation, "doctor"),
        categories=["observations"],
        purposes=["TREAT"],
        valid_seconds=3600,
    )


def revoke(author: Any, reader: Any, patient: Any, doctor: Any, given: Any) -> float:
    """Milliseconds from the patient's decision to the reader's first refusal."""
    began = time.perf_counter()
    consents.revoke(author, patient, vault=given.vault, handle=given.handle)
    while True:
        try:
            retrieve.retrieve(reader, doctor, vault=given.vault)
        except Forbidden:
            return 1000 * (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=1_000)
    arguments.add_argument("--singles", type=int, default=200)
    arguments.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    chosen = arguments.parse_args()
    figures = measure(chosen.records, chosen.singles)
    figures["machine"] = f"{platform.machine()}, Python {platform.python_version()}"
    if chosen.out:
        chosen.out.write_text(json.dumps(figures, indent=2) + "\n")
    for part, values in figures.items():
        print(f"{part}: {values}")


if __name__ == "__main__":
    main()
