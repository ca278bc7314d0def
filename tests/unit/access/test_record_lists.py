"""Vectors from the contracts' own tests (contracts.json) and from the formats (consent.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simdes.access.consent import Consent
from simdes.access.record_lists import record_listed, records_root
from simdes.ledger.terms import Terms

VECTORS = Path(__file__).parents[2] / "vectors"
CONTRACTS = json.loads((VECTORS / "contracts.json").read_text())
FORMATS = json.loads((VECTORS / "consent.json").read_text())


def raw(value: Any) -> Any:
    """Hex to bytes; numbers above 53 bits stand as decimal text."""
    if not isinstance(value, str):
        return value
    return bytes.fromhex(value[2:]) if value.startswith("0x") else int(value)


@pytest.mark.parametrize("vector", CONTRACTS["record_sets"])
def test_the_contracts_lists_prove_their_records_here(vector: dict[str, Any]) -> None:
    root = raw(vector["root"])
    for record, proof in zip(vector["records"], vector["proofs"], strict=True):
        assert record_listed(root, raw(record), [raw(node) for node in proof])
        assert not record_listed(raw(record), raw(record), [raw(node) for node in proof])


@pytest.mark.parametrize("vector", CONTRACTS["terms"])
def test_the_contracts_terms_have_their_commitment_here(vector: dict[str, Any]) -> None:
    terms = Terms(**{name: raw(value) for name, value in vector["terms"].items()})
    consent = Consent(bytes(32), bytes(32), terms, raw(vector["salt"]))
    assert consent.commitment == raw(vector["commitment"])


def test_the_formats_list_and_terms_are_ours() -> None:
    assert records_root([raw(record) for record in FORMATS["records"]]) == raw(
        FORMATS["records_root"]
    )
    terms = Terms(*(raw(value) for value in FORMATS["terms"].values()))
    consent = Consent(bytes(32), bytes(32), terms, raw(FORMATS["salt"]))
    assert consent.commitment == raw(FORMATS["commitment"])
