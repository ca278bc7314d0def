"""Organisations in folders, as `simdes init` makes them, founded once and copied for each test.

Everything is real: embedded ledger, SQLite or PostgreSQL, file store, key stores on disk. Settings
hold relative paths, so that a copied folder is a network of its own. Key stores are locked at a
low Argon2id cost (`support.cheap`).
"""

from __future__ import annotations

import atexit
import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

from simdes import app, config
from simdes.access import custody_keys
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR, Opened
from simdes.errors import Unauthenticated
from simdes.exchange import anchoring, enrolment, intake, membership, submit
from simdes.exchange.signin import Session, sign_in
from simdes.exchange.submit import Accepted, Refused
from simdes.index.migrations import HEAD, migrate
from simdes.index.vaults import Identifier, find
from simdes.mapper import map_bytes
from support.cheap import cheap_locks
from support.gateways import free_ports

EMBEDDED = "embedded:../ledger.sqlite"

NAMES = {
    "north": ("Hospital North", "hospital"),
    "south": ("Clinic South", "hospital"),
    "east": ("Insurer East", "insurer"),
    "west": ("Pharmacy West", "pharmacy"),
    "hill": ("Laboratory Hill", "research"),
    "lake": ("Hospital Lake", "hospital"),
    "cove": ("Pharmacy Cove", "pharmacy"),
    "dale": ("Insurer Dale", "insurer"),
    "vale": ("Insurer Vale", "insurer"),
}

PEOPLE: dict[str, dict[str, Role]] = {
    "north": {"dr.north": Role.DOCTOR},
    "south": {"dr.lee": Role.DOCTOR, "nurse.kim": Role.NURSE, "prof.ray": Role.RESEARCHER},
    "east": {"clerk.poe": Role.INSURER},
    "west": {"ph.west": Role.PHARMACIST},
    "hill": {},
    "lake": {},
    "cove": {"ph.cove": Role.PHARMACIST},
    "dale": {},
    "vale": {"clerk.fox": Role.INSURER},
}
"""Who works where; the founders' administrators come on top."""


def passphrase_of(user: str) -> str:
    """The passphrase of a user in every template."""
    return f"the passphrase of {user}"


class Clock:
    """The time of a network in seconds, which a test may move forward and nobody moves back.

    A ledger's blocks never go back in time, nor do leases: who set a network's clock back would
    have consents that run out before they begin.
    """

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        self._ahead_seconds = ahead_seconds

    @property
    def ahead_seconds(self) -> float:
        """How far it is ahead of the machine's."""
        return self._ahead_seconds

    @ahead_seconds.setter
    def ahead_seconds(self, seconds: float) -> None:
        assert seconds >= self._ahead_seconds, "a network's clock never goes back"
        self._ahead_seconds = seconds

    def begin(self, period_seconds: int, *, room_seconds: float) -> None:
        """Go on to the next period of so many seconds where less than this is left of one."""
        left = period_seconds - self() % period_seconds
        if left < room_seconds:
            self.ahead_seconds += left + 1

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


@dataclass(frozen=True, slots=True)
class Consortium:
    """Opened organisations by folder name, their custody APIs answering in this process."""

    members: Mapping[str, Opened]
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Opened:
        return self.members[name]

    def session(self, member: str, user: str) -> Session:
        """The session of a user; signed in once, and anew where a test let its time pass."""
        key = (member, user)
        if key not in self.sessions or not _lasts(self.sessions[key]):
            self.sessions[key] = sign_in(self.members[member].node, user, passphrase_of(user))
        return self.sessions[key]

    def settle(self, *names: str) -> None:
        """Let the workers of these members (default all) do everything there is to do."""
        for name in names or self.members:
            anchoring.settle(self.members[name].node, worker=f"test {name}")

    def submit(self, member: str, name: str, data: bytes) -> list[Accepted | Refused]:
        """Map and submit one input at a member."""
        node = self.members[member].node
        return list(submit.submit(node, map_bytes(name, data, site=node.site)))

    def vault(self, member: str, system: str, value: str) -> bytes:
        """The vault that a member keeps for who has an identifier."""
        with self.members[member].node.database.read() as tx:
            found = find(tx, Identifier(system, value))
        assert found is not None
        return found

    def down(self, name: str) -> None:
        """Take a member's custody API away, as if its server were down."""
        app._here.shut(self.members[name].node.organisation)

    def up(self, name: str) -> None:
        """Bring it back."""
        one = self.members[name]
        app._here.open(one.node.organisation, one.custody.answer)

    def enrol(self, vault: bytes, user: str, *, member: str = "north") -> Session:
        """Give a patient an account and the vault, the next member attesting."""
        attester = next(name for name in self.members if name != member)
        enrolment.trust_checks(
            self.members[attester].node,
            self.session(attester, ADMINISTRATOR),
            checked_by=self.members[member].node.organisation,
            valid_seconds=86_400,
        )
        with cheap_locks():
            enrolment.enrol(
                self.members[member].node,
                self.session(member, ADMINISTRATOR),
                user,
                vault=vault,
                passphrase=passphrase_of(user),
                attesters=[self.members[attester].node.organisation],
            )
        return self.session(member, user)


