from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from simdes.access.categories import Role
from simdes.access.keystore import KeyStore, Person
from simdes.crypto.keys import SigningKey
from simdes.errors import Invalid, NotFound, Unauthenticated
from unit.access.network import CHEAP, PASSPHRASE

ORGANISATION = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def store(path: Path) -> KeyStore:
    return KeyStore.create(path, PASSPHRASE, organisation=ORGANISATION, lanes=3, cost=CHEAP)


def add(store: KeyStore, user: str, passphrase: str = "secret of ada") -> tuple[Person, SigningKey]:
    key = SigningKey.generate(os.urandom)
    person = Person(user, os.urandom(32), key.address, Role.PATIENT, f"The {user}")
    store.add_person(person, key, passphrase, cost=CHEAP)
    return person, key


def test_what_was_created_opens_again_with_the_passphrase(store: KeyStore, path: Path) -> None:
    again = KeyStore.open(path, PASSPHRASE)
    assert again.organisation == ORGANISATION
    assert again.database_key == store.database_key
    assert again.descriptor_key.public == store.descriptor_key.public
    assert again.lane_addresses() == store.lane_addresses()
    assert len(set(again.lane_addresses())) == 3
    assert again.token_key.as_dict(private=True) == store.token_key.as_dict(private=True)


def test_another_passphrase_opens_the_same_key_and_the_old_one_no_more(
    store: KeyStore, path: Path
) -> None:
    person, key = add(store, "ada", "the first passphrase")
    with pytest.raises(Invalid):
        store.relock_person(person, SigningKey.generate(os.urandom), "the second", cost=CHEAP)
    store.relock_person(person, key, "the second passphrase", cost=CHEAP)
    again = KeyStore.open(path, PASSPHRASE)
    assert again.unlock_person("ada", "the second passphrase").address == key.address
    with pytest.raises(Unauthenticated):
        again.unlock_person("ada", "the first passphrase", cost=CHEAP)
    stranger = dataclasses.replace(person, account=os.urandom(32))
    with pytest.raises(NotFound):
        store.relock_person(stranger, key, "the third passphrase", cost=CHEAP)


def test_whose_key_a_wallet_keeps_opens_with_no_passphrase_until_a_key_is_here_again(
    store: KeyStore, path: Path
) -> None:
    person, key = add(store, "ada", "the first passphrase")
    wallet = SigningKey.generate(os.urandom).address
    store.replace_key(person.account, wallet, b"")
    kept = KeyStore.open(path, PASSPHRASE).person("ada")
    assert kept == dataclasses.replace(person, address=wallet, wallet=True)
    assert kept == store.person_of(person.account)
    with pytest.raises(Unauthenticated):
        store.unlock_person("ada", "the first passphrase", cost=CHEAP)
    with pytest.raises(Unauthenticated):
        store.unlock_person("ada", "", cost=CHEAP)
    with pytest.raises(Invalid):
        store.relock_person(kept, key, "the second passphrase", cost=CHEAP)
    fresh = SigningKey.generate(os.urandom)
    locked = store.lock_key(fresh, "a new passphrase", cost=CHEAP)
    store.replace_key(person.account, fresh.address, locked)
    assert not store.person("ada").wallet
    assert store.unlock_person("ada", "a new passphrase").address == fresh.address
