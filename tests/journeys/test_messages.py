"""What hospitals' messages become: admissions, merges, moves, results in any order, sources."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journeys.conftest import Scene
from journeys.scenes import journey_ledger
from simdes.access.vaults import vault_key
from simdes.crypto.keys import unwrap
from simdes.errors import Forbidden
from simdes.exchange import feeds
from simdes.exchange.indexing import resource_context
from simdes.exchange.submit import Accepted, Refused
from simdes.fhir.json import dumps, loads
from simdes.index import resources, vaults
from simdes.index.vaults import Identifier
from simdes.mapper import map_bytes
from support import consortium
from support.bundles import SYSTEM
from support.consortium import Clock
from support.gateways import simdes
from support.messages import admission, message, pid, result
from support.mllp import listening, msa, sending
from support.stored import stores

VECTORS = Path(__file__).parents[1] / "vectors"
HOSP = "urn:id:HOSP"
TIMES = [f"202601011{at}0000" for at in range(10)]


def sent(scene: Scene, *inputs: bytes) -> list[Accepted]:
    """Each message as a file of its own, in this order; all are accepted."""
    answers = [one for data in inputs for one in scene.network.submit("north", "m.hl7", data)]
    assert all(isinstance(one, Accepted) for one in answers), answers
    return [one for one in answers if isinstance(one, Accepted)]


def refused(scene: Scene, data: bytes) -> Refused:
    [answer] = scene.network.submit("north", "m.hl7", data)
    assert isinstance(answer, Refused), answer
    return answer


def vault_of(scene: Scene, number: str, system: str = HOSP) -> bytes:
    with scene.network["north"].node.database.read() as tx:
        found = vaults.find(tx, Identifier(system, number))
    assert found is not None, number
    return found


def held(scene: Scene, number: str, *types: str) -> list[dict[str, Any]]:
    """The latest resources in the vault that a number leads to, opened."""
    node, vault = scene.network["north"].node, vault_of(scene, number)
    with node.database.read() as tx:
        row = vaults.get(tx, vault)
        rows = resources.of_vault(tx, vault, categories=range(64), types=types)
    assert row is not None
    key = vault_key(node.desk.keystore, row)
    return [
        loads(
            unwrap(key, one.content_wrapped, aad=resource_context(vault, one.type, one.logical_id))
        )
        for one in rows
    ]


def families(scene: Scene, number: str) -> list[str]:
    return [name["family"] for one in held(scene, number, "Patient") for name in one["name"]]


def values(scene: Scene, number: str) -> list[str]:
    return [str(one["valueQuantity"]["value"]) for one in held(scene, number, "Observation")]


def adt(event: str, structure: str, *segments: str, at: int = 1) -> bytes:
    """A message of patient administration, recorded at the hour ``at``."""
    time = TIMES[at]
    kind = f"ADT^{event}^ADT_{structure}"
    return message(kind, f"EVN|{event}|{time}", *segments, control=f"{event}{at}", sent=time)


# Patient administration -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "structure"), [("A40", "A39"), ("A34", "A30"), ("A18", "A18"), ("A47", "A30")]
)
def test_a_result_for_the_prior_number_lands_with_the_survivor(
    scene: Scene, event: str, structure: str
) -> None:
    sent(
        scene,
        admission("A01", sent=TIMES[0], number="old", control="1"),
        result("F", "5.0", sent=TIMES[0], number="old"),
        admission("A01", sent=TIMES[0], number="new", control="2"),
        admission("A08", sent=TIMES[1], number="new", control="3", city="Lyon"),
    )
    survivor = vault_of(scene, "new")
    assert vault_of(scene, "old") != survivor
    sent(scene, adt(event, structure, pid("new", city="Lyon"), "MRG|old^^^HOSP^MR", at=2))
    later = message(
        "ORU^R01^ORU_R01",
        pid("old"),
        "OBR|1|P2^LAB|F2^LAB|2345-7^Glucose^LN|||20260101120000|||||||||||||||||||F",
        "OBX|1|NM|2345-7^Glucose^LN||6.0|mmol/L^^UCUM|||||F",
        control="r2",
        sent=TIMES[3],
    )
    [answer] = sent(scene, later)
    assert answer.vault == survivor == vault_of(scene, "old")
    assert sorted(values(scene, "new")) == ["5.0", "6.0"]
    cities = [
        one["address"][0]["city"] for one in held(scene, "new", "Patient") if "address" in one
    ]
    assert cities == ["Lyon"]
    scene.network.settle("north")


@pytest.mark.silent
def test_numbers_without_authority_are_merged_too(scene: Scene) -> None:
    sent(
        scene,
        message("ADT^A08^ADT_A01", "EVN|A08|" + TIMES[0], "PID|1||7^^^^MR||Doe", "PV1|1|I",
                control="1", sent=TIMES[0]),
        message("ADT^A08^ADT_A01", "EVN|A08|" + TIMES[0], "PID|1||8^^^^MR||Doe", "PV1|1|I",
                control="2", sent=TIMES[0]),
        adt("A40", "A39", "PID|1||8^^^^MR||Doe", "MRG|7^^^^MR", at=2),
    )  # fmt: skip
    assert vault_of(scene, "7") == vault_of(scene, "8")


@pytest.mark.silent
def test_numbers_of_two_hospitals_that_name_no_authority_stay_apart(scene: Scene) -> None:
    for sender in ("EAST", "WEST"):
        swap = message(
            "ADT^A17^ADT_A17", f"EVN|A17|{TIMES[0]}", "PID|1||7^^^^MR||Doe", "PV1|1|I",
            "PID|2||8^^^^MR||Roe", "PV1|1|I", control="1", sent=TIMES[0], sender=sender,
        )  # fmt: skip
        sent(scene, swap)
    found = {vault_of(scene, one, f"urn:id:{at}") for one in "78" for at in ("EAST", "WEST")}
    assert len(found) == 4


@pytest.mark.silent
@pytest.mark.parametrize(("event", "structure"), [("A17", "A17"), ("A24", "A24"), ("A37", "A37")])
def test_two_patients_of_one_message_stay_apart(scene: Scene, event: str, structure: str) -> None:
    one, two = (pid(name, f"{name}^X") for name in ("one", "two"))
    [answer] = sent(scene, adt(event, structure, one, "PV1|1|I|W^1^1", two, "PV1|1|I|W^1^2"))
    assert answer.vaults == (vault_of(scene, "one"), vault_of(scene, "two"))
    for name, other in (("one", "two"), ("two", "one")):
        assert families(scene, name) == [name]
        assert other not in json.dumps(held(scene, name), default=str)
        assert len(held(scene, name, "Encounter")) == 1


@pytest.mark.silent
@pytest.mark.parametrize(
    ("event", "structure", "more"),
    [
        ("A43", "A43", ()),
        ("A44", "A43", ()),
        ("A45", "A45", ("PV1|1|I|W^1^2||||||||||||||||V1^^^HOSP^VN",)),
    ],
)
def test_a_move_neither_mixes_patients_nor_takes_away_what_is_known_of_them(
    scene: Scene, event: str, structure: str, more: tuple[str, ...]
) -> None:
    sent(
        scene,
        adt("A01", "A01", pid("right", "Right^X", city="Lyon"), "PV1|1|I", at=0),
        adt("A01", "A01", pid("wrong", "Wrong^X", city="Rome"), "PV1|1|I", at=1),
    )
    merged_from = "MRG|wrong^^^HOSP^MR||A1^^^HOSP^AN||V1^^^HOSP^VN"
    sent(
        scene, adt(event, structure, pid("right", "Right^X", city="Nice"), merged_from, *more, at=2)
    )
    assert vault_of(scene, "right") != vault_of(scene, "wrong")
    assert (families(scene, "right"), families(scene, "wrong")) == (["Right"], ["Wrong"])
    [right], [wrong] = (held(scene, one, "Patient") for one in ("right", "wrong"))
    assert (right["address"][0]["city"], wrong["address"][0]["city"]) == ("Nice", "Rome")


@pytest.mark.silent
def test_a_number_moved_to_somebody_else_waits_for_a_person(scene: Scene) -> None:
    sent(
        scene,
        adt("A01", "A01", pid("right"), "PV1|1|I", at=0),
        adt("A01", "A01", pid("moved"), "PV1|1|I", at=0),
    )
    both = "PID|1||right^^^HOSP^MR~moved^^^HOSP^PI||Doe^Ann"
    found = refused(scene, adt("A43", "A43", both, "MRG|moved^^^HOSP^PI", at=2))
    assert found.code == "identifiers-of-two-patients"
    assert vault_of(scene, "right") != vault_of(scene, "moved")


# Results in any order -------------------------------------------------------------------------

RESULTS = {"P": ("5.0", 1), "F": ("5.1", 2), "C": ("5.2", 3)}


def glucose(status: str) -> bytes:
    value, at = RESULTS[status]
    return result(status, value, sent=TIMES[at], issued=TIMES[at], control=status, number="lab")


def by_file(scene: Scene, *inputs: bytes) -> None:
    sent(scene, *inputs)


def by_mllp(scene: Scene, *inputs: bytes) -> None:
    node = scene.network["north"].node
    for data in inputs:
        [answer] = feeds.receive(node, [feeds.Input("127.0.0.1", data)])
        assert b"MSA|AA|" in answer.answers[0]


def by_mllp_at_once(scene: Scene, *inputs: bytes) -> None:
    found = feeds.receive(
        scene.network["north"].node, [feeds.Input("127.0.0.1", data) for data in inputs]
    )
    assert all(b"MSA|AA|" in one.answers[0] for one in found)


@pytest.mark.silent
@pytest.mark.parametrize("way", [by_file, by_mllp, by_mllp_at_once])
@pytest.mark.parametrize("order", ["PFC", "CFP", "FPC", "FCP", "CPFFPC"])
def test_the_corrected_result_stands_in_whatever_order_they_came(
    scene: Scene, way: Callable[..., None], order: str
) -> None:
    way(scene, *map(glucose, order))
    assert values(scene, "lab") == ["5.2"]
    assert [one["status"] for one in held(scene, "lab", "DiagnosticReport")] == ["corrected"]
    documents = held(scene, "lab", "DocumentReference")
    assert len(documents) == 3, "each message is kept once, the outdated too"


# Sealed sources -------------------------------------------------------------------------------


def known_as_ada(*identifiers: tuple[str, str]) -> bytes:
    """A Bundle that says which other numbers are ada's."""
    patient = {
        "resourceType": "Patient",
        "id": "ada",
        "identifier": [
            {"system": system, "value": value} for system, value in ((SYSTEM, "ada"), *identifiers)
        ],
    }
    entry = [{"resource": patient}]
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": entry})


