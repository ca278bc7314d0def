"""Operations over HTTP (https://hl7.org/fhir/R4/operations.html), `$everything` apart (`reading`).

An operation takes Parameters: a body of that type, or its query; several take a resource alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange.interactions import matching, metas, submitting, terms, validating
from simdes.exchange.interactions.summary import summary as summarised
from simdes.fhir.json import dumps
from simdes.fhir.negotiation import media_type
from simdes.fhir.outcome import outcome_resource
from simdes.gateway.fhir.call import RESULT_PARAMETERS, Call, Reply
from simdes.gateway.fhir.reading import bundle_bytes, entry_bytes

Json = dict[str, Any]

IPS_BUNDLE: Final = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"


def parameters_of(call: Call) -> Json:
    """What an operation is asked with: the Parameters of the body, and the query's as texts."""
    rows: list[Any] = []
    if call.resource is not None:
        if not _is_parameters(call.resource):
            raise Invalid("The body must be a Parameters resource.")
        rows += call.resource.get("parameter", [])
    rows += [
        {"name": name, "valueString": value}
        for name, value in call.pairs
        if name not in RESULT_PARAMETERS
    ]
    return {"resourceType": "Parameters", "parameter": rows}


def _is_parameters(resource: Any) -> bool:
    if not isinstance(resource, Mapping) or resource.get("resourceType") != "Parameters":
        return False
    rows = resource.get("parameter", [])
    return isinstance(rows, list) and all(isinstance(one, Mapping) for one in rows)


# Terminology ----------------------------------------------------------------------------------


def terminology(type_: str, name: str) -> Callable[[Call], Reply]:
    """``GET|POST [base]/[type]/$name`` and ``[base]/[type]/[id]/$name`` of a terminology type."""

    def answer(call: Call) -> Reply:
        asked = parameters_of(call)
        if not asked["parameter"]:
            del asked["parameter"]
        made = terms.operate(call.node, call.asking, type_, name, asked, logical_id=call.id)
        return Reply(resource=made)

    return answer


# Validation -----------------------------------------------------------------------------------


def validate(call: Call) -> Reply:
    """``POST [base]/[type]/$validate``, ``GET|POST [base]/[type]/[id]/$validate``.

    The answer is 200 whatever is wrong with the resource: the operation worked.
    """
    resource, named = _to_validate(call)
    modes, profiles = named.get("mode", ()), named.get("profile", ())
    if len(modes) > 1:
        raise Invalid("The parameter mode stands more than once.")
    issues = validating.validate(
        call.node,
        call.asking,
        call.type,
        resource,
        logical_id=call.id,
        mode=modes[0] if modes else "",
        profiles=profiles,
    )
    return Reply(resource=outcome_resource(issues))


def _to_validate(call: Call) -> tuple[Any, dict[str, list[str]]]:
    """The resource, None without one, and the texts of the other parameters by name."""
    resource, rows = call.resource, []
    if _is_parameters(resource):
        rows = [dict(one) for one in resource.get("parameter", [])]
        inside = [one.get("resource") for one in rows if one.get("name") == "resource"]
        if len(inside) > 1:
            raise Invalid("The parameter resource stands more than once.")
        if inside or call.type != "Parameters":
            resource = inside[0] if inside else None
    named: dict[str, list[str]] = {}
    for row in [*rows, *({"name": name, "value": value} for name, value in call.pairs)]:
        for value in (value for key, value in row.items() if key.startswith("value")):
            if isinstance(value, str):
                named.setdefault(str(row.get("name")), []).append(value)
    return resource, named


# Meta -----------------------------------------------------------------------------------------


def meta(call: Call) -> Reply:
    """``GET [base]/[type]/[id]/$meta``; without an id what is in use of a type, or of all."""
    if parameters_of(call)["parameter"] and not call.is_lenient:
        raise Invalid("$meta takes no parameters.")
    if not call.id:
        return _told(metas.in_use(call.node, call.asking, (call.type,) if call.type else ()))
    return _told(metas.meta(call.node, call.asking, call.type, call.id))


