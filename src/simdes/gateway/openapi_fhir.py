"""The FHIR part of the OpenAPI document: a path for each address template of the endpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simdes.fhir.definitions import resource_types
from simdes.fhir.form import Form
from simdes.fhir.search.parameters import compartments
from simdes.gateway.fhir.routes import SEGMENTS, Endpoint, endpoints
from simdes.gateway.openapi_answers import FAILED, OUTCOME_BODY, answers, body, fhir_body
from simdes.gateway.smart.addresses import FHIR

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_ANYTHING: Final[Json] = {"*/*": {"schema": {}}}
_PLACE: Final = re.compile(r"\{([a-z]+)\}")

SCHEMAS: Final[Mapping[str, Json]] = {
    "Resource": {
        "type": "object",
        "required": ["resourceType"],
        "properties": {
            "resourceType": {"type": "string"},
            "id": {"type": "string", "pattern": "^[A-Za-z0-9\\-.]{1,64}$"},
            "meta": {"type": "object"},
        },
    },
    "Bundle": {
        "type": "object",
        "required": ["resourceType", "type"],
        "properties": {
            "resourceType": {"const": "Bundle"},
            "type": {"type": "string"},
            "total": {"type": "integer", "minimum": 0},
            "link": {"type": "array", "items": {"type": "object"}},
            "entry": {"type": "array", "items": {"type": "object"}},
        },
    },
    "Parameters": {
        "type": "object",
        "required": ["resourceType"],
        "properties": {
            "resourceType": {"const": "Parameters"},
            "parameter": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}},
                },
            },
        },
    },
    "ImportManifest": {
        "type": "object",
        "anyOf": [{"required": ["inputFormat", "input"]}, {"required": ["exportUrl"]}],
        "properties": {
            "exportUrl": {"type": "string"},
            "exportType": {"enum": ["static", "dynamic"]},
            "inputFormat": {"const": "application/fhir+ndjson"},
            "inputSource": {"type": "string"},
            "storageDetail": {"type": "object", "properties": {"type": {"const": "https"}}},
            "input": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "url"],
                    "properties": {"type": {"type": "string"}, "url": {"type": "string"}},
                },
            },
        },
    },
    "OperationOutcome": {
        "type": "object",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": {"const": "OperationOutcome"},
            "issue": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["severity", "code"],
                    "properties": {
                        "severity": {"enum": ["fatal", "error", "warning", "information"]},
                        "code": {"type": "string"},
                        "diagnostics": {"type": "string"},
                        "expression": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
        },
    },
}

# What each interaction answers with -----------------------------------------------------------

_COMMON: Final = (*FAILED, 406, 415)
_WRITTEN: Final = (*_COMMON, 409, 412, 422)
_RESOURCE: Final = {**fhir_body("Resource")}
_HELD: Final = {**_RESOURCE, **_ANYTHING}
_BUNDLE: Final = fhir_body("Bundle")
_MANIFEST: Final[Json] = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["transactionTime", "request", "requiresAccessToken", "output", "error"],
        }
    }
}
_LINES: Final[Json] = {"application/fhir+ndjson": {"schema": {"type": "string"}}}


def _told(good: Mapping[int, Json], failed: Sequence[int]) -> dict[int, Json]:
    return {**good, **dict.fromkeys(failed, OUTCOME_BODY)}


_ANSWERS: Final[Mapping[str, Mapping[int, Json]]] = {
    "read": _told({200: _HELD, 304: {}}, (*_COMMON, 410)),
    "vread": _told({200: _HELD, 304: {}}, (*_COMMON, 410)),
    **dict.fromkeys(
        ("history-instance", "history-type", "history-system"), _told({200: _BUNDLE}, _COMMON)
    ),
    **dict.fromkeys(("search-type", "search-system"), _told({200: _BUNDLE}, (*_COMMON, 410))),
    "create": _told({200: _RESOURCE, 201: _RESOURCE}, _WRITTEN),
    "update": _told({200: _RESOURCE, 201: _RESOURCE}, (*_WRITTEN, 410)),
    "patch": _told({200: _RESOURCE}, (*_WRITTEN, 410)),
    "delete": _told({200: OUTCOME_BODY, 204: {}}, (*_WRITTEN, 410)),
    "bundle": _told({200: _BUNDLE}, (*_WRITTEN, 410)),
    "metadata": _told({200: _RESOURCE, 304: {}}, (400, 406)),
    **dict.fromkeys(("$export", "$import"), _told({202: OUTCOME_BODY}, (*_COMMON, 422))),
    "job-status": _told({200: _MANIFEST, 202: {}}, (*_COMMON, 500)),
    "job-cancel": _told({202: OUTCOME_BODY}, _COMMON),
    "job-file": _told({200: _LINES}, _COMMON),
}
_MINIMAL: Final = frozenset(("create", "update", "patch"))
_MINIMAL_STATUS: Final = frozenset(("200", "201"))
_MINIMAL_TEXT: Final = "; without content and Content-Type where Prefer is return=minimal"
"""OpenAPI has no word for content that may be missing, so it is said in words."""
_OF_OPERATIONS: Final = _told({200: _RESOURCE}, (*_COMMON, 409, 410, 422))
"""What an operation answers with that has no row of its own."""

# What each interaction takes ------------------------------------------------------------------

_RESULTS: Final[Mapping[str, Json]] = {
    "_format": {"enum": ["json", "xml", *(form.value for form in Form)]},
    "_pretty": {"enum": ["true", "false"]},
    "_summary": {"enum": ["true", "false", "text", "data", "count"]},
    "_elements": _TEXT,
}
_SEARCHING: Final[Mapping[str, Json]] = {
    "_count": {"type": "integer", "minimum": 0, "maximum": 1000},
    "_sort": _TEXT,
    "_total": {"enum": ["none", "estimate", "accurate"]},
    "_include": _TEXT,
    "_revinclude": _TEXT,
    "_id": _TEXT,
    "_lastUpdated": _TEXT,
    "_type": _TEXT,
}
_HISTORY: Final[Mapping[str, Json]] = {
    "_count": {"type": "integer", "minimum": 0, "maximum": 1000},
    "_since": _TEXT,
}
_STOOD: Final[Mapping[str, Json]] = {**_HISTORY, "_at": _TEXT}
_NAMES: Final[Mapping[str, Mapping[str, Json]]] = {
    **dict.fromkeys(("search-type", "search-system"), _SEARCHING),
    **dict.fromkeys(("history-instance", "history-type"), _STOOD),
    "history-system": {**_STOOD, "_type": _TEXT},
    "$everything": {**_HISTORY, "start": _TEXT, "end": _TEXT, "_type": _TEXT},
    "$validate": {"mode": _TEXT, "profile": _TEXT},
    "$submit-legacy": {"dry-run": {"enum": ["true", "false"]}},
    "$export": {
        "_outputFormat": {"enum": ["application/fhir+ndjson", "application/ndjson", "ndjson"]},
        **dict.fromkeys(("_since", "_type", "_typeFilter"), _TEXT),
    },
}
_PREFER: Final[Json] = {
    "enum": [
        "return=minimal",
        "return=representation",
        "return=OperationOutcome",
        "handling=strict",
        "handling=lenient",
    ]
}
_TAG: Final[Json] = {"type": "string", "examples": ['W/"1"']}
_HEADERS: Final[Mapping[str, Mapping[str, Json]]] = {
    "read": {"If-None-Match": _TAG, "If-Modified-Since": _TEXT},
    "create": {"If-None-Exist": _TEXT, "Prefer": _PREFER},
    "update": {"If-Match": _TAG, "If-None-Match": _TAG, "Prefer": _PREFER},
    "patch": {"If-Match": _TAG, "Prefer": _PREFER},
    "delete": {"If-Match": _TAG},
    "$export": {"Prefer": {"enum": ["respond-async", "respond-async, handling=lenient"]}},
    "$import": {"Prefer": {"enum": ["respond-async", "respond-async, handling=lenient"]}},
    **{key: {"Prefer": _PREFER} for key in ("search-type", "search-system")},
}
_FREE: Final = frozenset(("search-type", "search-system", "update", "patch", "delete"))
"""Interactions that take search parameters of the type beside those of a name here."""

_FIELDS: Final[Json] = {
    "application/x-www-form-urlencoded": {
        "schema": {"type": "object", "additionalProperties": _TEXT}
    }
}
_PATCHES: Final[Json] = {
    "application/json-patch+json": {
        "schema": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["op", "path"],
                "properties": {
                    "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
                    "path": _TEXT,
                    "from": _TEXT,
                    "value": {},
                },
            },
        }
    },
    "application/merge-patch+json": {"schema": {"type": "object"}},
    **fhir_body("Parameters"),
}
_BODIES: Final[Mapping[str, Json]] = {
    "create": _RESOURCE,
    "update": _RESOURCE,
    "patch": _PATCHES,
    "bundle": _BUNDLE,
    "$validate": _RESOURCE,
    "$submit-legacy": _ANYTHING,
    "$import": {
        "application/json": {"schema": {"$ref": "#/components/schemas/ImportManifest"}},
        **fhir_body("Parameters"),
        **_LINES,
    },
    **dict.fromkeys(("search-type", "search-system"), _FIELDS),
}


# The paths ------------------------------------------------------------------------------------


def paths() -> Json:
    """Path items of every address below the FHIR base."""
    made: Json = {f"{FHIR}/metadata": {"get": _item("metadata", "GET", "metadata")}}
    for one in endpoints():
        made.setdefault(_path(one.template), {})[one.method.lower()] = _of(one)
    made[FHIR]["post"] = _item("bundle", "POST", "")
    return made


def _path(template: str) -> str:
    return f"{FHIR}/{template}".rstrip("/")


def _of(endpoint: Endpoint) -> Json:
    return _item(endpoint.interaction, endpoint.method, endpoint.template)


def _item(interaction: str, method: str, template: str) -> Json:
    told = _ANSWERS.get(interaction, _OF_OPERATIONS)
    made: Json = {
        "operationId": f"{method.lower()} {template or interaction}",
        "summary": interaction,
        "parameters": _parameters(interaction, method, template),
        "responses": answers(told),
    }
    if interaction in _MINIMAL:
        for status in _MINIMAL_STATUS & made["responses"].keys():
            made["responses"][status]["description"] += _MINIMAL_TEXT
    if interaction != "metadata":
        made["security"] = [{"token": []}]
    if method in ("POST", "PUT", "PATCH"):
        made |= body(_BODIES.get(interaction, fhir_body("Parameters")))
    return made


def _parameters(interaction: str, method: str, template: str) -> list[Json]:
    named = {**_RESULTS, **(_NAMES.get(interaction, {}) if method != "PATCH" else {})}
    rows = [
        {"name": name, "in": "path", "required": True, "schema": _segment(name)}
        for name in _PLACE.findall(template)
    ]
    rows += [{"name": name, "in": "query", "schema": how} for name, how in named.items()]
    rows += [
        {"name": name, "in": "header", "schema": how}
        for name, how in _HEADERS.get(interaction, {}).items()
    ]
    is_operation = interaction.startswith("$") and method == "GET"
    if is_operation or (interaction in _FREE and "{id}" not in template):
        rows.append(
            {
                "name": "parameters",
                "in": "query",
                "style": "form",
                "explode": True,
                "schema": {"type": "object", "additionalProperties": _TEXT},
            }
        )
    return rows


def _segment(name: str) -> Json:
    if name == "type":
        return {"enum": sorted(resource_types())}
    if name == "target":
        return {"enum": ["*", *sorted(resource_types())]}
    if name == "compartment":
        return {"enum": sorted(compartments())}
    return {"type": "string", "pattern": f"^{SEGMENTS[name]}$"}
