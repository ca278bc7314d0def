"""The stage of the demo: who plays, who tells, and how organisations are set up and started."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simdes import app, config
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR, Opened
from simdes.errors import SimdesError, Unavailable
from simdes.exchange import enrolment, membership
from simdes.exchange.signin import Session, sign_in

START_SECONDS = 90
PASSPHRASES = {
    ADMINISTRATOR: "an administrator's passphrase",
    "dr.lee": "a doctor's passphrase",
    "patient": "a patient's passphrase",
}
MEMBERS = (
    ("north", "Hospital North", "hospital"),
    ("south", "Clinic South", "hospital"),
    ("east", "Insurer East", "insurer"),
)

Say = Callable[[str], None]


@dataclass(slots=True)
class Story:
    """What was told and measured so far; ``facts`` is what ``--json`` prints."""

    say: Say
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    number: int = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell a step and how long it took."""
        self.number += 1
        self.say(f"\n{self.number}. {title}")
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.facts.setdefault("seconds", {})[title] = round(seconds, 3)
        self.say(f"   ({seconds:.2f} s)")

    def tell(self, text: str) -> None:
        """Tell something inside a step."""
        self.say(f"   {text}")


@dataclass(frozen=True, slots=True)
class Cast:
    """The three organisations."""

    north: Opened
    south: Opened
    east: Opened

    def everybody(self) -> tuple[Opened, Opened, Opened]:
        """All of them."""
        return self.north, self.south, self.east


def found(story: Story, data: Path, stack: ExitStack, *, separate: bool) -> Cast:
    """Set three organisations up, start them, and let the first admit the others."""
    with story.step("Three organisations found a network, each with its own keys and database"):
        ports = free_ports(len(MEMBERS))
        create(story, data, MEMBERS, ports)
        if separate:
            serve_each(story, stack, data, MEMBERS, ports)
        members = [stack.enter_context(app.opened(data / folder)) for folder, _, _ in MEMBERS]
        if not separate:
            for one in members:
                stack.enter_context(app.answering(one))
        cast = Cast(*members)
        verify(cast.north, [cast.south, cast.east])
        contracts = cast.north.node.contracts.addresses
        story.tell(
            f"Contracts on chain {contracts.chain_id}: Accounts, Consents, Records, AuditLog"
        )
        story.tell("Every record's key will be split 2-of-3 among them")
    story.facts["organisations"] = len(members)
    return cast


def create(
    story: Story,
    data: Path,
    members: Sequence[tuple[str, str, str]],
    ports: Sequence[int],
    **more: Any,
) -> None:
    """Set organisations up (folder, name, kind); the first founds the network."""
    first = members[0][0]
    for (folder, name, kind), port in zip(members, ports, strict=True):
        settings = config.Settings(
            name=name,
            kind=kind,
            organisation="0x" + secrets.token_hex(32),
            ledger_url=f"embedded:{data / 'ledger.sqlite'}",
            store_url=f"file:{data / 'blocks'}",
            database_url="sqlite:simdes.sqlite",
            custody_url=f"http://127.0.0.1:{port}",
            **more,
        )
        app.create(
            data / folder,
            config.with_limits_of_kind(settings),
            passphrase=None,
            administrator_passphrase=PASSPHRASES[ADMINISTRATOR],
            network=data / first / "network.json" if folder != first else None,
            delays=app.DELAYS["demo"],
        )
        story.tell(f"{name} ({kind}): {data / folder}")


def serve_each(
    story: Story,
    stack: ExitStack,
    data: Path,
    members: Sequence[tuple[str, str, str]],
    ports: Sequence[int],
) -> None:
    """Start a process for each organisation; they end with ``stack``."""
    for (folder, name, _), port in zip(members, ports, strict=True):
        _serve(stack, data / folder, port)
        story.tell(f"{name} is a process of its own, on port {port}")


def verify(founder: Opened, others: Sequence[Opened]) -> None:
    """Let the founder's administrator admit the others."""
    owner = signed_in(founder, ADMINISTRATOR)
    for one in others:
        membership.verify_organisation(founder.node, owner.key, one.node.organisation)


def _serve(stack: ExitStack, data: Path, port: int) -> None:
    """Start `simdes serve` for a folder and wait until it answers; it ends with the demo."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "simdes", "serve", "--data", str(data), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"SIMDES_LOG_LEVEL": "error"},
    )
    stack.callback(_stop, process)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"`simdes serve` for {data} ended at once.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Unavailable(f"`simdes serve` for {data} did not answer in {START_SECONDS} seconds.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def admit(one: Opened, user: str, role: Role) -> None:
    """Let an organisation's administrator register somebody."""
    enrolment.add_person(
        one.node, signed_in(one, ADMINISTRATOR), user, role=role, passphrase=PASSPHRASES[user]
    )


def signed_in(one: Opened, user: str) -> Session:
    """Sign one of the cast in."""
    return sign_in(one.node, user, PASSPHRASES[user])


def must(holds: bool, what: str) -> None:
    """Raise where what is told is not so."""
    if not holds:
        raise SimdesError(f"The demo went wrong: it is not so that {what}.")


def empty_folder(path: Path | None) -> Path:
    """The folder for a demo: a new one under the user's cache, or the named one if it is empty."""
    if path is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        path = cache / "simdes" / time.strftime("demo-%Y%m%d-%H%M%S")
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise SimdesError(f"{path} is not empty.", advice="Choose another folder with --data.")
    return path.resolve()
