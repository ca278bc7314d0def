"""Who the rows of a list are about: one question for all of them, on record like every reading."""

from __future__ import annotations

from collections.abc import Iterable

from simdes.exchange.interactions.search import every
from simdes.exchange.rights import Asking
from simdes.fhir.search.parse import parse
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.showing import Person, person


def named(asked: Asked, asking: Asking, vaults: Iterable[bytes]) -> dict[bytes, Person]:
    """The patients of some vaults, those left out whom the caller may not see.

    What the caller's own organisation wrote of somebody is taken before what others did. Raises
    `SecondFactorNeeded` where these are unusually many.
    """
    wanted = tuple(dict.fromkeys(vaults))
    if not wanted:
        return {}
    query = parse(("Patient",), (), now_ms=asked.node.now_ms())
    found = [one for one in every(asked.node, asking, query, vaults=wanted) if not one.deleted]
    told = [
        (source.own, match.vault, person(source, asked.reader))
        for match, source in zip(found, sources(asked.node, found), strict=True)
    ]
    return {vault: who for _, vault, who in sorted(told, key=lambda one: one[0]) if who}
