from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simdes.access.categories import Role
from simdes.access.descriptors import VaultDescriptor
from unit.access.network import Network, Organisation, Written, open_network


@dataclass
class Scene:
    """Three custodians and a reader: a patient's vault at home, one observation in it."""

    network: Network
    home: Organisation
    second: Organisation
    third: Organisation
    reader: Organisation
    vault: VaultDescriptor
    written: Written


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Network]:
    """Five members; tests share it and use tags, people and handles of their own."""
    opened = open_network(tmp_path_factory.mktemp("network"), migrated_sqlite)
    for name in ("home", "second", "third", "fourth", "reader"):
        opened.join(name)
    opened.members[0].enrol("ada", Role.PATIENT)
    opened.members[4].enrol("doctor", Role.DOCTOR)
    yield opened
    opened.close()


@pytest.fixture
def scene(network: Network) -> Iterator[Scene]:
    """A fresh 2-of-3 vault that is ada's, with one observation anchored by home."""
    home, second, third, _, reader = network.members[:5]
    vault = network.open_vault(home, (home, second, third), m=2, follow=False)
    network.claim(home, second, vault.tag, "ada", follow=False)
    written = network.write(home, vault, b'{"resourceType":"Observation","id":"o1"}')
    yield Scene(network, home, second, third, reader, vault, written)
    for member in network.members:
        member.open()
