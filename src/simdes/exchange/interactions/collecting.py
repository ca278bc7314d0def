"""All of a patient's records at once, within a limit: for summaries, previews and files to keep."""

from __future__ import annotations

from typing import Final

from simdes.errors import TooLarge
from simdes.exchange.interactions.everything import everything
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.search import MOST
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import dumps

MOST_RESOURCES: Final = 10_000


def collected(node: Node, asking: Asking, logical_id: str) -> tuple[list[Found], list[str]]:
    """What `everything` shows of a patient, and what could not be looked through.

    Raises TooLarge for a record beyond the limit, and as `everything`.
    """
    found: list[Found] = []
    warnings: dict[str, None] = {}
    cursor = ""
    while True:
        page = everything(node, asking, logical_id, count=MOST, cursor=cursor)
        found += page.matches
        warnings |= dict.fromkeys(page.warnings)
        cursor = page.next
        if not cursor:
            return found, list(warnings)
        if len(found) >= MOST_RESOURCES:
            raise TooLarge(
                "The record is larger than one summary is made of.",
                advice="Read it with $everything, in pages.",
            )


def as_bundle(node: Node, asking: Asking, logical_id: str) -> bytes:
    """The same as one Bundle of FHIR, each resource as its author wrote it. Raises likewise."""
    found, _ = collected(node, asking, logical_id)
    entries = b",".join(
        b'{"fullUrl":'
        + dumps(f"{node.issuer.name}/fhir/{one.name}")
        + b',"resource":'
        + one.content
        + b"}"
        for one in found
        if not one.deleted
    )
    return b'{"resourceType":"Bundle","type":"collection","entry":[' + entries + b"]}"