def _hl7v2() -> bytes:
    return result("F", "5.1", sent=TIMES[1], number="ada-lab")


def _cda() -> bytes:
    return gzip.decompress((VECTORS / "cda/ccd-2.xml.gz").read_bytes())


def _csv() -> bytes:
    lines = (VECTORS / "csv/conditions.csv").read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if line == lines[0] or b"1e621f4c" in line)


def _dicom() -> bytes:
    def element(vr: str, *found: str) -> dict[str, Any]:
        return {"vr": vr, "Value": list(found)}

    study = {
        "00080016": element("UI", "1.2.840.10008.5.1.4.1.1.2"),
        "00080018": element("UI", "1.2.3.1.1"),
        "00080060": element("CS", "CT"),
        "0020000D": element("UI", "1.2.840.113619.2.1"),
        "0020000E": element("UI", "1.2.3.1"),
        "00100020": element("LO", "77"),
        "00100021": element("LO", "HOSP"),
    }
    return json.dumps([study]).encode()


SOURCES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "hl7v2": (_hl7v2, "x-application/hl7-v2+er7", "m.hl7"),
    "cda": (_cda, "text/xml", "m.xml"),
    "csv": (_csv, "text/csv", "conditions.csv"),
    "dicom": (_dicom, "application/dicom+json", "m.json"),
}


