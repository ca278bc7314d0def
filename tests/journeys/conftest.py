"""A network with two enrolled patients and their records, 2-of-3 and 3-of-4, copied per test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simdes.access.consent import Grantee
from simdes.exchange import consents, retrieve
from simdes.exchange.retrieve import Retrieved
from simdes.exchange.signin import Session
from simdes.exchange.submit import Accepted
from support import acceptance, consortium
from support.bundles import bundle
from support.consortium import Clock, Consortium

SHAPES = {
    "2-of-3": (("north", "south", "east"), 2),
    "3-of-4": (("north", "south", "east", "west"), 3),
}


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


def _prepare(folder: Path, names: tuple[str, ...], shares_needed: int) -> None:
    consortium.found(folder, names=names, shares_needed=shares_needed)
    with consortium.opened(folder) as network:
        for patient in ("ada", "bea"):
            [answer] = network.submit("north", f"{patient}.json", bundle(patient))
            assert isinstance(answer, Accepted)
            network.settle()
            network.enrol(answer.vault, patient)
            (folder / patient).write_bytes(answer.vault)
        network.settle()


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Templates by shape; each is made when it is first needed."""
    return {}


@pytest.fixture(params=["2-of-3"])
def scene(
    request: pytest.FixtureRequest,
    scenes: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
) -> Iterator[Scene]:
    """A network of its own for a test; ``both_shapes`` runs it on 3-of-4 too."""
    shape = request.param
    if shape not in scenes:
        folder = tmp_path_factory.mktemp("scene") / "network"
        _prepare(folder, *SHAPES[shape])
        scenes[shape] = folder
    folder = consortium.copy(scenes[shape], tmp_path / "network")
    vaults = {patient: (folder / patient).read_bytes() for patient in ("ada", "bea")}
    clock = Clock()
    with consortium.opened(folder, clock=clock) as network:
        yield Scene(network, folder, clock, vaults)
