"""The compiled contracts that ship are what the sources compile to, and fit on every chain."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
ARTIFACTS = REPOSITORY / "src/simdes/ledger/artifacts"
SHIPPED = {
    "AccessManager",
    "Accounts",
    "Administrators",
    "AuditLog",
    "ClaimBook",
    "ClaimVerifier",
    "ClaimVerifierForm",
    "Claims",
    "Consents",
    "CohortVerifier",
    "CohortVerifierForm",
    "DisclosureVerifier",
    "DisclosureVerifierForm",
    "DispenseVerifier",
    "DispenseVerifierForm",
    "ERC1967Proxy",
    "FreeVerifier",
    "FreeVerifierForm",
    "Nullifiers",
    "PoseidonT3",
    "PoseidonT4",
    "Prescriptions",
    "Records",
    "SettleVerifier",
    "SettleVerifierForm",
    "Statements",
    "Studies",
    "Tags",
    "TimelockController",
}
EIP_170_BYTES = 24_576
EIP_3860_BYTES = 49_152


def artifact(name: str) -> dict[str, Any]:
    return json.loads((ARTIFACTS / f"{name}.json").read_text())


def test_a_fresh_compile_gives_the_shipped_bytes(tmp_path: Path) -> None:
    command = ["node", str(REPOSITORY / "contracts/compile.mjs"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    fresh = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}
    shipped = {path.name: path.read_bytes() for path in ARTIFACTS.glob("*.json")}
    assert set(fresh) == {f"{name}.json" for name in SHIPPED}
    stale = sorted(name for name in fresh if shipped.get(name) != fresh[name])
    assert not stale, f"run node contracts/compile.mjs; stale: {stale}"
    assert set(shipped) == set(fresh)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_code_fits_the_limits_of_every_chain(name: str) -> None:
    made = artifact(name)
    assert made["evmVersion"] == "cancun"
    assert made["compiler"].startswith("0.8.30+")
    deployed = bytes.fromhex(made["deployedBytecode"][2:])
    assert 0 < len(deployed) < EIP_170_BYTES
    assert len(made["bytecode"]) // 2 - 1 <= EIP_3860_BYTES
    for reference in made["immutableReferences"]:
        hole = deployed[reference["start"] : reference["start"] + reference["length"]]
        assert hole == bytes(reference["length"]), "an immutable's place is zero until deployed"


def test_no_path_of_a_machine_is_in_the_artifacts() -> None:
    for name in SHIPPED:
        text = (ARTIFACTS / f"{name}.json").read_text()
        assert str(REPOSITORY) not in text
        assert not re.search(r'"/(home|root|work|Users)/', text)


def test_every_error_of_the_sources_is_in_some_abi() -> None:
    source = (REPOSITORY / "contracts/src/interfaces/Errors.sol").read_text()
    declared = set(re.findall(r"^ +error (\w+)\(", source, re.MULTILINE))
    known = {
        entry["name"]
        for name in SHIPPED
        for entry in artifact(name)["abi"]
        if "error" in entry["type"]
    }
    assert len(declared) > 50
    assert declared <= known
    assert all(re.fullmatch(r"[A-Z]\w+_[A-Z]\w+", name) for name in declared)
