"""How changes are found at a source, by its CapabilityStatement.

https://hl7.org/fhir/R4/capabilitystatement.html. The first way that the source offers is taken:
the history of all (``history-system``), the history of each type (``history-type``), else a search
by ``_lastUpdated``, which does not show what was deleted. What stands there when the facade begins
is read by searches, in the order of its times, so that a load that broke off goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.errors import Unavailable, Unsupported
from simdes.exchange.facade.source import Answer
from simdes.fhir.definitions import resource_types

HISTORY_SYSTEM, HISTORY_TYPE, SEARCH = "history-system", "history-type", "search"
MODES = (HISTORY_SYSTEM, HISTORY_TYPE, SEARCH)

_OF_SERVERS = frozenset(
    (
        "AuditEvent",
        "Binary",
        "Bundle",
        "CapabilityStatement",
        "CompartmentDefinition",
        "GraphDefinition",
        "ImplementationGuide",
        "MessageDefinition",
        "MessageHeader",
        "NamingSystem",
        "OperationDefinition",
        "OperationOutcome",
        "Parameters",
        "SearchParameter",
        "StructureDefinition",
        "StructureMap",
        "Subscription",
        "TerminologyCapabilities",
        "TestReport",
        "TestScript",
    )
)
"""Types that are about a server, or mean nothing outside of it; never read unless named."""

_FIRST = ("Patient", "Organization", "Practitioner", "PractitionerRole", "Location")
"""Types that others point at; with them here first, fewer are asked for one by one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The ``mode`` and the types that are read, in order."""

    mode: str
    types: tuple[str, ...]


def plan(answer: Answer, *, wanted: Sequence[str] = (), mode: str = "") -> Plan:
    """Choose how to read a source; ``wanted`` types and ``mode`` are the operator's, "" is ours.

    Raises Unsupported where it is no R4 server, or has nothing that can be read.
    """
    statement = answer.resource
    if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
        raise Unavailable(
            "The FHIR server says nothing of itself (no CapabilityStatement)",
            advice="Check facade_url: it is the address to which /metadata is added.",
        )
    version = str(statement.get("fhirVersion", ""))
    if not version.startswith("4.0"):
        raise Unsupported(
            "The FHIR server is not of R4 (4.0)",
            advice="Give it an R4 address; files of DSTU2 and STU3 go through `simdes ingest`.",
        )
    rest = _rest(statement)
    offered = {
        str(one.get("type")): _codes(one)
        for one in _objects(rest, "resource")
        if one.get("type") in resource_types()
    }
    types = _types(offered, wanted)
    if not types:
        raise Unsupported("The FHIR server offers no type of resource that is read here")
    return Plan(
        mode or _mode(_codes(rest), [offered[one] for one in types if one in offered]), types
    )


def _types(offered: Mapping[str, set[str]], wanted: Sequence[str]) -> tuple[str, ...]:
    if unknown := [one for one in wanted if one not in resource_types()]:
        raise Unsupported(f"Setting facade_types names no type of R4: {', '.join(unknown)}")
    chosen = wanted or [one for one in offered if one not in _OF_SERVERS]
    return tuple(
        sorted(
            dict.fromkeys(chosen),
            key=lambda one: (_FIRST.index(one) if one in _FIRST else len(_FIRST), one),
        )
    )


def _mode(system: set[str], types: Sequence[set[str]]) -> str:
    if "history-system" in system:
        return HISTORY_SYSTEM
    if types and all("history-type" in codes for codes in types):
        return HISTORY_TYPE
    return SEARCH


def _rest(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _objects(statement, "rest")
    return next((one for one in found if one.get("mode") == "server"), found[0] if found else {})


def _codes(part: Mapping[str, Any]) -> set[str]:
    return {str(one.get("code")) for one in _objects(part, "interaction")}


def _objects(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
