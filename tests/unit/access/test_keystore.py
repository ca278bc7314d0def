from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import stat
from pathlib import Path

import pytest

from simdes.access.categories import Role
from simdes.access.keystore import KeyStore, Person, read_passphrase, write_passphrase
from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Invalid, NotFound, Unauthenticated, Unsupported
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


def test_another_passphrase_opens_nothing(store: KeyStore, path: Path) -> None:
    with pytest.raises(Unauthenticated):
        KeyStore.open(path, PASSPHRASE + " ")


def test_the_file_is_readable_by_its_owner_alone_also_after_a_change(
    store: KeyStore, path: Path
) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    add(store, "ada")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".keystore-")] == []


def test_the_file_shows_no_secret_and_no_name(store: KeyStore, path: Path) -> None:
    _, key = add(store, "ada-lovelace")
    text = path.read_bytes()
    secrets = [key.to_bytes(), store.database_key, store.lanes[0].to_bytes(), b"ada-lovelace"]
    for secret in secrets:
        assert secret not in text
        assert secret.hex().encode() not in text


def test_a_persons_key_opens_with_their_passphrase_alone(store: KeyStore) -> None:
    person, key = add(store, "ada")
    assert store.unlock_person("ada", "secret of ada").to_bytes() == key.to_bytes()
    for user, passphrase in (("ada", PASSPHRASE), ("ada", ""), ("bob", "secret of ada")):
        with pytest.raises(Unauthenticated, match="User name or passphrase"):
            store.unlock_person(user, passphrase, cost=CHEAP)
    assert store.person("ada") == person
    assert store.person_of(person.account) == person
    assert store.person_of(bytes(32)) is None
    with pytest.raises(NotFound):
        store.person("bob")


def test_a_user_name_and_an_account_are_used_once(store: KeyStore) -> None:
    person, key = add(store, "ada")
    with pytest.raises(Conflict):
        add(store, "ada")
    again = Person("eda", person.account, key.address, Role.PATIENT, "x")
    with pytest.raises(Conflict):
        store.add_person(again, key, "secret of ada", cost=CHEAP)
    with pytest.raises(Invalid):
        store.add_person(
            Person("eve", os.urandom(32), bytes(20), Role.PATIENT, "x"), key, "x", cost=CHEAP
        )


def test_a_second_key_store_never_overwrites_the_first(store: KeyStore, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(Conflict):
        KeyStore.create(path, PASSPHRASE, organisation=ORGANISATION, cost=CHEAP)
    assert path.read_bytes() == before


def test_a_key_store_is_not_exported_or_shown(store: KeyStore) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(store)
    assert store.database_key.hex() not in repr(store)
    assert store.lanes[0].to_bytes().hex() not in repr(store.lanes)


def test_every_changed_byte_of_a_secret_is_noticed(store: KeyStore, path: Path) -> None:
    document = json.loads(path.read_text())
    for name in document["secrets"]:
        changed = json.loads(path.read_text())
        text = changed["secrets"][name]
        changed["secrets"][name] = text[:40] + ("A" if text[40] != "A" else "B") + text[41:]
        other = path.parent / "changed.json"
        other.write_text(json.dumps(changed))
        with pytest.raises(Invalid):
            KeyStore.open(other, PASSPHRASE)


def test_secrets_cannot_change_places(store: KeyStore, path: Path) -> None:
    document = json.loads(path.read_text())
    secrets = document["secrets"]
    secrets["lane/0"], secrets["lane/1"] = secrets["lane/1"], secrets["lane/0"]
    path.write_text(json.dumps(document))
    with pytest.raises(Invalid):
        KeyStore.open(path, PASSPHRASE)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"v": 1}'])
def test_rubbish_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Invalid):
        KeyStore.open(path, PASSPHRASE)


def test_a_later_version_and_a_missing_file_say_so(store: KeyStore, path: Path) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"v": 2}))
    with pytest.raises(Unsupported):
        KeyStore.open(path, PASSPHRASE)
    with pytest.raises(NotFound):
        KeyStore.open(path.parent / "none.json", PASSPHRASE)


def _add_many(path: Path, prefix: str) -> None:
    store = KeyStore.open(path, PASSPHRASE)
    for number in range(5):
        add(store, f"{prefix}{number}")


def test_two_processes_add_people_without_losing_one(store: KeyStore, path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_add_many, args=(path, prefix)) for prefix in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(store.people()) == 10


def test_the_passphrase_comes_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    made = write_passphrase(path)
    assert len(made) >= 43
    assert read_passphrase(path, {}) == made
    assert read_passphrase(path, {"SIMDES_PASSPHRASE": "from outside"}) == "from outside"
    with pytest.raises(Conflict):
        write_passphrase(path)
    path.chmod(0o640)
    with pytest.raises(Unauthenticated, match="read by others"):
        read_passphrase(path, {})
    with pytest.raises(Unauthenticated):
        read_passphrase(None, {})
    with pytest.raises(Unauthenticated):
        read_passphrase(tmp_path / "none", {})


def test_people_added_by_another_process_are_seen_at_once(store: KeyStore, path: Path) -> None:
    add(store, "ada")
    other = KeyStore.open(path, PASSPHRASE)
    person, _ = add(other, "bob")
    assert store.person_of(person.account) == person
    assert [one.user for one in store.people()] == ["ada", "bob"]


def test_an_unknown_user_costs_as_much_time_as_a_wrong_passphrase(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simdes.access import keystore as module

    add(store, "ada")
    derived: list[str] = []
    for name in ("lock", "unlock"):
        kept = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, kept=kept, **k: (derived.append("x"), kept(*a, **k))[1]
        )
    for user in ("ada", "nobody"):
        derived.clear()
        with pytest.raises(Unauthenticated):
            store.unlock_person(user, "wrong passphrase", cost=CHEAP)
        assert derived == ["x"]
