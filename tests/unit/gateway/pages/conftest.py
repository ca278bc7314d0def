"""A gateway with its pages in this process, people to sign in, and a clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from starlette.applications import Starlette

from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.app import ADMINISTRATOR, Opened
from simdes.exchange import enrolment
from simdes.gateway.app import create_gateway
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of
from support.mailbox import Mailbox, mailbox
from support.pages import Visitor

_numbers = count(1)
SENDER = "records@hospital.example"


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation's gateway, and the mail server that it hands mails to."""

    network: Consortium
    north: Opened
    app: Starlette
    clock: Clock
    box: Mailbox

    def person(self, role: Role = Role.DOCTOR, *, display: str = "") -> Person:
        """A new person; their passphrase is `passphrase_of`."""
        user = f"person.{next(_numbers)}"
        administrator = self.network.session("north", ADMINISTRATOR)
        return enrolment.add_person(
            self.north.node,
            administrator,
            user,
            role=role,
            passphrase=passphrase_of(user),
            display=display,
        )

    def visitor(self) -> Visitor:
        """A fresh browser."""
        return Visitor(self.app)


@pytest.fixture(scope="session")
def founded_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A founded network whose first organisation answers."""
    folder, clock = tmp_path_factory.mktemp("pages") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    settings = folder / "north" / "simdes.toml"  # browsers make passkeys under a host name only
    text = settings.read_text().replace("http://127.0.0.1:", "http://localhost:")
    with mailbox() as box:
        named = {
            'mail_url = ""': f'mail_url = "{box.url()}"',
            'mail_from = ""': f'mail_from = "{SENDER}"',
        }
        for line, given in named.items():
            text = text.replace(line, given)
        settings.write_text(text)
        with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
            north = network["north"]
            app = create_gateway(north.custody, node=north.node)
            yield Place(network, north, app, clock, box)


@pytest.fixture
def place(founded_pages: Place) -> Place:
    """With nothing counted against anybody; its clock goes on from wherever a test moves it.

    Some things are counted by the day, so no day ends in the middle of a test.
    """
    founded_pages.clock.begin(86_400, room_seconds=60)
    with founded_pages.north.node.database.transaction() as tx:
        for table in ("sign_in_delay", "mail_count", "mail_code", "mail_address", "mail_letter"):
            tx.run(f"DELETE FROM {table}")
    founded_pages.box.kept.clear()
    founded_pages.box.refuses.clear()
    return founded_pages


@pytest.fixture
def visitor(place: Place) -> Visitor:
    """A fresh browser."""
    return place.visitor()
