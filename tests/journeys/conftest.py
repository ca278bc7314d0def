"""A network with two enrolled patients and their records, 2-of-3 and 3-of-4, copied per test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from journeys.scenes import Templates, journey_ledger
from simdes.access.consent import Grantee
from simdes.exchange import consents, retrieve
from simdes.exchange.retrieve import Retrieved
from simdes.exchange.signin import Session
from support import acceptance, consortium
from support.consortium import Clock, Consortium


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    acceptance.choose(config, items)


@dataclass(frozen=True, slots=True)
class Scene:
    """An opened network: north wrote, south's doctor reads, ada and bea are patients."""

    network: Consortium
    folder: Path
    clock: Clock
    vaults: dict[str, bytes]

    @property
    def ada(self) -> bytes:
        """Ada's vault."""
        return self.vaults["ada"]

    @property
    def doctor(self) -> Session:
        """Dr. Lee at south."""
        return self.network.session("south", "dr.lee")

    def grant(self, *categories: str, user: str = "ada", **more: object) -> bytes:
        """A patient grants categories for treatment to south's doctors; the consent's handle."""
        south = self.network["south"].node.organisation
        terms = {
            "grantee": Grantee.role_in(south, "doctor"),
            "purposes": ["TREAT"],
            "valid_seconds": 3600,
        } | more
        given = consents.grant(
            self.network["north"].node,
            self.network.session("north", user),
            vault=self.vaults[user],
            categories=categories,
            **terms,
        )
        return given.handle

    def revoke(self, handle: bytes, user: str = "ada") -> None:
        """The patient withdraws a consent."""
        consents.revoke(
            self.network["north"].node,
            self.network.session("north", user),
            vault=self.vaults[user],
            handle=handle,
        )

    def read(self, patient: str = "ada", **more: object) -> Retrieved:
        """Dr. Lee reads."""
        return retrieve.retrieve(
            self.network["south"].node, self.doctor, vault=self.vaults[patient], **more
        )


@pytest.fixture(scope="session")
def templates(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Templates]:
    """Prepared networks; each shape is made when it is first needed."""
    made = Templates(tmp_path_factory.mktemp("scenes"), journey_ledger(), request.session.items)
    yield made
    made.close()


@pytest.fixture(params=["2-of-3"])
def scene(request: pytest.FixtureRequest, templates: Templates, tmp_path: Path) -> Iterator[Scene]:
    """A network of its own for a test; ``both_shapes`` runs it on 3-of-4 too."""
    alone = request.node.get_closest_marker("silent") is None
    folder = templates.give(request.param, tmp_path / "network", alone=alone)
    vaults = {patient: (folder / patient).read_bytes() for patient in ("ada", "bea")}
    clock = Clock()
    with consortium.opened(folder, clock=clock) as network:
        yield Scene(network, folder, clock, vaults)
