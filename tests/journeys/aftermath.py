"""A seeded patient's whole journey with every refusal and error on the way, and what it leaves."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
import structlog

from journeys.scenes import journey_ledger
from simdes import errors
from simdes.access.consent import Grantee
from simdes.errors import Forbidden, SimdesError
from simdes.exchange import consents, enrolment, logbook, opening, retrieve, signin, verification
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.submit import Accepted, Refused
from simdes.gateway.app import create_gateway
from simdes.index import vaults
from simdes.index.vaults import Identifier
from support import consortium, leaks, seeds
from support.consortium import Consortium
from support.seeds import SEEDED
from support.stored import damaged, stores


@dataclass(slots=True)
class Said:
    """Everything that the programs said: logs, errors (handled ones too), answers over HTTP."""

    logs: io.StringIO = field(default_factory=io.StringIO)
    errors: list[str] = field(default_factory=list)
    outcomes: list[bytes] = field(default_factory=list)

    def places(self) -> Iterator[tuple[str, bytes]]:
        """As the scanner takes it."""
        yield "logs", self.logs.getvalue().encode()
        for number, text in enumerate(self.errors):
            yield f"error {number}: {text[:40]}", text.encode()
        for number, body in enumerate(self.outcomes):
            yield f"outcome {number}", body


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What the journey left: folders of a closed network, and what was said."""

    folder: Path
    said: Said
    while_held: Path
    chain: tuple[tuple[str, bytes], ...]
    quarantined: int


@contextmanager
def listening(said: Said) -> Iterator[None]:
    """Take down every log line and every error that is made, whether anybody sees it or not."""
    made = SimdesError.__init__

    def remember(self: SimdesError, message: str, **more: Any) -> None:
        made(self, message, **more)
        said.errors.append(f"{self!r} {self.message} {self.advice}")

    log = logging.StreamHandler(said.logs)
    root = logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(said.logs))
    try:
        with mock.patch.object(SimdesError, "__init__", remember):
            yield
    finally:
        structlog.reset_defaults()
        root.removeHandler(log)
        root.setLevel(level)


def play(folder: Path) -> Aftermath:
    """The whole journey of a seeded patient in an empty folder, with all that goes wrong."""
    network = folder / "network"
    names = ("north", "south", "east")
    consortium.found(network, ledger_url=journey_ledger(), stores=stores(names))
    said = Said()
    with listening(said), consortium.opened(network) as opened:
        vault = _write(opened)
        refused = _quarantine(opened)
        _journey(opened, vault, said, lambda: shutil.copytree(network / "south", folder / "held"))
        _errors(opened, vault, said)
        opened.settle()
        chain = tuple(leaks.chain(opened))
    return Aftermath(network, said, folder / "held", chain, refused)


def _write(network: Consortium) -> bytes:
    answers = [
        *network.submit("north", "a.hl7", seeds.admission()),
        *network.submit("north", "r.hl7", seeds.results()),
        *network.submit("north", "b.json", seeds.bundle()),
    ]
    accepted = [one for one in answers if isinstance(one, Accepted)]
    assert len(accepted) == len(answers) == 3
    network.settle()
    return accepted[0].vault


def _quarantine(network: Consortium) -> int:
    answers = [
        answer for name, data in seeds.broken() for answer in network.submit("north", name, data)
    ]
    network.settle()
    return sum(isinstance(one, Refused) for one in answers)


def _journey(network: Consortium, vault: bytes, said: Said, snapshot: Callable[[], object]) -> None:
    north, south = network["north"].node, network["south"].node
    doctor = network.session("south", "dr.lee")
    [located] = retrieve.locate(south, doctor, [("SITE", SEEDED["record number"])]) or [None]
    assert located is None or located.tag == vault
    with north.database.read() as tx:
        known = [(one.system, one.value) for one in vaults.identifiers(tx, vault)]
    assert [one.tag for one in retrieve.locate(south, doctor, known)] == [vault]
    with pytest.raises(Forbidden):
        retrieve.retrieve(south, doctor, vault=vault)
    patient = network.enrol(vault, "patient")
    given = consents.grant(
        north,
        patient,
        vault=vault,
        grantee=Grantee.role_in(south.organisation, "doctor"),
        categories=["observations", "allergies", "demographics"],
        purposes=["TREAT"],
        valid_seconds=3600,
    )
    found = retrieve.retrieve(south, doctor, vault=vault)
    read = b"".join(one.content for one in found.resources).decode()
    for what in ("family name", "result", "allergy", "note", "birth date, FHIR"):
        assert SEEDED[what] in read, f"the doctor reads the {what}"
    assert opening.copies_held(south, vault) > 0
    snapshot()
    _prove(network, vault)
    consents.revoke(north, patient, vault=vault, handle=given.handle)
    with pytest.raises(Forbidden):
        retrieve.retrieve(south, doctor, vault=vault)
    network.settle()
    log = logbook.read_log(north, patient, vault=vault)
    assert log.entries
    said.outcomes += [json.dumps(one.proof).encode() for one in log.entries]


