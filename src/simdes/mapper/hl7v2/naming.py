"""What of a v2 message makes two resources the same: identifier fields and set ids.

Parts of the overlay table ``identity`` that only HL7 v2 has; the others are in `mapper.identity`.
"""

from __future__ import annotations

from simdes.mapper.draft import Node
from simdes.mapper.hl7v2.functions import best_identifier
from simdes.mapper.hl7v2.state import State


class Parts:
    """Answers the parts that start with ``@`` or ``cx(`` for one message."""

    parents: tuple[str, ...] = ("DiagnosticReport[1]", "Encounter[1]", "Patient[1]")

    def __init__(self, state: State, *, control: str, facility: str) -> None:
        self._state = state
        self.control = control
        self.facility = facility

    def part(self, node: Node, name: str) -> str | None:
        """Give the part ``name`` of ``node``; None when the message does not have it."""
        if name.startswith("cx("):
            for reference in name[3:-1].split(","):
                found = source_identifier(self._state, node.origin, reference)
                if found is not None:
                    return f"{found[0] or self.facility}|{found[1]}"
            return None
        field = 1 if name == "@set" else 4
        return node.origin[field] if field < len(node.origin) else ""


def source_identifier(state: State, origin: list[str], reference: str) -> tuple[str, str] | None:
    """Read a CX field of the segment a resource came from: (system or empty, value), best first."""
    segment, _, number = reference.partition("-")
    at = int(number)
    if not origin or origin[0] != segment or at >= len(origin) or not origin[at]:
        return None
    return best_identifier(state, origin[at])
