"""Connections that can be cut, slowed and reset: toxiproxy, built by `make kubo`.

https://github.com/Shopify/toxiproxy/blob/v2.5.0/README.md
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.gateways import free_ports, wait_for_port
from support.kubo import built

TOXIPROXY = built("toxiproxy", "toxiproxy-server")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A port that leads to another one."""

    port: int
    name: str
    control: str

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Refuse connections, and close those there are."""
        self._ask("POST", f"/proxies/{self.name}", {"enabled": False})

    def slow(self, milliseconds: int) -> None:
        """Let everything arrive late."""
        self._add("latency", {"latency": milliseconds})

    def silence(self) -> None:
        """Take connections and pass nothing on."""
        self._add("timeout", {"timeout": 0})

    def reset(self) -> None:
        """Reset connections in the middle of an answer."""
        self._add("reset_peer", {"timeout": 5})

    def heal(self) -> None:
        """Let everything through again."""
        self._ask("POST", f"/proxies/{self.name}", {"enabled": True})
        for toxic in httpx.get(f"{self.control}/proxies/{self.name}/toxics").json():
            self._ask("DELETE", f"/proxies/{self.name}/toxics/{toxic['name']}")

    def lead_to(self, place: str) -> None:
        """Lead to another host:port from now on; connections to the old one end."""
        self._ask("POST", f"/proxies/{self.name}", {"upstream": place})

    def _add(self, kind: str, attributes: dict[str, int]) -> None:
        self._ask(
            "POST",
            f"/proxies/{self.name}/toxics",
            {"name": kind, "type": kind, "stream": "downstream", "attributes": attributes},
        )

    def _ask(self, method: str, path: str, body: object | None = None) -> None:
        httpx.request(method, self.control + path, json=body).raise_for_status()


@contextmanager
def proxies(folder: Path, *ports: int) -> Iterator[list[Proxy]]:
    """A proxy in front of each of these ports of this machine."""
    control, *fronts = free_ports(len(ports) + 1)
    with (folder / "toxiproxy.log").open("ab") as log:
        server = subprocess.Popen(
            [TOXIPROXY, "-host", "127.0.0.1", "-port", str(control)], stdout=log, stderr=log
        )
    try:
        wait_for_port(control)
        made = [
            Proxy(front, f"{front}-to-{port}", f"http://127.0.0.1:{control}")
            for front, port in zip(fronts, ports, strict=True)
        ]
        for proxy, port in zip(made, ports, strict=True):
            listen, upstream = f"127.0.0.1:{proxy.port}", f"127.0.0.1:{port}"
            body = {"name": proxy.name, "listen": listen, "upstream": upstream, "enabled": True}
            httpx.post(f"{proxy.control}/proxies", json=body).raise_for_status()
        yield made
    finally:
        server.kill()
        server.wait()
