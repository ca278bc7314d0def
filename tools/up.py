"""`make up`: several organisations as separate programs on this machine, until Ctrl-C.

    python tools/up.py [--data .up] [--organisations 4] [--ledger embedded|anvil|URL]

Each organisation has a folder with its own keys and database, its own gateway with worker, and its
own IPFS node where `make kubo` built one. They share a ledger: by default the embedded one, which
one of the gateways holds and lends to the others; with ``--ledger anvil`` a development node in a
process of its own; or the nodes at one or more URLs (``"http://a http://b"``). SIMDES_DATABASE_URL
names a PostgreSQL server, on which each gets a database; else each has an SQLite file.

Run it again and the same network goes on. Everything listens on 127.0.0.1 alone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
from psycopg import sql

from simdes import app, config
from simdes.access.keystore import write_passphrase
from simdes.app import ADMINISTRATOR
from simdes.exchange import membership
from simdes.exchange.signin import sign_in

ROOT = Path(__file__).parents[1]
ANVIL = ROOT / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
MEMBERS = (
    ("north", "Hospital North", "hospital"),
    ("south", "Clinic South", "hospital"),
    ("east", "Insurer East", "insurer"),
    ("west", "Pharmacy West", "pharmacy"),
    ("hill", "Laboratory Hill", "research"),
    ("lake", "Hospital Lake", "hospital"),
)
FIRST_PORT = 8401
START_SECONDS = 120
STOP_SECONDS = 60
_WHEN_THE_PARENT_ENDS = 1  # prctl(2), PR_SET_PDEATHSIG
_OFF = {"Enabled": False}
_CLOSED: dict[str, Any] = {
    "AutoConf": _OFF,
    "AutoTLS": _OFF,
    "AutoNAT": {"ServiceMode": "disabled"},
    "Bootstrap": [],
    "Discovery": {"MDNS": _OFF},
    "DNS": {"Resolvers": {}},
    "HTTPRetrieval": _OFF,
    "Ipns": {"DelegatedPublishers": []},
    "Provide": _OFF,
    "Routing": {"Type": "none", "DelegatedRouters": []},
    "Swarm": {
        "DisableNatPortMap": True,
        "EnableHolePunching": False,
        "RelayClient": _OFF,
        "RelayService": _OFF,
        "Transports": {
            "Network": dict.fromkeys(
                ("QUIC", "WebTransport", "WebRTCDirect", "Websocket", "Relay"), False
            )
        },
    },
    "Version": {"SwarmCheckEnabled": False},
}
"""A private IPFS network of nodes that know each other (docs/storage.md says why)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A program that runs."""

    name: str
    where: str
    log: Path
    process: subprocess.Popen[bytes]


class Ended(Exception):
    """What keeps the network from running."""


def main() -> int:
    """Set the network up where it is not there yet, and run it until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("UP_DATA", ".up")))
    parser.add_argument("--organisations", type=int, default=4)
    parser.add_argument("--ledger", default=os.environ.get("SIMDES_LEDGER_URL") or "embedded")
    chosen = parser.parse_args()
    if not 3 <= chosen.organisations <= len(MEMBERS):
        parser.error(f"3 to {len(MEMBERS)} organisations")
    server = os.environ.get("SIMDES_DATABASE_URL", "")
    for name in ("SIMDES_LEDGER_URL", "SIMDES_DATABASE_URL", "SIMDES_IPFS_URL"):
        os.environ.pop(name, None)  # each organisation's settings say its own
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, _stop_now)
    parts: list[Part] = []
    try:
        _run(chosen.data.resolve(), MEMBERS[: chosen.organisations], chosen.ledger, server, parts)
        return 1  # never: it runs until something ends it
    except Ended as error:
        print(f"Stopping: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("Stopping …", flush=True)
        return 0
    finally:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)  # it is being done already
        _stop(parts)


def _stop_now(*_: object) -> None:
    raise KeyboardInterrupt


def _run(
    data: Path,
    members: Sequence[tuple[str, str, str]],
    ledger: str,
    server: str,
    parts: list[Part],
) -> None:
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = [name for name, _, _ in members]
    ledger_url = _ledger(data, ledger, parts)
    stores = _stores(data, names, parts)
    if not (data / "up.json").exists():
        print("Founding a network …", flush=True)
        _found(data, members, ledger_url, stores, server)
    for name in names:
        settings = config.load(data / name)
        port = urlsplit(settings.custody_url).port
        _start(
            parts,
            f"gateway of {settings.name}",
            settings.custody_url,
            data / name / "gateway.log",
            [sys.executable, "-m", "simdes", "serve", "--data", str(data / name)],
        )
        _await_port(parts[-1], port or 0)
    _tell(data, names, parts)
    while True:
        for part in parts:
            if part.process.poll() is not None:
                raise Ended(f"{part.name} ended by itself; see {part.log}.")
        time.sleep(0.5)


