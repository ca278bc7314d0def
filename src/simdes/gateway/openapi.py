"""``GET /openapi.json``: the gateway's interfaces for programs (https://spec.openapis.org/oas/v3.1.0).

The FHIR part is made from the table of endpoints (`openapi_fhir`), the custody part from the verbs;
each operation lists every status that it answers with, and its media types. Pages for people are
left out. A test sends thousands of requests made from it and takes nothing else for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simdes.exchange.custody import METHODS
from simdes.gateway import custody, health_links, openapi_fhir
from simdes.gateway.cds.services import PREFIX as CDS
from simdes.gateway.cds.services import SERVICES
from simdes.gateway.openapi_answers import FAILED, OUTCOME_BODY, answers, body, json_body
from simdes.gateway.smart import addresses

Json = dict[str, Any]

PATH: Final = "/openapi.json"
_FORM: Final = "application/x-www-form-urlencoded"
_OAUTH_ERROR: Final = json_body({"$ref": "#/components/schemas/OAuthError"})
_OBJECT: Final = json_body({"type": "object"})


def openapi_route(issuer: Callable[[], str]) -> Route:
    """The route; the document is the same for everybody and made once."""
    made: list[Json] = []

    def endpoint(_: Request) -> Response:
        if not made:
            made.append(document(issuer()))
        headers = {"Cache-Control": "public, max-age=300"}
        return JSONResponse(made[0], headers=headers)

    return Route(PATH, endpoint, methods=["GET"])


def document(issuer: str) -> Json:
    """The OpenAPI document of a gateway at the address ``issuer``."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SIMDES gateway",
            "version": version("simdes"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "paths": {
            **_operating(),
            **_custody(),
            **_authorizing(),
            **_deciding(),
            **_linking(),
            **openapi_fhir.paths(),
        },
        "components": {
            "schemas": {**openapi_fhir.SCHEMAS, "OAuthError": _OAUTH_SCHEMA},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token by SMART App Launch 2 or Backend Services.",
                }
            },
        },
    }


_OAUTH_SCHEMA: Final[Json] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}


# Running --------------------------------------------------------------------------------------


def _operating() -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    figures = {**text, "application/openmetrics-text": {"schema": {"type": "string"}}}
    return {
        PATH: {"get": _operation("This document", {200: _OBJECT})},
        "/healthz": {"get": _operation("Whether the program runs", {200: _OBJECT})},
        "/readyz": {"get": _operation("Whether it can do its work", {200: _OBJECT, 503: _OBJECT})},
        "/metrics": {
            "get": _operation(
                "Figures for operators", {200: figures, 401: OUTCOME_BODY, 403: OUTCOME_BODY}
            )
        },
        "/facade/notify": {
            "post": _operation(
                "The FHIR server that is read has news",
                {200: {}, 401: OUTCOME_BODY, 404: OUTCOME_BODY, 503: OUTCOME_BODY},
            )
        },
    }


def _operation(summary: str, told: Mapping[int, Json], **others: Any) -> Json:
    return {"summary": summary, **others, "responses": answers(told)}


# Custody --------------------------------------------------------------------------------------


def _custody() -> Json:
    jose = {custody.MEDIA_TYPE: {"schema": {"type": "string"}}}
    refused = (400, 401, 403, 404, 408, 409, 410, 412, 413, 415, 422, 429, 501, 503)
    told = {200: jose, **dict.fromkeys(refused, OUTCOME_BODY)}
    return {
        f"{custody.PREFIX}/{verb}": {
            "post": _operation(
                f"The verb {verb} of the custody API, signed both ways", told, **body(jose)
            )
        }
        for verb in METHODS
    }


# Decision support ------------------------------------------------------------------------------


def _deciding() -> Json:
    refused = (400, 401, 408, 412, 413, 415, 429, 503)
    told = {200: _OBJECT, **dict.fromkeys(refused, OUTCOME_BODY)}
    noted = {200: {}, **dict.fromkeys(refused, OUTCOME_BODY)}
    found: Json = {CDS: {"get": _operation("The services (CDS Hooks)", {200: _OBJECT})}}
    for one in SERVICES:
        found[one.path] = {"post": _operation(one.description, told, **body(_OBJECT))}
        told_of = f"What became of a card of {one.id}"
        found[f"{one.path}/feedback"] = {"post": _operation(told_of, noted, **body(_OBJECT))}
    return found


# SMART Health Links ----------------------------------------------------------------------------


def _linking() -> Json:
    file = {"application/jose": {"schema": {"type": "string"}}}
    refused = dict.fromkeys((400, 404, 429, 503), OUTCOME_BODY)
    asked = dict.fromkeys((408, 413, 415), OUTCOME_BODY)
    secret, ticket = _named("secret"), _named("ticket")
    recipient = {"name": "recipient", "in": "query", "schema": {"type": "string"}}
    return {
        health_links.MANIFEST: {
            "post": _operation(
                "Where the file of a link is",
                {200: _OBJECT, 401: _OBJECT, **refused, **asked},
                parameters=[secret],
                **body(_OBJECT),
            ),
            "get": _operation(
                "The file of a link without a passcode",
                {200: file, **refused},
                parameters=[secret, recipient],
            ),
            "options": _operation("Any page may ask (CORS)", {204: {}}, parameters=[secret]),
        },
        health_links.FILE: {
            "get": _operation(
                "A file that a manifest names", {200: file, **refused}, parameters=[ticket]
            ),
            "options": _operation("Any page may ask (CORS)", {204: {}}, parameters=[ticket]),
        },
    }


def _named(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


# Authorization --------------------------------------------------------------------------------


def _authorizing() -> Json:
    page = {"text/html": {"schema": {"type": "string"}}}
    form = body({_FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}})
    documents = (
        *addresses.SMART_PATHS,
        addresses.OPENID_PATH,
        addresses.METADATA_PATH,
        addresses.JWKS_PATH,
    )
    told = {200: _OBJECT, **dict.fromkeys((400, 401, 403, 429, 503), _OAUTH_ERROR)}
    asked = {303: {}, **dict.fromkeys((400, 401, 403, 404, 409, 429, 503), page)}
    launched = {200: _OBJECT, **dict.fromkeys(FAILED, OUTCOME_BODY)}
    return {
        **{path: {"get": _operation("What is known here", {200: _OBJECT})} for path in documents},
        addresses.AUTHORIZE_PATH: {
            "get": _operation("Ask a person to allow an app", asked, parameters=[_QUERY]),
            "post": _operation("Ask a person to allow an app", asked, **form),
        },
        addresses.TOKEN_PATH: {"post": _operation("Get tokens", told, **form)},
        addresses.REVOKE_PATH: {"post": _operation("Revoke a token", told, **form)},
        addresses.INTROSPECT_PATH: {"post": _operation("Introspect a token", told, **form)},
        addresses.LAUNCH_PATH: {
            "post": _operation(
                "Begin an EHR launch",
                launched,
                security=[{"token": []}],
                **body(_OBJECT),
            )
        },
    }


_QUERY: Final[Json] = {
    "name": "parameters",
    "in": "query",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}
