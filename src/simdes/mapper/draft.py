"""One message's or document's resources while they are being made, whatever the source's format.

A `Node` is a resource, a `Scope` says which resource an alias stands for at one place of the
source, and the `Draft` gathers both with the references between them and what was dropped.
"""

from __future__ import annotations

from typing import Any

from simdes.mapper import primitives
from simdes.mapper.model import Dropped, Explained, Json, Site


class Scope:
    """The resources made at one place of the source, by alias; asks the scopes around it too."""

    __slots__ = ("aliases", "outer")

    def __init__(self, outer: Scope | None = None) -> None:
        self.outer = outer
        self.aliases: dict[str, Any] = {}

    def find(self, alias: str) -> Any | None:
        """Find the resource of ``alias`` here or around; None when there is none yet."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.aliases.get(alias)
            if found is not None:
                return found
            scope = scope.outer
        return None


class Node:
    """A resource being made: ``frame`` is the scope it was made in, ``place`` its running number.

    ``origin`` is what it was made of, in the terms of its format.
    """

    __slots__ = ("body", "frame", "id", "maker", "origin", "place", "type")

    def __init__(self, kind: str, frame: Any, origin: Any, place: int) -> None:
        self.type = kind
        self.body: Json = {"resourceType": kind, "id": ""}
        self.frame = frame
        self.origin = origin
        self.place = place
        self.maker = ""
        self.id = ""


class Draft:
    """The resources of one message or document on their way.

    ``here`` is the resource being made and ``prefix`` the path of the element in it; ``explained``
    says what each element came from, None where nobody asked.
    """

    __slots__ = (
        "dropped",
        "explained",
        "fragments",
        "here",
        "nodes",
        "periods",
        "prefix",
        "references",
        "site",
        "zone",
    )

    def __init__(self, site: Site, *, explain: bool = False) -> None:
        self.site = site
        self.zone = primitives.zone(site.time_zone)
        self.nodes: list[Node] = []
        self.references: list[Json] = []
        self.periods: list[Json] = []
        self.fragments = False  # whether elements may have been begun that hold nothing
        self.dropped: list[Dropped] = []
        self.here: Node | None = None
        self.prefix = ""
        self.explained: list[Explained] | None = [] if explain else None

    def node(self, kind: str) -> Node:
        """Begin a resource."""
        raise NotImplementedError

    def refer(self, body: Json, node: Node) -> None:
        """Make ``body`` a Reference to ``node``; its id is filled in at the end."""
        body["reference"] = node
        self.references.append(body)

    def note(self, target: str, source: str, rule: str) -> None:
        """Note what an element came from, where somebody asked."""
        if self.explained is not None and self.here is not None:
            self.explained.append(Explained(self.here, f"{self.prefix}{target}", source, rule))