# What they share, and what each has -------------------------------------------------------------


def _ledger(data: Path, ledger: str, parts: list[Part]) -> str:
    if ledger == "embedded":
        return f"embedded:{data / 'ledger.sqlite'}"
    if ledger != "anvil":
        return ledger
    if not ANVIL.exists():
        raise Ended("anvil comes with `make setup`.")
    port = _port_of(data / "anvil.port")
    # fmt: off
    command = [str(ANVIL), "--host", "127.0.0.1", "--port", str(port), "--chain-id", "746337",
               "--block-time", "1", "--mixed-mining", "--hardfork", "cancun", "--accounts", "1",
               "--gas-limit", "1000000000", "--gas-price", "0", "--block-base-fee-per-gas", "0",
               "--disable-min-priority-fee", "--quiet", "--preserve-historical-states",
               "--state", str(data / "anvil.json")]
    # fmt: on
    _start(parts, "ledger node (anvil)", f"http://127.0.0.1:{port}", data / "anvil.log", command)
    _await_port(parts[-1], port)
    return f"http://127.0.0.1:{port}"


def _stores(data: Path, names: Sequence[str], parts: list[Part]) -> dict[str, str]:
    """Store URLs by organisation: an IPFS node each, or a folder that all share."""
    program = _kubo()
    if program is None:
        return dict.fromkeys(names, f"file:{data / 'blocks'}")
    folders = {name: data / name / "ipfs" for name in names}
    key = data / "swarm.key"
    if not key.exists():
        key.write_text(f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n")
        key.chmod(0o600)
    for folder in folders.values():
        _prepare(program, folder, key)
    peers = {name: _identity(folder) for name, folder in folders.items()}
    for name, folder in folders.items():
        _configure(folder, [peer for other, peer in peers.items() if other != name])
        api = _port_of(folder / "api.port")
        where = f"http://127.0.0.1:{api}"
        _start(
            parts,
            f"IPFS node of {name}",
            where,
            folder / "log",
            [str(program), "daemon"],
            IPFS_PATH=str(folder),
            IPFS_TELEMETRY="off",
            LIBP2P_FORCE_PNET="1",  # no start without the network's key
        )
        _await_port(parts[-1], api)
        _meet(where, [peers[other] for other in names[: names.index(name)]])
    return {
        name: f"ipfs:http://127.0.0.1:{_port_of(f / 'api.port')}" for name, f in folders.items()
    }


def _meet(where: str, peers: Sequence[dict[str, Any]]) -> None:
    """Have a node call those that were started before it; by itself it does so after seconds."""
    for one in peers:
        address = f"{one['Addrs'][0]}/p2p/{one['ID']}"
        answer = httpx.post(
            f"{where}/api/v0/swarm/connect", params={"arg": address}, timeout=START_SECONDS
        )
        answer.raise_for_status()


def _kubo() -> Path | None:
    found = sorted((ROOT / ".tools" / "kubo").glob("v*/ipfs"))
    return found[-1] if found else None


def _prepare(program: Path, folder: Path, key: Path) -> None:
    if (folder / "config").exists():
        return
    folder.mkdir(parents=True, mode=0o700)
    (folder / "swarm.key").write_bytes(key.read_bytes())
    subprocess.run(  # noqa: S603 - ours
        [program, "init", "--empty-repo"],
        check=True,
        capture_output=True,
        env=os.environ | {"IPFS_PATH": str(folder), "IPFS_TELEMETRY": "off"},
    )


def _identity(folder: Path) -> dict[str, Any]:
    peer = json.loads((folder / "config").read_text())["Identity"]["PeerID"]
    return {"ID": peer, "Addrs": [f"/ip4/127.0.0.1/tcp/{_port_of(folder / 'swarm.port')}"]}


def _configure(folder: Path, peers: Sequence[dict[str, Any]]) -> None:
    path = folder / "config"
    settings = json.loads(path.read_text())
    for name, value in _CLOSED.items():
        settings[name] = {**settings.get(name, {}), **value} if isinstance(value, dict) else value
    settings["Peering"] = {"Peers": list(peers)}
    settings["Addresses"] |= {
        "API": f"/ip4/127.0.0.1/tcp/{_port_of(folder / 'api.port')}",
        "Swarm": [f"/ip4/127.0.0.1/tcp/{_port_of(folder / 'swarm.port')}"],
        "Gateway": [],
        "AppendAnnounce": [],
    }
    for mount in settings["Datastore"]["Spec"]["mounts"]:
        for store in (mount, mount.get("child", {})):
            if store.get("type") == "flatfs":
                store["sync"] = True
    path.write_text(json.dumps(settings, indent=2))


def _database(server: str, name: str) -> str:
    """The database of an organisation on a PostgreSQL server, made where it is not there."""
    if not server:
        return "sqlite:simdes.sqlite"
    named = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"simdes_{name}"))
    there = psycopg.errors.DuplicateDatabase
    with psycopg.connect(server, autocommit=True) as one, contextlib.suppress(there):
        one.execute(named)
    parts = urlsplit(server)
    url = urlunsplit(("postgresql", parts.netloc, f"/simdes_{name}", parts.query, ""))
    return url if parts.netloc else url.replace("postgresql:/", "postgresql:///", 1)


