"""`simdes demo` as a newcomer runs it: one process, and three; what it tells is so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from simdes import demo
from simdes.demo import living, stage
from simdes.errors import SimdesError, Tampered
from simdes.exchange import retrieve
from support.gateways import simdes

SECONDS = 60


@pytest.mark.parametrize("separate", [False, True], ids=["one process", "three processes"])
def test_the_demo_plays_to_its_end_and_its_facts_are_as_promised(
    tmp_path: Path, separate: bool
) -> None:
    words = ["--separate"] if separate else []
    done = simdes("demo", "--data", tmp_path / "demo", "--json", *words, timeout=300)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["organisations"], facts["messages"], facts["quarantined"]) == (3, 13, 0)
    assert facts["resources"] > 100
    assert facts["patients"] == 8
    assert "UNKNOWN_HANDLE" in facts["refused_before"]
    assert "REVOKED" in facts["refused_after"]
    assert set(facts["read"]) <= {"Observation", "DiagnosticReport", "Specimen"}
    assert facts["read"]["Observation"] >= 1
    assert facts["copies_left"] == 0
    assert facts["log_entries"] >= 7
    assert len(facts["seconds"]) == 10
    assert facts["total_seconds"] < SECONDS
    if not separate:
        _verify(facts, tmp_path)


def _verify(facts: dict[str, Any], tmp_path: Path) -> None:
    """The command that the demo ends with works, and refuses a changed proof."""
    proof = Path(facts["proof"])
    outside = ("--network", proof.parent / "network.json",
               "--ledger", f"embedded:{tmp_path / 'demo' / 'ledger.sqlite'}")  # fmt: skip
    accepted = simdes("verify", proof, *outside)
    assert accepted.returncode == 0
    assert "The proof holds." in accepted.stdout
    proof.write_text(proof.read_text().replace("TREAT", "ETREAT", 1))
    assert simdes("verify", proof, *outside).returncode == 7


def test_the_demo_is_told_in_ten_numbered_steps_with_times(tmp_path: Path) -> None:
    told: list[str] = []
    facts = demo.run(demo.empty_folder(tmp_path / "demo"), told.append)
    titles = [line for line in told if line.startswith("\n") and line[1].isdigit()]
    assert len(titles) == len(facts["seconds"]) == 10
    assert sum(line.strip().endswith(" s)") for line in told) == 10
    assert told[-1].startswith("\nAll of it took ")


def test_the_demo_keeps_out_of_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = simdes("demo", "--data", tmp_path)
    assert done.returncode != 0
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_step_that_comes_out_otherwise_ends_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were consent not asked for, the demo would say so instead of going on."""
    monkeypatch.setattr(retrieve, "retrieve", lambda *_, **__: None)
    with pytest.raises(Tampered, match="without consent"):
        demo.run(demo.empty_folder(tmp_path / "demo"), lambda _: None)


def test_a_statement_that_does_not_hold_is_an_error() -> None:
    with pytest.raises(SimdesError, match="it is not so that water is dry"):
        stage.must(False, "water is dry")


@pytest.mark.accept
def test_a_living_network_has_a_sign_in_for_each_role_and_data_in_every_list(
    tmp_path: Path,
) -> None:
    """What `simdes demo --serve` prints opens pages that show something."""
    shown: dict[str, str] = {}

    def look(facts: dict[str, Any]) -> None:
        for one in facts["people"]:
            for path in LISTS.get(one["role"], ("/home",)):
                shown[f"{one['role']} {path}"] = _page(one, path)

    (tmp_path / "demo").mkdir()
    living.serve(tmp_path / "demo", lambda _: None, stay=look)
    for name, words in SAID.items():
        assert words in shown[name], name
    assert {name.partition(" ")[0] for name in shown} == {
        *("patient", "doctor", "nurse", "pharmacist", "insurer", "researcher", "administrator")
    }


LISTS = {
    "patient": (
        *("/home", "/record", "/sharing", "/log", "/prescriptions", "/claims", "/research"),
        *("/guardians", "/links", "/corrections", "/download", "/account/mail"),
    ),
    "doctor": ("/home", "/patients"),
    "pharmacist": ("/counter",),
    "insurer": ("/inbox",),
    "researcher": ("/studies",),
    "administrator": (
        *("/people", "/organisations", "/quarantine", "/emergencies", "/health", "/trails"),
        "/upgrades",
    ),
}
SAID = {
    "patient /record": "Hemoglobin A1c",
    "patient /account/mail": "Give an address",
    "patient /home": "Somebody asks you for access",
    "patient /guardians": "My neighbour",
    "patient /links": "For the trip to Lisbon",
    "patient /corrections": "It was a rash, and long ago.",
    "patient /sharing": "Doctors, Clinic South",
    "patient /log": "the patient gave no consent for this",
    "patient /prescriptions": "Amoxicillin 250 mg capsule",
    "doctor /home": "Dr ",
    "pharmacist /counter": "Amoxicillin 250 mg capsule",
    "patient /claims": "waits for its disclosure",
    "insurer /inbox": "Hospital North: €320.00",
    "researcher /studies": "1 of 1 approvals",
    "administrator /people": "Dr Ann Adams",
    "administrator /organisations": "Insurer East",
    "administrator /quarantine": "no-patient",
    "administrator /emergencies": "The patient can&#39;t answer",
    "administrator /health": "in order",
    "administrator /trails": "Last time:",
    "administrator /upgrades": "timelock.updateDelay",
}


def _page(one: dict[str, str], path: str) -> str:
    """A page as a browser gets it after signing in."""
    with httpx.Client(base_url=one["url"], timeout=30) as client:
        token = re.search(r'name="token" value="([^"]+)"', client.get("/sign-in").text)
        assert token
        fields = {name: one[name] for name in ("user", "passphrase")}
        done = client.post("/sign-in", data={**fields, "token": token.group(1)})
        assert done.status_code == 303, done.text
        return client.get(path).text
