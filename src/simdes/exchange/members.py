"""The members of the network, by the names their descriptors give."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.access.categories import Kind, State
from simdes.errors import Conflict, NotFound, SimdesError
from simdes.exchange.node import Node
from simdes.index import chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An organisation as the chain and its descriptor say. ``name`` is "" while unreachable."""

    id: bytes
    name: str
    kind: str
    state: str
    url: str


def listed(node: Node) -> list[Member]:
    """Every organisation of the network in the order of registration."""
    node.following.catch_up()
    with node.database.read() as tx:
        rows = chain.organisations(tx)
    return [_member(node, row) for row in rows]


def find(node: Node, text: str) -> bytes:
    """The organisation whose id begins with ``text`` (0x…) or whose name it is.

    Raises NotFound for none, Conflict for several.
    """
    known = listed(node)
    if text.startswith("0x"):
        found = [one for one in known if f"0x{one.id.hex()}".startswith(text.lower())]
    else:
        found = [one for one in known if one.name.casefold() == text.casefold()]
    if not found:
        names = ", ".join(one.name for one in known if one.name)
        raise NotFound("The network has no such organisation.", advice=f"Known: {names}.")
    if len(found) > 1:
        raise Conflict("Several organisations match.", advice="Give the id (0x…).")
    return found[0].id


def name_of(node: Node, organisation: bytes) -> str:
    """An organisation's name for people; the beginning of its id while it can't be read."""
    try:
        return node.desk.directory.organisation(organisation).name
    except SimdesError:
        return f"0x{organisation.hex()[:8]}…"


def _member(node: Node, row: chain.Organisation) -> Member:
    try:
        descriptor = node.desk.directory.organisation(row.id)
        name, url = descriptor.name, descriptor.url
    except SimdesError:
        name, url = "", ""
    return Member(
        id=row.id,
        name=name,
        kind=Kind(row.kind).name.lower(),
        state=State(row.state).name.lower(),
        url=url,
    )
