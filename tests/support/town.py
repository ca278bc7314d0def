"""A network with a patient, and people at three organisations who may guard her."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.app import ADMINISTRATOR
from simdes.exchange import enrolment, guardians, recovering
from simdes.exchange.guardians import Chosen
from simdes.exchange.signin import Session
from simdes.index import vaults
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of


@dataclass(slots=True)
class Town:
    """A network with a patient, and people at three organisations to guard her."""

    network: Consortium
    clock: Clock
    vault: bytes

    @property
    def rosa(self) -> Session:
        """The patient by her first passphrase."""
        return self.network.session("north", "rosa")

    def friend(self, name: str) -> Session:
        """Somebody at an organisation who may guard her."""
        return self.network.session(name, f"friend.{name}")

    def work(self) -> None:
        """What the workers of all do now and then."""
        for one in self.network.members.values():
            guardians.put_in_force(one.node)
            recovering.tend(one.node)

    def wait(self) -> None:
        """Let the network's delay pass."""
        node = self.network["north"].node
        self.clock.ahead_seconds += node.contracts.accounts.delay_seconds() + 1
        self.network.sessions.clear()
        self.work()


def befriend(network: Consortium, name: str) -> Person:
    """Give somebody an account at an organisation, or find the one they have."""
    return enrolment.add_person(
        network[name].node,
        network.session(name, ADMINISTRATOR),
        f"friend.{name}",
        role=Role.PATIENT,
        passphrase=passphrase_of(f"friend.{name}"),
    )


@contextmanager
def opened_town(folder: Path) -> Iterator[Town]:
    """Found it in a new folder."""
    clock = Clock()
    consortium.found(folder)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        network.submit("north", *consortium.sample_messages()[0])
        network.settle()
        with network["north"].node.database.read() as tx:
            [tag] = [one.tag for one in vaults.page(tx) if one.control is None][:1]
        network.enrol(tag, "rosa")
        for name in network.members:
            befriend(network, name)
        yield Town(network, clock, tag)


def chosen(town: Town, *names: str) -> list[Chosen]:
    """People at these organisations, to be appointed."""
    return [Chosen(account=town.friend(one).actor.account, label=f"from {one}") for one in names]
