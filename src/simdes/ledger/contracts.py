"""The network's contracts as Python objects, and their events as values.

`Contracts` is the one thing the floors above need: each of its contracts offers views that return
dataclasses and verbs that return a `Call` for a `Lane`; `decode` turns a log into a typed event.
Refusals of the contracts arrive as classes of `simdes.errors` (see `refusals`). `deploy` sets up a
new network.
"""

from __future__ import annotations

from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.accounts import (
    Account,
    AccountsContract,
    GuardianProof,
    Organisation,
    OrganisationKind,
    PendingGuardians,
    PendingKey,
    Role,
    Standing,
    State,
    Vault,
)
from simdes.ledger.claims import (
    Claim,
    ClaimsContract,
    ClaimState,
    ClaimTimes,
    Outcome,
    ProvenClaim,
)
from simdes.ledger.consents import (
    Consent,
    ConsentsContract,
    ConsentState,
    Decision,
    Emergency,
    EmergencyLimits,
    Permit,
    Reason,
    commitment,
)
from simdes.ledger.deploy import DEMO, PRODUCTION, Delays, check_deployment, deploy
from simdes.ledger.events import EVENTS, RENAMED, ChainEvent
from simdes.ledger.governance import AdministratorsContract, Proposal
from simdes.ledger.ledger import Address, Ledger, Log
from simdes.ledger.network import Addresses, Pins, check_pins, pins
from simdes.ledger.records import (
    AuditBatch,
    AuditHead,
    AuditLogContract,
    Batch,
    Leaf,
    LeafState,
    LeafStatus,
    RecordsContract,
    batch_id_of,
)
from simdes.ledger.refusals import refusal_of, translate
from simdes.ledger.statements import (
    DisclosureVerifierContract,
    Forest,
    PrescriptionsContract,
    PrescriptionStatus,
    ProvenStep,
    StatementKind,
    StatementsContract,
    element_of_contract,
    element_of_id,
)
from simdes.ledger.studies import Met, Registration, Release, StudiesContract, Study, members_digest
from simdes.ledger.terms import GranteeKind, Request, Terms

__all__ = [
    "DEMO",
    "PRODUCTION",
    "Account",
    "AccountsContract",
    "Addresses",
    "AdministratorsContract",
    "AuditBatch",
    "AuditHead",
    "AuditLogContract",
    "Batch",
    "ChainEvent",
    "Claim",
    "ClaimState",
    "ClaimTimes",
    "ClaimsContract",
    "Consent",
    "ConsentState",
    "ConsentsContract",
    "Contracts",
    "Decision",
    "Delays",
    "DisclosureVerifierContract",
    "Emergency",
    "EmergencyLimits",
    "Forest",
    "GranteeKind",
    "GuardianProof",
    "Leaf",
    "LeafState",
    "LeafStatus",
    "Met",
    "Organisation",
    "OrganisationKind",
    "Outcome",
    "PendingGuardians",
    "PendingKey",
    "Permit",
    "Pins",
    "PrescriptionStatus",
    "PrescriptionsContract",
    "Proposal",
    "ProvenClaim",
    "ProvenStep",
    "Reason",
    "RecordsContract",
    "Registration",
    "Release",
    "Request",
    "Role",
    "Standing",
    "State",
    "StatementKind",
    "StatementsContract",
    "StudiesContract",
    "Study",
    "Terms",
    "Vault",
    "batch_id_of",
    "check_deployment",
    "check_pins",
    "commitment",
    "deploy",
    "element_of_contract",
    "element_of_id",
    "members_digest",
    "pins",
    "refusal_of",
    "translate",
]


class Contracts:
    """The contracts of one network on one ledger."""

    def __init__(self, ledger: Ledger, addresses: Addresses) -> None:
        self.ledger = ledger
        self.addresses = addresses
        self.accounts = AccountsContract(ledger, addresses.accounts)
        self.consents = ConsentsContract(ledger, addresses.consents)
        self.records = RecordsContract(ledger, addresses.records)
        self.audit_log = AuditLogContract(ledger, addresses.audit_log)
        self.statements = StatementsContract(ledger, addresses.statements)
        self.prescriptions = PrescriptionsContract(ledger, addresses.prescriptions)
        self.studies = StudiesContract(ledger, addresses.studies)
        self.claims = ClaimsContract(ledger, addresses.claims)
        self.disclosure_verifier = DisclosureVerifierContract(ledger, addresses.disclosure_verifier)
        self.administrators = AdministratorsContract(ledger, addresses.administrators)
        self._emitters: dict[Address, Artifact] = {
            addresses.accounts: artifact("Accounts"),
            addresses.consents: artifact("Consents"),
            addresses.records: artifact("Records"),
            addresses.audit_log: artifact("AuditLog"),
            addresses.statements: artifact("Statements"),
            addresses.prescriptions: artifact("Prescriptions"),
            addresses.studies: artifact("Studies"),
            addresses.claims: artifact("Claims"),
        }

    def decode(self, log: Log) -> ChainEvent | None:
        """Return the event that a log is, None for another contract's or an unknown one.

        Raises `Tampered` where the log doesn't fit its event.
        """
        emitter = self._emitters.get(log.address)
        decoded = emitter.event(log) if emitter is not None else None
        if decoded is None:
            return None
        name, fields = decoded
        kind = EVENTS.get(name)
        if kind is None:
            return None
        return kind(log=log, **{_snake(field): _plain(value) for field, value in fields.items()})


def _snake(name: str) -> str:
    """``reasonDigest`` to ``reason_digest``; Python's reserved words to others."""
    text = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return RENAMED.get(text, text)


def _plain(value: object) -> object:
    """Turn the hex text that eth_abi gives for addresses into 20 bytes."""
    return bytes.fromhex(value[2:]) if isinstance(value, str) else value
