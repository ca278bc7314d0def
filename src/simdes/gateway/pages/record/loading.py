"""A record from the exchange: under the caller's own rights, on record like every reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.exchange import members
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.everything import everything
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.gateway.pages.record.timeline import Source

MOST: Final = 1_000
"""Resources of which one page is made; older ones are reached from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the caller may see of a patient. ``older`` leads to what is not in it, "" to nothing;
    ``warnings`` say what could not be looked through."""

    sources: tuple[Source, ...]
    older: str
    warnings: tuple[str, ...]

    @property
    def patient(self) -> Source | None:
        """The Patient, None where the caller may not see who it is."""
        named = [one for one in self.sources if one.resource.get("resourceType") == "Patient"]
        return next((one for one in named if one.own), named[0] if named else None)


def load(
    node: Node,
    asking: Asking,
    patient: str,
    *,
    types: Sequence[str] = (),
    older: str = "",
    most: int = MOST,
) -> Record:
    """The newest part of a record, or what follows ``older``.

    Raises NotFound where the caller sees no such patient.
    """
    page = everything(node, asking, patient, types=types, count=most, cursor=older)
    return Record(
        sources=sources(node, page.matches), older=page.next, warnings=tuple(page.warnings)
    )


def sources(node: Node, found: Sequence[Found]) -> tuple[Source, ...]:
    """Resources with the names of those who wrote them."""
    names = _names(node) if any(one.source != node.issuer.name for one in found) else {}
    return tuple(
        Source(
            resource=finding.parsed(one.content),
            organisation=names.get(one.source, one.source) if _is_far(node, one) else node.name,
            own=not _is_far(node, one),
        )
        for one in found
        if not one.deleted
    )


def _is_far(node: Node, one: Found) -> bool:
    return one.source != node.issuer.name


def _names(node: Node) -> dict[str, str]:
    return {one.url: one.name for one in members.listed(node)}
