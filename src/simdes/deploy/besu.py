"""A Besu network with QBFT and free gas: the first block and each node's settings.

Sources, below https://besu.hyperledger.org/private-networks/how-to: configure/consensus/qbft (first
block), configure/free-gas, use-local-permissioning, connect/static-nodes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simdes.deploy.spec import Organisation, Spec, is_address
from simdes.errors import Conflict, Invalid
from simdes.ledger import rlp

VANITY_BYTES: Final = 32
EPOCH_BLOCKS: Final = 30_000
"""After so many blocks votes that found no majority lapse."""

CONTRACT_BYTES: Final = 24_576
"""EIP-170's limit, which our contracts keep everywhere: the embedded ledger runs the same code."""

_QBFT_MIX_HASH: Final = "0x" + b"ctical byzantine fault tolerance".hex()
_FORKS: Final = ("berlinBlock", "londonBlock")
_TIMED_FORKS: Final = ("shanghaiTime", "cancunTime")
"""Up to Cancun: what the contracts are compiled for (contracts/foundry.toml)."""

DATA: Final = "/var/lib/besu"
SETTINGS: Final = "/etc/besu"
KEY_FILE: Final = "/run/secrets/node.key"


def extra_data(validators: Sequence[bytes]) -> bytes:
    """QBFT's extraData of a first block: vanity, validators, no vote, round 0, no seals.

    Validators are 20-byte addresses and are written in ascending order, as the protocol keeps them.
    """
    if not validators or len(set(validators)) != len(validators):
        raise Invalid("A network's first block names distinct validators, one at least.")
    if any(len(one) != 20 for one in validators):
        raise Invalid("A validator is an address of 20 bytes.")
    return rlp.encode([bytes(VANITY_BYTES), sorted(validators), [], rlp.encode_int(0), []])


def read_validators(extra: bytes) -> tuple[bytes, ...]:
    """The validators that extraData names; `Invalid` where it is none of QBFT's."""
    parts = rlp.decode(extra)
    if isinstance(parts, bytes) or len(parts) != 5:
        raise Invalid("The extra data is not QBFT's.")
    named = parts[1]
    if isinstance(named, bytes) or len(parts[0]) != VANITY_BYTES:
        raise Invalid("The extra data is not QBFT's.")
    found = tuple(bytes(one) for one in named if isinstance(one, bytes) and len(one) == 20)
    if len(found) != len(named):
        raise Invalid("The extra data names something else than addresses.")
    return found


def genesis(spec: Spec) -> dict[str, Any]:
    """The first block and the rules; every validator's public key must be known."""
    addresses = [_address(one) for one in spec.validators]
    rules: dict[str, Any] = {"chainId": spec.chain_id}
    rules |= dict.fromkeys(_FORKS, 0) | dict.fromkeys(_TIMED_FORKS, 0)
    rules |= {
        "zeroBaseFee": True,
        "contractSizeLimit": CONTRACT_BYTES,
        "qbft": {
            "blockperiodseconds": spec.block_seconds,
            "epochlength": EPOCH_BLOCKS,
            # A round gets twice the period, and no less than a wide-area round trip or two needs.
            "requesttimeoutseconds": max(4, 2 * spec.block_seconds),
        },
    }
    return {
        "config": rules,
        "nonce": "0x0",
        "timestamp": "0x0",
        "extraData": "0x" + extra_data(addresses).hex(),
        "gasLimit": hex(spec.gas_limit),
        "difficulty": "0x1",
        "mixHash": _QBFT_MIX_HASH,
        "coinbase": "0x" + bytes(20).hex(),
        "alloc": {},
    }


def require_same_chain(existing: Mapping[str, Any], spec: Spec) -> None:
    """A network that runs keeps its first block; `Conflict` where the description differs."""
    config = existing.get("config")
    rules = config if isinstance(config, Mapping) else {}
    qbft = rules.get("qbft")
    period = qbft.get("blockperiodseconds") if isinstance(qbft, Mapping) else None
    if (rules.get("chainId"), period) != (spec.chain_id, spec.block_seconds):
        raise Conflict(
            "The folder holds the first block of another network.",
            advice="Choose another folder, or give the description its chain_id and block_seconds.",
        )


def enode(one: Organisation) -> str:
    """The URL that other nodes know a node by."""
    identity = one.identity
    if identity is None:
        raise Invalid(f"{one.name} has no node_public_key yet.")
    return f"enode://{identity.node.hex()}@{one.p2p_host}:{one.p2p_port}"


def static_nodes(spec: Spec, of: Organisation) -> str:
    """Whom a node keeps connections to: every other one."""
    others = [enode(one) for one in spec.organisations if one.name != of.name]
    return json.dumps(others, indent=2) + "\n"


def permissions(spec: Spec) -> str:
    """Whom a node talks to at all: the members."""
    nodes = ",\n".join(f"  {json.dumps(enode(one))}" for one in spec.organisations)
    comment = "# The nodes of the network. A node reads it when it starts."
    return f"{comment}\nnodes-allowlist=[\n{nodes}\n]\n"


def settings(spec: Spec, of: Organisation) -> str:
    """A node's configuration file (options of `besu --help`, without dashes)."""
    options: dict[str, Any] = {
        "data-path": DATA,
        "genesis-file": f"{SETTINGS}/genesis.json",
        "node-private-key-file": KEY_FILE,
        # Every block is run here, and state of every block is kept: a Bonsai node that is killed
        # may need to fetch its state anew, and there is no snapshot to fetch it from but members'.
        "sync-mode": "FULL",
        "data-storage-format": "FOREST",
        # Members know each other; nobody is looked for.
        "discovery-enabled": False,
        "static-nodes-file": f"{SETTINGS}/static-nodes.json",
        "permissions-nodes-config-file-enabled": True,
        "permissions-nodes-config-file": f"{DATA}/permissions_config.toml",
        "p2p-port": of.p2p_port,
        "max-peers": max(25, len(spec.organisations) + 5),
        # Free gas: every node has both at zero, or it drops what others send in silence.
        "min-gas-price": 0,
        "tx-pool-min-gas-price": 0,
        "target-gas-limit": spec.gas_limit,
        # For this organisation's gateways and operators alone: the port is not published.
        "rpc-http-enabled": True,
        "rpc-http-host": "0.0.0.0",  # noqa: S104 - inside its container
        "rpc-http-port": 8545,
        "rpc-http-api": ["ETH", "NET", "WEB3", "TXPOOL", "QBFT", "PERM"],
        "host-allowlist": ["localhost", "127.0.0.1", "besu"],
        "metrics-enabled": True,
        "metrics-host": "0.0.0.0",  # noqa: S104 - the same
        "metrics-port": 9545,
        "logging": "INFO",
        "color-enabled": False,
    }
    if is_address(of.p2p_host):
        options["p2p-host"] = of.p2p_host
    if not all(is_address(one.p2p_host) for one in spec.organisations):
        # Names in enode URLs are an early access feature; they need reverse look-up as well.
        options |= {"Xdns-enabled": True, "Xdns-update-enabled": True}
    return "".join(f"{name}={json.dumps(value)}\n" for name, value in options.items())


def _address(one: Organisation) -> bytes:
    identity = one.identity
    if identity is None:
        raise Invalid(f"{one.name} has no node_public_key yet.")
    return identity.address