def _found(
    data: Path,
    members: Sequence[tuple[str, str, str]],
    ledger_url: str,
    stores: dict[str, str],
    server: str,
) -> None:
    """Make the organisations; the first one founds the network and verifies the others."""
    words = data / "admin.passphrase"
    passphrase = words.read_text().strip() if words.exists() else write_passphrase(words)
    first = members[0][0]
    ports = iter(_free_from(FIRST_PORT, len(members)))
    for name, title, kind in members:
        port = next(ports)
        if (data / name / "pins.json").exists():
            continue
        (data / name / "simdes.toml").unlink(missing_ok=True)  # of a try that was stopped
        app.create(
            data / name,
            config.with_limits_of_kind(
                config.Settings(
                    name=title,
                    kind=kind,
                    organisation="0x" + secrets.token_hex(32),
                    ledger_url=ledger_url,
                    store_url=stores[name],
                    database_url=_database(server, name),
                    custody_url=f"http://127.0.0.1:{port}",
                )
            ),
            passphrase=None,
            administrator_passphrase=passphrase,
            network=None if name == first else data / first / "network.json",
            delays=app.DELAYS["demo"],
        )
        print(f"  {title} ({kind}) in {data / name}", flush=True)
    with app.opened(data / first) as one:
        owner = sign_in(one.node, ADMINISTRATOR, passphrase)
        for name, _, _ in members[1:]:
            organisation = bytes.fromhex(config.load(data / name).organisation[2:])
            membership.verify_organisation(one.node, owner.key, organisation)
    (data / "up.json").write_text(json.dumps([name for name, _, _ in members]))


# Programs ---------------------------------------------------------------------------------------


def _start(
    parts: list[Part], name: str, where: str, log: Path, command: list[str], **environment: str
) -> None:
    """Start a program that Ctrl-C at the terminal does not reach, and that ends with this one."""
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=os.environ | environment,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - before there are threads
        )
    parts.append(Part(name, where, log, process))


def _end_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_WHEN_THE_PARENT_ENDS, signal.SIGTERM)


def _await_port(part: Part, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if part.process.poll() is not None:
            raise Ended(f"{part.name} ended at once; see {part.log}.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Ended(f"{part.name} does not answer on port {port}; see {part.log}.")


def _stop(parts: list[Part]) -> None:
    """Gateways first, the one that holds the ledger last of them; then what they need."""
    gateways = [one for one in parts if one.name.startswith("gateway")]
    others = [one for one in parts if one not in gateways]
    for group in (gateways[1:], gateways[:1], others):
        for part in group:
            if part.process.poll() is None:
                part.process.terminate()
        for part in group:
            try:
                part.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()
    if parts:
        print("Everything has stopped.", flush=True)


def _tell(data: Path, names: Sequence[str], parts: Sequence[Part]) -> None:
    width = max(len(part.name) for part in parts)
    for part in parts:
        print(f"  {part.name:<{width}}  {part.where}  pid {part.process.pid}  {part.log}")
    first = data / names[0]
    print(f"\nFolders: {', '.join(str(data / name) for name in names)}")
    print(f"The passphrase of each `admin` is in {data / 'admin.passphrase'}. For example:")
    print(f"  .venv/bin/simdes doctor --data {first}")
    print(f"  .venv/bin/simdes ingest --data {first} src/simdes/samples/hl7v2")
    print(f"  curl {config.load(first).custody_url}/readyz")
    print(f"\nCtrl-C stops everything; `make up` goes on; `rm -r {data}` begins anew.", flush=True)


def _port_of(path: Path) -> int:
    """A port that stays the same from start to start, kept in a file."""
    if not path.exists():
        path.write_text(str(_free_from(0, 1)[0]))
    return int(path.read_text())


def _free_from(first: int, count: int) -> list[int]:
    """Free ports, from ``first`` on where that is given."""

    def candidates() -> Iterator[int]:
        yield from range(first, first + 100) if first else (0 for _ in range(count))

    found: list[int] = []
    with ExitStack() as stack:
        for port in candidates():
            one = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(int(one.getsockname()[1]))
            if len(found) == count:
                return found
    raise Ended("Too few ports are free.")


if __name__ == "__main__":
    sys.exit(main())
