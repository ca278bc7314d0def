"""``GET [base]/metadata``: what this server does (https://hl7.org/fhir/R4/capabilitystatement.html).

Made from the table of endpoints, the R4 definitions and the search parameters that are compiled, so
that it can't say anything else than what is there. It is the same for everybody: what a caller may
do of it is decided at each request. It is public, made once, and answered from memory.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from simdes.exchange.interactions.offered import deleted_types, written_types
from simdes.exchange.node import Node
from simdes.exchange.subscriptions.registering import TYPE as SUBSCRIPTION
from simdes.exchange.subscriptions.wanted import BACKPORT, EVENTS, topic_of
from simdes.fhir.definitions import resource_types
from simdes.fhir.form import Form
from simdes.fhir.negotiation import query_pairs
from simdes.fhir.search.parameters import compartments, parameters_of, searchable
from simdes.gateway.fhir.call import Asked, Reply
from simdes.gateway.fhir.definitions import DEFINITIONS
from simdes.gateway.fhir.routes import Endpoint, endpoints
from simdes.gateway.fhir.subscriptions import socket_of
from simdes.gateway.smart import addresses
from simdes.gateway.smart.discovery import CAPABILITIES

Json = dict[str, Any]

KEPT_SECONDS: Final = 300
_PARTS: Final = frozenset(("_pretty", "_summary", "_elements"))
_EXTENSION: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/"
_SERVICES: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_SMART_GUIDE: Final = (
    "http://hl7.org/fhir/smart-app-launch/ImplementationGuide/hl7.fhir.uv.smart-app-launch|2.1.0"
)
_BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport/"
_INSTANTIATES: Final = {
    "$export": "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",
    "$get-ws-binding-token": f"{_BACKPORT}CapabilityStatement/backport-subscription-server-r4",
}
"""By an operation that it asks for: what this server is an instance of."""
_PROFILES: Final = {SUBSCRIPTION: [f"{BACKPORT}backport-subscription"]}
_TOPIC: Final = f"{BACKPORT}capabilitystatement-subscriptiontopic-canonical"
_SOCKET: Final = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"
_WRITES: Final = frozenset(("create", "update", "patch"))
_SYSTEM: Final = frozenset(("search-system", "history-system"))
_EVERYWHERE: Final = (
    ("_list", "The resources that a List names"),
    ("_has", "Reverse chaining: _has:Type:reference:parameter"),
)
_TYPES: Final = ("_type", "The types to search among, with commas between")
_RESULTS: Final = (
    "Results: _sort, _count, _total, _summary, _elements, _include, _revinclude (both :iterate). "
    "Modifiers: :missing, :exact, :contains, :text, :not, :in, :not-in, :above, :below, :of-type, "
    ":identifier and types of references. What a caller sees follows consent, role and SMART scope."
)


class Statement:
    """The CapabilityStatement of one organisation's gateway, made when it is first asked for."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ready: dict[Form, bytes] = {}

    def answer(self, asked: Asked, form: Form) -> Reply:
        """The statement, in parts if the query asks for these; 304 to whoever has it."""
        content = self._content(form)
        headers = {
            "ETag": f'W/"{hashlib.sha256(self._content(Form.JSON)).hexdigest()[:32]}"',
            "Cache-Control": f"public, max-age={KEPT_SECONDS}",
            "Vary": "Accept",
        }
        given = {name for name, _ in query_pairs(asked.query)}
        if given & _PARTS:
            return Reply(content=self._content(Form.JSON), headers=headers, subsetted=True)
        known = {one.strip() for one in asked.headers.get("if-none-match", "").split(",")}
        if headers["ETag"] in known:
            return Reply(status=304, headers=headers)
        return Reply(content=content, headers=headers, media_type=form.content_type)

    def _content(self, form: Form) -> bytes:
        if form not in self._ready:
            node = self._node
            day = datetime.fromtimestamp(node.now_seconds(), UTC).date()
            made = statement(node.issuer.name, node.name, date=day.isoformat())
            self._ready |= {one: one.write(made) for one in Form}
        return self._ready[form]


def statement(issuer: str, name: str, *, date: str) -> Json:
    """The statement of the organisation ``name`` at the address ``issuer``, made on ``date``."""
    base = issuer + addresses.FHIR
    made: Json = {
        "resourceType": "CapabilityStatement",
        "url": f"{base}/metadata",
        "version": version("simdes"),
        "name": "SIMDES",
        "title": f"FHIR R4 of {name}",
        "status": "active",
        "date": date,
        "publisher": name,
        "description": "Medical records that are exchanged under the patient's control.",
        "kind": "instance",
        "software": {"name": "SIMDES", "version": version("simdes")},
        "implementation": {"description": name, "url": base},
        "fhirVersion": "4.0.1",
        "format": [*(form.value for form in Form), "json", "xml"],
        "patchFormat": [
            "application/json-patch+json",
            "application/merge-patch+json",
            *(form.value for form in Form),
        ],
        "instantiates": [url for name, url in _INSTANTIATES.items() if _is_served(name)],
        "implementationGuide": [_SMART_GUIDE],
        "rest": [_rest(issuer)],
    }
    return made


def _is_served(interaction: str) -> bool:
    return any(one.interaction == interaction for one in endpoints())


