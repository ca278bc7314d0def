"""The guide's network by hand: real programs, one after the other, as a script would run them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from simdes.demo import SAMPLES
from support.gateways import free_ports, serve, simdes

PATIENT = "urn:id:MR|000010016"
WORDS = {
    "admin": "passphrase of an admin",
    "dr.lee": "passphrase of a doctor",
    "ana": "passphrase of a patient",
}


@dataclass(slots=True)
class Story:
    """A folder with three organisations, and what every command answered, by a name."""

    folder: Path
    said: dict[str, CompletedProcess[str]] = field(default_factory=dict)

    def run(
        self, name: str, *words: object, user: str = "", expect: int = 0, **environment: str
    ) -> CompletedProcess[str]:
        """Run a command; ``user`` acts with their passphrase."""
        if user:
            words = (*words, "--user", user)
            environment = {"SIMDES_USER_PASSPHRASE": WORDS[user]} | environment
        done = simdes(
            *words,
            cwd=self.folder,
            **{"SIMDES_ADMIN_PASSPHRASE": WORDS["admin"]} | environment,
        )
        assert done.returncode == expect, (name, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        self.said[name] = done
        return done

    def json(self, name: str) -> Any:
        """The JSON document that a command printed, and nothing else."""
        return json.loads(self.said[name].stdout)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Everything in order; each step's exit code is asserted as it happens."""
    told = Story(tmp_path_factory.mktemp("cli"))
    with ExitStack() as stack:
        _found(told, stack)
        _write(told)
        _share(told)
        _withdraw(told)
        _check(told)
        yield told


def _found(told: Story, stack: ExitStack) -> None:
    shared = (
        "--ledger",
        f"embedded:{told.folder}/ledger.sqlite",
        "--store",
        f"file:{told.folder}/b",
    )
    members = (
        ("north", "Hospital North", "hospital"),
        ("south", "Clinic South", "hospital"),
        ("east", "Insurer East", "insurer"),
    )
    for (member, name, kind), port in zip(members, free_ports(3), strict=True):
        joins = ("--delays", "demo") if member == "north" else ("--network", "north/network.json")
        told.run(
            f"init {member}",
            *("init", "--data", member, "--name", name, "--kind", kind, "--json"),
            *("--custody-url", f"http://127.0.0.1:{port}", *shared, *joins),
        )
    told.run("init again", "init", "--data", "north", "--name", "X", "--kind", "hospital", expect=8)
    for member in ("north", "south", "east"):
        stack.enter_context(serve(told.folder / member))
    told.run("not verified", "ingest", SAMPLES, "--data", "south", "--no-wait", "--dry-run")
    for name in ("Clinic South", "Insurer East"):
        told.run(name, "organisation", "verify", name, "--data", "north", user="admin")
    told.run("wrong words", "organisation", "suspend", "Clinic South", "--data", "north",
             user="admin", expect=3, SIMDES_USER_PASSPHRASE="something else")  # fmt: skip
    told.run("organisations", "organisation", "list", "--data", "east", "--json")
    told.run("doctor", "doctor", "--data", "north", "--json")


def _write(told: Story) -> None:
    told.run("ingest", "ingest", SAMPLES, "--data", "north", "--report", "report.json", "--json")
    told.run("again", "ingest", SAMPLES, "--data", "north", "--json")


def _share(told: Story) -> None:
    told.run("account", "account", "add", "--data", "south", "--role", "doctor", user="dr.lee")
    told.run("accounts", "account", "list", "--data", "south", "--json")
    read = ("read", "--data", "south", "--patient", PATIENT)
    told.run("refused", *read, user="dr.lee", expect=3)
    told.run("nobody", *read, expect=3)
    told.run("unknown patient", "read", "--data", "south", "--patient", "urn:id:MR|nobody-at-all",
             user="dr.lee", expect=4)  # fmt: skip
    told.run("no system", "read", "--data", "south", "--patient", "|000010016",
             user="dr.lee", expect=5)  # fmt: skip
    told.run("trust", "organisation", "trust", "Hospital North", "--data", "south", user="admin")
    told.run("enrol", "enrol", "--data", "north", "--patient", PATIENT, user="ana")
    told.run("grant", "grant", "--data", "north", "--to", "doctor@Clinic South",
             "--category", "observations", "--json", user="ana")  # fmt: skip
    told.run("bad category", "grant", "--data", "north", "--to", "Clinic South",
             "--category", "secrets", user="ana", expect=5)  # fmt: skip
    told.run("consents", "consents", "--data", "north", "--json", user="ana")
    told.run("token", "token", "--data", "south", "--json", user="dr.lee")
    token = told.json("token")["access_token"]
    told.run("read", *read, "--out", "opened", "--json", SIMDES_TOKEN=token)
    told.run("table", *read, SIMDES_TOKEN=token)
    told.run("stranger's token", "read", "--data", "east", "--patient", PATIENT,
             expect=3, SIMDES_TOKEN=token)  # fmt: skip


def _withdraw(told: Story) -> None:
    handle = told.json("grant")["handle"]
    told.run("other revokes", "revoke", "--data", "south", "--handle", handle,
             "--vault", told.json("ingest")["vaults"][0], user="dr.lee", expect=3)  # fmt: skip
    told.run("revoke", "revoke", "--data", "north", "--handle", handle[:18], user="ana")
    told.run("refused after", "read", "--data", "south", "--patient", PATIENT,
             user="dr.lee", expect=3)  # fmt: skip


