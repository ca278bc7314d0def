"""The first block as Besu's documentation has it, and each node's settings."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from simdes.crypto.keys import SigningKey
from simdes.deploy import besu
from simdes.deploy.spec import Spec, read_spec
from simdes.errors import Conflict, Invalid

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "deploy" / "example" / "network.toml"

# besu.hyperledger.org/private-networks/how-to/configure/consensus/qbft, "Generate extra data" and
# "Genesis file" (the latter's four validators as the block's extra data names them).
PUBLISHED = {
    "generated": (
        (
            "4592c8e45706cc08b8f44b11e43cba0cfc5892cb",
            "06e23768a0f59cf365e18c2e0c89e151bcdedc70",
            "c5327f96ee02d7bcbc1bf1236b8c15148971e1de",
            "ab5e7f4061c605820d3744227eed91ff8e2c8908",
        ),
        "f87aa0" + "00" * 32 + "f85494"
        "4592c8e45706cc08b8f44b11e43cba0cfc5892cb94"
        "06e23768a0f59cf365e18c2e0c89e151bcdedc7094"
        "c5327f96ee02d7bcbc1bf1236b8c15148971e1de94"
        "ab5e7f4061c605820d3744227eed91ff8e2c8908c080c0",
    ),
    "genesis": (
        (
            "64a702e6263b7297a96638cac6ae65e6541f4169",
            "3923390ad55e90c237593b3b0e401f3b08a03185",
            "aefdb9a738c9f433e5b6b212a6d62f6370c2f692",
            "c7eeb9a4e00ce683cf93039b212648e01c6c6b78",
        ),
        "f87aa0" + "00" * 32 + "f85494"
        "64a702e6263b7297a96638cac6ae65e6541f416994"
        "3923390ad55e90c237593b3b0e401f3b08a0318594"
        "aefdb9a738c9f433e5b6b212a6d62f6370c2f69294"
        "c7eeb9a4e00ce683cf93039b212648e01c6c6b78c080c0",
    ),
}


@pytest.fixture
def spec() -> Spec:
    return read_spec(EXAMPLE)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_extra_data_published_by_besu_is_read(name: str) -> None:
    validators, extra = PUBLISHED[name]
    found = besu.read_validators(bytes.fromhex(extra))
    assert [one.hex() for one in found] == list(validators)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_extra_data_is_besus_but_for_the_ascending_order(name: str) -> None:
    validators, extra = PUBLISHED[name]
    made = besu.extra_data([bytes.fromhex(one) for one in validators]).hex()
    assert len(made) == len(extra)
    assert (made[:72], made[-6:]) == (extra[:72], extra[-6:])
    assert [one.hex() for one in besu.read_validators(bytes.fromhex(made))] == sorted(validators)


def test_the_first_validators_may_come_in_any_order(spec: Spec) -> None:
    turned = replace(spec, organisations=spec.organisations[::-1])
    assert besu.genesis(turned) == besu.genesis(spec)


def test_extra_data_of_nobody_or_of_somebody_twice_is_refused() -> None:
    one = bytes(19) + b"\1"
    for bad in ([], [one, one], [one[1:]]):
        with pytest.raises(Invalid):
            besu.extra_data(bad)
    for bad_bytes in (b"", b"\xc0", bytes.fromhex("f87aa0"), besu.extra_data([one])[:-1]):
        with pytest.raises(Invalid):
            besu.read_validators(bad_bytes)


def test_gas_is_free_and_the_forks_are_those_that_the_contracts_are_compiled_for(
    spec: Spec,
) -> None:
    genesis = besu.genesis(spec)
    rules = genesis["config"]
    foundry = tomllib.loads((ROOT / "contracts" / "foundry.toml").read_text())
    assert f"{foundry['profile']['default']['evm_version']}Time" in rules
    assert all(rules[name] == 0 for name in rules if name.endswith(("Block", "Time")))
    assert rules["zeroBaseFee"] is True
    assert rules["chainId"] == spec.chain_id
    assert genesis["alloc"] == {}, "nobody is given money, and nobody needs any"
    assert genesis["difficulty"] == "0x1"
    mix = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
    assert genesis["mixHash"] == mix
    for one in spec.organisations:
        node = tomllib.loads(besu.settings(spec, one))
        assert (node["min-gas-price"], node["tx-pool-min-gas-price"]) == (0, 0)
        assert node["target-gas-limit"] == int(genesis["gasLimit"], 16)


def test_contracts_and_anchors_fit_the_limits(spec: Spec) -> None:
    limit = besu.genesis(spec)["config"]["contractSizeLimit"]
    checked = 0
    for artifact in files("simdes.ledger").joinpath("artifacts").iterdir():
        code = json.loads(artifact.read_text())
        deployed = code.get("deployedBytecode", code.get("deployed", ""))
        text = deployed if isinstance(deployed, str) else deployed["object"]
        assert len(text.removeprefix("0x")) // 2 <= limit, artifact.name
        checked += bool(text)
    assert checked > 5
    gas = json.loads((ROOT / "contracts" / "gas.json").read_text())
    assert int(besu.genesis(spec)["gasLimit"], 16) >= 1_000 * gas["Records.anchor"]


def test_nodes_know_and_admit_the_members_and_nobody_else(spec: Spec) -> None:
    everybody = {besu.enode(one) for one in spec.organisations}
    for one in spec.organisations:
        others = json.loads(besu.static_nodes(spec, one))
        assert set(others) == everybody - {besu.enode(one)}
        allowed = tomllib.loads(besu.permissions(spec))["nodes-allowlist"]
        assert set(allowed) == everybody
        node = tomllib.loads(besu.settings(spec, one))
        assert node["permissions-nodes-config-file-enabled"] is True
        assert node["discovery-enabled"] is False
        assert "ADMIN" not in node["rpc-http-api"]
        assert "DEBUG" not in node["rpc-http-api"]
        assert "*" not in node["host-allowlist"]


def test_an_enode_and_a_validator_are_named_by_the_same_key() -> None:
    key = SigningKey.from_bytes(bytes(31) + b"\1")
    # The address of the private key 1, known from everywhere.
    assert key.address.hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    spec = read_spec(EXAMPLE)
    one = replace(spec.organisations[0], node_public_key="0x" + key.public[1:].hex())
    assert besu.enode(one) == f"enode://{key.public[1:].hex()}@198.51.100.11:30303"
    assert one.identity is not None
    assert one.identity.address == key.address


def test_names_in_enodes_are_asked_for_only_where_there_are_names(spec: Spec) -> None:
    assert "Xdns-enabled" not in tomllib.loads(besu.settings(spec, spec.organisations[0]))
    named = replace(spec.organisations[1], p2p_host="node.hospital-b.example")
    mixed = replace(spec, organisations=(spec.organisations[0], named))
    first, second = (tomllib.loads(besu.settings(mixed, one)) for one in mixed.organisations)
    assert first["Xdns-enabled"] is second["Xdns-enabled"] is True
    assert first["p2p-host"] == "198.51.100.11"
    assert "p2p-host" not in second


def test_a_running_networks_first_block_is_not_that_of_another(spec: Spec) -> None:
    genesis = besu.genesis(spec)
    besu.require_same_chain(genesis, spec)
    for other in (replace(spec, chain_id=1), replace(spec, block_seconds=2)):
        with pytest.raises(Conflict):
            besu.require_same_chain(genesis, other)
    with pytest.raises(Conflict):
        besu.require_same_chain({}, spec)