def _rest(issuer: str) -> Json:
    made: Json = {
        "extension": [{"url": _SOCKET, "valueUri": socket_of(issuer + addresses.FHIR)}],
        "mode": "server",
        "documentation": _RESULTS,
        "security": _security(issuer),
        "resource": [_resource(type_, issuer) for type_ in sorted(resource_types())],
        "interaction": [{"code": code} for code in _system_interactions()],
        "searchParam": [_special(*_TYPES), *_search_parameters("Resource")],
    }
    if operations := _operations(""):
        made["operation"] = operations
    if any("{compartment}" in one.template for one in endpoints()):
        made["compartment"] = [
            f"http://hl7.org/fhir/CompartmentDefinition/{name.lower()}"
            for name in sorted(compartments())
        ]
    return made


def _security(issuer: str) -> Json:
    places = {
        "authorize": addresses.AUTHORIZE_PATH,
        "token": addresses.TOKEN_PATH,
        "revoke": addresses.REVOKE_PATH,
        "introspect": addresses.INTROSPECT_PATH,
        "manage": "/account",
    }
    uris = [{"url": name, "valueUri": issuer + path} for name, path in places.items()]
    able = [{"url": _EXTENSION + "capabilities", "valueCode": code} for code in CAPABILITIES]
    return {
        "extension": [{"url": _EXTENSION + "oauth-uris", "extension": uris}, *able],
        "cors": True,
        "service": [
            {
                "coding": [{"system": _SERVICES, "code": "SMART-on-FHIR"}],
                "text": "OAuth 2 with SMART App Launch 2 and SMART Backend Services",
            }
        ],
        "description": "Every request but this one needs an access token.",
    }


def _system_interactions() -> list[str]:
    found = dict.fromkeys(one.interaction for one in endpoints() if one.interaction in _SYSTEM)
    return ["transaction", "batch", *found]


# One type -------------------------------------------------------------------------------------


def _resource(type_: str, issuer: str) -> Json:
    codes = interactions_of(type_)
    made: Json = {
        **(_topics(issuer + addresses.FHIR) if type_ == SUBSCRIPTION else {}),
        "type": type_,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{type_}",
        **({"supportedProfile": _PROFILES[type_]} if type_ in _PROFILES else {}),
        "interaction": [{"code": code} for code in codes],
        "versioning": "versioned",
        "readHistory": "vread" in codes,
        "updateCreate": "update" in codes,
        "conditionalCreate": "create" in codes,
        "conditionalRead": "full-support",
        "conditionalUpdate": "update" in codes and _has("PUT", "{type}"),
        "conditionalDelete": "single"
        if "delete" in codes and _has("DELETE", "{type}")
        else "not-supported",
        "referencePolicy": ["literal", "logical", "local"],
    }
    if includes := _includes(type_):
        made["searchInclude"] = ["*", f"{type_}:*", *includes]
    if reverse := _reverse_includes()[type_]:
        made["searchRevInclude"] = ["*", *reverse]
    made["searchParam"] = [*_search_parameters(type_)]
    if operations := _operations(type_):
        made["operation"] = operations
    return made


def _topics(base: str) -> Json:
    """Where Subscriptions learn which topics there are: R4 has no resource for them."""
    listed = [
        topic_of(base, type_, event) for type_ in sorted(resource_types()) for event in EVENTS
    ]
    return {"extension": [{"url": _TOPIC, "valueCanonical": one} for one in listed]}


def interactions_of(type_: str) -> list[str]:
    """The codes of the interactions with a type, in the order of the table of endpoints."""
    found = dict.fromkeys(
        one.interaction
        for one in endpoints()
        if one.template.partition("/")[0] == "{type}" and not one.interaction.startswith("$")
    )
    left_out: set[str] = set()
    if type_ not in written_types():
        left_out |= _WRITES
    if type_ not in deleted_types():
        left_out.add("delete")
    return [code for code in found if code not in left_out]


def _has(method: str, template: str) -> bool:
    return any((one.method, one.template) == (method, template) for one in endpoints())


def _search_parameters(type_: str) -> Iterator[Json]:
    for one in searchable(type_):
        yield {"name": one.code, "definition": one.url, "type": one.kind}
    for name, text in _EVERYWHERE:
        yield _special(name, text)


def _special(name: str, text: str) -> Json:
    return {"name": name, "type": "special", "documentation": text}


def _includes(type_: str) -> list[str]:
    found = [one for one in parameters_of(type_).values() if one.kind == "reference"]
    return [f"{type_}:{one.code}" for one in found if one.walks]


@cache
def _reverse_includes() -> Mapping[str, list[str]]:
    """By type what refers to it, by parameters that name it as a target."""
    found: dict[str, list[str]] = defaultdict(list)
    for source in sorted(resource_types()):
        for one in searchable(source):
            for target in one.targets if one.kind == "reference" else ():
                found[target].append(f"{source}:{one.code}")
    return found


# Operations -----------------------------------------------------------------------------------


def _operations(type_: str) -> list[Json]:
    """The operations of a type, of the whole server for "", each once."""
    found: dict[str, Endpoint] = {}
    for one in operations():
        if place_of(one) in ((type_, "{type}") if type_ else ("",)):
            found.setdefault(one.interaction, one)
    return [
        {"name": name.removeprefix("$"), "definition": definition_of(one)}
        for name, one in found.items()
    ]


def operations() -> Sequence[Endpoint]:
    """The endpoints that are operations."""
    return [one for one in endpoints() if one.interaction.startswith("$")]


def place_of(operation: Endpoint) -> str:
    """The type that an operation is of: ``Patient``, ``{type}`` for all, "" for the server."""
    head = operation.template.partition("/")[0]
    return "" if head.startswith("$") else head


def definition_of(operation: Endpoint) -> str:
    """The canonical URL of an operation's definition. Raises KeyError for one without: name it."""
    return DEFINITIONS[place_of(operation), operation.interaction]
