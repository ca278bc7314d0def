"""What staff write on their pages: resources in one commit, once, however often a form is sent.

Each resource carries the form's number as an identifier and is created only where none has it
(https://hl7.org/fhir/R4/http.html#ccreate), so that a browser that sends a form twice writes once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange.attempting import Trying, attempting
from simdes.exchange.fhir_users import fhir_user
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.changes import Change, Changed, Method
from simdes.exchange.interactions.search import find
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.search.parse import parse

FORM: Final = "urn:simdes:form"
"""The system of the numbers of forms."""
_NUMBER: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def author(node: Node, asking: Asking) -> dict[str, str]:
    """Who writes, as a Reference."""
    actor = asking.session.actor
    person = node.desk.keystore.person_of(actor.account)
    named = {"display": person.display or person.user} if person is not None else {}
    return {"reference": fhir_user(node, actor.account, actor.role), **named}


def now(node: Node) -> str:
    """This moment as a FHIR dateTime, to the second."""
    return datetime.fromtimestamp(node.now_seconds(), UTC).isoformat().replace("+00:00", "Z")


def write(
    node: Node, asking: Asking, resources: Sequence[tuple[str, Mapping[str, Any]]], *, form: str
) -> list[Changed]:
    """Write resources (full URL or "", resource) in one commit, once for each form.

    Raises as `writing.apply`; Invalid for what is no number of a form. Refusals are on record.
    """
    if not _NUMBER.fullmatch(form):
        raise Invalid("The form is not one of ours.", advice="Load the page again.")
    changes = [
        _change(full_url, resource, f"{form}.{at}")
        for at, (full_url, resource) in enumerate(resources)
    ]
    sent = {"resourceType": "Bundle", "entry": [{"resource": one.resource} for one in changes]}
    with attempting(node, asking, Trying("transaction", sent=sent)):
        return writing.apply(node, asking, changes, base=node.issuer.audience)


def is_written(node: Node, asking: Asking, type_: str, *, form: str) -> bool:
    """Whether a form's first resource is there already: it was sent before."""
    pairs = [("identifier", f"{FORM}|{form}.0")] if _NUMBER.fullmatch(form) else []
    return bool(pairs) and bool(
        find(node, asking, parse((type_,), pairs, now_ms=node.now_ms())).matches
    )


def _change(full_url: str, resource: Mapping[str, Any], number: str) -> Change:
    own = {"system": FORM, "value": number}
    identified = {**resource, "identifier": [*resource.get("identifier", ()), own]}
    return Change(
        method=Method.CREATE,
        type=str(resource["resourceType"]),
        resource=identified,
        search=(("identifier", f"{FORM}|{number}"),),
        full_url=full_url,
    )
