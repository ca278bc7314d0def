"""Claims over FHIR: what insurers answer and providers hand over (docs/claims.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simdes.errors import Invalid
from simdes.exchange.claims import covering, submitting
from simdes.exchange.interactions.drafts import literals
from simdes.gateway.fhir.call import Call, Reply

Json = dict[str, Any]


def eligibility(call: Call) -> Reply:
    """``POST [base]/CoverageEligibilityRequest/$submit``: the CoverageEligibilityResponse; for a
    Bundle a Bundle of them, in the order of the requests, with what of it they refer to."""
    sent = sent_resource(call)
    answered = covering.answer_resource(call.node, call.asking, sent)
    if sent.get("resourceType") != "Bundle":
        return Reply(resource=answered[0].response)
    others = {
        entry["fullUrl"]: entry
        for one in answered
        for entry in one.bundle["entry"]
        if ":" in entry["fullUrl"] and entry["fullUrl"] in set(literals(one.response))
    }
    return _collected([one.response for one in answered], list(others.values()))


def submit(call: Call) -> Reply:
    """``POST [base]/Claim/$submit``: the ClaimResponse that says that it is taken; for a Bundle a
    Bundle of them, in the order of the Claims."""
    sent = sent_resource(call)
    taken = submitting.submit_claims(call.node, call.asking, sent, base=call.base)
    if sent.get("resourceType") != "Bundle":
        return Reply(resource=taken[0].response)
    claims = [
        {"fullUrl": f"{call.base}/Claim/{one.claim['id']}", "resource": one.claim} for one in taken
    ]
    return _collected([one.response for one in taken], claims)


def sent_resource(call: Call) -> Mapping[str, Any]:
    """What an operation with one input was sent: the body, or its parameter ``resource``."""
    sent = call.resource
    if isinstance(sent, Mapping) and sent.get("resourceType") == "Parameters":
        rows = sent.get("parameter")
        found = [
            one.get("resource")
            for one in (rows if isinstance(rows, list) else ())
            if isinstance(one, Mapping) and one.get("name") == "resource"
        ]
        sent = found[0] if len(found) == 1 else None
    if not isinstance(sent, Mapping):
        raise Invalid("Send one resource as the body, or in the parameter resource.")
    return sent


def _collected(responses: Sequence[Json], others: Sequence[Json]) -> Reply:
    """A Bundle of answers, and of entries that they refer to."""
    made = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in responses]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [*made, *others]}
    return Reply(resource=bundle)
