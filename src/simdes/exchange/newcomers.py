"""Register a patient whom nobody here knows yet, after looking whether somebody does.

Who is likely the same person is shown before anything is written (``Patient/$match``); a number
that somebody here has already is never given to a second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from simdes.errors import Conflict
from simdes.exchange import charting
from simdes.exchange.interactions import finding, matching
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.matching import MATCH_GRADE

MOST: Final = 10
GRADES: Final = ("certain", "probable", "possible")


@dataclass(frozen=True, slots=True)
class Likely:
    """Somebody who may be the same person, and how likely it is (`GRADES`)."""

    found: Found
    grade: str


def likely(node: Node, asking: Asking, patient: Mapping[str, Any]) -> list[Likely]:
    """Who of those that the caller may see may be this Patient, the likeliest first.

    Raises Invalid where too little is said to compare.
    """
    parameters = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "resource", "resource": dict(patient)},
            {"name": "count", "valueInteger": MOST},
        ],
    }
    made = [
        Likely(found, _grade(search)) for found, search in matching.match(node, asking, parameters)
    ]
    return [one for one in made if one.grade in GRADES]


def register(
    node: Node, asking: Asking, patient: Mapping[str, Any], *, form: str, known: list[Likely]
) -> str:
    """Write a Patient, once for each form; its id. ``known`` is what `likely` found.

    Raises Conflict where one of them has a number of this Patient.
    """
    numbers = {_number(one) for one in patient.get("identifier", ())}
    for one in known:
        held = finding.parsed(one.found.content).get("identifier", ())
        if numbers & {_number(each) for each in held}:
            raise Conflict(
                "Somebody here has this number already.", advice="Open their record instead."
            )
    [made] = charting.write(node, asking, [("", patient)], form=form)
    assert made.found is not None  # noqa: S101 (created or there already)
    return made.found.id


def _number(identifier: Any) -> tuple[str, str]:
    its = identifier if isinstance(identifier, Mapping) else {}
    return str(its.get("system", "")), str(its.get("value", ""))


def _grade(search: Mapping[str, Any]) -> str:
    for one in search.get("extension", ()):
        if one.get("url") == MATCH_GRADE:
            return str(one.get("valueCode", ""))
    return ""
