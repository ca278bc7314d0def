"""Encoding of calls, decoding of answers and events."""

from __future__ import annotations

import pytest

from simdes.errors import Invalid, NotFound, Tampered
from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.ledger import Log

CONTRACTS = ("Accounts", "Consents", "Records", "AuditLog", "Administrators")

# https://docs.soliditylang.org/en/latest/abi-spec.html#examples
EXAMPLE = Artifact(
    {
        "contractName": "Foo",
        "abi": [
            {
                "type": "function",
                "name": "baz",
                "inputs": [{"name": "x", "type": "uint32"}, {"name": "y", "type": "bool"}],
                "outputs": [{"name": "r", "type": "bool"}],
            },
            {
                "type": "function",
                "name": "sam",
                "inputs": [
                    {"name": "a", "type": "bytes"},
                    {"name": "b", "type": "bool"},
                    {"name": "c", "type": "uint256[]"},
                ],
                "outputs": [],
            },
        ],
    }
)


def test_the_specifications_examples() -> None:
    assert EXAMPLE.call_data("baz", 69, True).hex() == (
        "cdcd77c0"
        "0000000000000000000000000000000000000000000000000000000000000045"
        "0000000000000000000000000000000000000000000000000000000000000001"
    )
    assert EXAMPLE.call_data("sam", b"dave", True, [1, 2, 3]).hex() == (
        "a5643bf2"
        "0000000000000000000000000000000000000000000000000000000000000060"
        "0000000000000000000000000000000000000000000000000000000000000001"
        "00000000000000000000000000000000000000000000000000000000000000a0"
        "0000000000000000000000000000000000000000000000000000000000000004"
        "6461766500000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000003"
        "0000000000000000000000000000000000000000000000000000000000000001"
        "0000000000000000000000000000000000000000000000000000000000000002"
        "0000000000000000000000000000000000000000000000000000000000000003"
    )
    assert EXAMPLE.results("baz", bytes(32)) == (False,)


@pytest.mark.parametrize("arguments", [(1 << 40, True), (-1, True), (1,), ("x", True), (1, None)])
def test_arguments_that_do_not_fit_are_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(Invalid):
        EXAMPLE.call_data("baz", *arguments)


@pytest.mark.parametrize("answer", [b"", bytes(31), b"\2" * 32])
def test_an_answer_of_another_form_is_noticed(answer: bytes) -> None:
    with pytest.raises(Tampered):
        EXAMPLE.results("baz", answer)


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_shipped_contracts_can_be_deployed(name: str) -> None:
    contract = artifact(name)
    assert contract.bytecode
    assert 0 < len(contract.deployed) <= 24_576, "EIP-170"
    assert contract.is_code(contract.deployed)
    for place in contract.immutables:
        filled = bytearray(contract.deployed)
        filled[place.start] ^= 0xFF
        assert contract.is_code(bytes(filled))
    damaged = bytearray(contract.deployed)
    damaged[0] ^= 1
    assert not contract.is_code(bytes(damaged))


def test_a_contract_that_is_not_shipped_is_missing() -> None:
    with pytest.raises(NotFound):
        artifact("Nothing")


def test_logs_of_other_contracts_are_none_of_ours() -> None:
    log = Log(bytes(20), (b"\1" * 32,), b"", 1, bytes(32), bytes(32), 0)
    assert artifact("Records").event(log) is None
    assert artifact("Records").event(Log(bytes(20), (), b"", 1, bytes(32), bytes(32), 0)) is None


def test_an_event_with_too_few_topics_is_malformed() -> None:
    [anchored] = [e for e in artifact("Records").events.values() if e.name == "Anchored"]
    log = Log(bytes(20), (anchored.topic,), bytes(128), 1, bytes(32), bytes(32), 0)
    with pytest.raises(Tampered):
        artifact("Records").event(log)