def _lasts(session: Session) -> bool:
    """Whether its token still unlocks what signs for it."""
    try:
        session.unlock()
    except Unauthenticated:
        return False
    return True


def found(
    folder: Path,
    *,
    names: Sequence[str] = ("north", "south", "east"),
    shares_needed: int = 2,
    databases: Mapping[str, str] | None = None,
    stores: Mapping[str, str] | None = None,
    ledger_url: str = EMBEDDED,
) -> None:
    """Found a network of these organisations in ``folder``, verified and staffed.

    ``databases`` gives the database URL of members that are not on SQLite, ``stores`` the store
    URL of those with a store of their own; the others share a folder. On a node that
    ``ledger_url`` names, members wait for their blocks together.
    """
    ports = dict(zip(names, free_ports(len(names)), strict=True))

    def create(name: str) -> None:
        urls = {"database_url": (databases or {}).get(name, "sqlite:simdes.sqlite")}
        urls["store_url"] = (stores or {}).get(name, "file:../blocks")
        urls["ledger_url"] = ledger_url
        _create(folder, name, names, shares_needed, urls, ports[name])

    with own_settings(), cheap_locks(), copied_schema():
        for_each = one_by_one if ledger_url == EMBEDDED else at_once
        create(names[0])
        for_each(create, names[1:])
        with opened(folder) as network:
            _verify_and_staff(network, names, for_each)


def at_once(work: Callable[[str], object], names: Sequence[str]) -> None:
    """Do something for several members while each waits for its blocks."""
    with ThreadPoolExecutor(max_workers=len(names) or 1) as pool:
        for done in [pool.submit(work, name) for name in names]:
            done.result()


def one_by_one(work: Callable[[str], object], names: Sequence[str]) -> None:
    """Do something for several members in turn."""
    for name in names:
        work(name)


def _create(
    folder: Path,
    name: str,
    names: Sequence[str],
    shares_needed: int,
    urls: Mapping[str, str],
    port: int,
) -> None:
    title, kind = NAMES[name]
    settings = config.Settings(
        name=title,
        kind=kind,
        organisation="0x" + secrets.token_hex(32),
        **urls,
        custody_url=f"http://127.0.0.1:{port}",
        shares_needed=shares_needed,
        custodians=len(names),
        proving_keys="development",
    )
    app.create(
        folder / name,
        settings,
        passphrase=None,
        administrator_passphrase=passphrase_of(ADMINISTRATOR),
        network=folder / names[0] / "network.json" if name != names[0] else None,
        delays=app.DELAYS["demo"],
    )


def join(folder: Path, name: str, *, names: Sequence[str], shares_needed: int) -> None:
    """Let one more organisation join a closed network of ``names``, verified by its founder."""
    with own_settings(), cheap_locks(), copied_schema():
        urls = {"database_url": "sqlite:simdes.sqlite", "store_url": "file:../blocks"}
        urls["ledger_url"] = EMBEDDED
        _create(folder, name, names, shares_needed, urls, free_ports(1)[0])
        with opened(folder) as network:
            owner = network.session(names[0], ADMINISTRATOR)
            joined = network[name].node
            membership.verify_organisation(network[names[0]].node, owner.key, joined.organisation)
            network.settle()


