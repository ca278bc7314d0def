"""A prepared network for organisations that lie, and for honest ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from simdes.exchange.submit import Accepted
from support import acceptance, consortium
from support.bundles import bundle


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    acceptance.choose(config, items)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three organisations, of which two make a key; ada's records lie with all three."""
    folder = tmp_path_factory.mktemp("lies") / "network"
    consortium.found(folder)
    with consortium.opened(folder) as network:
        [answer] = network.submit("north", "ada.json", bundle("ada"))
        assert isinstance(answer, Accepted)
        network.settle()
        network.enrol(answer.vault, "ada")
        (folder / "ada").write_bytes(answer.vault)
        network.settle()
    return folder
