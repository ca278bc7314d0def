"""``Patient/$match`` (https://hl7.org/fhir/R4/patient-operation-match.html).

Candidates come from searches in the caller's name, so that nobody is proposed whom they may not
see, and each search leaves its audit entry.
"""

from __future__ import annotations

from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.search import find
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir import matching
from simdes.fhir.search.parse import parse
from simdes.fhir.terminology.inputs import Inputs

Json = dict[str, Any]

MOST_CANDIDATES: Final = 200
"""Candidates of one search that are weighed."""


def match(node: Node, asking: Asking, parameters: Json) -> list[tuple[Found, Json]]:
    """The patients that a Patient may be, the likeliest first, each with its ``entry.search``.

    ``parameters`` are the operation's: resource, onlyCertainMatches, count. Raises Invalid for
    others, and for a Patient of whom too little is said, Forbidden where patients may not be
    searched.
    """
    asked = Inputs(parameters)
    patient = asked.resource("resource", "Patient")
    if patient is None:
        raise Invalid("The parameter resource must hold the Patient to look for.")
    candidates: dict[tuple[bytes, str], Found] = {}
    for pairs in matching.candidate_queries(patient):
        query = parse(
            ("Patient",), (*pairs, ("_count", str(MOST_CANDIDATES))), now_ms=node.now_ms()
        )
        for one in find(node, asking, query).matches:
            candidates.setdefault((one.vault, one.id), one)
    read = [(one, finding.parsed(one.content)) for one in candidates.values()]
    found = matching.match(
        patient,
        [resource for _, resource in read],
        only_certain=asked.boolean("onlyCertainMatches") or False,
        count=asked.number("count"),
    )
    of = {id(resource): one for one, resource in read}
    return [(of[id(one.candidate)], matching.search_of(one)) for one in found]
