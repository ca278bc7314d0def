"""What the engine knows while it maps one message, and how maps refer to its fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simdes.mapper import primitives
from simdes.mapper.hl7v2.er7 import Separators, unescape
from simdes.mapper.hl7v2.grammar import Frame
from simdes.mapper.model import Dropped, Site

Json = dict[str, Any]
Leftover = tuple[str, str]
"""A path such as ``PID-5.3`` and the raw text that stood there."""


class Node:
    """A resource being made. ``frame`` is where it was made, ``origin`` its segment's fields."""

    __slots__ = ("body", "frame", "id", "maker", "origin", "place", "type")

    def __init__(self, kind: str, frame: Frame, origin: list[str], place: int) -> None:
        self.type = kind
        self.body: Json = {"resourceType": kind, "id": ""}
        self.frame = frame
        self.origin = origin
        self.place = place
        self.maker = ""
        self.id = ""


class State:
    """One message on its way. Separators and site are read often and therefore kept flat."""

    __slots__ = (
        "component",
        "dropped",
        "encoding",
        "escape",
        "field",
        "fields",
        "fragments",
        "frame",
        "nodes",
        "periods",
        "place",
        "references",
        "separators",
        "site",
        "subcomponent",
        "systems",
        "text",
        "zone",
    )

    def __init__(
        self, separators: Separators, encoding: str, site: Site, systems: dict[str, str]
    ) -> None:
        self.separators = separators
        self.component = separators.component
        self.subcomponent = separators.subcomponent
        self.escape = separators.escape
        self.encoding = encoding
        self.site = site
        self.systems = systems
        self.zone = primitives.zone(site.time_zone)
        self.nodes: list[Node] = []
        self.references: list[Json] = []
        self.periods: list[Json] = []
        self.fragments = False  # whether elements may have been begun that hold nothing
        self.dropped: list[Dropped] = []
        self.frame = Frame()
        self.fields: list[str] = []
        self.place = 0
        self.field = 0
        self.text = ""

    def node(self, kind: str) -> Node:
        """Begin a resource."""
        node = Node(kind, self.frame, self.fields, self.place)
        self.nodes.append(node)
        return node

    def refer(self, body: Json, node: Node) -> None:
        """Make ``body`` a Reference to ``node``; its id is filled in at the end."""
        body["reference"] = node
        self.references.append(body)

    def plain(self, text: str) -> str:
        """Undo escape sequences."""
        if self.escape in text:
            return unescape(text, self.separators, self.encoding)
        return text


Reference = Callable[[State, list[str]], str]


def read_reference(text: str, level: int, *, whole: bool) -> Reference:
    """Build a reader of ``PID-25``, ``PID-11.9`` (level 0) or ``XTN.3`` (deeper levels).

    Without ``whole`` it gives the first component; of the field being mapped it reads the
    repetition being mapped, of others the first.
    """
    if level:
        number = int(text.partition(".")[2].split(".")[0])
        return lambda _, values: values[number] if number < len(values) else ""
    segment, _, numbers = text.replace("-", ".", 1).partition(".")
    parts = [int(part) for part in numbers.split(".")]
    component = parts[1] if len(parts) > 1 else 0

    def read(state: State, _: list[str]) -> str:
        fields = state.fields
        if fields[0] != segment:
            fields = state.frame.fields(segment) or []
            found = fields[parts[0]] if parts[0] < len(fields) else ""
        elif parts[0] == state.field:
            found = state.text
        else:
            found = fields[parts[0]] if parts[0] < len(fields) else ""
        if state.separators.repetition in found and not (whole and not component):
            found = found.split(state.separators.repetition)[0]
        if component:
            pieces = found.split(state.component)
            found = pieces[component - 1] if component <= len(pieces) else ""
        elif not whole:
            found = found.split(state.component)[0]
        return found

    return read
