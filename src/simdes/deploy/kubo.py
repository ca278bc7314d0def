"""A private IPFS network: one Kubo node an organisation, closed by a key that all members share.

No public bootstrap node, no routing, no discovery: members' nodes are configured as peers of each
other (https://github.com/ipfs/kubo/blob/master/docs/config.md,
https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md).
"""

from __future__ import annotations

import json
from typing import Any

from simdes.deploy.spec import Organisation, Spec, is_address
from simdes.errors import Invalid


def peers(spec: Spec, of: Organisation) -> str:
    """The other members' nodes, as `Peering.Peers` takes them."""
    return json.dumps([_peer(one) for one in spec.organisations if one.name != of.name], indent=2)


def config(of: Organisation) -> str:
    """What the node is set up with; `start.sh` adds its private key and its peers."""
    identity = of.identity
    if identity is None:
        raise Invalid(f"{of.name} has no ipfs_peer yet.")
    document: dict[str, Any] = {
        "Identity": {"PeerID": identity.peer, "PrivKey": "@PRIVATE_KEY@"},
        "Addresses": {
            "API": "/ip4/0.0.0.0/tcp/5001",
            "Gateway": [],
            "Swarm": ["/ip4/0.0.0.0/tcp/4001"],
            "Announce": [f"{_place(of)}/tcp/{of.ipfs_port}"],
            "AppendAnnounce": [],
            "NoAnnounce": [],
        },
        "API": {"HTTPHeaders": {}},
        "AutoConf": {"Enabled": False},
        "AutoNAT": {"ServiceMode": "disabled"},
        "AutoTLS": {"Enabled": False},
        "Bootstrap": [],
        "Datastore": {
            "StorageMax": "100GB",
            "StorageGCWatermark": 90,
            # Blocks that the organisation removed go for good: gateways remove what was erased.
            "GCPeriod": "1h",
            "HashOnRead": True,
            "BloomFilterSize": 0,
            "Spec": _flatfs(),
        },
        "Discovery": {"MDNS": {"Enabled": False}},
        "DNS": {"Resolvers": {}},
        "Ipns": {},
        "Peering": {"Peers": []},
        "Provide": {"Enabled": False},
        "Routing": {"Type": "none", "DelegatedRouters": []},
        "Swarm": {
            "DisableNatPortMap": True,
            "RelayClient": {"Enabled": False},
            "RelayService": {"Enabled": False},
            "EnableHolePunching": False,
            # A pre-shared key works over TCP alone.
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
    }
    return json.dumps(document, indent=2) + "\n"


def _flatfs() -> dict[str, Any]:
    """Kubo's usual store, with every write synced: what is acknowledged outlives a power cut."""
    return {
        "type": "mount",
        "mounts": [
            {
                "mountpoint": "/blocks",
                "type": "measure",
                "prefix": "flatfs.datastore",
                "child": {
                    "type": "flatfs",
                    "path": "blocks",
                    "sync": True,
                    "shardFunc": "/repo/flatfs/shard/v1/next-to-last/2",
                },
            },
            {
                "mountpoint": "/",
                "type": "measure",
                "prefix": "leveldb.datastore",
                "child": {"type": "levelds", "path": "datastore", "compression": "none"},
            },
        ],
    }


def _peer(one: Organisation) -> dict[str, Any]:
    return {"ID": one.ipfs_peer, "Addrs": [f"{_place(one)}/tcp/{one.ipfs_port}"]}


def _place(one: Organisation) -> str:
    return f"/{'ip4' if is_address(one.p2p_host) else 'dns4'}/{one.p2p_host}"
