"""docs/contracts.md says what the sources say: verbs, reads, events, errors, gas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/contracts.md").read_text()
OURS = (
    "Accounts",
    "Administrators",
    "AuditLog",
    "ClaimBook",
    "Claims",
    "Consents",
    "Nullifiers",
    "Prescriptions",
    "Records",
    "Statements",
    "Studies",
    "Tags",
)
# Part of every proxy or AccessManaged contract by OpenZeppelin; DEPLOY.md says how they are used.
INHERITED = {
    "ACCOUNTS",
    "BALLOT_SECONDS",
    "UPGRADE_INTERFACE_VERSION",
    "authority",
    "eip712Domain",
    "initialize",
    "isConsumingScheduledOp",
    "proxiableUUID",
    "setAuthority",
    "upgradeToAndCall",
    "AuthorityUpdated",
    "EIP712DomainChanged",
    "Initialized",
    "Upgraded",
}


def entries(contract: str) -> list[dict[str, Any]]:
    path = REPOSITORY / f"src/simdes/ledger/artifacts/{contract}.json"
    return json.loads(path.read_text())["abi"]


def declared_errors() -> dict[str, str]:
    """Signature as declared -> its comment."""
    found: dict[str, str] = {}
    comment: list[str] = []
    source = REPOSITORY / "contracts/src/interfaces/Errors.sol"
    for line in source.read_text().splitlines():
        if told := re.match(r"    /// (.*)", line):
            comment.append(told.group(1))
            continue
        if error := re.match(r"    error (\w+\(.*\));", line):
            found[error.group(1)] = " ".join(comment)
        comment = []
    return found


@pytest.mark.parametrize("contract", OURS)
def test_every_verb_read_and_event_is_on_the_page(contract: str) -> None:
    for entry in entries(contract):
        if entry["type"] in {"function", "event"} and entry["name"] not in INHERITED:
            assert f"`{entry['name']}`" in PAGE, f"{contract}.{entry['name']}"


def test_every_error_is_on_the_page_with_its_comment() -> None:
    errors = declared_errors()
    assert len(errors) > 50
    for signature, comment in errors.items():
        assert f"| `{signature}` | {comment} |" in PAGE, signature
    assert len(re.findall(r"^\| `[A-Z][A-Za-z]+_\w+\(", PAGE, re.MULTILINE)) == len(errors)


def test_the_gas_table_is_the_measured_one() -> None:
    measured = json.loads((REPOSITORY / "contracts/gas.json").read_text())
    written = {
        verb: int(gas.replace(",", ""))
        for verb, gas in re.findall(r"^\| ([A-Z]\w+\.\w+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    }
    assert written == measured


def test_every_write_verb_of_an_organisation_or_person_has_its_gas() -> None:
    measured = json.loads((REPOSITORY / "contracts/gas.json").read_text())
    governance = {"initialize", "upgradeToAndCall", "setAuthority", "pause", "unpause"}
    governance |= {"beginForest", "dismiss"}
    for contract in set(OURS) - {"Administrators", "ClaimBook", "Nullifiers", "Tags"}:
        for entry in entries(contract):
            writes = entry.get("stateMutability") in {"nonpayable", "payable"}
            if entry["type"] == "function" and writes and entry["name"] not in governance:
                assert f"{contract}.{entry['name']}" in measured


def test_reasons_on_the_page_are_those_of_the_contract() -> None:
    source = (REPOSITORY / "contracts/src/interfaces/IConsents.sol").read_text()
    body = re.search(r"enum Reason \{(.*?)\n    \}", source, re.DOTALL)
    assert body is not None
    for number, name in enumerate(re.findall(r"^ {8}(\w+)", body.group(1), re.MULTILINE)):
        assert f"{number} {name}" in PAGE
