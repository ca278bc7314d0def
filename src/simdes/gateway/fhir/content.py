"""Bodies in and out: JSON, XML, forms of fields, patches, and a Binary as what it holds.

https://hl7.org/fhir/R4/http.html#mime-type, https://hl7.org/fhir/R4/binary.html#rest. A Binary goes
in and out in its own type unless FHIR's are asked for; going out it is never shown in a page
(attachment, nosniff), since anybody may have sent it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange import room
from simdes.fhir.form import Form
from simdes.fhir.json import loads
from simdes.fhir.negotiation import Body, answer_form, body_of, media_type, query_pairs
from simdes.fhir.summary import projected, projection_of
from simdes.gateway.fhir.bulk import is_ndjson
from simdes.gateway.fhir.call import (
    PATCHES,
    Asked,
    Call,
    NotAcceptable,
    Pairs,
    Reply,
    WrongBody,
)
from simdes.gateway.fhir.routes import Routed

CONTEXT: Final = "x-security-context"
"""Header with a reference to the resource whose rules hold for a Binary's content."""
OCTETS: Final = "application/octet-stream"
_BINARY_READS: Final = frozenset(("read", "vread"))
_BINARY_WRITES: Final = frozenset(("create", "update"))
_FHIR_TYPES: Final = ("application/fhir+json", "application/fhir+xml")
_ACCEPTED: Final = _FHIR_TYPES


# In -------------------------------------------------------------------------------------------


def with_body(call: Call, asked: Asked, routed: Routed | None) -> Call:
    """The call with what its body holds, as its address takes it."""
    if not asked.body or (routed is not None and routed.endpoint.is_raw):
        return call
    content_type = asked.headers.get("content-type")
    if routed is not None and _is_content(routed, content_type, asked.body):
        return replace(call, resource=_binary(call, routed, asked), media_type=Form.JSON.value)
    kind = body_of(content_type)
    if kind is Body.FIELDS:
        if routed is None or not _takes_fields(routed):
            raise WrongBody("Fields of a form are for searches by POST.", accepted=_ACCEPTED)
        return replace(call, pairs=(*call.pairs, *query_pairs(_text(asked.body))))
    if kind in (Body.JSON_PATCH, Body.MERGE_PATCH):
        return replace(call, resource=loads(asked.body), media_type=kind.value)
    if kind is None or kind.form is None:
        accepted = PATCHES if asked.method == "PATCH" else _ACCEPTED
        raise WrongBody(
            "This type of body is not taken here.",
            advice=f"Send {' or '.join(accepted)}, in UTF-8.",
            accepted=accepted,
        )
    return replace(call, resource=kind.form.read(asked.body), media_type=kind.value)


def _takes_fields(routed: Routed) -> bool:
    return routed.endpoint.interaction.startswith(("search", "$"))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Invalid("The fields of a form are in UTF-8.") from error


def _is_content(routed: Routed, content_type: str | None, body: bytes) -> bool:
    """Whether the body is what a Binary is to hold, not the Binary."""
    if routed.path.get("type") != "Binary" or routed.endpoint.interaction not in _BINARY_WRITES:
        return False
    media = media_type(content_type or "")
    if media is None or media.name in _FHIR_TYPES:
        return False
    if body_of(content_type) is Body.JSON:
        # Many clients send every resource as application/json; a Binary among them says so.
        return b'"Binary"' not in body or _resource_type(body) != "Binary"
    return True


def _resource_type(body: bytes) -> Any:
    try:
        resource = loads(body)
    except Invalid:
        return None
    return resource.get("resourceType") if isinstance(resource, Mapping) else None


def _binary(call: Call, routed: Routed, asked: Asked) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Binary"}
    if logical_id := routed.path.get("id"):
        made["id"] = logical_id
    made["contentType"] = asked.headers["content-type"].strip()
    if context := asked.headers.get(CONTEXT, "").strip():
        made["securityContext"] = {"reference": context.removeprefix(call.base + "/")}
    return made | {"data": base64.b64encode(asked.body).decode()}


# Out ------------------------------------------------------------------------------------------


def form_of(call: Call, asked: Asked) -> Form:
    """The form of the answer, a search by POST naming it in its body too. Raises NotAcceptable."""
    if call.pairs and call.body:
        require_form(asked, call.pairs)
    return form_or_json(asked, call.pairs)


def form_or_json(asked: Asked, pairs: Pairs) -> Form:
    """The form that the client asks for; JSON where it asks for none that is known."""
    return answer_form(asked.headers.get("accept"), _format(pairs)) or Form.JSON


def require_form(asked: Asked, pairs: Pairs) -> None:
    """Raise NotAcceptable where the client takes neither JSON nor XML, nor lines of JSON."""
    accept, named = asked.headers.get("accept"), _format(pairs)
    if answer_form(accept, named) is None and (named or not is_ndjson(accept)):
        raise NotAcceptable("This form of answer is not known here.", advice="Ask for JSON or XML.")


def _format(pairs: Pairs) -> str | None:
    return next((value for name, value in pairs if name == "_format"), None)


def is_binary_read(routed: Routed) -> bool:
    """Whether the address is that of a Binary, which may be answered by what it holds."""
    wanted = routed.path.get("type") == "Binary"
    return wanted and routed.endpoint.interaction in _BINARY_READS


def held(reply: Reply, asked: Asked, pairs: Pairs) -> Reply:
    """What a Binary holds, as the answer to a read of it, unless the Binary itself is asked for."""
    accept = asked.headers.get("accept", "")
    if reply.status != 200 or not reply.content:
        return reply
    if _format(pairs) or any(name in accept.lower() for name in _FHIR_TYPES):
        require_form(asked, pairs)
        return reply
    binary = loads(reply.content)
    own = str(binary.get("contentType", ""))
    media = media_type(own) if own.isascii() and own.isprintable() else None
    named = media_type(accept)
    if named is not None and body_of(accept) is not None and (media is None or named != media):
        return reply
    headers = {**reply.headers, "Content-Disposition": "attachment", "Vary": "Accept"}
    context = binary.get("securityContext", {}).get("reference")
    if isinstance(context, str) and context.isascii() and context.isprintable():
        headers["X-Security-Context"] = context
    return Reply(
        content=_decoded(binary.get("data", "")),
        headers=headers,
        media_type=own if media is not None else OCTETS,
    )


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except binascii.Error as error:
        raise Invalid("What the Binary holds can't be decoded.") from error


def body_out(reply: Reply, form: Form, given: Mapping[str, str]) -> bytes:
    """The body of a reply; ready JSON goes out as it is where nothing else was asked for."""
    if reply.media_type:
        return reply.content
    projection = projection_of(given.get("_summary"), given.get("_elements"))
    pretty = given.get("_pretty") == "true"
    wanted = projection if reply.subsetted else None
    if reply.content and wanted is None and form is Form.JSON and not pretty:
        return reply.content
    if not reply.content and reply.resource is None:
        return b""
    if reply.content:
        room.need(room.GROWS * len(reply.content))
    resource = dict(reply.resource) if reply.resource is not None else loads(reply.content)
    if wanted is not None:
        resource = projected(resource, wanted)
    return form.write(resource, is_pretty=pretty)
