"""Parts of the OpenAPI document that all of it shares: answers, failures and bodies."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from simdes.fhir.form import Form

Json = dict[str, Any]

FAILED: Final = (400, 401, 403, 404, 408, 413, 429, 503)
"""How any request that needs a token may fail."""


def fhir_body(schema: str) -> Json:
    """Content in FHIR's two forms; the schema is of the JSON."""
    return {
        Form.JSON.value: {"schema": {"$ref": f"#/components/schemas/{schema}"}},
        Form.XML.value: {"schema": {"type": "string"}},
    }


def json_body(schema: Json) -> Json:
    """Content in plain JSON."""
    return {"application/json": {"schema": schema}}


OUTCOME_BODY: Final = fhir_body("OperationOutcome")


def body(content: Json, *, is_required: bool = False) -> Json:
    """The member of an operation that says what its body is."""
    return {"requestBody": {"required": is_required, "content": content}}


def answers(told: Mapping[int, Json]) -> Json:
    """The responses of an operation: by status its content, {} for none."""
    return {str(status): _answer(status, content) for status, content in sorted(told.items())}


def _answer(status: int, content: Json) -> Json:
    made: Json = {"description": HTTPStatus(status).phrase}
    if content:
        made["content"] = content
    return made
