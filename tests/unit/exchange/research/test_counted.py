"""Counted without a name: proofs of stated facts, diagnoses among them, once for each patient."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from simdes.access.requests import hexed
from simdes.cli import command_line
from simdes.errors import Conflict, Forbidden, Invalid, SimdesError, Tampered
from simdes.exchange import disclosing
from simdes.exchange.research import counted, studies
from simdes.exchange.research.studies import Asked, Document
from simdes.exchange.rights import ask as rights_of
from simdes.proofs import facts
from simdes.proofs.disclosures import Kept
from support import researching
from support.consortium import Clock, Consortium, passphrase_of
from support.fhir_api import Api
from support.researching import A1C, DAY, PERCENT

DIABETES = ("http://snomed.info/sct", "44054006")
CRITERIA = (
    Asked(codes=((DIABETES, ("", "")), (("http://hl7.org/fhir/sid/icd-10", "E11"), ("", "")))),
    Asked(codes=((A1C, PERCENT),), least=6_500, most=14_000, within_days=3_650),
)
KEY, OTHER = 0x5EED, 0xF00D


@dataclass(frozen=True)
class Somebody:
    """Facts about the holder of a key, as the hospital stated them."""

    key: int
    kept: list[Kept]


def stated(network: Consortium, doctor: Api, name: str, key: int) -> Somebody:
    """A patient with diabetes, whose diagnosis and result are stated for the holder of a key."""
    patient = researching.patient(network, doctor, name)
    found = doctor.get(f"Patient?identifier=urn:oid:1.2.3.9|{name}").json()
    subject = f"Patient/{found['entry'][0]['resource']['id']}"
    made = doctor.create(
        {
            "resourceType": "Condition",
            "verificationStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                        "code": "confirmed",
                    }
                ]
            },
            "code": {"coding": [{"system": DIABETES[0], "code": DIABETES[1]}]},
            "subject": {"reference": subject},
            "onsetDateTime": "2019",
            "recordedDate": "2026-10-05T09:00:00Z",
        }
    )
    network.settle()
    result = doctor.get(f"Observation?subject={subject}").json()["entry"][0]["resource"]
    node = network["north"].node
    asking = rights_of(node, network.session("north", "dr.north"))
    names = [f"Condition/{made['id']}", f"Observation/{result['id']}"]
    assert patient.vault
    return Somebody(key, disclosing.state(node, asking, names, holder=facts.holder_of(key)))


@pytest.fixture(scope="module")
def somebody(researched: tuple[Consortium, Clock], doctor: Api) -> Somebody:
    return stated(researched[0], doctor, "counted", KEY)


@pytest.fixture(scope="module")
def document(researched: tuple[Consortium, Clock]) -> Document:
    return researching.running(researched[0], title="Counted", criteria=CRITERIA)


def counting(network: Consortium, document: Document, shown: bytes, user: str = "prof.ray") -> int:
    return counted.count(network["south"].node, network.session("south", user), document, shown)


def test_a_patient_is_counted_once_by_proofs_that_name_nobody(
    network: Consortium, doctor: Api, document: Document, somebody: Somebody
) -> None:
    anybody = network["east"].node
    shown = counted.prove(anybody, document, somebody.kept, holder_key=somebody.key)
    read = counted.read_shown(shown)
    assert len(read.proofs) == 2
    for kept in somebody.kept:
        for told in (kept.record, kept.holder.hex(), kept.salt.hex(), kept.batch_root.hex()):
            assert told.encode() not in shown
    assert counting(network, document, shown) == 1
    with pytest.raises(Conflict):
        counting(network, document, shown)
    again = counted.prove(anybody, document, somebody.kept, holder_key=somebody.key)
    assert again != shown
    with pytest.raises(Conflict):
        counting(network, document, again)
    other = stated(network, doctor, "counted-too", OTHER)
    second = counted.prove(anybody, document, other.kept, holder_key=other.key)
    assert counting(network, document, second) == 2
    found = network["north"].node.contracts.studies.study(studies.id_of(anybody, document))
    assert found is not None
    assert found.counted == 2


def test_a_patient_proves_by_a_command_and_is_counted_by_one(
    network: Consortium, doctor: Api, tmp_path: Path
) -> None:
    document = researching.running(network, title="By commands", criteria=CRITERIA[1:])
    somebody = stated(network, doctor, "counted-by-commands", 0xC0DE)
    study, key, out = tmp_path / "study.json", tmp_path / "key.json", tmp_path / "proofs.json"
    study.write_bytes(msgspec.json.encode(document))
    key.write_text(json.dumps({"v": 1, "holder_key": hex(somebody.key)}))
    facts_: list[object] = []
    for number, one in enumerate(somebody.kept):
        path = tmp_path / f"{number}.fact.json"
        path.write_bytes(msgspec.json.encode(one))
        facts_ += ["--fact", path]
    proving = ("--study", study, *facts_, "--key", key, "--out", out)
    asked = ("prove", "--data", network["east"].data, *proving)
    told = json.loads(simdes_study(*asked, "--json"))
    assert told["study"] == hexed(studies.id_of(network["east"].node, document))
    assert (told["proofs"], out.stat().st_mode & 0o777) == (1, 0o600)
    with pytest.raises(Conflict, match="exists already"):
        simdes_study(*asked)
    collecting = ("--data", network["south"].data, "--study", study, "--user", "prof.ray")
    counting_ = ("count", out, *collecting)
    assert json.loads(simdes_study(*counting_, "--json")) == {"counted": 1}
    with pytest.raises(Conflict):
        simdes_study(*counting_)


def simdes_study(*words: object) -> str:
    """What `simdes study` prints; its refusal is raised."""
    given = ["study", *map(str, words)]
    env = {"SIMDES_USER_PASSPHRASE": passphrase_of("prof.ray")}
    done = CliRunner().invoke(command_line(), given, env=env)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_diagnosis_is_a_fact_with_its_day_unless_it_is_not_confirmed(
    somebody: Somebody,
) -> None:
    [diagnosis] = [one for one in somebody.kept if one.record.startswith("Condition/")]
    assert diagnosis.code == DIABETES
    assert diagnosis.day == 20_731, "2026-10-05, as the onset isn't known to the day"
    for status in ("refuted", "provisional", "entered-in-error"):
        resource = {
            "resourceType": "Condition",
            "verificationStatus": {"coding": [{"code": status}]},
            "code": {"coding": [{"system": "s", "code": "c"}]},
            "recordedDate": "2026-10-05",
        }
        with pytest.raises(Invalid):
            disclosing.fact_of(resource, today=21_000)


def test_nobody_proves_with_anothers_key_or_without_the_facts(
    network: Consortium, document: Document, somebody: Somebody
) -> None:
    node = network["north"].node
    with pytest.raises(Conflict, match="holder"):
        counted.prove(node, document, somebody.kept, holder_key=1)
    for part in (somebody.kept[:1], somebody.kept[1:]):
        with pytest.raises(Conflict, match="criteria"):
            counted.prove(node, document, part, holder_key=somebody.key)
    waiting = researching.document(network, title="Waits", criteria=CRITERIA)
    studies.register(network["south"].node, network.session("south", "prof.ray"), waiting)
    with pytest.raises(Conflict, match="not approved"):
        counted.prove(node, waiting, somebody.kept, holder_key=somebody.key)


def test_only_the_collectors_people_count_and_nothing_that_was_changed(
    network: Consortium, clock: Clock, somebody: Somebody
) -> None:
    document = researching.running(network, title="Guarded", criteria=CRITERIA)
    other = researching.running(network, title="Other", criteria=CRITERIA)
    node = network["north"].node
    shown = counted.prove(node, document, somebody.kept, holder_key=somebody.key)
    with pytest.raises(Forbidden):
        counting(network, document, shown, "dr.lee")
    with pytest.raises(Forbidden):
        counted.count(node, network.session("north", "dr.north"), document, shown)
    with pytest.raises(Tampered):
        counting(network, other, shown)
    told = msgspec.json.decode(shown)
    proof = told["proofs"][0]
    for changed in (
        {"study": f"0x{studies.id_of(node, other).hex()}"},
        {"nullifier": "0x" + "00" * 31 + "07"},
        {"proofs": told["proofs"][:1]},
        {"proofs": [proof, proof]},
        {"root": "0x" + "00" * 31 + "07"},
    ):
        with pytest.raises(SimdesError):
            counting(network, document, msgspec.json.encode(told | changed))
    for wrong in (b"", b"{}", shown[:-1], b" " * 20_000, msgspec.json.encode(told | {"who": 1})):
        with pytest.raises(Invalid):
            counting(network, document, wrong)
    clock.ahead_seconds += DAY
    with pytest.raises(Conflict, match="another day"):
        counting(network, document, shown)
