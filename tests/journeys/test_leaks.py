"""Nothing that names a patient stands where it must not, after everything that can happen to it.

Seeded people go through the whole journey, with every refusal and error on the way; then every
place is searched (`support.leaks`). That the search finds what is there is shown by planting a
value in each place.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import shutil
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import httpx
import pytest
import structlog

from simdes import errors
from simdes.access.consent import Grantee
from simdes.errors import Forbidden, SimdesError
from simdes.exchange import consents, enrolment, logbook, opening, retrieve, signin, verification
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.submit import Accepted, Refused
from simdes.gateway.app import create_gateway
from simdes.index import vaults
from simdes.index.vaults import Identifier
from simdes.ledger.lane import Call
from simdes.storage.cid import parse
from support import consortium, leaks, seeds
from support.consortium import Consortium
from support.leaks import Leak, Scanner
from support.seeds import SEEDED

FORMS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "capitals": lambda value: value.upper().encode(),
    "utf-16-le": lambda value: value.encode("utf-16-le"),
    "utf-16-be": lambda value: value.encode("utf-16-be"),
    "hex": lambda value: value.encode().hex().encode(),
    "reversed": lambda value: value[::-1].encode(),
}


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

    def remember(self: SimdesError, message: str, *, advice: str | None = None) -> None:
        made(self, message, advice=advice)
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


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(SEEDED.values())


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """The whole journey of a seeded patient, with all that goes wrong."""
    folder = tmp_path_factory.mktemp("leaks")
    network = folder / "network"
    consortium.found(network)
    said = Said()
    with listening(said), consortium.opened(network) as opened:
        vault = _write(opened)
        refused = _quarantine(opened)
        _journey(opened, vault, said, lambda: shutil.copytree(network / "south", folder / "held"))
        _errors(opened, vault, said)
        opened.settle()
        url = json.loads((network / "ledger.sqlite.endpoint").read_text())["url"]
        chain = tuple(leaks.chain(url))
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
                answer = _post(network[name].custody, f"/custody/v1/{method}", body)
                assert 400 <= answer.status_code < 500
                said.outcomes.append(answer.content + str(answer.headers).encode())


def _post(custody: CustodyDesk, path: str, body: bytes) -> httpx.Response:
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
        vaults.link(tx, Identifier("SITE", SEEDED["record number"]), bytes(32))


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
    path = next(
        path
        for path in network["north"].data.parent.joinpath("blocks").rglob("*")
        if path.is_file() and path.name == _digest_name(cid)
    )
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with suppress(SimdesError):
        retrieve.retrieve(north, network.session("north", "patient"), vault=vault)
    path.write_bytes(whole)


def _digest_name(cid: str) -> str:
    return parse(cid)[1].hex()


# Where nothing may stand ----------------------------------------------------------------------


def test_the_journey_made_what_is_searched(aftermath: Aftermath) -> None:
    assert aftermath.quarantined > 12
    assert len(aftermath.said.errors) > 40
    assert len(aftermath.said.outcomes) > 30
    assert len(aftermath.chain) > 100
    assert sum(path.is_file() for path in (aftermath.folder / "blocks").rglob("*")) > 30


def test_no_identifier_stands_in_any_block_transaction_or_event(
    aftermath: Aftermath, scanner: Scanner
) -> None:
    assert scanner.scan(aftermath.chain) == []
    assert scanner.scan(leaks.rows(aftermath.folder / "ledger.sqlite")) == []
    journal = [(path.name, path.read_bytes()) for path in aftermath.folder.glob("ledger.sqlite*")]
    assert scanner.scan(journal) == []


def test_no_identifier_stands_in_the_content_store(aftermath: Aftermath, scanner: Scanner) -> None:
    assert scanner.scan(leaks.files(aftermath.folder / "blocks")) == []


def test_no_identifier_stands_in_logs_errors_or_answers(
    aftermath: Aftermath, scanner: Scanner
) -> None:
    assert scanner.scan(aftermath.said.places()) == []


@pytest.mark.parametrize("member", ["south", "east"])
def test_no_identifier_stands_on_another_organisation_s_disk(
    aftermath: Aftermath, scanner: Scanner, member: str
) -> None:
    assert scanner.scan(leaks.files(aftermath.folder / member)) == []
    assert scanner.scan(leaks.rows(aftermath.folder / member / "simdes.sqlite")) == []


def test_no_identifier_stands_on_the_reader_s_disk_while_it_holds_copies(
    aftermath: Aftermath, scanner: Scanner
) -> None:
    assert scanner.scan(leaks.files(aftermath.while_held)) == []


def test_the_author_s_disk_holds_identifiers_in_their_table_alone(
    aftermath: Aftermath, scanner: Scanner, tmp_path: Path
) -> None:
    north = aftermath.folder / "north"
    database = north / "simdes.sqlite"
    assert scanner.scan(leaks.rows(database, but=["identifier"])) == []
    assert scanner.scan(leaks.files(north, but=["simdes.sqlite"])) == []
    copy = leaks.without(database, "identifier", tmp_path)
    assert scanner.scan([("the rest of the file", copy.read_bytes())]) == []
    told = {leak.value for leak in scanner.scan(leaks.rows(database))}
    assert SEEDED["record number"] in told
    assert told <= {
        SEEDED[what]
        for what in ("record number", "other number", "social security", "social security, plain")
    }


# A scanner that can't fail is a defect --------------------------------------------------------


def values_found(found: list[Leak]) -> set[str]:
    return {leak.value for leak in found}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", SEEDED)
def test_the_scanner_finds_every_value_in_every_form(
    scanner: Scanner, what: str, form: str
) -> None:
    hidden = b"\x00\xffbefore " + FORMS[form](SEEDED[what]) + b" after\x00"
    assert SEEDED[what] in values_found(scanner.scan([("here", hidden)]))


@pytest.mark.parametrize("shift", range(7))
@pytest.mark.parametrize("alphabet", ["b64encode", "urlsafe_b64encode"])
def test_the_scanner_finds_every_value_in_base64_wherever_it_begins(
    scanner: Scanner, shift: int, alphabet: str
) -> None:
    for value in SEEDED.values():
        encoded = getattr(base64, alphabet)(b"?" * shift + value.encode() + b"more")
        assert value in values_found(scanner.scan([("here", encoded)]))


def test_the_scanner_finds_values_in_urls_and_json(scanner: Scanner) -> None:
    for value in SEEDED.values():
        for text in (
            urllib.parse.quote(value, safe=""),
            urllib.parse.quote_plus(value),
            json.dumps({"a": value}),
        ):
            assert value in values_found(scanner.scan([("here", text.encode())]))


def test_the_scanner_finds_nothing_in_nothing_and_refuses_short_values(scanner: Scanner) -> None:
    assert scanner.scan([("noise", bytes(range(256)) * 4000)]) == []
    with pytest.raises(ValueError, match="under 8"):
        Scanner(["short"])


@pytest.fixture
def planted(aftermath: Aftermath, tmp_path: Path) -> Iterator[tuple[Consortium, Path]]:
    """A copy of the aftermath, opened, to plant values in."""
    folder = consortium.copy(aftermath.folder, tmp_path / "network")
    with consortium.opened(folder) as network:
        yield network, folder


@pytest.mark.parametrize("form", ["utf-8", "utf-16-le"])
def test_a_value_planted_in_a_transaction_is_found(
    planted: tuple[Consortium, Path], scanner: Scanner, form: str
) -> None:
    network, folder = planted
    lane, value = network["north"].node.agent, SEEDED["family name"]
    block = lane.transact(Call(lane.address, FORMS[form](value), "plant")).block_number
    url = json.loads((folder / "ledger.sqlite.endpoint").read_text())["url"]
    assert value in values_found(scanner.scan(leaks.chain(url, first=block)))
    assert value in values_found(scanner.scan(leaks.rows(folder / "ledger.sqlite")))


@pytest.mark.parametrize("form", ["utf-8", "reversed"])
def test_a_value_planted_in_the_content_store_is_found(
    planted: tuple[Consortium, Path], scanner: Scanner, form: str
) -> None:
    network, folder = planted
    network["south"].node.store.put(b"x" * 100 + FORMS[form](SEEDED["result"]))
    assert SEEDED["result"] in values_found(scanner.scan(leaks.files(folder / "blocks")))


@pytest.mark.parametrize("member", ["north", "south", "east"])
def test_a_value_planted_in_a_database_is_found_in_rows_and_file(
    planted: tuple[Consortium, Path], scanner: Scanner, member: str, tmp_path: Path
) -> None:
    _, folder = planted
    database = folder / member / "simdes.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO checkpoint (name, block_number, block_hash) VALUES (?, 0, ?)",
            (SEEDED["city"], bytes(32)),
        )
    connection.close()
    assert SEEDED["city"] in values_found(scanner.scan(leaks.rows(database, but=["identifier"])))
    copy = leaks.without(database, "identifier", tmp_path)
    assert SEEDED["city"] in values_found(scanner.scan([("file", copy.read_bytes())]))
    assert SEEDED["city"] in values_found(scanner.scan(leaks.files(folder / member)))


def test_a_value_planted_in_a_file_or_its_name_is_found(
    planted: tuple[Consortium, Path], scanner: Scanner
) -> None:
    _, folder = planted
    (folder / "east" / "note.txt").write_text(f"about {SEEDED['street']}")
    (folder / "south" / f"{SEEDED['kin']}.tmp").touch()
    assert values_found(scanner.scan(leaks.files(folder / "east"))) == {SEEDED["street"]}
    assert values_found(scanner.scan(leaks.files(folder / "south"))) == {SEEDED["kin"]}


def test_a_value_planted_in_logs_errors_or_answers_is_found(scanner: Scanner) -> None:
    said = Said()
    with listening(said):
        structlog.get_logger("simdes.worker").warning("round failed", name=SEEDED["family name"])
        logging.getLogger("simdes.gateway").info("a %s", SEEDED["note"])
        with suppress(SimdesError):
            raise errors.Invalid("No.", advice=f"Ask {SEEDED['kin']}.")
        desk = mock.Mock(answer=mock.Mock(side_effect=errors.Forbidden(SEEDED["street"])))
        said.outcomes.append(_post(desk, "/custody/v1/locate", b"x").content)
    found = {(leak.place.split()[0], leak.value) for leak in scanner.scan(said.places())}
    assert ("logs", SEEDED["family name"]) in found
    assert ("logs", SEEDED["note"]) in found
    assert ("error", SEEDED["kin"]) in found
    assert ("outcome", SEEDED["street"]) in found
