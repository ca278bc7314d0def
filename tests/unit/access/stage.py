"""A deployment of the contracts with people in every state, for random histories."""

from __future__ import annotations

import os
from dataclasses import replace

from adapters.ledgers import Member, Person, Town
from simdes.access.chain_model import apply_events
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.contracts import Contracts, Role
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Ledger

GAS = 900_000
# A condition contract by hand: isOpen(id) gives storage[id]; 68 bytes of call data set it.
CONDITION = bytes.fromhex(
    "601c80600b6000396000f3366044146013576004355460005260206000f35b6024356004355500"
)


class Stage:
    """A deployment, its people, and the read model of its events."""

    def __init__(self, ledger: Ledger, database: Database, consents: Artifact | None = None):
        self.town = Town(ledger)
        self.database = database
        self.contracts = Contracts(ledger, self._consents(consents or artifact("Consents")))
        self.members = (self.town.organisation(1), self.town.organisation(2))
        self.witness = self.town.organisation(1)
        self.patient = self.members[0].person(Role.PATIENT)
        roles = (Role.DOCTOR, Role.NURSE, Role.PHARMACIST)
        self.actors = [(one, one.person(role)) for one in self.members for role in roles]
        self.pending = self._pending(self.members[0])
        receipt = self.town.deployer.transact(Call(None, CONDITION, "deploy a condition"))
        self.condition = receipt.contract_address or b""
        self.suspended: set[bytes] = set()
        self.closed_organisations: set[bytes] = set()
        database.write(self.catch_up)

    def _consents(self, code: Artifact):  # type: ignore[no-untyped-def]
        """Consents with a quota that never runs out, over the town's accounts."""
        addresses = self.town.addresses
        lane = self.town.deployer
        implementation = lane.transact(Call(None, code.deployment(), "deploy"))
        start = code.call_data(
            "initialize", addresses.manager, addresses.accounts, 2**32 - 1, 600, 10**9, 60, 60
        )
        proxy = artifact("ERC1967Proxy").deployment(implementation.contract_address, start)
        receipt = lane.transact(Call(None, proxy, "deploy"))
        return replace(addresses, consents=receipt.contract_address or b"")

    def _pending(self, member: Member) -> Person:
        person = Person(self.town)
        member.administrator.lane.transact(
            self.town.contracts.accounts.register(
                account=person.id, organisation=member.id, role=Role.DOCTOR, key=person.key.address
            )
        )
        return person

    def catch_up(self, tx: Transaction) -> None:
        logs = self.contracts.ledger.logs(
            first=0,
            last=self.contracts.ledger.head().number,
            addresses=self.contracts.addresses.watched(),
        )
        apply_events(tx, [e for log in logs if (e := self.contracts.decode(log)) is not None])

    def vault(self) -> bytes:
        """A fresh vault of the patient's, without the simulation that lanes begin with."""
        tag, accounts = os.urandom(32), self.contracts.accounts
        lane = self.members[0].agent.lane
        opened = accounts.open_vault(tag=tag, descriptor=os.urandom(32), m=2, n=3)
        lane.transact(replace(opened, gas=GAS))
        deadline = self.contracts.ledger.head().timestamp + 3_600
        attest = accounts.attest_vault_digest(tag=tag, account=self.patient.id, deadline=deadline)
        mine = accounts.claim_vault_digest(tag=tag, account=self.patient.id, deadline=deadline)
        attestors = (self.members[0], self.witness)
        claimed = accounts.set_vault(
            tag=tag,
            account=self.patient.id,
            deadline=deadline,
            signature=self.patient.key.sign(mine),
            attestations=[one.agent.key.sign(attest) for one in attestors],
        )
        lane.transact(replace(claimed, gas=GAS))
        return tag
