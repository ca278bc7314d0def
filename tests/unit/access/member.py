"""One member organisation with all its parts, for tests."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simdes.access.accounts import register_person, verify_account
from simdes.access.asking import Caller
from simdes.access.audit_batches import build_batch, send_batches
from simdes.access.categories import Role
from simdes.access.desk import Desk
from simdes.access.directory import Directory
from simdes.access.fetching import Fetcher
from simdes.access.following import follow_chain
from simdes.access.keystore import KeyStore, Person
from simdes.crypto.keys import ArgonCost, SigningKey
from simdes.exchange.custody import CustodyDesk
from simdes.index.database import Database
from simdes.ledger.contracts import Contracts
from simdes.ledger.lane import Lane

if TYPE_CHECKING:
    from unit.access.network import Network

CHEAP = ArgonCost(passes=1, memory_kib=64, lanes=1)
PASSPHRASE = "correct horse battery staple"


@dataclass
class Organisation:
    """One member with all its parts."""

    name: str
    network: Network
    keystore: KeyStore
    folder: Path
    database: Database
    directory: Directory
    desk: Desk
    custody: CustodyDesk
    fetcher: Fetcher
    agent: Lane
    administrator: SigningKey
    people: dict[str, tuple[Person, SigningKey]] = field(default_factory=dict)

    @property
    def id(self) -> bytes:
        return self.keystore.organisation

    @property
    def contracts(self) -> Contracts:
        return self.desk.contracts

    def caller(self, signer: SigningKey | str | None = None) -> Caller:
        """Who asks: a person by user name, a key, or the organisation's agent."""
        key = self.people[signer][1] if isinstance(signer, str) else signer
        return Caller(
            key or self.keystore.lanes[0],
            self.network.client,
            self.contracts,
            self.network.clock,
            os.urandom,
        )

    def enrol(self, user: str, role: Role, *, verified: bool = True) -> Person:
        person = register_person(
            self.keystore,
            self.contracts,
            self.agent,
            user,
            role=role,
            passphrase=PASSPHRASE,
            random=os.urandom,
            cost=CHEAP,
        )
        if verified:
            verify_account(self.contracts, self.network.lane(self.administrator), person.account)
        self.people[user] = (person, self.keystore.unlock_person(user, PASSPHRASE))
        return person

    def follow(self) -> None:
        follow_chain(self.database, self.contracts)
        self.fetcher.step()

    def anchor_audit(self) -> None:
        build_batch(self.database, random=os.urandom, now_ms=int(self.network.clock() * 1000))
        send_batches(self.database, self.contracts, self.agent, organisation=self.id)

    def shut(self) -> None:
        self.network.client.shut(self.id)

    def open(self) -> None:
        self.network.client.open(self.id, self.custody.answer)
