"""What the engine knows while it maps one message, and how maps refer to its fields."""

from __future__ import annotations

from collections.abc import Callable

from simdes.mapper.draft import Draft, Node
from simdes.mapper.hl7v2.er7 import Separators, unescape
from simdes.mapper.hl7v2.grammar import Frame
from simdes.mapper.model import Site

Leftover = tuple[str, str]
"""A path such as ``PID-5.3`` and the raw text that stood there."""


class State(Draft):
    """One message on its way. Separators and site are read often and therefore kept flat."""

    __slots__ = (
        "component",
        "encoding",
        "escape",
        "field",
        "fields",
        "frame",
        "names",
        "place",
        "separators",
        "subcomponent",
        "systems",
        "text",
    )

    def __init__(
        self,
        separators: Separators,
        encoding: str,
        site: Site,
        systems: dict[str, str],
        *,
        explain: bool = False,
    ) -> None:
        super().__init__(site, explain=explain)
        self.separators = separators
        self.component = separators.component
        self.subcomponent = separators.subcomponent
        self.escape = separators.escape
        self.encoding = encoding
        self.systems = systems
        self.names: list[str] = []  # of all segments, in order
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

    def is_ahead(self, name: str) -> bool:
        """Say whether a segment ``name`` follows before the next one like the one at hand."""
        own = self.names[self.place]
        for at in range(self.place + 1, len(self.names)):
            if self.names[at] in (name, own):
                return self.names[at] == name
        return False

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