def _prove(network: Consortium, vault: bytes) -> None:
    """A proof says nothing but digests; a wrong content beside it is refused."""
    south = network["south"].node
    found = retrieve.retrieve(south, network.session("south", "dr.lee"), vault=vault)
    one = next(one for one in found.resources if one.type == "Observation")
    assert one.place is not None
    assert one.record_id is not None
    proof = opening.prove(
        south,
        record_id=one.record_id,
        resource_type=one.type,
        content=one.content,
        place=one.place,
    )
    document = json.dumps(proof).encode()
    verification.verify(document, south.contracts, content=one.content)
    with pytest.raises(errors.Tampered):
        verification.verify(document, south.contracts, content=one.content + b" ")
    for broken in (seeds.bundle(), document[:-20], seeds.admission()):
        with pytest.raises(SimdesError):
            verification.verify(broken, south.contracts)


def _errors(network: Consortium, vault: bytes, said: Said) -> None:
    """Everything that can be made to fail with a value at hand."""
    north, south = network["north"].node, network["south"].node
    doctor = network.session("south", "dr.lee")
    pairs = [("urn:nowhere", value) for value in SEEDED.values()]
    attempts: list[Callable[[], object]] = [
        lambda: signin.sign_in(north, SEEDED["family name"], SEEDED["note"]),
        lambda: signin.sign_in(north, "dr.north", SEEDED["note"]),
        lambda: signin.resume(north, SEEDED["note"]),
        lambda: enrolment.find_vault(north, pairs),
        lambda: retrieve.locate(south, network.session("south", "prof.ray"), pairs),
        lambda: retrieve.retrieve(south, doctor, vault=vault, purpose="HRESCH"),
        lambda: _link_to_another(network, vault),
        lambda: _too_long_identifier(network),
    ]
    for attempt in attempts:
        with suppress(SimdesError):
            attempt()
    _damage_a_block(network, vault)
    for name in ("north", "south"):
        for method in ("locate", "release", "manifests", SEEDED["family name"]):
            for body in (seeds.admission(), seeds.bundle(), b"", b"\0" * 9_000_000):
                answer = post(network[name].custody, f"/custody/v1/{method}", body)
                assert 400 <= answer.status_code < 500
                said.outcomes.append(answer.content + str(answer.headers).encode())


def post(custody: CustodyDesk, path: str, body: bytes) -> httpx.Response:
    """What the gateway answers; this client's own log is not the system's."""

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(create_gateway(custody), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post(
                path, content=body, headers={"Content-Type": "application/jose"}
            )

    with mock.patch.object(logging.getLogger("httpx"), "disabled", True):
        return asyncio.run(post())


def _link_to_another(network: Consortium, vault: bytes) -> None:
    """A message whose identifiers belong to two patients."""
    other = seeds.admission().replace(SEEDED["record number"].encode(), b"OTHER-PATIENT-1")
    other = other.replace(SEEDED["social security"].encode(), b"OTHER-PATIENT-2")
    other = other.replace(SEEDED["other number"].encode(), b"OTHER-PATIENT-3")
    network.submit(
        "north", "other.hl7", other.replace(SEEDED["social security, plain"].encode(), b"")
    )
    both = other.replace(b"OTHER-PATIENT-2", SEEDED["record number"].encode())
    network.submit("north", "both.hl7", both)
    with network["north"].node.database.transaction() as tx:
        vaults.link_many(tx, {Identifier("SITE", SEEDED["record number"]): bytes(32)})


def _too_long_identifier(network: Consortium) -> None:
    long = seeds.admission().replace(
        SEEDED["record number"].encode(), SEEDED["record number"].encode() * 100_000
    )
    network.submit("north", "long.hl7", long)


def _damage_a_block(network: Consortium, vault: bytes) -> None:
    """A body whose bytes were changed in the content store."""
    north = network["north"].node
    with north.database.read() as tx:
        [(cid,)] = tx.all(
            "SELECT body_cid FROM record WHERE vault = :v AND category = 3 LIMIT 1", v=vault
        )
    with damaged(network["north"].data.parent, cid), suppress(SimdesError):
        retrieve.retrieve(north, network.session("north", "patient"), vault=vault)
