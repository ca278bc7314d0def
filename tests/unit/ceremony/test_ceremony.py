"""A small ceremony of three organisations with the real programs, and what tampering comes to."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simdes import ceremony
from simdes.ceremony.steps import Receipt
from simdes.errors import Conflict, Invalid, NotFound, Tampered, Unavailable
from simdes.proofs import keys, prover
from simdes.proofs.witness import witness

ROOT = Path(__file__).parents[3]
ORGANISATIONS = ("Hospital North", "Pharmacy West", "Insurer Ost & Söhne")
BEACON = bytes(range(32))
CIRCUIT = """
pragma circom 2.1.0;
template Small() {
    signal input a;
    signal input b;
    signal square <== b * b;
    a === square * b;
}
component main {public [a]} = Small();
"""

Circuits = dict[str, Path]


class Held:
    """A ceremony in a folder, with the receipts of who contributed."""

    def __init__(self, folder: Path, phase1: Path, circuits: Circuits) -> None:
        self.folder, self.phase1, self.circuits = folder, phase1, circuits
        self.receipts: list[Receipt] = []
        self.tools = ceremony.Tools.found(ROOT)

    def start(self, **changes: Any) -> None:
        given = {"organisations": ORGANISATIONS, "beacon": "hash of block 1,000", **changes}
        ceremony.start(self.folder, self.phase1, tools=self.tools, circuits=self.circuits, **given)

    def contribute(self, name: str) -> None:
        self.receipts.append(
            ceremony.contribute(self.folder, name, tools=self.tools, random=secrets.token_bytes)
        )

    def verify(self) -> ceremony.Transcript:
        return ceremony.verify(
            self.folder,
            self.phase1,
            tools=self.tools,
            receipts=self.receipts,
            circuits=self.circuits,
        )

    def finish(self, out: Path, beacon: bytes = BEACON) -> ceremony.Transcript:
        return ceremony.finish(
            self.folder,
            self.phase1,
            out,
            beacon=beacon,
            iterations=10,
            tools=self.tools,
            circuits=self.circuits,
        )

    def copy(self, folder: Path) -> Held:
        shutil.copytree(self.folder, folder)
        other = Held(folder, self.phase1, self.circuits)
        other.receipts = list(self.receipts)
        return other


def snarkjs(*words: str | Path) -> None:
    command = ["node", str(ROOT / "node_modules/snarkjs/build/cli.cjs"), *map(str, words)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def phase1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phase1")
    snarkjs("powersoftau", "new", "bn128", "4", folder / "0")
    entropy = "-e=of a test"
    snarkjs("powersoftau", "contribute", folder / "0", folder / "1", "--name=a", entropy)
    snarkjs("powersoftau", "prepare", "phase2", folder / "1", folder / "2")
    return folder / "2"


@pytest.fixture(scope="module")
def circuits(tmp_path_factory: pytest.TempPathFactory) -> Circuits:
    source = tmp_path_factory.mktemp("source") / "small.circom"
    source.write_text(CIRCUIT)
    return {"small": source}


@pytest.fixture(scope="module")
def contributed(tmp_path_factory: pytest.TempPathFactory, phase1: Path, circuits: Circuits) -> Held:
    held = Held(tmp_path_factory.mktemp("held") / "ceremony", phase1, circuits)
    held.start()
    for name in ORGANISATIONS:
        held.contribute(name)
    return held


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, contributed: Held) -> tuple[Held, Path]:
    folder = tmp_path_factory.mktemp("ended")
    held = contributed.copy(folder / "ceremony")
    held.finish(folder / "keys")
    return held, folder / "keys"


def test_three_organisations_make_keys_that_prove(ended: tuple[Held, Path]) -> None:
    held, folder = ended
    done = held.verify()
    assert [one.name for one in done.contributions] == list(ORGANISATIONS)
    assert done.ended is not None
    made = keys.load("small", folder)
    assert not made.development
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["ceremony"] == done.digest()
    assert (folder / "transcript.json").read_bytes() == (
        held.folder / "transcript.json"
    ).read_bytes()
    proof = prover.prove(made, {"a": 27, "b": 3}, [27])
    assert prover.holds(made, proof, [27])
    assert not prover.holds(made, proof, [28])
    assert witness(made.circuit_code, {"a": 27, "b": 3})


def test_keys_are_pinned(ended: tuple[Held, Path], tmp_path: Path) -> None:
    _, folder = ended
    copy = tmp_path / "keys"
    shutil.copytree(folder, copy)
    assert keys.pin_of(copy) == keys.pin_of(folder)
    (copy / "small/verification_key.json").write_text("{}")
    with pytest.raises(Tampered):
        keys.load("small", copy)


def test_nobody_ends_it_before_all_contributed(
    tmp_path: Path, phase1: Path, circuits: Circuits
) -> None:
    held = Held(tmp_path / "ceremony", phase1, circuits)
    held.start(organisations=ORGANISATIONS[:2])
    held.contribute(ORGANISATIONS[0])
    with pytest.raises(Conflict, match="Pharmacy West"):
        held.finish(tmp_path / "keys")
    for name in (ORGANISATIONS[0], "Stranger"):
        with pytest.raises(Conflict, match="not announced"):
            held.contribute(name)
    assert not (tmp_path / "keys").exists()


def test_what_is_over_is_over(ended: tuple[Held, Path], tmp_path: Path) -> None:
    held, _ = ended
    with pytest.raises(Conflict):
        held.contribute(ORGANISATIONS[0])
    with pytest.raises(Conflict):
        held.finish(tmp_path / "again")
    with pytest.raises(Invalid):
        held.finish(tmp_path / "again", beacon=b"short")


@pytest.mark.parametrize(
    "changes",
    [
        {"organisations": ("Alone",)},
        {"organisations": ("Twice", "Twice")},
        {"organisations": ("One", "Two\nlines")},
        {"beacon": ""},
    ],
    ids=str,
)
def test_what_is_no_ceremony_is_not_begun(
    tmp_path: Path, phase1: Path, circuits: Circuits, changes: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        Held(tmp_path / "ceremony", phase1, circuits).start(**changes)
    assert not (tmp_path / "ceremony").exists()


def document(held: Held) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((held.folder / "transcript.json").read_bytes())
    return found


def written(held: Held, found: dict[str, Any]) -> None:
    (held.folder / "transcript.json").write_text(json.dumps(found))


def key_of(held: Held) -> Path:
    return held.folder / "small/newest.zkey"


def another_name(held: Held) -> None:
    found = document(held)
    found["contributions"][1]["name"] = ORGANISATIONS[0]
    written(held, found)


def another_order(held: Held) -> None:
    found = document(held)
    found["contributions"].reverse()
    written(held, found)


def one_left_out(held: Held) -> None:
    found = document(held)
    found["contributions"].pop()
    written(held, found)


def another_hash(held: Held) -> None:
    """The last entry, which no other names."""
    found = document(held)
    found["contributions"][-1]["hashes"]["small"] = "00" * 64
    written(held, found)
    held.receipts.clear()


def another_promise(held: Held) -> None:
    found = document(held)
    found["beacon"] = "a number that I know"
    written(held, found)


def no_json(held: Held) -> None:
    (held.folder / "transcript.json").write_text("[]")


def a_bit_of_the_key(held: Held) -> None:
    content = bytearray(key_of(held).read_bytes())
    content[-400] ^= 1
    key_of(held).write_bytes(content)


def a_bit_of_the_key_and_its_digest(held: Held) -> None:
    a_bit_of_the_key(held)
    found = document(held)
    found["contributions"][-1]["keys"]["small"] = keys.digest_of(key_of(held))
    written(held, found)
    held.receipts.clear()


def no_key(held: Held) -> None:
    key_of(held).unlink()


def begun_again_without_them(held: Held) -> None:
    """A ceremony of one machine, with everybody's name on it."""
    shutil.rmtree(held.folder)
    receipts, held.receipts = held.receipts, []
    held.start()
    for name in ORGANISATIONS:
        held.contribute(name)
    held.receipts = receipts[:1]


