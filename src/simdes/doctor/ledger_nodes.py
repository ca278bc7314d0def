"""Checks of the ledger nodes that `ledger_url` names; none of them applies to the embedded ledger.

Each node is asked by itself, past whatever chooses among them, so that the one that is wrong is
named. What Besu does in each case: docs/ledger.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx

from simdes.doctor.check import Said, good, unknown, warning, wrong
from simdes.doctor.place import NodeView, Place
from simdes.errors import SimdesError
from simdes.ledger.abi import artifact
from simdes.ledger.digests import keccak256
from simdes.ledger.jsonrpc import LAG_BLOCKS
from simdes.ledger.network import CONTRACTS, Addresses, Pins

CLOCK_SECONDS: Final = 30
STALE_SECONDS: Final = 120
"""Age of a head that is old on any network which makes blocks by the clock."""


def answer(place: Place) -> Iterator[Said]:
    """Each node answers JSON-RPC."""
    for node in place.nodes():
        if node.error:
            yield wrong(f"The ledger node {node.place} does not answer ({node.error}).")
        else:
            yield good(f"{node.place} answers ({node.client.partition('/')[0] or 'unnamed'}).")


def _each(place: Place, look: Callable[[NodeView], Said | None], fine: str) -> Iterator[Said]:
    """What is to be said of each node that answers; one line where all is well."""
    nodes = [one for one in place.nodes() if not one.error]
    said = [found for one in nodes if (found := look(one)) is not None]
    yield from said
    if nodes and not said:
        yield good(fine)
    elif place.node_urls() and not nodes:
        yield unknown("no ledger node answers")


def chain(place: Place) -> Iterator[Said]:
    """Each node is of the network that was joined: chain id and first block."""
    network = _network(place)
    if network is None:
        return

    def look(node: NodeView) -> Said | None:
        if node.chain_id != network.chain_id:
            return wrong(
                f"{node.place} is on chain {node.chain_id}; this network's is {network.chain_id}."
            )
        if node.genesis != network.genesis:
            return wrong(f"{node.place} has another first block than this network's.")
        return None

    yield from _each(place, look, f"Chain {network.chain_id} with the first block that was joined.")


def contracts(place: Place) -> Iterator[Said]:
    """Each node gives the code of the contracts that was accepted."""
    network, accepted = _network(place), _pins(place)
    if network is None or accepted is None:
        return

    def look(node: NodeView) -> Said | None:
        calls = [
            ("eth_getCode", ["0x" + getattr(network, name).hex(), "latest"]) for name in CONTRACTS
        ]
        found = _asked(place, node, *calls)
        if found is None or node.chain_id != network.chain_id:
            return None
        hashes = [keccak256(_octets(one)) for one in found]
        differing = [
            name
            for name, one in zip(CONTRACTS, hashes, strict=True)
            if one != accepted.code_hashes.get(name)
        ]
        if not differing:
            return None
        named = ", ".join(differing)
        return wrong(f"{node.place} gives other contracts than were accepted: {named}.")

    yield from _each(place, look, "The contracts' code is what was accepted.")


def peers(place: Place) -> Iterator[Said]:
    """Each node knows others; one that does not say so is not asked again."""
    if not place.settings.stale_after_seconds:
        return  # blocks on demand: a network of one node

    def look(node: NodeView) -> Said | None:
        return wrong(f"{node.place} has no peers.") if node.peers == 0 else None

    yield from _each(place, look, "Nodes have peers, or do not say.")


def head(place: Place) -> Iterator[Said]:
    """Each node is up to date."""
    limit = place.settings.stale_after_seconds
    now = place.clock()
    furthest = max((one.number or 0 for one in place.nodes()), default=0)

    def look(node: NodeView) -> Said | None:
        if node.number is None or node.timestamp is None:
            return wrong(f"{node.place} has no block.")
        age = int(now - node.timestamp)
        if limit and age > limit:
            return wrong(f"{node.place}: the newest block is {age} seconds old; limit {limit}.")
        if furthest - node.number > LAG_BLOCKS:
            return warning(f"{node.place} is {furthest - node.number} blocks behind another node.")
        return warning(f"{node.place} is still loading the chain.") if node.syncing else None

    yield from _each(place, look, f"Block {furthest}.")


def stale_limit(place: Place) -> Iterator[Said]:
    """Where blocks come by the clock, a limit to their age is set."""
    if place.settings.stale_after_seconds or not place.node_urls():
        return
    by_clock = [one for one in place.nodes() if "besu" in one.client.lower()]
    if by_clock:
        yield warning(
            "stale_after_seconds is 0, so nobody here notices a ledger that stands still."
        )


def clock(place: Place) -> Iterator[Said]:
    """This machine's clock and the chain's agree."""
    now = place.clock()

    def look(node: NodeView) -> Said | None:
        ahead = (node.timestamp or 0) - now
        if ahead > CLOCK_SECONDS:
            return wrong(f"{node.place}: the head is {int(ahead)} seconds ahead of this clock.")
        return None

    yield from _each(place, look, "No block is ahead of this machine's clock.")


def fees(place: Place) -> Iterator[Said]:
    """Transactions cost nothing: nobody here has any money."""

    def look(node: NodeView) -> Said | None:
        if node.base_fee:
            return wrong(f"{node.place}: the base fee is {node.base_fee} wei.")
        if node.gas_price and "besu" in node.client.lower():
            return wrong(f"{node.place} asks {node.gas_price} wei for gas, and passes nothing on.")
        return None

    yield from _each(place, look, "Transactions are free.")


def agreement(place: Place) -> Iterator[Said]:
    """Nodes give the same block at the same height, and the same state of it."""
    network = _network(place)
    nodes = [one for one in place.nodes() if not one.error and one.number is not None]
    nodes = [one for one in nodes if network is None or one.chain_id == network.chain_id]
    if network is None or len(nodes) < 2:
        return
    at = hex(min(one.number or 0 for one in nodes))
    said: dict[tuple[Any, ...], list[str]] = {}
    for node in nodes:
        found = _asked(
            place,
            node,
            ("eth_getBlockByNumber", [at, False]),
            ("eth_call", [_standing(place, network), at]),
        )
        if found is not None:
            block = found[0].get("hash") if isinstance(found[0], dict) else None
            said.setdefault((block, str(found[1])), []).append(node.place)
    if len(said) > 1:
        sides = " against ".join(" and ".join(side) for side in said.values())
        yield wrong(f"At block {int(at, 16)} nodes contradict each other: {sides}.")
    elif said:
        yield good(f"All {len(nodes)} nodes say the same of block {int(at, 16)}.")


def _standing(place: Place, network: Addresses) -> dict[str, str]:
    """A call of which the answer is known to matter: how this organisation stands."""
    organisation = bytes.fromhex(place.settings.organisation[2:])
    data = artifact("Accounts").call_data("organisation", organisation)
    return {"to": "0x" + network.accounts.hex(), "data": "0x" + data.hex()}


def _asked(place: Place, node: NodeView, *calls: tuple[str, list[Any]]) -> list[Any] | None:
    try:
        return place.rpc(node.url, *calls)
    except (httpx.HTTPError, ValueError):
        return None  # `answer` says so


def _octets(value: Any) -> bytes:
    try:
        return bytes.fromhex(str(value)[2:])
    except ValueError:
        return b""


def _network(place: Place) -> Addresses | None:
    try:
        return Addresses.from_dict(place.json_file("network.json") or {})
    except SimdesError:
        return None  # `network_files` says so


def _pins(place: Place) -> Pins | None:
    try:
        return Pins.from_dict(place.json_file("pins.json") or {})
    except SimdesError:
        return None
