"""An organisation's files: node settings, Compose, Kubernetes, the balancer, what to do with them.

Checked in the tests against the Compose specification's schema, Kubernetes' own, and nginx.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from simdes.deploy import besu, kubo
from simdes.deploy.spec import Organisation, Spec

STALE_BLOCKS: Final = 20
"""Custodians refuse when the newest block is older than so many periods, and 30 seconds."""

_KUBERNETES: Final = (
    "00-namespace.yaml",
    "10-settings.yaml",
    "20-besu.yaml",
    "30-ipfs.yaml",
    "40-postgresql.yaml",
    "50-gateway.yaml",
    "60-balancer.yaml",
    "70-network-policies.yaml",
    "90-init.yaml",
)

_PLAIN: Final = (
    "besu/config.toml",
    "besu/genesis.json",
    "besu/static-nodes.json",
    "besu/permissions_config.toml",
    "ipfs/config.json",
    "ipfs/peers.json",
    "ipfs/start.sh",
    "secrets/.gitignore",
    "simdes/.gitignore",
    "compose.yaml",
    "balancer/nginx.conf",
    "README.md",
)

# YAML, nginx and Markdown: nothing here is HTML, and what is written in is checked by `spec`.
_templates: Final = Environment(  # noqa: S701
    loader=PackageLoader("simdes.deploy"), undefined=StrictUndefined, keep_trailing_newline=True
)


def names() -> tuple[str, ...]:
    """The paths of `files_of`, whatever the network."""
    return (*_PLAIN, *(f"kubernetes/{name}" for name in _KUBERNETES))


def files_of(spec: Spec, of: Organisation, genesis: Mapping[str, Any]) -> dict[str, str]:
    """Every file of one organisation without a secret, by its path below its folder.

    All public keys of `spec` must be known, `of` being one of its organisations.
    """
    files = {
        "besu/config.toml": besu.settings(spec, of),
        "besu/genesis.json": json.dumps(genesis, indent=2) + "\n",
        "besu/static-nodes.json": besu.static_nodes(spec, of),
        "besu/permissions_config.toml": besu.permissions(spec),
        "ipfs/config.json": kubo.config(of),
        "ipfs/peers.json": kubo.peers(spec, of) + "\n",
        "ipfs/start.sh": _render("start-ipfs.sh"),
        "secrets/.gitignore": "*\n",
        "simdes/.gitignore": "# Here goes the network.json that the founder gives out.\n",
    }
    names: dict[str, Any] = {
        "spec": spec,
        "of": of,
        "founder": of.name == spec.organisations[0].name,
        "namespace": f"{spec.name}-{of.name}",
        "stale_seconds": max(30, STALE_BLOCKS * spec.block_seconds),
        "p2p_ports": sorted({one.p2p_port for one in spec.organisations}),
        "ipfs_ports": sorted({one.ipfs_port for one in spec.organisations}),
        "https_ports": sorted({443, *(one.https_port for one in spec.organisations)}),
    }
    servers = [f"gateway-{number}:8400" for number in range(1, of.gateways + 1)]
    files["compose.yaml"] = _render("compose.yaml.j2", **names)
    files["balancer/nginx.conf"] = _render("nginx.conf.j2", servers=servers, **names)
    files["README.md"] = _render("README.md.j2", **names)
    names["nginx"] = _render("nginx.conf.j2", servers=["gateway:8400"], **names)
    for name in _KUBERNETES:
        text = _render(f"kubernetes/{name}.j2", files=files, **names)
        files[f"kubernetes/{name}"] = text.strip() + "\n"
    return files


def database_environment(password: str) -> str:
    """The environment file that gives gateways the database's password."""
    return _render("database.env.j2", password=password)


def _render(name: str, **values: Any) -> str:
    return _templates.get_template(name).render(**values)
