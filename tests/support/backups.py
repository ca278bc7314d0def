"""A network of which one member (north, where none is named) is backed up, lost and restored."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from simdes.backup import making, restoring
from simdes.backup.making import Asked, Made, Place
from simdes.backup.restoring import Restored, Wanted
from support import consortium
from support.consortium import Clock

NAMES = ("north", "south", "east")
PATIENT_A, PATIENT_B, PATIENT_C = (
    "HL7DataExtractorTest_098.hl7",
    "FHIRConverterTest_003.hl7",
    "Hl7EncounterFHIRConversionTest_154.hl7",
)


@dataclass(slots=True)
class Stage:
    """A closed network in a folder; north, or who is named, is backed up and restored."""

    folder: Path
    empty_database: Callable[[], str] | None = None
    clock: Clock = field(default_factory=Clock)
    name: str = "north"

    @property
    def data(self) -> Path:
        """The folder of who is backed up."""
        return self.folder / self.name

    @property
    def backups(self) -> Path:
        """Where its backups lie."""
        return self.folder.parent / "backups"

    @property
    def passphrase(self) -> str:
        """North's, which its operator keeps apart."""
        return (self.folder.parent / "passphrase").read_text().strip()

    def back_up(self, **asked: object) -> Made:
        """Back north up as `simdes backup` does."""
        wanted = Asked(data=self.data, folder=self.backups, keep_days=30)
        for name, value in asked.items():
            object.__setattr__(wanted, name, value)
        with consortium.own_settings():
            place = making.opened_place(wanted, clock=self.clock, random=secrets.token_bytes)
            return making.back_up(place)

    def keep_keys(self) -> bool:
        """What `simdes serve` does when a key came or went."""
        wanted = Asked(data=self.data, folder=self.backups, keep_days=30)
        with consortium.own_settings():
            place = making.opened_place(wanted, clock=self.clock, random=secrets.token_bytes)
            return making.keep_keys(place)

    def lose(self) -> None:
        """Lose north's folder, its database and its store."""
        settings = (self.data / "simdes.toml").read_text()
        shutil.rmtree(self.data)
        if self.empty_database is not None:
            # Where the new database is, its operator writes down; the rest is in the backup.
            self.data.mkdir()
            line = f"database_url = {json.dumps(self.empty_database())}\n"
            others = re.sub(r"(?m)^database_url = .*\n", "", settings)
            (self.data / "simdes.toml").write_text(others + line)

    def restore(self, **wanted: object) -> Restored:
        """Restore north as `simdes restore` does."""
        asked = Wanted(data=self.data, folder=self.backups, passphrase=self.passphrase)
        for name, value in wanted.items():
            object.__setattr__(asked, name, value)
        with consortium.own_settings():
            done = restoring.restore(asked)
        shutil.copy(self.folder.parent / "passphrase", self.data / "passphrase")
        return done


def found(folder: Path, databases: dict[str, str]) -> None:
    """Found the network and let north have a patient's record, anchored."""
    stores = dict.fromkeys(NAMES, "file:blocks")
    consortium.found(folder, names=NAMES, stores=stores, databases=databases)
    with consortium.opened(folder) as network:
        for name, data in consortium.sample_messages(PATIENT_A):
            network.submit("north", name, data)
        network.settle()
        network.settle()  # the audit entries of that, too


def back_up_all(folder: Path, backups: Path, *, clock: Clock | None = None) -> None:
    """Each organisation's backup, in a folder of its own."""
    for place in _places(folder, backups, clock or Clock()):
        with consortium.own_settings():
            making.back_up(place())


def keep_keys_of_all(folder: Path, backups: Path, *, clock: Clock | None = None) -> None:
    """What `simdes serve` does at each within ten seconds."""
    for place in _places(folder, backups, clock or Clock()):
        with consortium.own_settings():
            making.keep_keys(place())


def _places(folder: Path, backups: Path, clock: Clock) -> Iterator[Callable[[], Place]]:
    for name in NAMES:
        asked = Asked(data=folder / name, folder=backups / name, keep_days=30)
        yield partial(making.opened_place, asked, clock=clock, random=secrets.token_bytes)


def staged(template: Path, place: Path, databases: dict[str, str], *, name: str = "north") -> Stage:
    """A copy of a network, the passphrase of who is backed up put apart."""
    folder = consortium.copy(template, place / "network", databases=databases)
    stage = Stage(folder, name=name)
    shutil.copy(stage.data / "passphrase", place / "passphrase")
    return stage
