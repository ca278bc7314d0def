"""Which address and method is which interaction: the one table of the FHIR surface.

The ASGI routes, the entries of a batch, the CapabilityStatement and the OpenAPI document are made
from it, and so is the authorisation matrix that the tests carry out
(docs/security/authorisation.md). Addresses are below the base, ``/fhir``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

from simdes.errors import NotFound
from simdes.exchange.attempting import Trying, attempting
from simdes.exchange.interactions.terms import TERMINOLOGY
from simdes.fhir.definitions import resource_types
from simdes.gateway.fhir import (
    bulk,
    bulk_import,
    claims,
    operations,
    prescriptions,
    reading,
    subscriptions,
    writing,
)
from simdes.gateway.fhir.call import Call, Reply

Answer = Callable[[Call], Reply]

SEGMENTS: Final = {
    "type": r"[A-Z][A-Za-z]{1,63}",
    "compartment": r"Patient|Encounter|RelatedPerson|Practitioner|Device",
    "target": r"[A-Z][A-Za-z]{1,63}|\*",
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "version": r"[A-Za-z0-9\-.]{1,64}",
    "job": r"[A-Za-z0-9_\-]{43}",
    "file": r"[0-9]{1,9}",
}
"""What the named parts of an address may be."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An interaction: HTTP method, address template, FHIR's name for it, and who answers.

    ``interaction`` is a code of https://hl7.org/fhir/R4/valueset-restful-interaction.html or
    ``$name`` of an operation. ``is_raw``: the body is passed on as bytes, of whatever type.
    """

    method: str
    template: str
    interaction: str
    answer: Answer
    is_raw: bool = False


READS: Final[Sequence[Endpoint]] = (
    Endpoint("GET", "", "search-system", reading.search_system),
    Endpoint("POST", "_search", "search-system", reading.search_system),
    Endpoint("GET", "_history", "history-system", reading.history_of_system),
    Endpoint("GET", "{type}", "search-type", reading.search_type),
    Endpoint("POST", "{type}/_search", "search-type", reading.search_type),
    Endpoint("GET", "{type}/_history", "history-type", reading.history_of_type),
    Endpoint("GET", "{type}/{id}", "read", reading.read_one),
    Endpoint("GET", "{type}/{id}/_history", "history-instance", reading.history_of_instance),
    Endpoint("GET", "{type}/{id}/_history/{version}", "vread", reading.read_version),
    Endpoint("GET", "Patient/{id}/$everything", "$everything", reading.everything),
    Endpoint("POST", "Patient/{id}/$everything", "$everything", reading.everything),
    Endpoint("GET", "{compartment}/{id}/{target}", "search-type", reading.search_compartment),
    Endpoint(
        "POST", "{compartment}/{id}/{target}/_search", "search-type", reading.search_compartment
    ),
)
WRITES: Final[Sequence[Endpoint]] = (
    Endpoint("POST", "{type}", "create", writing.create),
    Endpoint("PUT", "{type}", "update", writing.update),
    Endpoint("PUT", "{type}/{id}", "update", writing.update),
    Endpoint("PATCH", "{type}", "patch", writing.patch),
    Endpoint("PATCH", "{type}/{id}", "patch", writing.patch),
    Endpoint("DELETE", "{type}", "delete", writing.delete),
    Endpoint("DELETE", "{type}/{id}", "delete", writing.delete),
)
BULK: Final[Sequence[Endpoint]] = (
    Endpoint("GET", "$export", "$export", bulk.export_system),
    Endpoint("POST", "$export", "$export", bulk.export_system),
    Endpoint("GET", "Patient/$export", "$export", bulk.export_patients),
    Endpoint("POST", "Patient/$export", "$export", bulk.export_patients),
    Endpoint("GET", "Group/{id}/$export", "$export", bulk.export_group),
    Endpoint("POST", "Group/{id}/$export", "$export", bulk.export_group),
    Endpoint("POST", "$import", "$import", bulk_import.import_system, is_raw=True),
    Endpoint("GET", "jobs/{job}", "job-status", bulk.status),
    Endpoint("DELETE", "jobs/{job}", "job-cancel", bulk.cancel),
    Endpoint("GET", "jobs/{job}/{file}", "job-file", bulk.file),
)


def _terminology(type_: str, name: str) -> tuple[Endpoint, ...]:
    answer = operations.terminology(type_, name)
    return tuple(
        Endpoint(method, f"{place}/{name}", name, answer)
        for place in (type_, f"{type_}/{{id}}")
        for method in ("GET", "POST")
    )


OPERATIONS: Final[Sequence[Endpoint]] = (
    Endpoint("POST", "{type}/$validate", "$validate", operations.validate),
    Endpoint("GET", "{type}/{id}/$validate", "$validate", operations.validate),
    Endpoint("POST", "{type}/{id}/$validate", "$validate", operations.validate),
    Endpoint("GET", "$meta", "$meta", operations.meta),
    Endpoint("GET", "{type}/$meta", "$meta", operations.meta),
    Endpoint("GET", "{type}/{id}/$meta", "$meta", operations.meta),
    Endpoint("POST", "{type}/{id}/$meta-add", "$meta-add", operations.meta_add),
    Endpoint("POST", "{type}/{id}/$meta-delete", "$meta-delete", operations.meta_delete),
    Endpoint("POST", "Patient/$match", "$match", operations.match),
    Endpoint("GET", "Patient/{id}/$summary", "$summary", operations.summary),
    Endpoint("POST", "Patient/{id}/$summary", "$summary", operations.summary),
    *(one for type_, name in TERMINOLOGY for one in _terminology(type_, name)),
    Endpoint("POST", "$submit-legacy", "$submit-legacy", operations.submit_legacy, is_raw=True),
)


def _subscriptions() -> tuple[Endpoint, ...]:
    answers = {
        "Subscription/$status": subscriptions.status,
        "Subscription/{id}/$status": subscriptions.status,
        "Subscription/{id}/$events": subscriptions.events,
        "Subscription/$get-ws-binding-token": subscriptions.binding_token,
        "Subscription/{id}/$get-ws-binding-token": subscriptions.binding_token,
    }
    return tuple(
        Endpoint(method, template, template.rpartition("/")[2], answer)
        for template, answer in answers.items()
        for method in ("GET", "POST")
    )


SUBSCRIPTIONS: Final[Sequence[Endpoint]] = _subscriptions()


def _prescriptions() -> tuple[Endpoint, ...]:
    one = "MedicationRequest/{id}/"
    answers = {
        f"{one}$submit": prescriptions.submit,
        f"{one}$transfer": prescriptions.transfer,
        f"{one}$withdraw": prescriptions.withdraw,
        f"{one}$prescription-status": prescriptions.status,
        "MedicationRequest/$queue": prescriptions.queue,
        "MedicationRequest/$open": prescriptions.open_,
        f"{one}$open": prescriptions.open_,
        f"{one}$accept": prescriptions.accept,
        f"{one}$release": prescriptions.release,
        f"{one}$dispense": prescriptions.dispense,
        f"{one}$refuse-dispense": prescriptions.refuse,
        "Patient/{id}/$prefer-pharmacy": prescriptions.prefer,
    }
    looks = Endpoint("GET", "MedicationRequest/$queue", "$queue", prescriptions.queue)
    return (
        looks,
        *(
            Endpoint("POST", template, template.rpartition("/")[2], answer)
            for template, answer in answers.items()
        ),
    )


PRESCRIPTIONS: Final[Sequence[Endpoint]] = _prescriptions()


CLAIMS: Final[Sequence[Endpoint]] = (
    Endpoint("POST", "CoverageEligibilityRequest/$submit", "$submit", claims.eligibility),
    Endpoint("POST", "Claim/$submit", "$submit", claims.submit),
)


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """Every endpoint, in the order in which they are tried."""
    return (*READS, *WRITES, *OPERATIONS, *SUBSCRIPTIONS, *PRESCRIPTIONS, *CLAIMS, *BULK)


@dataclass(frozen=True, slots=True)
class Routed:
    """The endpoint that an address and method lead to, with the named parts of the address."""

    endpoint: Endpoint
    path: Mapping[str, str]


@lru_cache(maxsize=64)  # a request asks twice: what it tries, and what answers it
def route(method: str, address: str) -> Routed:
    """Find the endpoint of an address below the base, without a slash at either end.

    Raises NotFound for an address that no method has; `NotAllowed` for another method.
    """
    wanted = "GET" if method == "HEAD" else method
    others = []
    for pattern, endpoint in _patterns():
        match = pattern.fullmatch(address)
        if match is None:
            continue
        path = match.groupdict()
        if any(path.get(name, "*") not in _types() for name in ("type", "target")):
            continue
        if endpoint.method == wanted:
            return Routed(endpoint, {**_fixed(endpoint), **path, "address": _self(address)})
        others.append(endpoint.method)
    if others:
        raise NotAllowed(others)
    raise NotFound("There is nothing at this address.", advice="See [base]/metadata.")


def _fixed(endpoint: Endpoint) -> Mapping[str, str]:
    """The type of an address that names one itself."""
    head = endpoint.template.partition("/")[0]
    return {"type": head} if head in resource_types() else {}


class NotAllowed(NotFound):
    """The address knows other methods than this one."""

    issue = "not-supported"

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__(
            "This address does not know this HTTP method.", advice="See [base]/metadata."
        )
        self.methods = tuple(dict.fromkeys(methods))


def dispatch(call: Call, address: str) -> Reply:
    """Answer a call at an address below the base; what is refused is on record."""
    found = route(call.method, address)
    trying = trying_of(found)
    if trying is not None:
        trying.sent = call.resource
    with attempting(call.node, call.asking, trying):
        return found.endpoint.answer(replace(call, path=found.path))


def trying_of(routed: Routed) -> Trying | None:
    """What a request to an address tries; None for terminology, which is about no patient."""
    path, interaction = routed.path, routed.endpoint.interaction
    if interaction in _KNOWLEDGE:
        return None
    type_ = path.get("compartment") or path.get("type", "")
    of = path.get("target", "").replace("*", "") or type_
    return Trying(interaction, of, type_, path.get("id", ""))


_KNOWLEDGE: Final = frozenset(name for _, name in TERMINOLOGY)


def _self(address: str) -> str:
    """What links repeat: a search by POST is linked as a search by GET."""
    bare = address.removesuffix("_search").rstrip("/")
    return f"/{bare}" if bare else ""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Endpoint], ...]:
    return tuple((re.compile(_pattern(one.template)), one) for one in endpoints())


def _pattern(template: str) -> str:
    parts = []
    for part in template.split("/"):
        if part.startswith("{"):
            name = part[1:-1]
            parts.append(f"(?P<{name}>{SEGMENTS[name]})")
        else:
            parts.append(re.escape(part))
    return "/".join(parts)


@cache
def _types() -> frozenset[str]:
    return resource_types() | {"*"}
