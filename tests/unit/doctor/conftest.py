"""A healthy network that is open and answers, and ways to spoil one thing of it at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simdes import doctor
from simdes.doctor import Finding
from simdes.own_store import storekeeper
from support import consortium
from support.consortium import Consortium
from support.served import serving

SETTINGS = "simdes.toml"


@dataclass(frozen=True, slots=True)
class Patient:
    """An organisation's folder under examination."""

    folder: Path
    network: Consortium

    def set(self, **values: Any) -> None:
        """Change settings."""
        path = self.folder / SETTINGS
        text = path.read_text()
        for name, value in values.items():
            text = re.sub(rf"(?m)^{name} = .*\n", "", text)
            text += f"{name} = {json.dumps(value)}\n"
        path.write_text(text)

    def examine(self, *checks: str, **more: Any) -> list[Finding]:
        """What these checks find."""
        return doctor.examine(self.folder, only=checks, **more)

    def found(self, check: str, **more: Any) -> tuple[str, str]:
        """The worst that one check says, and the words of all it says."""
        said = self.examine(check, **more)
        assert said, f"{check} says nothing"
        assert {one.check for one in said} == {check}
        for one in said:
            assert one.advice or one.state in ("ok", "unknown"), "what to do stands beside it"
        worst = max(said, key=lambda one: ("ok", "unknown", "warning", "failed").index(one.state))
        return worst.state, " ".join(one.message for one in said)

    @property
    def node_url(self) -> str:
        """The JSON-RPC address of the embedded ledger, which this process holds."""
        ledger: Any = self.network["north"].node.contracts.ledger
        return str(ledger.endpoint.url)


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Consortium]]:
    """Three organisations with a record, north's gateway on its port."""
    folder = tmp_path_factory.mktemp("doctor") / "network"
    consortium.found(folder)
    with consortium.opened(folder) as network:
        network.submit("north", *consortium.sample_messages("ADT-A01-01.hl7")[0])
        network.settle()
        for one in network.members.values():
            storekeeper(one).work()
        with serving(network["north"]):
            yield folder, network


@pytest.fixture
def north(healthy: tuple[Path, Consortium]) -> Iterator[Patient]:
    """The hospital; its documents are as they were afterwards."""
    folder = healthy[0] / "north"
    kept = {path: path.read_bytes() for path in folder.glob("*.*") if path.suffix in _DOCUMENTS}
    modes = {path: path.stat().st_mode for path in kept}
    yield Patient(folder, healthy[1])
    for path, content in kept.items():
        path.write_bytes(content)
        path.chmod(modes[path])


_DOCUMENTS = (".toml", ".json")


@pytest.fixture
def in_database(north: Patient) -> Iterator[Callable[[str, str], None]]:
    """Run a statement on north's database, and another one at the end that takes it back."""
    undo: list[str] = []
    database = north.network["north"].node.database

    def change(statement: str, back: str) -> None:
        database.write(lambda tx: tx.run(statement))
        undo.append(back)

    yield change
    for back in undo:
        database.write(lambda tx, back=back: tx.run(back))
