"""Claims over FHIR: operations that insurers answer (docs/claims.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simdes.errors import Invalid
from simdes.exchange.claims import covering
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
    made = [
        {"fullUrl": f"urn:uuid:{one.response['id']}", "resource": one.response} for one in answered
    ]
    others = {
        entry["fullUrl"]: entry
        for one in answered
        for entry in one.bundle["entry"]
        if ":" in entry["fullUrl"] and entry["fullUrl"] in set(literals(one.response))
    }
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [*made, *others.values()]}
    return Reply(resource=bundle)


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
