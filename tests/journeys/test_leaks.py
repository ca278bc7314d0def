"""Nothing that names a patient stands where it must not, after everything that can happen to it.

Seeded people go through the whole journey (`aftermath`); then every place is searched
(`support.leaks`). That the search finds what is there is shown by planting a value in each place.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest
import structlog

from journeys.aftermath import Aftermath, Said, listening, play, post
from journeys.scenes import journey_ledger
from simdes import errors
from simdes.errors import SimdesError
from simdes.index.values import TABLES
from simdes.ledger.lane import Call
from support import consortium, leaks, seeds
from support.consortium import Consortium
from support.gateways import simdes
from support.leaks import Scanner, values_of
from support.seeds import SEEDED
from support.stored import blocks


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(SEEDED.values())


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    return play(tmp_path_factory.mktemp("leaks"))


SEARCHED = sorted(TABLES.values())
"""Tables that hold in clear what searches look for, on the disk of whoever can read it anyway."""

# Where nothing may stand ----------------------------------------------------------------------


def test_the_journey_made_what_is_searched(aftermath: Aftermath) -> None:
    assert aftermath.quarantined > 12
    assert len(aftermath.said.errors) > 40
    assert len(aftermath.said.outcomes) > 30
    assert len(aftermath.chain) > 100
    assert sum(path.is_file() for path in blocks(aftermath.folder).rglob("*")) > 30


def test_no_identifier_stands_in_any_block_transaction_or_event(
    aftermath: Aftermath, scanner: Scanner
) -> None:
    assert scanner.scan(aftermath.chain) == []
    if journey_ledger() == consortium.EMBEDDED:
        assert scanner.scan(leaks.rows(aftermath.folder / "ledger.sqlite")) == []
    journal = [(path.name, path.read_bytes()) for path in aftermath.folder.glob("ledger.sqlite*")]
    assert scanner.scan(journal) == []


def test_no_identifier_stands_in_the_content_store(aftermath: Aftermath, scanner: Scanner) -> None:
    assert scanner.scan(leaks.files(blocks(aftermath.folder))) == []


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
    aftermath: Aftermath, scanner: Scanner, tmp_path: Path
) -> None:
    """But for what searches find copies by, which goes with the copies (SECURITY.md)."""
    database = aftermath.while_held / "simdes.sqlite"
    assert scanner.scan(leaks.files(aftermath.while_held, but=[database.name])) == []
    assert scanner.scan(leaks.rows(database, but=SEARCHED)) == []
    assert scanner.scan(leaks.rows(database)) != []
    copy = leaks.without(database, SEARCHED, tmp_path)
    assert scanner.scan([("the rest of the file", copy.read_bytes())]) == []


def test_the_author_s_disk_holds_identifiers_where_they_are_looked_up_alone(
    aftermath: Aftermath, scanner: Scanner, tmp_path: Path
) -> None:
    north = aftermath.folder / "north"
    database = north / "simdes.sqlite"
    assert scanner.scan(leaks.rows(database, but=["identifier", *SEARCHED])) == []
    assert scanner.scan(leaks.files(north, but=["simdes.sqlite"])) == []
    copy = leaks.without(database, ["identifier", *SEARCHED], tmp_path)
    assert scanner.scan([("the rest of the file", copy.read_bytes())]) == []
    told = {leak.value for leak in scanner.scan(leaks.rows(database, but=SEARCHED))}
    assert SEEDED["record number"] in told
    assert told <= {
        SEEDED[what]
        for what in ("record number", "other number", "social security", "social security, plain")
    }


def test_no_identifier_is_printed_by_a_command(
    aftermath: Aftermath, scanner: Scanner, tmp_path: Path
) -> None:
    """Real programs on the seeded messages and what is broken of them; reports too."""
    sources = tmp_path / "in"
    sources.mkdir()
    whole = [("a.hl7", seeds.admission()), ("r.hl7", seeds.results()), ("b.json", seeds.bundle())]
    for name, data in [*whole, *seeds.broken()]:
        (sources / name).write_bytes(data)
    north = consortium.copy(aftermath.folder, tmp_path / "network") / "north"
    ran = [
        simdes("map", sources, "--out", tmp_path / "out", "--report", tmp_path / "map.json"),
        simdes("ingest", sources, "--data", north, "--report", tmp_path / "ingest.json"),
        simdes("quarantine", "--data", north, "--json"),
        simdes("read", "--data", north, "--patient", f"urn:x|{SEEDED['record number']}"),
    ]
    assert [done.returncode for done in ran] == [5, 5, 0, 3]
    printed = [(str(done.args), (done.stdout + done.stderr).encode()) for done in ran]
    reports = [(path.name, path.read_bytes()) for path in tmp_path.glob("*.json")]
    assert len(reports) == 2
    assert scanner.scan([*printed, *reports]) == []


# Planted, and found ---------------------------------------------------------------------------


@pytest.fixture
def planted(aftermath: Aftermath, tmp_path: Path) -> Iterator[tuple[Consortium, Path]]:
    """A copy of the aftermath, opened, to plant values in."""
    folder = consortium.copy(aftermath.folder, tmp_path / "network")
    with consortium.opened(folder) as network:
        yield network, folder


def test_a_value_planted_in_a_transaction_is_found(
    planted: tuple[Consortium, Path], scanner: Scanner
) -> None:
    network, folder = planted
    lane, value = network["north"].node.agent, SEEDED["family name"]
    block = lane.transact(Call(lane.address, value.encode("utf-16-le"), "plant")).block_number
    assert value in values_of(scanner.scan(leaks.chain(network, first=block)))
    if journey_ledger() == consortium.EMBEDDED:
        assert value in values_of(scanner.scan(leaks.rows(folder / "ledger.sqlite")))


def test_a_value_planted_in_the_content_store_is_found(
    planted: tuple[Consortium, Path], scanner: Scanner
) -> None:
    network, folder = planted
    network["south"].node.store.put(b"x" * 100 + SEEDED["result"][::-1].encode())
    assert SEEDED["result"] in values_of(scanner.scan(leaks.files(blocks(folder))))


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
    assert SEEDED["city"] in values_of(scanner.scan(leaks.rows(database, but=["identifier"])))
    copy = leaks.without(database, ["identifier", *SEARCHED], tmp_path)
    assert SEEDED["city"] in values_of(scanner.scan([("file", copy.read_bytes())]))
    assert SEEDED["city"] in values_of(scanner.scan(leaks.files(folder / member)))


def test_a_value_planted_in_a_file_or_its_name_is_found(
    planted: tuple[Consortium, Path], scanner: Scanner
) -> None:
    _, folder = planted
    (folder / "east" / "note.txt").write_text(f"about {SEEDED['street']}")
    (folder / "south" / f"{SEEDED['kin']}.tmp").touch()
    assert values_of(scanner.scan(leaks.files(folder / "east"))) == {SEEDED["street"]}
    assert values_of(scanner.scan(leaks.files(folder / "south"))) == {SEEDED["kin"]}


def test_a_value_planted_in_logs_errors_or_answers_is_found(scanner: Scanner) -> None:
    said = Said()
    with listening(said):
        structlog.get_logger("simdes.worker").warning("round failed", name=SEEDED["family name"])
        logging.getLogger("simdes.gateway").info("a %s", SEEDED["note"])
        with suppress(SimdesError):
            raise errors.Invalid("No.", advice=f"Ask {SEEDED['kin']}.")
        desk = mock.Mock(answer=mock.Mock(side_effect=errors.Forbidden(SEEDED["street"])))
        said.outcomes.append(post(desk, "/custody/v1/locate", b"x").content)
    found = {(leak.place.split()[0], leak.value) for leak in scanner.scan(said.places())}
    assert ("logs", SEEDED["family name"]) in found
    assert ("logs", SEEDED["note"]) in found
    assert ("error", SEEDED["kin"]) in found
    assert ("outcome", SEEDED["street"]) in found
