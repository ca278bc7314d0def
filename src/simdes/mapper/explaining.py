"""Say of each element of a Bundle which part of the source and which row made it."""

from __future__ import annotations

from simdes.mapper.draft import Draft, Node
from simdes.mapper.model import Explained


def explanation(draft: Draft) -> tuple[Explained, ...]:
    """Name the resources of what was noted while mapping; call it once they have their ids."""
    found: dict[Explained, None] = {}
    for one in draft.explained or ():
        node: Node = one.resource
        if node.id:
            name = f"{node.type}/{node.id}"
            found[Explained(name, one.element, one.source, one.rule)] = None
    return tuple(found)