def contributed_to_behind_the_transcript(held: Held) -> None:
    other = key_of(held).with_name("other.zkey")
    snarkjs("zkey", "contribute", key_of(held), other, "--name=thief", "-e=x")
    other.replace(key_of(held))
    found = document(held)
    found["contributions"][-1]["keys"]["small"] = keys.digest_of(key_of(held))
    written(held, found)
    held.receipts.clear()


def another_circuit(held: Held) -> None:
    source = held.folder / "small.circom"
    source.write_text(CIRCUIT.replace("a === square * b", "a === square * square"))
    held.circuits = {"small": source}


def another_phase1(held: Held) -> None:
    other = held.folder / "other.ptau"
    shutil.copyfile(held.phase1, other)
    with other.open("ab") as file:
        file.write(b"\0")
    held.phase1 = other


@pytest.mark.parametrize(
    "tamper",
    [
        another_name,
        another_order,
        one_left_out,
        another_hash,
        another_promise,
        no_json,
        a_bit_of_the_key,
        a_bit_of_the_key_and_its_digest,
        no_key,
        begun_again_without_them,
        contributed_to_behind_the_transcript,
        another_circuit,
        another_phase1,
    ],
)
def test_a_tampered_ceremony_is_refused(
    contributed: Held, tmp_path: Path, tamper: Callable[[Held], None]
) -> None:
    held = contributed.copy(tmp_path / "ceremony")
    tamper(held)
    with pytest.raises((Tampered, Invalid, NotFound)):
        held.verify()


def test_a_receipt_stands_for_its_place(contributed: Held) -> None:
    moved = replace(contributed.receipts[0], number=1)
    with pytest.raises(Tampered, match="is not in this ceremony"):
        moved.require_in(contributed.verify())


def test_without_the_programs_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for folder in (None, tmp_path):
        with pytest.raises(Unavailable, match="circom2 or snarkjs"):
            ceremony.Tools.found(folder)


def test_keys_of_one_machine_are_refused_outside_development(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="development keys"):
        keys.load("dispense")
    assert keys.load("dispense", allow_development=True).development
    # What ships is known by its digests, whatever a copy says of itself.
    copy = tmp_path / "renamed"
    shutil.copytree(keys.SHIPPED, copy)
    keys.write_manifest(copy, development=False, ceremony="00" * 32)
    with pytest.raises(Invalid, match="development keys"):
        keys.load("dispense", copy)