def _check(told: Story) -> None:
    told.run("log", "log", "--data", "north", "--proofs", "proofs", "--json", user="ana")
    proof = next(iter(sorted((told.folder / "proofs").glob("*-manifests-refused.json"))))
    outside = (
        "--network",
        "north/network.json",
        "--ledger",
        f"embedded:{told.folder}/ledger.sqlite",
    )
    told.run("verify", "verify", proof, *outside, "--json")
    forged = proof.read_text().replace('\\"4\\"', '\\"0\\"', 1)
    (told.folder / "forged.json").write_text(forged)
    assert forged != proof.read_text()
    told.run("verify forged", "verify", "forged.json", *outside, expect=7)
    record = told.folder / "opened" / "0001-Observation"
    record = next(path for path in sorted((told.folder / "opened").glob("*Observation.json")))
    of_record = record.with_suffix(".proof.json")
    told.run("verify record", "verify", of_record, "--content", record, *outside, "--json")
    record.write_bytes(record.read_bytes().replace(b"final", b"fina1"))
    told.run("verify changed", "verify", of_record, "--content", record, *outside, expect=7)
    told.run("verify nothing", "verify", "no.json", *outside, expect=4)
    (told.folder / "other.json").write_text("{}")
    told.run("verify other", "verify", "other.json", *outside, expect=5)


def test_organisations_are_made_and_admitted(story: Story) -> None:
    made = story.json("init south")
    assert (made["name"], made["verified"]) == ("Clinic South", False)
    assert made["organisation"].startswith("0x")
    assert story.json("init north")["verified"] is True
    listed = story.json("organisations")
    assert [one["name"] for one in listed] == ["Hospital North", "Clinic South", "Insurer East"]
    assert {one["state"] for one in listed} == {"verified"}
    assert "already holds an organisation" in story.said["init again"].stderr


def test_keys_and_passphrases_are_the_owner_s_alone(story: Story) -> None:
    for member in ("north", "south", "east"):
        for name in ("keystore.json", "passphrase", "simdes.sqlite"):
            path = story.folder / member / name
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_doctor_command_finds_everything_in_order(story: Story) -> None:
    findings = {one["part"]: one["state"] for one in story.json("doctor")}
    assert set(findings.values()) == {"ok"}
    assert set(findings) >= {"ledger", "contracts", "database", "storage", "custodians", "work"}


def test_messages_are_ingested_once(story: Story) -> None:
    first, second = story.json("ingest"), story.json("again")
    assert (first["accepted"], first["anchoring"]) == (13, "anchored")
    assert first["resources"] > 100
    assert (second["accepted"], second["resources"]) == (13, 0)
    assert second["unchanged"] >= first["resources"]
    assert second["vaults"] == first["vaults"]
    assert set(first["kinds"]) == {"hl7v2"}
    assert sum(first["kinds"].values()) == first["inputs"]
    assert first["older"] == second["older"] == 0
    assert json.loads((story.folder / "report.json").read_text())["accepted"] == 13


def test_people_are_listed_with_their_standing(story: Story) -> None:
    people = {one["user"]: (one["role"], one["state"]) for one in story.json("accounts")}
    assert people == {"admin": ("administrator", "verified"), "dr.lee": ("doctor", "verified")}


def test_refusals_say_why_and_what_to_do(story: Story) -> None:
    for name, reason, advice in (
        ("refused", "UNKNOWN_HANDLE", "Ask the patient"),
        ("refused after", "REVOKED", "Ask the patient"),
        ("nobody", "Nobody is signed in", "--user"),
        ("wrong words", "User name or passphrase is wrong", "Sign in again"),
        ("stranger's token", "The access token is not valid here", "Sign in again"),
        ("unknown patient", "knows this patient", "identifier"),
        ("no system", "know none without a system", "SYSTEM|VALUE"),
        ("bad category", "Unknown category", "Correct"),
        ("other revokes", "does not control", "patient"),
    ):
        said = story.said[name]
        assert said.stdout == "", name
        assert reason in said.stderr, (name, said.stderr)
        assert advice in said.stderr, (name, said.stderr)


def test_a_granted_read_gives_observations_with_proofs_and_nothing_else(story: Story) -> None:
    found = story.json("read")
    assert {one["resource"]["resourceType"] for one in found} <= {
        "Observation",
        "DiagnosticReport",
        "Specimen",
    }
    assert found
    written = sorted(path.name for path in (story.folder / "opened").iterdir())
    assert len(written) == 2 * len(found)
    assert "Hospital North" in story.said["table"].stdout


def test_consents_are_listed_for_the_patient(story: Story) -> None:
    [given] = story.json("consents")
    assert given["handle"] == story.json("grant")["handle"]
    assert (given["categories"], given["purposes"], given["state"]) == (
        ["observations"],
        ["TREAT"],
        "active",
    )


def test_the_log_holds_who_looked_and_who_was_refused(story: Story) -> None:
    log = story.json("log")
    assert log["silent"] == {}
    doctor = [one for one in log["entries"] if one["role"] == "doctor"]
    assert {one["reason"] for one in doctor} >= {"", "UNKNOWN_HANDLE", "REVOKED"}
    assert {one["verb"] for one in doctor} >= {"locate", "manifests", "release", "read"}


def test_a_true_proof_is_accepted_and_any_other_refused(story: Story) -> None:
    assert story.json("verify")["outcome"].startswith("refused")
    assert story.json("verify record")["content"] == "is the one anchored"
    assert "Entry and salt do not give the leaf" in story.said["verify forged"].stderr
    assert story.said["verify changed"].stderr.startswith("Error: ")


def test_no_passphrase_is_ever_printed(story: Story) -> None:
    for name, said in story.said.items():
        for words in WORDS.values():
            assert words not in said.stdout + said.stderr, name
