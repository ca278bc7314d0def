"""Findings as cards (https://cds-hooks.hl7.org/2.0/#card-attributes).

A finding is a card; what was not checked of an order is one card. Details are Markdown: names of
the record are escaped, so that nothing in a record becomes a link or a picture in a prescriber's
system.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, Final

from simdes.fhir.checks import Finding, Kind, Severity, Text, check
from simdes.fhir.checks.finding import CHECK_SYSTEM, MOST_SUMMARY_CHARACTERS, shortened
from simdes.gateway.cds.asked import AskedFor

Card = dict[str, Any]

MOST_CARDS: Final = 100
REASONS_SYSTEM: Final = "urn:simdes:override-reason"
_INDICATORS: Final = {
    Severity.HIGH: "critical",
    Severity.MODERATE: "warning",
    Severity.LOW: "info",
}
REASONS: Final = {
    "benefit": Text("The benefit outweighs the risk", "Le bénéfice l'emporte sur le risque"),
    "monitored": Text("The patient will be monitored", "Le patient sera surveillé"),
    "tolerated": Text("Taken before and tolerated", "Déjà pris et bien toléré"),
    "not-applicable": Text("Does not apply to this patient", "Ne concerne pas ce patient"),
    "replaced": Text("The other drug will be stopped", "L'autre médicament sera arrêté"),
}
"""Why somebody goes on all the same."""
_NOT_CHECKED: Final = Text("Not everything could be checked", "Tout n'a pas pu être vérifié")
_ORDER: Final = Text("Order", "Prescription")
_FOUND_IN: Final = Text("Found in", "Trouvé dans")
_SOURCE: Final = "SIMDES"
_MISSING: Final = Text("Not sent along, so not looked at", "Non transmis, donc non examiné")
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def cards(
    asked: AskedFor, *, today: date, language: str, random: Callable[[int], bytes]
) -> list[Card]:
    """The cards of a call, the gravest of each order first."""
    made: list[Card] = []
    for order in asked.orders:
        together = [one for one in asked.drafts if one is not order]
        findings = check(order, asked.record, today=today, together=together)
        made += _of_order(_name(order), findings, asked.missing, language)
    made.sort(key=lambda one: tuple(_INDICATORS.values()).index(one["indicator"]))
    for card in made[:MOST_CARDS]:
        card["uuid"] = str(uuid.UUID(bytes=random(16), version=4))
    return made[:MOST_CARDS]


def _of_order(
    name: str, findings: Sequence[Finding], missing: Sequence[str], language: str
) -> Iterable[Card]:
    for one in findings:
        if one.kind is not Kind.NOT_CHECKED:
            yield _card(name, one, language)
    left = [one for one in findings if one.kind is Kind.NOT_CHECKED]
    if left or missing:
        yield _unchecked(name, left, missing, language)


def _card(name: str, finding: Finding, language: str) -> Card:
    lines = [f"{_ORDER.of(language)}: {escaped(name)}", escaped(finding.detail.of(language))]
    if finding.references:
        found = ", ".join(escaped(one) for one in finding.references)
        lines.append(f"{_FOUND_IN.of(language)}: {found}")
    return {
        "summary": finding.summary.of(language),
        "detail": "\n\n".join(lines),
        "indicator": _INDICATORS[finding.severity],
        "source": {
            "label": finding.source or _SOURCE,
            "topic": {
                "system": finding.kind.system,
                "code": finding.kind.value,
                "display": finding.kind.display,
            },
        },
        "overrideReasons": [
            {"system": REASONS_SYSTEM, "code": code, "display": said.of(language)}
            for code, said in REASONS.items()
        ],
    }


def _unchecked(
    name: str, findings: Sequence[Finding], missing: Sequence[str], language: str
) -> Card:
    lines = [f"- {escaped(one.detail.of(language))}" for one in findings]
    if missing:
        lines.append(f"- {_MISSING.of(language)}: {', '.join(missing)}")
    is_grave = any(one.severity is Severity.MODERATE for one in findings)
    said = f"{_NOT_CHECKED.of(language)}: {name}"
    return {
        "summary": shortened(said, MOST_SUMMARY_CHARACTERS),
        "detail": "\n".join(lines),
        "indicator": "warning" if is_grave else "info",
        "source": {
            "label": _SOURCE,
            "topic": {
                "system": CHECK_SYSTEM,
                "code": Kind.NOT_CHECKED.value,
                "display": Kind.NOT_CHECKED.display,
            },
        },
    }


def escaped(text: str) -> str:
    """Text that Markdown shows as it is; an address in it becomes no link."""
    return _MARKS.sub(r"\\\1", " ".join(text.split())).replace("://", ":\u200b//")


def _name(order: dict[str, Any]) -> str:
    concept = order.get("medicationCodeableConcept")
    reference = order.get("medicationReference")
    names = [concept.get("text")] if isinstance(concept, dict) else []
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for one in codings if isinstance(codings, list) else ():
        names.append(one.get("display") if isinstance(one, dict) else None)
    names.append(reference.get("display") if isinstance(reference, dict) else None)
    return next((one[:100] for one in names if isinstance(one, str) and one.strip()), "?")