def meta_add(call: Call) -> Reply:
    """``POST [base]/[type]/[id]/$meta-add``."""
    given = _meta_given(call)
    return _told(metas.add(call.node, call.asking, call.type, call.id, given, base=call.base))


def meta_delete(call: Call) -> Reply:
    """``POST [base]/[type]/[id]/$meta-delete``."""
    given = _meta_given(call)
    return _told(metas.delete(call.node, call.asking, call.type, call.id, given, base=call.base))


def _meta_given(call: Call) -> Json:
    rows = [one for one in parameters_of(call)["parameter"] if one.get("name") == "meta"]
    given = rows[0].get("valueMeta") if len(rows) == 1 else None
    if not isinstance(given, Mapping):
        raise Invalid("One parameter meta is needed, with a valueMeta.")
    return dict(given)


def _told(meta: Json) -> Reply:
    rows = [{"name": "return", "valueMeta": meta}]
    return Reply(resource={"resourceType": "Parameters", "parameter": rows})


# Patients -------------------------------------------------------------------------------------


def match(call: Call) -> Reply:
    """``POST [base]/Patient/$match``."""
    asked = _patient_alone(call.resource) or parameters_of(call)
    found = matching.match(call.node, call.asking, asked)
    entries = [
        entry_bytes(f"{call.base}/{one.name}", one.content, f'"search":{dumps(how).decode()}')
        for one, how in found
    ]
    links = [("self", f"{call.base}/Patient/$match")]
    return Reply(content=bundle_bytes("searchset", links, entries, len(found)), subsetted=True)


def _patient_alone(resource: Any) -> Json | None:
    if not isinstance(resource, Mapping) or resource.get("resourceType") != "Patient":
        return None
    row = {"name": "resource", "resource": resource}
    return {"resourceType": "Parameters", "parameter": [row]}


def summary(call: Call) -> Reply:
    """``GET|POST [base]/Patient/[id]/$summary``."""
    wanted = [one["valueString"] for one in parameters_of(call)["parameter"] if _is_profile(one)]
    if any(one.partition("|")[0] != IPS_BUNDLE for one in wanted):
        raise Invalid("Summaries are made by the IPS profile alone.")
    return Reply(resource=summarised(call.node, call.asking, call.id))


def _is_profile(row: Mapping[str, Any]) -> bool:
    return row.get("name") == "profile" and isinstance(row.get("valueString"), str)


# Other formats --------------------------------------------------------------------------------

KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("x-application/hl7-v2+er7", "application/hl7-v2"), "hl7v2"),
    **dict.fromkeys(("application/edi-x12", "application/x12"), "x12"),
    **dict.fromkeys(("text/csv", "text/tab-separated-values"), "csv"),
    **dict.fromkeys(("application/dicom", "application/dicom+json"), "dicom"),
    "application/hl7-cda+xml": "cda",
}
"""What a media type says of a body; of any other the body itself tells (`auto`)."""
_DRY: Final[Mapping[str, bool]] = {"": False, "false": False, "true": True}


def submit_legacy(call: Call) -> Reply:
    """``POST [base]/$submit-legacy``: any format that the mapper reads, FHIR out.

    The answer is Parameters with the ``bundle`` of what was made and the ``outcome``; where nothing
    could be taken over, the outcome alone with 422. ``dry-run=true`` stores nothing.
    """
    if not call.body:
        raise Invalid("There is no body.", advice="Send the message or file as the body.")
    dry = call.value("dry-run")
    if dry not in _DRY:
        raise Invalid("The parameter dry-run is true or false.")
    media = media_type(call.headers.get("content-type", ""))
    kind = KINDS.get(media.name, "auto") if media is not None else "auto"
    made = submitting.submit(
        call.node, call.asking, call.body, kind=kind, name="submitted", dry_run=_DRY[dry]
    )
    if not made.bundle.get("entry"):
        return Reply(status=422, resource=made.outcome)
    rows = [
        {"name": "bundle", "resource": made.bundle},
        {"name": "outcome", "resource": made.outcome},
    ]
    return Reply(resource={"resourceType": "Parameters", "parameter": rows})