def _verify_and_staff(
    network: Consortium,
    names: Sequence[str],
    for_each: Callable[[Callable[[str], object], Sequence[str]], None],
) -> None:
    owner = network.session(names[0], ADMINISTRATOR)
    for name in names[1:]:
        membership.verify_organisation(
            network[names[0]].node, owner.key, network[name].node.organisation
        )
    for_each(lambda name: _staff(network, name), names)
    network.settle()


def _staff(network: Consortium, name: str) -> None:
    node = network[name].node
    for user, role in PEOPLE[name].items():
        enrolment.add_person(
            node,
            network.session(name, ADMINISTRATOR),
            user,
            role=role,
            passphrase=passphrase_of(user),
        )
    node.database.write(
        lambda tx: custody_keys.fill_pool(
            tx, node.desk.keystore, random=node.random, now_ms=node.now_ms()
        )
    )


def let_read(folder: Path) -> None:
    """Let the few accounts of an organisation read the patients of all tests, unasked."""
    path = folder / "simdes.toml"
    text = path.read_text()
    for name in ("strangers_per_hour", "patients_per_hour", "patients_per_day"):
        text = re.sub(rf"(?m)^{name}\b.*\n", "", text) + f"{name} = 100000\n"
    path.write_text(text)


def write_mails(data: Path) -> None:
    """Have an organisation write its mails into the folder ``mails``."""
    path = data / "simdes.toml"
    text = path.read_text().replace('mail_url = ""', 'mail_url = "file:mails"')
    path.write_text(text.replace('mail_from = ""', 'mail_from = "records@hospital.example"'))


@contextmanager
def own_settings() -> Iterator[None]:
    """Keep the environment's URLs away: each organisation here has a database of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMDES_")}
    with mock.patch.dict(os.environ, kept, clear=True):
        yield


@contextmanager
def copied_schema() -> Iterator[None]:
    """Copy the schema into new SQLite databases: test_index_schema.py is about laying it."""

    def lay(url: str) -> str:
        path = Path(url.removeprefix("sqlite:"))
        if not url.startswith("sqlite:") or path.exists():
            return migrate(url)
        shutil.copy(_laid() / "empty.sqlite", path)
        return HEAD

    with mock.patch.object(app, "migrate", lay):
        yield


@cache
def _laid() -> Path:
    """A folder with an empty database, until this process ends."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    migrate(f"sqlite:{folder / 'empty.sqlite'}")
    assert not (folder / "empty.sqlite-wal").exists(), "all of it is in one file"
    return folder


def copy(template: Path, folder: Path, *, databases: Mapping[str, str] | None = None) -> Path:
    """Copy a closed network to ``folder`` and point members at other databases."""
    shutil.copytree(template, folder)
    for name, url in (databases or {}).items():
        path = folder / name / "simdes.toml"
        others = re.sub(r"(?m)^database_url = .*\n", "", path.read_text())
        path.write_text(f"{others}database_url = {json.dumps(url)}\n")
    return folder


@contextmanager
def opened(
    folder: Path,
    *,
    clock: Callable[[], float] = time.time,
    skews: Mapping[str, float] | None = None,
) -> Iterator[Consortium]:
    """Open every organisation in ``folder``, each custody API answering in this process.

    ``skews`` says by how many seconds members' clocks are ahead of ``clock``.
    """
    with own_settings(), ExitStack() as stack:
        members: dict[str, Opened] = {}
        for name in (one for one in NAMES if (folder / one / "simdes.toml").exists()):
            its = _skewed(clock, (skews or {}).get(name, 0.0))
            one = stack.enter_context(app.opened(folder / name, clock=its))
            stack.enter_context(app.answering(one))
            members[name] = one
        yield Consortium(members)


def _skewed(clock: Callable[[], float], by_seconds: float) -> Callable[[], float]:
    return (lambda: clock() + by_seconds) if by_seconds else clock


def sample_messages(*names: str) -> list[tuple[str, bytes]]:
    """Shipped sample messages by file name; all of them without names."""
    from simdes.demo import SAMPLES

    files = [file for file in intake.source_files([SAMPLES]) if file.name.endswith(".hl7")]
    return [
        (file.name, file.path.read_bytes())
        for file in files
        if not names or file.path.name in names
    ]