@pytest.fixture(params=SOURCES)
def documented(request: pytest.FixtureRequest, scene: Scene) -> Iterator[tuple[Scene, bytes, str]]:
    """Ada's vault with a source of each format in turn: the scene, its bytes, its media type."""
    make, media_type, name = SOURCES[request.param]
    data = make()
    mapping = map_bytes(name, data)
    [one] = mapping.messages
    sent(scene, known_as_ada(*one.patient_identifiers))
    [answer] = scene.network.submit("north", name, data)
    assert isinstance(answer, Accepted), answer
    assert answer.vaults == (scene.ada,), "it lands in the vault of the patient it names"
    scene.network.settle()
    yield scene, one.source, media_type


def test_a_source_opens_elsewhere_to_a_consent_that_names_sources_and_to_no_other(
    documented: tuple[Scene, bytes, str],
) -> None:
    scene, data, media_type = documented
    assert not sources_read(scene)
    scene.grant("documents", "observations", "conditions", "demographics", "administrative")
    assert not sources_read(scene)
    by_default = [json.loads(one.content) for one in scene.read().resources]
    assert by_default
    assert not [one for one in by_default if "attachment" in str(one)]
    handle = scene.grant("sources")
    [content] = [content for one in sources_read(scene) for content in one["content"]]
    attachment = content["attachment"]
    assert base64.b64decode(attachment["data"]) == data
    assert attachment["contentType"] == media_type
    scene.revoke(handle)
    assert not sources_read(scene)


