"""Complete disks of m - 1 custodians that neither wrote nor read a record open nothing.

The thief has each folder, each passphrase, the whole content store and the chain, and takes every
secret apart that can be taken apart. The control shows that the same thief with m disks succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from simdes.access.asking import Because
from simdes.access.categories import Purpose, Role
from simdes.access.consent import LETTER_INFO, Grantee
from simdes.access.custody_keys import open_key
from simdes.access.descriptors import VaultDescriptor
from simdes.access.keystore import KeyStore
from simdes.access.local_keys import vault_key
from simdes.access.reading import gather
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, unwrap
from simdes.crypto.letter import open_letter
from simdes.crypto.manifest import decode_manifest, open_entries
from simdes.crypto.seal import combine_shares, open_body, open_share
from simdes.crypto.shares import Share
from simdes.errors import SimdesError
from simdes.index import audit, custody, vaults
from simdes.storage.cid import cid_of_digest, text_cid
from unit.access.network import PASSPHRASE, Network, Organisation, Written, open_network

SECRET = b'{"resourceType":"Observation","note":[{"text":"seeded-secret-4711"}]}'


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Network]:
    """A network of its own: a thief takes everything apart, and others' tests leave a lot."""
    opened = open_network(tmp_path_factory.mktemp("stolen"), migrated_sqlite)
    for name in ("home", "second", "third", "fourth", "reader"):
        opened.join(name)
    opened.members[0].enrol("ada", Role.PATIENT)
    opened.members[4].enrol("doctor", Role.DOCTOR)
    yield opened
    opened.close()


class Thief:
    """Everything that can be got out of stolen folders, the content store and the chain."""

    def __init__(self, network: Network, stolen: Sequence[Organisation]) -> None:
        self.network = network
        self.plain: list[bytes] = []
        self.keys: list[OpeningKey] = []
        self.organisations: list[bytes] = []
        for member in stolen:
            self._take(member)
        self._read_chain()

    def _take(self, member: Organisation) -> None:
        keystore = KeyStore.open(member.folder / "keys.json", PASSPHRASE)
        self.organisations.append(keystore.organisation)
        self.plain += [keystore.database_key, *(lane.to_bytes() for lane in keystore.lanes)]
        self.plain.append(keystore.descriptor_key.to_bytes())
        self.keys.append(keystore.descriptor_key)
        with member.database.read() as tx:
            for row in custody.bound_keys(tx):
                key = open_key(keystore, row)
                assert key is not None
                self.keys.append(key)
                self.plain.append(key.to_bytes())
            for vault in vaults.page(tx):
                self.plain.append(vault_key(keystore, vault))
            for entry in audit.entries(tx, limit=10_000):
                self.plain.append(member.desk.trail.read(tx, entry))
            self.plain += list(_columns(tx))
        for wrapped in [one for one in self.plain if len(one) > 41]:
            for key_bytes in [one for one in self.plain if len(one) == 32]:
                try:
                    self.plain.append(unwrap(key_bytes, wrapped, aad=b""))
                except SimdesError:
                    continue

    def _read_chain(self) -> None:
        ledger, contracts = self.network.ledger, self.network.members[0].contracts
        last = ledger.head().number
        for log in ledger.logs(first=0, last=last, addresses=contracts.addresses.watched()):
            event = contracts.decode(log)
            self.plain.append(log.data)
            if hasattr(event, "manifest"):
                self._read_letters(text_cid(event.manifest))
            if hasattr(event, "pointer"):
                self._open_letter(cid_of_digest(event.pointer))

    def _read_letters(self, cid: str) -> None:
        try:
            letters = decode_manifest(self.network.store.get(cid)).letters
        except SimdesError:
            return
        for letter in letters:
            for key in self.keys:
                try:
                    open_entries(letter, key)
                except SimdesError:
                    continue

    def _open_letter(self, cid: str) -> None:
        for key in self.keys:
            try:
                found = open_letter(self.network.store.get(cid), key, info=LETTER_INFO)
            except SimdesError:
                continue
            if found is not None:
                self.plain.append(found)

    def shares(self, capsule: bytes) -> list[Share]:
        found: dict[int, Share] = {}
        for organisation in self.organisations:
            for key in self.keys:
                try:
                    share = open_share(capsule, key, organisation).share
                except SimdesError:
                    continue
                found[share.index] = share
        return list(found.values())

    def opened(self, written: Written) -> list[bytes]:
        """What the body opens to, by combined shares or by any 32 bytes lying about."""
        store = self.network.store
        capsule, body = store.get(written.capsule_cid), store.get(written.body_cid)
        shares = self.shares(capsule)
        candidates = [one for one in self.plain if len(one) == 32]
        candidates += [share.value for share in shares]
        candidates += [sha256(one) for one in candidates]
        with suppress(SimdesError):
            candidates.append(combine_shares(capsule, shares))
        return list(_opens(body, candidates, written.sealed.record_id))


def _columns(tx: object) -> Iterator[bytes]:
    """Every byte string in every table."""
    tables = tx.all("SELECT name FROM sqlite_master WHERE type = 'table'")  # type: ignore[attr-defined]
    for (table,) in tables:
        for row in tx.all(f"SELECT * FROM {table}"):  # type: ignore[attr-defined]
            yield from (value for value in row if isinstance(value, bytes))


def _opens(body: bytes, candidates: Sequence[bytes], record_id: bytes) -> Iterator[bytes]:
    for secret in dict.fromkeys(candidates):
        try:
            yield open_body(body, secret, record_id=record_id).items[0].content
        except SimdesError:
            continue


def scene(network: Network, m: int, n: int) -> tuple[VaultDescriptor, Written]:
    home, second = network.members[:2]
    vault = network.open_vault(home, network.members[:n], m=m)
    network.claim(home, second, vault.tag, "ada")
    written = network.write(home, vault, SECRET)
    doctor = network.members[4].people["doctor"][0]
    consent = network.grant(home, "ada", vault, Grantee.account(doctor.account))
    capsules = {written.sealed.record_id: network.store.get(written.capsule_cid)}
    caller = network.members[4].caller("doctor")
    gather(caller, vault, Because(Purpose.TREAT, consent), capsules)  # somebody did read it
    return vault, written


@pytest.mark.parametrize(("m", "n"), [(2, 3), (3, 4)])
def test_the_disks_of_m_minus_one_custodians_open_nothing(network: Network, m: int, n: int) -> None:
    _, written = scene(network, m, n)
    stolen = network.members[1:m]  # neither home, which wrote, nor the reader
    assert len(stolen) == m - 1
    thief = Thief(network, stolen)
    capsule = network.store.get(written.capsule_cid)
    assert len(thief.shares(capsule)) == m - 1  # they do get what the custodians hold
    assert thief.opened(written) == []
    assert not any(b"seeded-secret-4711" in one for one in thief.plain)


@pytest.mark.parametrize(("m", "n"), [(2, 3), (3, 4)])
def test_the_disks_of_m_custodians_do_open_it(network: Network, m: int, n: int) -> None:
    _, written = scene(network, m, n)
    thief = Thief(network, network.members[1 : m + 1])
    assert thief.opened(written) == [SECRET]
