"""Checks of the IPFS node that `store_url` names; none of them applies to the file store.

What a member's node has to be set to, and why: docs/storage.md. Kubo's RPC API:
https://docs.ipfs.tech/reference/kubo/rpc/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from simdes.doctor.check import Said, good, unknown, warning, wrong
from simdes.doctor.place import Place, host_of

FULL: Final = 0.9
"""Of the room that a node was given."""


def answer(place: Place) -> Iterator[Said]:
    """The node's RPC API answers, and it is one."""
    url = place.kubo_url()
    if url is None:
        return
    said = place.kubo("version")
    if isinstance(said, Mapping) and "Version" in said:
        yield good(f"{host_of(url)} answers (Kubo {said['Version']}).")
    elif said in ("HTTP 403", "HTTP 404", "HTTP 405", "HTTP 501", "its answer is not JSON"):
        yield wrong(
            f"{host_of(url)} is no RPC API of a node but a gateway or another server ({said}).",
            "Point store_url at the RPC API of your own node (port 5001), never at a gateway.",
        )
    else:
        why = said if isinstance(said, str) else "it does not say its version"
        yield wrong(f"The IPFS node {host_of(url)} does not answer ({why}).")


def private(place: Place) -> Iterator[Said]:
    """The node is a member of no other network than the private one."""
    config = _config(place)
    if config is None:
        yield from _silent(place)
        return
    bootstrap = _list(config, "Bootstrap")
    if bootstrap:
        yield wrong(f"The IPFS node has {len(bootstrap)} bootstrap peers.")
    routing = _at(config, "Routing", "Type") or "auto"
    if routing != "none":
        yield wrong(f"The IPFS node's routing is {routing}: it tells strangers what lies here.")
    if _at(config, "Discovery", "MDNS", "Enabled"):
        yield warning("The IPFS node looks for peers on its local network (MDNS).")
    if not bootstrap and routing == "none":
        yield good("The IPFS node joins no public network.")


def gateway(place: Place) -> Iterator[Said]:
    """Nobody else reads from the node over HTTP, or commands it."""
    config = _config(place)
    if config is None:
        yield from _silent(place)
        return
    open_to = [one for one in _addresses(config, "Gateway") if not _is_here(one)]
    if open_to:
        yield wrong(f"The IPFS node is a public gateway at {', '.join(open_to)}.")
    host = urlsplit(place.kubo_url() or "").hostname or ""
    if _is_public(host):
        yield wrong(f"The node's RPC API is at {host}, a public address: it commands the node.")
    if not open_to and not _is_public(host):
        yield good("The IPFS node gives nothing over HTTP but to this organisation.")


def swarm(place: Place) -> Iterator[Said]:
    """The node knows the other members' nodes, and they let it in."""
    config = _config(place)
    found = place.kubo("swarm/peers") if config is not None else None
    if config is None or not isinstance(found, Mapping):
        yield from _silent(place)
        return
    wanted = {one.get("ID") for one in _list(config, "Peering", "Peers") if isinstance(one, dict)}
    there = {one.get("Peer") for one in found.get("Peers") or () if isinstance(one, Mapping)}
    strangers = there - wanted
    if not wanted:
        yield warning(
            "The IPFS node has no peers set (Peering.Peers): copies come over the gateways alone.",
            "Take over the network's ipfs/peers.json; leave it where this member is alone.",
        )
    elif not there & wanted:
        yield wrong(f"None of the {len(wanted)} members' IPFS nodes is connected.")
    elif wanted - there:
        yield warning(f"{len(wanted - there)} of {len(wanted)} members' IPFS nodes are away.")
    if strangers and wanted:
        yield wrong(f"{len(strangers)} peers are connected that are no member's.")
    if wanted and not strangers and wanted == there:
        yield good(f"All {len(wanted)} members' IPFS nodes are connected.")


def durable(place: Place) -> Iterator[Said]:
    """What the node acknowledged outlives a power cut."""
    config = _config(place)
    if config is None:
        yield from _silent(place)
        return
    lazy = [one for one in _stores(_at(config, "Datastore", "Spec")) if one.get("sync") is False]
    if lazy:
        yield warning("The IPFS node acknowledges blocks before they are on disk (sync: false).")
    else:
        yield good("The IPFS node syncs what it acknowledges.")


def room(place: Place) -> Iterator[Said]:
    """The node has room left."""
    if _config(place) is None:
        yield from _silent(place)
        return
    stat = place.kubo("repo/stat", **{"size-only": "true"})
    if not isinstance(stat, Mapping):
        return
    most, used = int(stat.get("StorageMax") or 0), int(stat.get("RepoSize") or 0)
    if most and used > FULL * most:
        yield wrong(f"The IPFS node has used {100 * used // most} % of its room.")
    else:
        yield good(f"The IPFS node holds {used >> 20} MiB.")


def _silent(place: Place) -> Iterator[Said]:
    """Nothing on the file store; that nothing could be seen where no node answers."""
    if place.kubo_url() is not None:
        yield unknown("the IPFS node does not answer")


def _config(place: Place) -> Mapping[str, Any] | None:
    """The node's configuration without its key; None where there is no node, or none answers."""
    if place.kubo_url() is None:
        return None
    found = place.kubo("config/show")
    return found if isinstance(found, Mapping) else None


def _at(config: Any, *names: str) -> Any:
    for name in names:
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def _list(config: Mapping[str, Any], *names: str) -> list[Any]:
    found = _at(config, *names)
    return found if isinstance(found, list) else []


def _addresses(config: Mapping[str, Any], name: str) -> list[str]:
    found = _at(config, "Addresses", name)
    return [found] if isinstance(found, str) and found else [*map(str, found or ())]


def _stores(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Every store in a description of stores within stores."""
    if isinstance(spec, Mapping):
        yield spec
        for inner in spec.values():
            yield from _stores(inner)
    elif isinstance(spec, list):
        for inner in spec:
            yield from _stores(inner)


def _is_here(address: str) -> bool:
    """Whether a multiaddress is of this machine alone."""
    parts = address.split("/")
    try:
        return ip_address(parts[2]).is_loopback
    except (ValueError, IndexError):
        return parts[1:2] == ["unix"]


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return False
