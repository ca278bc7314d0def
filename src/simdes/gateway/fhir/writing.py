"""Create, update, patch, delete and their conditional forms over HTTP.

https://hl7.org/fhir/R4/http.html#create and the sections after it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange.interactions import writing
from simdes.exchange.interactions.changes import Became, Change, Changed, Method, Pairs, Patch
from simdes.fhir.form import Form
from simdes.fhir.json import loads
from simdes.fhir.negotiation import Body, if_none_exist, preferences, versions
from simdes.fhir.outcome import Issue, issue_of, outcome_resource
from simdes.fhir.patch import fhirpath_patch, json_patch, merge_patch
from simdes.gateway.fhir.call import PATCHES, RESULT_PARAMETERS, Call, Reply, WrongBody
from simdes.gateway.fhir.reading import version_headers

STATUS: Final[Mapping[Became, int]] = {
    Became.CREATED: 201,
    Became.UPDATED: 200,
    Became.UNCHANGED: 200,
    Became.EXISTED: 200,
    Became.DELETED: 204,
    Became.NOT_THERE: 204,
}
JSON_PATCH: Final = Body.JSON_PATCH.value
MERGE_PATCH: Final = Body.MERGE_PATCH.value


def create(call: Call) -> Reply:
    """``POST [base]/[type]``, with If-None-Exist for a conditional create."""
    return _answer(call, change_of(call, Method.CREATE))


def update(call: Call) -> Reply:
    """``PUT [base]/[type]/[id]``, and ``PUT [base]/[type]?…`` (conditional)."""
    return _answer(call, change_of(call, Method.UPDATE))


def patch(call: Call) -> Reply:
    """``PATCH [base]/[type]/[id]``, and ``PATCH [base]/[type]?…`` (conditional)."""
    return _answer(call, change_of(call, Method.PATCH))


def delete(call: Call) -> Reply:
    """``DELETE [base]/[type]/[id]``, and ``DELETE [base]/[type]?…`` (conditional, single)."""
    return _answer(call, change_of(call, Method.DELETE))


def change_of(call: Call, method: Method, *, full_url: str = "", place: str = "") -> Change:
    """The change that a request asks for."""
    return Change(
        method=method,
        type=call.type,
        id=call.id,
        resource=_resource(call) if method in (Method.CREATE, Method.UPDATE) else None,
        patch=_patch(call) if method is Method.PATCH else None,
        search=_condition(call, method),
        if_match=versions(call.headers.get("if-match")),
        if_none_match=_must_be_new(call),
        full_url=full_url,
        place=place,
    )


def _resource(call: Call) -> Mapping[str, Any]:
    if not isinstance(call.resource, Mapping):
        raise Invalid("The body must be a resource.", advice="Send it as JSON or XML.")
    return call.resource


def _condition(call: Call, method: Method) -> Pairs | None:
    if method is Method.CREATE:
        searched = if_none_exist(call.headers.get("if-none-exist"))
        return searched if searched is not None else _in_address(call)
    return None if call.id else _searched(call.pairs)


def _in_address(call: Call) -> Pairs | None:
    """A search in the address of a create, which fhirpy means as If-None-Exist: never ignored, or
    what is there already would be made again."""
    return tuple(pair for pair in call.pairs if pair[0] not in RESULT_PARAMETERS) or None


def _searched(pairs: Pairs) -> Pairs:
    kept = tuple(pair for pair in pairs if pair[0] not in RESULT_PARAMETERS)
    if not kept:
        raise Invalid(
            "A conditional interaction needs search parameters.",
            advice="Name the resource by its id, or say by what it is found.",
        )
    return kept


def _must_be_new(call: Call) -> bool:
    tag = call.headers.get("if-none-match")
    if tag is None:
        return False
    if tag.strip() != "*":
        raise Invalid("If-None-Match of a write is *.")
    return True


def _patch(call: Call) -> Patch:
    content, kind = call.resource, call.media_type
    if isinstance(content, Mapping) and content.get("resourceType") == "Binary":
        content, kind = _of_binary(content)
    if isinstance(content, Mapping) and content.get("resourceType") == "Parameters":
        parameters = dict(content)
        return lambda resource: fhirpath_patch(resource, parameters)
    if kind == JSON_PATCH:
        return lambda resource: json_patch(resource, content)
    # Some clients send a merge patch as any JSON; a whole resource is none.
    is_bare = kind == Form.JSON.value and isinstance(content, Mapping)
    if kind == MERGE_PATCH or (is_bare and "resourceType" not in content):
        return lambda resource: merge_patch(resource, content)
    raise WrongBody(
        "This form of patch is not known here.",
        advice=f"Send {JSON_PATCH}, or a Parameters resource (FHIRPath Patch).",
        accepted=PATCHES,
    )


def _of_binary(binary: Mapping[str, Any]) -> tuple[Any, str]:
    """The patch in a Binary, as entries of Bundles carry it (https://hl7.org/fhir/R4/http.html#jsonpatch)."""
    try:
        data = b64decode(str(binary.get("data", "")), validate=True)
    except ValueError as error:
        raise Invalid("The patch in the Binary is not base64.") from error
    return loads(data), str(binary.get("contentType", ""))


def _answer(call: Call, change: Change) -> Reply:
    changed = writing.apply(call.node, call.asking, [change], base=call.base)[0]
    return reply_of(call, changed)


def reply_of(call: Call, changed: Changed) -> Reply:
    """The answer to one change, as ``Prefer: return=…`` asks for it."""
    status, found = STATUS[changed.became], changed.found
    headers = dict(version_headers(found)) if found is not None else {}
    if found is not None and status in (200, 201):
        # What was changed is told, too (RFC 9110 §8.7): HAPI's client learns the version from it.
        name = "Location" if status == 201 else "Content-Location"
        headers[name] = f"{call.base}/{found.name}/_history/{found.version}"
    updated_ms = found.updated_ms if found is not None else None
    bare = Reply(status=status, headers=headers, updated_ms=updated_ms)
    wanted = preferences(call.headers.get("prefer")).returns
    if status == 204 or found is None or wanted == "minimal":
        return bare
    if wanted == "OperationOutcome":
        text = f"The resource was {changed.became.value}."
        made = Issue(severity="information", code="informational", text=text)
        told = outcome_resource([made, *map(issue_of, changed.warnings)])
        return replace(bare, resource=told, is_outcome=True)
    return replace(bare, content=found.content, subsetted=True)
