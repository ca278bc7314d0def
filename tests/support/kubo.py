"""Real IPFS nodes: Kubo, built by `make kubo`, in a private swarm on loopback addresses.

What a node of an organisation should be set to is in docs/storage.md; these nodes are set the same
(https://github.com/ipfs/kubo/blob/v0.42.0/docs/config.md), but that they listen on this machine
alone. Tests that need them carry the marker ``nodes``: they are left out, and that is said, where
no node was built; on CI that is a failure.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateways import free_ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


def built(tool: str, program: str) -> Path:
    """Where `make kubo` puts a program: by the version that the tool's go.mod names."""
    text = (ROOT / "tools" / tool / "go.mod").read_text(encoding="utf-8")
    [version] = re.findall(rf"(?m)^\s+\S+/{tool}(?:/v\d+)? (v\S+)", text)
    return ROOT / ".tools" / tool / version / program


IPFS = built("kubo", "ipfs")


def choose(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, not skip, what needs a node that was not built; on CI fail instead."""
    wanted = [item for item in items if item.get_closest_marker("nodes")]
    if not wanted or IPFS.exists():
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError("CI runs the tests on real IPFS nodes: `make kubo` must succeed.")
    config.hook.pytest_deselected(items=wanted)
    items[:] = [item for item in items if not item.get_closest_marker("nodes")]


def swarm_key() -> str:
    """The pre-shared key of a private swarm (https://github.com/libp2p/specs, pnet)."""
    return f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n"


@dataclass(slots=True)
class IpfsNode:
    """A node in a folder of its own; it keeps its identity and addresses over restarts."""

    folder: Path
    swarm_port: int
    api_port: int
    peer: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address of its RPC API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def address(self) -> str:
        """Where peers reach it."""
        return f"/ip4/127.0.0.1/tcp/{self.swarm_port}"

    def prepare(self, key: str) -> None:
        """Make its repository, and its identity, without starting it."""
        self.folder.mkdir(parents=True)
        (self.folder / "swarm.key").write_text(key)
        subprocess.run(
            [IPFS, "init", "--empty-repo"],
            check=True,
            capture_output=True,
            env=_environment(self.folder),
        )
        self.peer = self.settings()["Identity"]["PeerID"]

    def settings(self) -> dict[str, Any]:
        """Its configuration as it stands."""
        found = json.loads((self.folder / "config").read_text())
        assert isinstance(found, dict)
        return found

    def configure(self, peers: Sequence[IpfsNode]) -> None:
        """Set it as a member of a private swarm of these nodes."""
        settings = self.settings()
        _merge(settings, _private(self, [one for one in peers if one is not self]))
        for mount in settings["Datastore"]["Spec"]["mounts"]:
            if mount.get("type") == "flatfs":
                mount["sync"] = True
        (self.folder / "config").write_text(json.dumps(settings, indent=2))

    def start(self) -> None:
        """Start it, and wait until its RPC API answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [IPFS, "daemon"], stdout=log, stderr=log, env=_environment(self.folder)
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.ask("id", timeout=1)
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return
        self.kill()
        raise RuntimeError(f"ipfs does not answer:\n{(self.folder / 'log').read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL, as a crash would; `start` brings it back with all that it keeps."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self, frozen: bool = True) -> None:
        """Stop its process without ending it, or let it go on: connections stay and say nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def ask(self, verb: str, timeout: float = 10, **query: str) -> Any:
        """Ask its RPC API something, past the store under test."""
        answer = httpx.post(f"{self.url}/api/v0/{verb}", params=query, timeout=timeout)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def block_files(self) -> list[Path]:
        """The files that hold its blocks."""
        return sorted((self.folder / "blocks").glob("*/*.data"))


@contextmanager
def swarm(folder: Path, count: int) -> Iterator[list[IpfsNode]]:
    """Nodes that know each other and nobody else, connected; killed at the end."""
    ports = free_ports(2 * count)
    key = swarm_key()
    nodes = [IpfsNode(folder / f"ipfs{i}", ports[2 * i], ports[2 * i + 1]) for i in range(count)]
    with ExitStack() as stack:
        for node in nodes:
            node.prepare(key)
        for node in nodes:
            node.configure(nodes)
            stack.callback(node.kill)
            node.start()
        connect(nodes)
        yield nodes


def connect(nodes: Sequence[IpfsNode]) -> None:
    """Wait until every node is connected with every other; peering does it by itself, later."""
    for node in nodes:
        for other in nodes:
            if other is not node:
                node.ask("swarm/connect", arg=f"{other.address}/p2p/{other.peer}")


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "IPFS_PATH": str(folder),
        "IPFS_TELEMETRY": "off",
        "LIBP2P_FORCE_PNET": "1",  # no start without the swarm's key
    }


def _private(node: IpfsNode, peers: Sequence[IpfsNode]) -> Mapping[str, Any]:
    off = {"Enabled": False}
    return {
        "Addresses": {
            "Swarm": [node.address],
            "API": f"/ip4/127.0.0.1/tcp/{node.api_port}",
            "Gateway": [],
            "AppendAnnounce": [],
        },
        "AutoConf": off,
        "AutoTLS": off,
        "AutoNAT": {"ServiceMode": "disabled"},
        "Bootstrap": [],
        "Discovery": {"MDNS": off},
        "DNS": {"Resolvers": {}},
        "HTTPRetrieval": off,
        "Ipns": {"DelegatedPublishers": []},
        "Peering": {"Peers": [{"ID": one.peer, "Addrs": [one.address]} for one in peers]},
        "Provide": off,
        "Routing": {"Type": "none", "DelegatedRouters": []},
        "Swarm": {
            "DisableNatPortMap": True,
            "EnableHolePunching": False,
            "RelayClient": off,
            "RelayService": off,
            "Transports": {
                "Network": {
                    "QUIC": False,
                    "WebTransport": False,
                    "WebRTCDirect": False,
                    "Websocket": False,
                    "Relay": False,
                }
            },
        },
        "Version": {"SwarmCheckEnabled": False},
    }


def _merge(settings: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, Mapping) and isinstance(settings.get(name), dict) and value:
            _merge(settings[name], value)
        else:
            settings[name] = dict(value) if isinstance(value, Mapping) else value