def sources_read(scene: Scene) -> list[dict[str, Any]]:
    """What Dr. Lee gets of Ada's source documents; nothing where it is refused."""
    try:
        found = scene.read(categories=["sources"])
    except Forbidden:
        return []
    return [json.loads(one.content) for one in found.resources]


# The same by the commands ---------------------------------------------------------------------


def test_files_and_a_live_feed_tell_one_story(tmp_path: Path) -> None:
    """Admission, update, merge and a correction as files, the outdated result over MLLP."""
    consortium.found(
        tmp_path / "network",
        ledger_url=journey_ledger(),
        stores=stores(("north", "south", "east")),
    )
    north, files = tmp_path / "network" / "north", tmp_path / "files"
    files.mkdir()
    story = [
        admission("A01", sent=TIMES[0], number="lab-old", control="1"),
        admission("A01", sent=TIMES[0], number="lab", control="2"),
        admission("A08", sent=TIMES[1], number="lab", control="3", city="Lyon"),
        adt("A40", "A39", pid("lab"), "MRG|lab-old^^^HOSP^MR", at=2),
        glucose("C").replace(b"|lab^", b"|lab-old^"),
        glucose("P"),
    ]
    for at, data in enumerate(story):
        (files / f"{at}.hl7").write_bytes(data)
    ingest = ("ingest", files, "--data", north, "--no-wait")
    told = json.loads(simdes(*ingest, "--json", cwd=tmp_path).stdout)
    assert (told["accepted"], told["kinds"], told["quarantined"]) == (6, {"hl7v2": 6}, [])
    assert told["older"] >= 2, "what the preliminary result said"
    assert len(told["vaults"]) == 2
    with listening(north) as listener, sending(listener.port) as sender:
        assert msa(sender.ask(glucose("F")))[0] == "AA"
        assert msa(sender.ask(glucose("F")))[0] == "AA"
    again = simdes(*ingest, cwd=tmp_path).stdout
    assert "0 resources new or changed" in again
    assert "(6 hl7v2)" in again
    assert "0 older than what is here" in again
    with consortium.opened(tmp_path / "network") as network:
        scene = Scene(network, tmp_path, Clock(), {})
        assert values(scene, "lab") == values(scene, "lab-old") == ["5.2"]
