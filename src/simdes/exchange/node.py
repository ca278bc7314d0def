"""One organisation's running parts, as the verbs of the exchange take them.

`app` puts a `Node` together (it alone chooses ledger, store, database, clock and randomness); the
verbs only use it. It is the same in a demo of one process and behind a balancer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from simdes.access.accounts import Agent
from simdes.access.asking import Caller, CustodyClient
from simdes.access.assertions import KeySource
from simdes.access.desk import Desk
from simdes.access.requests import Signer
from simdes.access.tokens import Issuer
from simdes.exchange.aside import Aside
from simdes.exchange.bulk.files import Files, NoFiles
from simdes.exchange.claims.forest import CostForest
from simdes.exchange.claims.rules import ClaimRules
from simdes.exchange.following import Following
from simdes.exchange.journal import Journal
from simdes.exchange.mail.port import Mail, NoMail
from simdes.exchange.pace import Pace
from simdes.exchange.prescriptions.forest import Forests
from simdes.exchange.prescriptions.rules import Rules
from simdes.exchange.reached import Lately, Recent
from simdes.exchange.research.registry import Registry
from simdes.exchange.room import Room
from simdes.exchange.standing import Standing
from simdes.exchange.subscriptions.hooks import Hooks, NoHooks
from simdes.fhir.profiles import Profiles
from simdes.index.database import Database
from simdes.ledger.contracts import Contracts
from simdes.ledger.lane import Lane, TransactionStore
from simdes.mapper import Site
from simdes.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An organisation's parts.

    ``desk`` is what its custody verbs use, ``following`` keeps up with the chain, ``agent`` the
    ledger lane that sends for it, ``transactions`` where lanes keep what they signed, ``custody``
    the way to other organisations' custody APIs, ``app_keys`` the way to keys that apps publish,
    ``standing`` what consents stand for whom, ``recent`` what was asked of custodians a moment ago,
    ``journal`` where attempts are written down, ``profiles`` what the loaded FHIR packages define,
    ``profiles_bind`` whether a write is refused for breaking a profile that it claims,
    ``hooks`` the way of notifications to subscribers, ``files`` the way of files to import,
    ``mail`` the way of mails to people here, ``rules`` what it does with prescriptions, ``forests``
    where statements stand, ``claims`` what it does with claims, ``costs`` where statements of costs
    stand, ``own_vault`` the tag of the organisation's own vault once it is known
    (`home.ensure_home`), ``room`` what requests may hold in memory, ``proofs`` how many each caller
    has proved, ``registry`` which studies there are, ``aside`` what goes on after its request,
    ``shares_needed`` and ``custodians`` (m, n) what vaults opened here get.
    """

    name: str
    desk: Desk
    following: Following
    agent: Agent
    custody: CustodyClient
    app_keys: KeySource
    transactions: TransactionStore
    issuer: Issuer
    site: Site
    shares_needed: int
    custodians: int
    standing: Standing
    recent: Recent = field(default_factory=Recent)
    compared: Lately = field(default_factory=Lately)
    journal: Journal = field(default_factory=Journal)
    profiles: Profiles = field(default_factory=Profiles)
    profiles_bind: bool = True
    hooks: Hooks = field(default_factory=NoHooks)
    files: Files = field(default_factory=NoFiles)
    mail: Mail = field(default_factory=NoMail)
    rules: Rules = field(default_factory=Rules)
    forests: Forests = field(default_factory=Forests)
    claims: ClaimRules = field(default_factory=ClaimRules)
    costs: CostForest = field(default_factory=CostForest)
    own_vault: list[bytes] = field(default_factory=list)
    room: Room = field(default_factory=Room)
    proofs: Pace = field(default_factory=Pace)
    registry: Registry = field(default_factory=Registry)
    aside: Aside = field(default_factory=Aside)

    @property
    def organisation(self) -> bytes:
        """The organisation's id."""
        return self.desk.organisation

    @property
    def database(self) -> Database:
        """The organisation's database."""
        return self.desk.database

    @property
    def contracts(self) -> Contracts:
        """The network's contracts, asked at this organisation's own node."""
        return self.desk.contracts

    @property
    def store(self) -> Store:
        """The content store."""
        return self.desk.store

    @property
    def random(self) -> Callable[[int], bytes]:
        """The source of random bytes."""
        return self.desk.random

    def lane(self, signer: Signer) -> Lane:
        """A ledger lane of a person's own key, for what only they may send."""
        return Lane(self.contracts.ledger, signer, self.transactions)

    def caller(self, signer: Signer) -> Caller:
        """Who asks custodians with this key."""
        desk = self.desk
        return Caller(signer, self.custody, desk.contracts, desk.clock, desk.random)

    def agent_caller(self) -> Caller:
        """This organisation's software as the one who asks custodians."""
        return self.caller(self.desk.keystore.lanes[0])

    def new_id(self) -> str:
        """A random id for a resource (a UUID of version 4), which tells nothing about it."""
        return str(uuid.UUID(bytes=self.random(16), version=4))

    def now_ms(self) -> int:
        """Unix milliseconds by this organisation's clock."""
        return int(self.desk.clock() * 1000)

    def now_seconds(self) -> int:
        """Unix seconds by this organisation's clock."""
        return int(self.desk.clock())
