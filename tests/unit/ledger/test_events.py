"""Our event classes say what the compiled contracts say."""

from __future__ import annotations

import dataclasses

import pytest

from simdes.ledger.abi import artifact
from simdes.ledger.contracts import _snake
from simdes.ledger.events import EVENTS

CONTRACTS = (
    "Accounts",
    "Consents",
    "Records",
    "AuditLog",
    "Statements",
    "Prescriptions",
    "Studies",
    "Claims",
)
# Set-up of OpenZeppelin's base contracts, of no interest to anybody who follows.
IGNORED = {"Initialized", "AuthorityUpdated", "EIP712DomainChanged"}


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_event_of_a_contract_has_its_class_with_the_same_fields(name: str) -> None:
    events = {event.name: event for event in artifact(name).events.values()}
    assert events
    for event_name, event in events.items():
        if event_name in IGNORED:
            continue
        fields = [field.name for field in dataclasses.fields(EVENTS[event_name])]
        assert fields == ["log", *(_snake(field) for field, _, _ in event.fields)]


def test_every_class_belongs_to_an_event() -> None:
    known = {event.name for name in CONTRACTS for event in artifact(name).events.values()}
    assert set(EVENTS) <= known
