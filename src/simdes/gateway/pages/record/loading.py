"""A record from the exchange: under the caller's own rights, on record like every reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.exchange import members
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.everything import everything
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.prescribing import ORGANISATION
from simdes.gateway.pages.record.saying import Json
from simdes.gateway.pages.record.timeline import Source
from simdes.typed_numbers import octets

MOST: Final = 1_000
"""Resources of which one page is made; older ones are reached from there."""
_PARTIES: Final = ("payor", "insurer", "provider")
"""Where insurance and bills name an organisation of the network by its id alone."""


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
            resource=_named(node, finding.parsed(one.content)),
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


def _named(node: Node, resource: Json) -> Json:
    """A resource with the names of the organisations that it names by their id."""
    told = {one: _party(node, resource[one]) for one in _PARTIES if one in resource}
    return {**resource, **told} if told else resource


def _party(node: Node, value: Any) -> Any:
    if isinstance(value, list):
        return [_party(node, one) for one in value]
    known = value.get("identifier") if isinstance(value, Mapping) else None
    if not isinstance(known, Mapping) or known.get("system") != ORGANISATION:
        return value
    organisation = octets(str(known.get("value", "")), 32)
    return {"display": members.name_of(node, organisation), **value} if organisation else value
