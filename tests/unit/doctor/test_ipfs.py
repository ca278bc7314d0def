"""Faults of the IPFS node: each is made on a real one, and named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateways import free_ports
from support.kubo import IpfsNode, swarm, swarm_key
from support.spoiling import http_server
from unit.doctor.conftest import Patient

CHECKS = ("answers", "private", "gateway", "swarm", "durable", "room")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[IpfsNode]]:
    with swarm(tmp_path_factory.mktemp("swarm"), 2) as running:
        yield running


@pytest.fixture
def node(nodes: list[IpfsNode], north: Patient) -> Iterator[IpfsNode]:
    """The hospital's node; its settings are as they were afterwards."""
    north.set(store_url=f"ipfs:{nodes[0].url}")
    path = nodes[0].folder / "config"
    kept = path.read_text()
    yield nodes[0]
    path.write_text(kept)


def change(node: IpfsNode, at: str, value: Any) -> None:
    """Change a setting in the node's file, which is what it shows."""
    path = node.folder / "config"
    document = json.loads(path.read_text())
    *above, last = at.split(".")
    inner = document
    for name in above:
        inner = inner.setdefault(name, {}) if isinstance(inner, dict) else inner[int(name)]
    inner[last] = value
    path.write_text(json.dumps(document))


@pytest.mark.nodes
def test_a_node_as_it_should_be_raises_nothing(north: Patient, node: IpfsNode) -> None:
    found = north.examine(*(f"ipfs-{one}" for one in CHECKS))
    assert [(one.state, one.message) for one in found if one.state != "ok"] == []
    assert len(found) == len(CHECKS)


@pytest.mark.nodes
@pytest.mark.parametrize(
    ("check", "at", "value", "state", "said"),
    [
        ("private", "Bootstrap", ["/dnsaddr/x.example/p2p/Q"], "failed", "1 bootstrap peers"),
        ("private", "Routing.Type", "auto", "failed", "routing is auto"),
        ("private", "Discovery.MDNS.Enabled", True, "warning", "MDNS"),
        ("gateway", "Addresses.Gateway", "/ip4/0.0.0.0/tcp/8080", "failed", "public gateway"),
        ("swarm", "Peering.Peers", [], "warning", "has no peers set"),
        ("durable", "Datastore.Spec.mounts.0.sync", False, "warning", "sync: false"),
    ],
)
def test_what_a_node_is_set_to_is_looked_at(
    north: Patient, node: IpfsNode, check: str, at: str, value: Any, state: str, said: str
) -> None:
    change(node, at, value)
    found, words = north.found(f"ipfs-{check}")
    assert (found, said in words) == (state, True), words


@pytest.mark.nodes
def test_a_node_of_another_swarm_is_named(
    north: Patient, node: IpfsNode, nodes: list[IpfsNode], tmp_path: Path
) -> None:
    ports = free_ports(2)
    outside = IpfsNode(tmp_path / "outside", *ports)
    outside.prepare(swarm_key())
    outside.configure(nodes)
    outside.start()
    try:
        north.set(store_url=f"ipfs:{outside.url}")
        state, said = north.found("ipfs-swarm")
    finally:
        outside.kill()
    assert state == "failed" and "None of the 2 members' IPFS nodes is connected" in said


@pytest.mark.nodes
def test_a_stranger_among_the_peers_is_named(north: Patient, node: IpfsNode) -> None:
    change(node, "Peering.Peers", [{"ID": "12D3KooWStranger", "Addrs": []}])
    state, said = north.found("ipfs-swarm")
    assert state == "failed" and "1 peers are connected that are no member's" in said


def test_a_node_that_is_away_and_a_gateway_in_its_place_are_named(north: Patient) -> None:
    north.set(store_url="ipfs:http://127.0.0.1:1")
    assert north.found("ipfs-answers") == (
        "failed",
        "The IPFS node 127.0.0.1:1 does not answer (ConnectError).",
    )
    assert north.found("ipfs-private")[0] == "unknown"
    with http_server(lambda *_: (405, b"405 method not allowed")) as url:
        north.set(store_url=f"ipfs:{url}")
        state, said = north.found("ipfs-answers")
    assert state == "failed" and "is no RPC API of a node but a gateway" in said


def test_the_api_at_a_public_address_is_named(north: Patient) -> None:
    """It is not even asked: what it would say does not matter."""
    from simdes.doctor import ipfs

    assert ipfs._is_public("8.8.8.8") and not ipfs._is_public("10.0.0.3")
    assert not ipfs._is_public("ipfs") and not ipfs._is_here("/ip4/0.0.0.0/tcp/8080")
    assert ipfs._is_here("/ip4/127.0.0.1/tcp/8080") and ipfs._is_here("/unix/run/ipfs.sock")


@pytest.mark.nodes
def test_a_node_that_is_full_is_named(north: Patient, node: IpfsNode) -> None:
    change(node, "Datastore.StorageMax", "1KB")
    node.kill()
    node.start()  # it reads this when it starts; so this test is the last one here
    state, said = north.found("ipfs-room")
    assert state == "failed" and "of its room" in said
