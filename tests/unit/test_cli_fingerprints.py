"""`simdes fingerprints` and `simdes claim signals`, from a plan to a signal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simdes.cli import command_line
from simdes.errors import Conflict, Forbidden, Invalid, NotFound
from support import consortium
from support.consortium import Consortium

SSN, NPI = "http://hl7.org/fhir/sid/us-ssn", "http://hl7.org/fhir/sid/us-npi"


class Town:
    """Two custodians, two insurers, and their commands."""

    def __init__(self, network: Consortium, folder: Path) -> None:
        self.network, self.folder = network, folder

    def run(self, member: str, *words: str) -> str:
        """A command's output; its refusal is raised."""
        data = ["--data", str(self.folder / member)]
        done = CliRunner().invoke(command_line(), [*words, *data])
        self.network.up(member)  # the command shut its custody API when it ended
        if done.exception is not None:
            raise done.exception
        return done.stdout

    def told(self, member: str, *words: str) -> Any:
        return json.loads(self.run(member, *words, "--json"))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town") / "network"
    consortium.found(folder, names=("north", "south", "east", "dale"))
    with consortium.opened(folder) as network, consortium.own_settings():
        yield Town(network, folder)


def claims(path: Path, number: str, *codes: str) -> Path:
    """A file with one claim of a patient whom both insurers know."""
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": SSN, "value": "941-77-3186"}],
    }
    claim = {
        "resourceType": "Claim",
        "id": "c",
        "identifier": [{"system": "urn:claims", "value": number}],
        "status": "active",
        "type": {"coding": [{"code": "professional"}]},
        "use": "claim",
        "created": "2026-03-09",
        "priority": {"coding": [{"code": "normal"}]},
        "patient": {"reference": "Patient/p"},
        "provider": {"display": "Somebody"},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "Cover"}}],
        "item": [
            {
                "sequence": n,
                "productOrService": {"coding": [{"system": "urn:c", "code": code}]},
                "servicedDate": "2026-03-02",
            }
            for n, code in enumerate(codes, 1)
        ],
    }
    entries = [
        {"fullUrl": f"http://x.example/{one['resourceType']}/{one['id']}", "resource": one}
        for one in (patient, claim)
    ]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def test_from_a_plan_to_a_signal(town: Town, tmp_path: Path) -> None:
    plan, key = str(tmp_path / "plan"), str(tmp_path / "key")
    proposed = town.told(
        "north", "fingerprints", "propose", plan, "--needed", "2",
        "--custodian", "Hospital North", "--custodian", "Clinic South",
        "--person", SSN, "--place", NPI,
    )  # fmt: skip
    assert (proposed["needed"], proposed["handsOn"]) == (2, False)
    with pytest.raises(Conflict, match="exists"):
        town.told(
            "north", "fingerprints", "propose", plan, "--needed", "2",
            "--custodian", "Hospital North", "--custodian", "Clinic South",
            "--person", SSN, "--place", NPI,
        )  # fmt: skip
    shown = town.told("south", "fingerprints", "agree", plan)
    assert shown["plan"] == proposed["plan"] and not shown["agreed"]
    with pytest.raises(Conflict, match="digest"):
        town.told("south", "fingerprints", "agree", plan, "--digest", "0x" + "00" * 32)
    with pytest.raises(Conflict, match="no custodian"):
        town.told("east", "fingerprints", "agree", plan, "--digest", proposed["plan"])
    assert town.told("north", "fingerprints", "agree", plan, "--digest", proposed["plan"])["agreed"]
    with pytest.raises(Forbidden, match="PLAN_NOT_AGREED"):
        town.told("north", "fingerprints", "make", plan, key)
    town.told("south", "fingerprints", "agree", plan, "--digest", proposed["plan"])
    made = town.told("north", "fingerprints", "make", plan, key)
    assert made["plan"] == proposed["plan"]

    with pytest.raises(NotFound, match="No key"):
        town.told("east", "claim", "signals")
    for insurer in ("east", "dale"):
        assert town.told(insurer, "fingerprints", "adopt", key)["key"] == made["key"]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("urn:c|W ; urn:c|P ; a step\n")
    for insurer, codes in (("east", ("A", "W")), ("dale", ("A", "P"))):
        file = claims(tmp_path / f"{insurer}.json", insurer, *codes)
        told = town.told(insurer, "fingerprints", "add", str(file), "--pairs", str(pairs))
        assert told == {"fingerprints": {f"urn:claims|{insurer}": 3}}
        assert town.told(insurer, "fingerprints", "publish")["silent"] == {}
    town.told("east", "fingerprints", "publish")
    found = town.told("east", "claim", "signals", "--claim", "urn:claims|east")
    assert [(one["sign"], one["line"], one["insurer"]) for one in found] == [
        ("duplicate", 1, "Insurer Dale"),
        ("unbundling", 2, "Insurer Dale"),
    ]
    said = town.run("dale", "claim", "signals")
    assert "urn:claims|dale, line 1, 2026-03-02: duplicate, Insurer East" in said
    held = town.told("north", "fingerprints", "show")
    assert [one["state"] for one in held["held"]] == ["held"]
    assert held["evaluatedToday"] == {"Insurer East": 3, "Insurer Dale": 3}
    assert town.told("east", "fingerprints", "show")["inUse"]["key"] == made["key"]
    assert "evaluatedToday" in town.run("north", "fingerprints", "show")


def test_a_claim_without_a_number_or_its_patient_is_not_taken(town: Town, tmp_path: Path) -> None:
    file = claims(tmp_path / "one.json", "n", "A")
    document = json.loads(file.read_text())
    for spoil in (
        lambda claim: claim.pop("identifier"),
        lambda claim: claim.update(patient={"reference": "Patient/other"}),
    ):
        changed = json.loads(json.dumps(document))
        spoil(changed["entry"][1]["resource"])
        file.write_text(json.dumps(changed))
        with pytest.raises(Invalid):
            town.told("east", "fingerprints", "add", str(file))
