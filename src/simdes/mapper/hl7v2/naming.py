"""What of a v2 message makes two resources the same: identifier fields and set ids.

Parts of the overlay table ``identity`` that only HL7 v2 has; the others are in `mapper.identity`.
"""

from __future__ import annotations

from simdes.mapper.draft import Node
from simdes.mapper.hl7v2.functions import authority
from simdes.mapper.hl7v2.state import State

_PREFERRED = ("MR", "PI", "PT", "VN")


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
            found = source_identifier(self._state, node.origin, name[3:-1])
            return None if found is None else f"{found[0] or self.facility}|{found[1]}"
        field = 1 if name == "@set" else 4
        return node.origin[field] if field < len(node.origin) else ""


def source_identifier(state: State, origin: list[str], reference: str) -> tuple[str, str] | None:
    """Read a CX field of the segment a resource came from: (system or empty, value), best first."""
    segment, _, number = reference.partition("-")
    at = int(number)
    if not origin or origin[0] != segment or at >= len(origin) or not origin[at]:
        return None
    best: tuple[int, str, str] | None = None
    for text in origin[at].split(state.separators.repetition):
        parts = [*text.split(state.component), "", "", "", ""]
        value = state.plain(parts[0].split(state.subcomponent)[0]).strip()
        if not value or value == '""':
            continue
        pieces = [*parts[3].split(state.subcomponent), ""]
        system = authority(state, pieces[0], pieces[1])
        code = parts[4].split(state.subcomponent)[0]
        rank = _PREFERRED.index(code) if code in _PREFERRED else len(_PREFERRED) + (not system)
        if best is None or rank < best[0]:
            best = (rank, system, value)
    return None if best is None else (best[1], best[2])
