"""The table of refusals covers every error of every contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simdes.errors import Conflict, Forbidden, SimdesError
from simdes.ledger.abi import artifact
from simdes.ledger.digests import selector
from simdes.ledger.ledger import Reverted
from simdes.ledger.refusals import refusal_name, refusal_of, refusal_signatures, translate

OURS = (
    "Accounts_",
    "Signatures_",
    "Consents_",
    "Records_",
    "AuditLog_",
    "Statements_",
    "Prescriptions_",
    "Studies_",
    "Claims_",
    "ClaimBook_",
    "Tags_",
    "Nullifiers_",
    "Pause_",
    "Administrators_",
)
ERRORS = Path(__file__).parents[3] / "contracts/src/interfaces/Errors.sol"
CONTRACTS = (
    "Accounts",
    "Consents",
    "Records",
    "AuditLog",
    "Statements",
    "Prescriptions",
    "Studies",
    "Claims",
    "ClaimBook",
    "Tags",
    "Nullifiers",
    "Administrators",
)


def test_every_error_in_the_sources_has_its_row() -> None:
    declared = set()
    for name, arguments in re.findall(r"error (\w+)\(([^)]*)\);", ERRORS.read_text()):
        kinds = [argument.split()[0] for argument in arguments.split(",") if argument.strip()]
        declared.add(f"{name}({','.join(kinds)})")
    rows = {signature for signature in refusal_signatures() if signature.startswith(OURS)}
    assert rows == declared


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_error_of_ours_in_a_compiled_contract_has_its_row(name: str) -> None:
    errors = {error for error in artifact(name).errors if error.startswith(OURS)}
    assert errors
    assert errors <= refusal_signatures()


def test_no_two_errors_share_a_selector() -> None:
    signatures = refusal_signatures()
    assert len({selector(signature) for signature in signatures}) == len(signatures)


@pytest.mark.parametrize("signature", sorted(refusal_signatures()))
def test_each_refusal_becomes_one_of_our_errors(signature: str) -> None:
    error = translate(Reverted(selector(signature) + bytes(64)))
    assert isinstance(error, SimdesError)
    assert not isinstance(error, Reverted)
    assert error.message
    assert error.advice
    assert refusal_name(selector(signature)) == signature
    assert refusal_of(error) == signature.partition("(")[0]


@pytest.mark.parametrize(
    "data", [b"", b"\1\2\3", b"\xff" * 40, selector("Error(string)") + bytes(64)]
)
def test_an_unknown_refusal_is_a_conflict_without_a_name(data: bytes) -> None:
    error = translate(Reverted(data))
    assert type(error) is Conflict
    assert refusal_of(error) is None


def test_errors_that_come_from_no_contract_have_no_refusal() -> None:
    assert refusal_of(Forbidden("no")) is None
    assert refusal_of(Reverted(selector("Records_EmptyBatch()"))) == "Records_EmptyBatch"
