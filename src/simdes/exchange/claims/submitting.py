"""``Claim/$submit`` (https://hl7.org/fhir/R4/claim-operation-submit.html): a billing system hands a
Claim over, alone or in a Bundle with what it refers to, as in Da Vinci's guides.

It is stored like any other in the sender's name, all of the Bundle or nothing, and goes the way of
every claim (`opening`): the answer says so (``queued``), the insurer's decision comes later. What
would never be opened is refused at once, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.access.requests import hexed
from simdes.claims.claimed import claimed_of
from simdes.claims.coordination import payers
from simdes.claims.reading import reference_of
from simdes.errors import Gone, Invalid, NotFound
from simdes.exchange.claims.billing import insurer_of
from simdes.exchange.claims.billing_desk import require_biller
from simdes.exchange.claims.steps import today
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.changes import Change, Changed, Method
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.prescribing import ORGANISATION
from simdes.fhir.reference import parse_reference
from simdes.fhir.search.grammar import escaped

Json = dict[str, Any]
Resource = Mapping[str, Any]

MOST_ENTRIES: Final = 500
_TAKEN: Final = "Taken; it is sent to the insurer once its cost stands on the ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A Claim that was stored, and the ClaimResponse that says that it goes its way."""

    claim: Json
    response: Json


@dataclass(frozen=True, slots=True)
class _Sent:
    full_url: str
    resource: Json
    place: str


def submit_claims(node: Node, asking: Asking, sent: Resource, *, base: str) -> list[Taken]:
    """Store the Claims of a Bundle with what they refer to, or one alone.

    What has an identifier and is there already is not stored again: the same Claim twice is one.
    Raises Forbidden for who does not bill here, Invalid and BrokenRules for what can't be claimed.
    """
    require_biller(node, asking)
    entries = list(_entries(sent))
    by_name = {one.full_url: one.resource for one in entries if one.full_url}
    every = [one for one in entries if one.resource.get("resourceType") == "Claim"]
    if not every:
        raise Invalid("There is no Claim in this.", advice="Send a Claim, or a Bundle with it.")
    paying = [_checked(node, asking, one.resource, by_name) for one in every]
    changes = [_change(one) for one in entries]
    made = writing.apply(node, asking, changes, base=base)
    stored = [
        _stored(one)
        for entry, one in zip(entries, made, strict=True)
        if entry.resource["resourceType"] == "Claim"
    ]
    return [
        Taken(claim=claim, response=_queued(node, claim, payer))
        for claim, payer in zip(stored, paying, strict=True)
    ]


def _entries(sent: Resource) -> Iterator[_Sent]:
    if sent.get("resourceType") == "Claim":
        yield _Sent("", dict(sent), "")
        return
    rows = sent.get("entry")
    if sent.get("resourceType") != "Bundle" or not isinstance(rows, list):
        raise Invalid("Send a Claim, or a Bundle with it.")
    if len(rows) > MOST_ENTRIES:
        raise Invalid(f"A Bundle with claims has at most {MOST_ENTRIES} entries.")
    for at, row in enumerate(rows):
        resource = row.get("resource") if isinstance(row, Mapping) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise Invalid("Every entry of the Bundle holds a resource.")
        full_url = row.get("fullUrl", "")
        if not isinstance(full_url, str):
            raise Invalid("A fullUrl is a text.")
        yield _Sent(full_url, resource, f"Bundle.entry[{at}].resource")


def _checked(node: Node, asking: Asking, claim: Json, by_name: Mapping[str, Json]) -> str:
    """The insurer's number in the network. Raises Invalid for what would never be opened."""
    if claim.get("use") != "claim" or claim.get("status") != "active":
        raise Invalid(
            "Only active claims for what was done are taken.",
            advice="Prior authorisations and predeterminations are agreed with the insurer.",
        )
    try:
        claimed_of(claim)
        focal = [one for one in claim.get("insurance") or () if one.get("focal") is True]
        reference = reference_of(focal[0].get("coverage")) if len(focal) == 1 else ""
    except (AttributeError, KeyError, TypeError):
        raise Invalid("The Claim can't be read.") from None
    if not reference:
        raise Invalid("The Claim names no focal Coverage.")
    coverage = by_name.get(reference) or _known(node, asking, reference)
    payer = insurer_of(node, coverage, _parties(node, asking, coverage, by_name))
    if not payer:
        raise Invalid(
            "The Coverage names no insurer of the network.",
            advice=f"Coverage.payor.identifier has the system {ORGANISATION}.",
        )
    number = hexed(payer)
    if payers([coverage])[0] != number:
        coverage["payor"] = [_identified(coverage["payor"][0], number), *coverage["payor"][1:]]
    return number


def _identified(payor: Json, number: str) -> Json:
    """A payor with the number that it has in the network, by which the claim is opened."""
    return {**payor, "identifier": {"system": ORGANISATION, "value": number}}


def _parties(
    node: Node, asking: Asking, coverage: Json, by_name: Mapping[str, Json]
) -> Mapping[str, Json]:
    """The organisations that a Coverage names as payors: sent with it, or here."""
    found = dict(by_name)
    for payor in coverage.get("payor") or ():
        reference = reference_of(payor)
        parsed = parse_reference(reference)
        if reference not in found and parsed.kind == "relative" and parsed.type == "Organization":
            try:
                found[reference] = loads(read(node, asking, "Organization", parsed.id).content)
            except (NotFound, Gone):
                continue
    return found


def _known(node: Node, asking: Asking, reference: str) -> Json:
    parsed = parse_reference(reference)
    if parsed.kind == "relative" and parsed.type == "Coverage":
        try:
            return dict(loads(read(node, asking, "Coverage", parsed.id).content))
        except (NotFound, Gone):
            pass
    raise Invalid("The Coverage of the Claim is neither sent with it nor here.")


def _change(sent: _Sent) -> Change:
    return Change(
        method=Method.CREATE,
        type=sent.resource["resourceType"],
        resource=sent.resource,
        search=_unless_there(sent.resource),
        full_url=sent.full_url,
        place=sent.place,
    )


def _unless_there(resource: Json) -> tuple[tuple[str, str], ...] | None:
    """The search that finds a resource by its first identifier of a system."""
    identifiers = resource.get("identifier")
    for one in identifiers if isinstance(identifiers, list) else ():
        system = one.get("system") if isinstance(one, Mapping) else None
        value = one.get("value") if isinstance(one, Mapping) else None
        if isinstance(system, str) and isinstance(value, str) and system and value:
            return (("identifier", f"{escaped(system)}|{escaped(value)}"),)
    return None


def _stored(changed: Changed) -> Json:
    assert changed.found is not None  # noqa: S101 (a create leaves one)
    claim: Json = loads(changed.found.content)
    return claim


def _queued(node: Node, claim: Json, payer: str) -> Json:
    """The answer: the claim is taken; nothing of it is decided here."""
    named: Sequence[Json] = claim.get("identifier") or ()
    return {
        "resourceType": "ClaimResponse",
        "id": node.new_id(),
        "status": "active",
        "type": claim["type"],
        "use": claim["use"],
        "patient": claim["patient"],
        "created": today(node).isoformat(),
        "insurer": {"identifier": {"system": ORGANISATION, "value": payer}},
        "requestor": claim["provider"],
        "request": {
            "reference": f"Claim/{claim['id']}",
            **({"identifier": named[0]} if named else {}),
        },
        "outcome": "queued",
        "disposition": _TAKEN,
    }
