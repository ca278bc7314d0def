"""A small consortium for tests: real embedded ledger, SQLite databases, one file store.

Each organisation has its own key store, database, audit trail, followers and custodian; they ask
each other through `LocalCustody`, that is through the same signed bytes as over HTTP.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.ledgers import Town
from simdes.access.attestations import Attestations
from simdes.access.audit import Trail
from simdes.access.categories import Kind, Role
from simdes.access.consent import Consent, Grantee, draft, seal_terms
from simdes.access.custody_keys import fill_pool
from simdes.access.descriptors import OrganisationDescriptor, VaultDescriptor, encode_organisation
from simdes.access.desk import Desk, Limits, PinWatch
from simdes.access.directory import Directory
from simdes.access.fetching import Fetcher
from simdes.access.keystore import KeyStore
from simdes.access.tokens import Issuer
from simdes.access.vaults import (
    Opener,
    add_local,
    attest_here,
    claim,
    open_vaults,
)
from simdes.crypto import anchor
from simdes.crypto.digest import sha256
from simdes.crypto.keys import SigningKey
from simdes.crypto.manifest import Manifest, ManifestEntry, encode_manifest, seal_entries
from simdes.crypto.seal import Item, SealedRecord, seal
from simdes.custody_http import LocalCustody
from simdes.exchange.custody import CustodyDesk
from simdes.index.database import open_database
from simdes.ledger.contracts import Contracts
from simdes.ledger.lane import Lane, MemoryTransactionStore
from simdes.ledger.ledger import Ledger, open_ledger
from simdes.ledger.network import pins
from simdes.storage.cid import binary_cid
from simdes.storage.store import Store, open_store
from unit.access.member import CHEAP, PASSPHRASE, Organisation

__all__ = ["CHEAP", "PASSPHRASE", "Clock", "Network", "Organisation", "Written", "open_network"]

START = 1_800_000_000.0


@dataclass
class Clock:
    """Seconds that pass only when told, and a little at every look."""

    now: float = START

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Written:
    """A record that an organisation sealed and anchored."""

    sealed: SealedRecord
    body_cid: str
    capsule_cid: str
    batch_id: bytes
    leaves: tuple[bytes, ...]
    item: Item
    category: int
    labels: int


class Network:
    """The chain, the content store and the members."""

    def __init__(self, folder: Path, database_template: Path, ledger: Ledger, clock: Clock) -> None:
        self.folder = folder
        self.template = database_template
        self.ledger = ledger
        self.clock = clock
        self.town = Town(ledger)
        self.store: Store = open_store(f"file:{folder / 'store'}")
        self.client = LocalCustody()
        self.members: list[Organisation] = []

    def lane(self, key: SigningKey) -> Lane:
        return Lane(self.ledger, key, MemoryTransactionStore())

    def join(
        self, name: str, kind: Kind = Kind.HOSPITAL, limits: Limits | None = None
    ) -> Organisation:
        folder = self.folder / name
        folder.mkdir()
        contracts = Contracts(self.ledger, self.town.addresses)
        keystore = KeyStore.create(
            folder / "keys.json", PASSPHRASE, organisation=os.urandom(32), cost=CHEAP
        )
        administrator = SigningKey.generate(os.urandom)
        self._register(contracts, keystore, administrator, name, kind)
        shutil.copyfile(self.template, folder / "index.db")
        database = open_database(f"sqlite:{folder / 'index.db'}")
        directory = Directory(contracts, self.store)
        desk = Desk(
            keystore=keystore,
            contracts=contracts,
            directory=directory,
            database=database,
            store=self.store,
            trail=Trail(keystore, contracts, clock=self.clock, random=os.urandom),
            attestations=Attestations(folder / "attestations.json", keystore.organisation),
            clock=self.clock,
            random=os.urandom,
            pins=PinWatch(pins(self.ledger, self.town.addresses)),
            limits=limits or Limits(),
        )
        fetcher = Fetcher(
            keystore=keystore,
            contracts=contracts,
            directory=directory,
            database=database,
            store=self.store,
            clock=self.clock,
            random=os.urandom,
        )
        database.write(lambda tx: fill_pool(tx, keystore, random=os.urandom, now_ms=0, size=8))
        member = Organisation(
            name=name,
            network=self,
            keystore=keystore,
            folder=folder,
            database=database,
            directory=directory,
            desk=desk,
            custody=CustodyDesk(desk),
            fetcher=fetcher,
            agent=self.lane(keystore.lanes[0]),
            administrator=administrator,
        )
        self.members.append(member)
        member.open()
        return member

    def _register(
        self,
        contracts: Contracts,
        keystore: KeyStore,
        administrator: SigningKey,
        name: str,
        kind: Kind,
    ) -> None:
        block = encode_organisation(
            OrganisationDescriptor(
                keystore.organisation,
                int(kind),
                name,
                f"http://{name}.invalid",
                keystore.descriptor_key.public,
            )
        )
        self.store.put(block)
        lane = self.lane(administrator)
        agent_account = os.urandom(32)
        accounts = contracts.accounts
        lane.transact(
            accounts.register_organisation(
                organisation=keystore.organisation,
                kind=kind,
                descriptor=sha256(block),
                account=os.urandom(32),
            )
        )
        self.town.govern(accounts.verify_organisation(keystore.organisation))
        lane.transact(
            accounts.register(
                account=agent_account,
                organisation=keystore.organisation,
                role=Role.AGENT,
                key=keystore.lanes[0].address,
            )
        )
        lane.transact(accounts.verify(agent_account))

    def open_vault(
        self,
        home: Organisation,
        custodians: Sequence[Organisation],
        *,
        m: int,
        follow: bool = True,
    ) -> VaultDescriptor:
        row = home.database.write(
            lambda tx: add_local(
                tx,
                home.keystore,
                os.urandom(32),
                m=m,
                n=len(custodians),
                home=True,
                random=os.urandom,
                now_ms=int(self.clock() * 1000),
            )
        )
        opener = Opener(
            keystore=home.keystore,
            database=home.database,
            store=self.store,
            directory=home.directory,
            caller=home.caller(),
            lane=home.agent,
            clock=self.clock,
            random=os.urandom,
        )
        results = open_vaults(opener, [row.tag], [one.id for one in custodians], m=m)
        assert results == {row.tag: None}
        if follow:
            self.follow()
        return home.directory.vault(row.tag)

    def claim(
        self,
        home: Organisation,
        other: Organisation,
        tag: bytes,
        user: str,
        *,
        follow: bool = True,
    ) -> None:
        person, key = home.people[user]
        deadline = int(self.clock()) + 3600
        signatures = [
            attest_here(
                one.keystore,
                one.contracts,
                tag=tag,
                account=person.account,
                deadline_seconds=deadline,
            )
            for one in (home, other)
        ]
        claim(
            home.contracts,
            home.agent,
            key,
            tag=tag,
            account=person.account,
            deadline_seconds=deadline,
            attestations=signatures,
        )
        if follow:
            self.follow()

    def write(
        self,
        author: Organisation,
        vault: VaultDescriptor,
        content: bytes,
        *,
        category: int = 3,
        labels: int = 0,
        type: str = "Observation",
        alter: Callable[[ManifestEntry], ManifestEntry] = lambda entry: entry,
        follow: bool = True,
    ) -> Written:
        """Seal one resource into the vault, store it, anchor it, let custodians follow."""
        item = Item(type, content, os.urandom(32))
        sealed = seal(
            [item],
            vault=vault.tag,
            category=category,
            labels=labels,
            epoch=vault.epoch,
            m=vault.m,
            custodians=vault.custodians,
            author=author.keystore.lanes[0],
            organisation=author.id,
            random=os.urandom,
        )
        body_cid, capsule_cid = self.store.put(sealed.body), self.store.put(sealed.capsule)
        entry = ManifestEntry(
            record_id=sealed.record_id,
            category=category,
            labels=labels,
            types=(type,),
            body_cid=body_cid,
            body_digest=sealed.body_digest,
            capsule_cid=capsule_cid,
            leaf_indexes=(0,),
            organisation=author.id,
            author=author.keystore.lanes[0].address,
            time_ms=int(self.clock() * 1000),
        )
        leaves = (*sealed.leaves, os.urandom(32), os.urandom(32))
        batch_id = self.publish(author, vault, [alter(entry)], leaves)
        if follow:
            self.follow()
        return Written(sealed, body_cid, capsule_cid, batch_id, leaves, item, category, labels)

    def publish(
        self,
        author: Organisation,
        vault: VaultDescriptor,
        entries: Sequence[ManifestEntry],
        leaves: Sequence[bytes],
    ) -> bytes:
        publics = [one.public for one in vault.custodians]
        letter = seal_entries(vault.tag, entries, publics, random=os.urandom)
        cid = self.store.put(encode_manifest(Manifest(tuple(leaves), (letter,))))
        root = anchor.root(leaves)
        author.agent.transact(
            author.contracts.records.anchor(root=root, count=len(leaves), manifest=binary_cid(cid))
        )
        return anchor.batch_id(self.ledger.chain_id(), author.id, root)

    def grant(
        self,
        home: Organisation,
        user: str,
        vault: VaultDescriptor,
        grantee: Grantee,
        *,
        categories: Sequence[str] = ("observations",),
        purposes: Sequence[str] = ("TREAT",),
        labels: Sequence[str] = (),
        records: Sequence[bytes] = (),
        valid_seconds: int = 86_400,
    ) -> Consent:
        """Draft, seal and grant with the patient's key."""
        now = int(self.clock())
        consent = draft(
            vault.tag,
            grantee,
            categories=categories,
            purposes=purposes,
            labels=labels,
            records=records,
            not_before_seconds=now - 60,
            expiry_seconds=now + valid_seconds,
            random=os.urandom,
        )
        publics = {one.public for one in vault.custodians}
        organisation = self._organisation_of(home, grantee)
        publics.add(home.directory.organisation(organisation).public)
        letter = seal_terms(consent, sorted(publics), random=os.urandom)
        self.store.put(letter)
        self.lane(home.people[user][1]).transact(
            home.contracts.consents.grant(
                tag=vault.tag,
                handle=consent.handle,
                commitment=consent.commitment,
                pointer=sha256(letter),
            )
        )
        self.follow()
        return consent

    def revoke(self, home: Organisation, user: str, consent: Consent) -> None:
        self.lane(home.people[user][1]).transact(
            home.contracts.consents.revoke(tag=consent.vault, handle=consent.handle)
        )

    def follow(self) -> None:
        for member in self.members:
            member.follow()

    def issuer(self, member: Organisation) -> Issuer:
        return Issuer(
            keystore=member.keystore,
            database=member.database,
            name=f"urn:simdes:0x{member.id.hex()}",
            audience="https://gateway.invalid/fhir",
            clock=self.clock,
            random=os.urandom,
        )

    def close(self) -> None:
        for member in self.members:
            member.database.close()
        self.store.close()
        self.ledger.close()

    @staticmethod
    def _organisation_of(home: Organisation, grantee: Grantee) -> bytes:
        account = home.contracts.accounts.account(grantee.id)
        return account.organisation if account else grantee.id


def open_network(folder: Path, database_template: Path) -> Network:
    clock = Clock()
    return Network(folder, database_template, open_ledger("embedded::memory:", clock=clock), clock)
