"""``Patient/$summary``: a patient's records as an International Patient Summary.

https://hl7.org/fhir/uv/ips/STU1.1/. Made of what ``$everything`` shows this caller. What could not
be looked through is said in a section of its own: a summary that is not whole must not look so.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from html import escape
from typing import Any

from simdes.access.rights import Interaction
from simdes.errors import NotFound
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.collecting import collected
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant
from simdes.exchange.rights import Asking
from simdes.fhir.ips import summarise

Json = dict[str, Any]


def summary(node: Node, asking: Asking, logical_id: str) -> Json:
    """The summary of the patient ``logical_id`` as a document Bundle.

    Raises Forbidden where the app was not allowed to search Patients, NotFound where the caller
    sees no such patient, TooLarge for a record beyond the limit.
    """
    asking.rights.require(Interaction.SEARCH, "Patient")
    found, warnings = collected(node, asking, logical_id)
    resources = [finding.parsed(one.content) for one in found]
    patients = [one for one in resources if one["resourceType"] == "Patient"]
    patient = next((one for one in patients if one.get("id") == logical_id), None)
    if patient is None:
        raise NotFound("There is no such patient, or not for you.")
    seed = uuid.UUID(bytes=node.random(16))
    made = summarise(
        patient,
        resources,
        organisation={
            "resourceType": "Organization",
            "id": str(uuid.uuid5(seed, "organisation")),
            "name": node.name,
        },
        now=instant(node.now_ms()),
        ids=lambda name: str(uuid.uuid5(seed, name)),
    )
    if warnings:
        made["entry"][0]["resource"]["section"].append(_not_whole(warnings))
    return made


def _not_whole(warnings: Sequence[str]) -> Json:
    told = "".join(f"<p>{escape(one)}</p>" for one in warnings)
    return {
        "title": "Not in this summary",
        "code": {
            "coding": [
                {
                    "system": "http://loinc.org",
                    "code": "48767-8",
                    "display": "Annotation comment [Interpretation] Narrative",
                }
            ]
        },
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{told}</div>',
        },
    }
