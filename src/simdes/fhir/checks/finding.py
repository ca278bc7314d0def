"""What a check of a prescription found: how grave, of which kind, in words, and in what.

Kinds are codes of HL7 v3 ActCode (https://terminology.hl7.org/CodeSystem-v3-ActCode.html) as
``DetectedIssue.code`` has them (https://hl7.org/fhir/R4/detectedissue.html); what could not be
checked has a code of ours, since the standard has none for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Resource = dict[str, Any]

ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CHECK_SYSTEM: Final = "urn:simdes:check"
MOST_SUMMARY_CHARACTERS: Final = 139
"""CDS Hooks: the summary of a card is shorter than 140 characters."""


class Severity(StrEnum):
    """Codes of https://hl7.org/fhir/R4/valueset-detectedissue-severity.html, gravest first."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return _RANKS[self]

    @property
    def milder(self) -> Severity:
        """One step less grave."""
        return _ORDER[min(self.rank + 1, len(_ORDER) - 1)]


_ORDER: Final = (Severity.HIGH, Severity.MODERATE, Severity.LOW)
_RANKS: Final = {one: rank for rank, one in enumerate(_ORDER)}


class Kind(StrEnum):
    """What is wrong."""

    ALLERGY = "ALGY"
    SAME_SUBSTANCE = "DUPTHPGEN"
    SAME_CLASS = "DUPTHPCLS"
    INTERACTION = "DRG"
    CONDITION = "COND"
    PREGNANCY = "PREG"
    AGE = "AGE"
    HIGH_DOSE = "DOSEH"
    INTERVAL = "DOSEIVL"
    DOSE = "DOSE"
    NOT_CHECKED = "not-checked"

    @property
    def display(self) -> str:
        """The name of the code."""
        return _DISPLAYS[self]

    @property
    def system(self) -> str:
        """The code system the code is of."""
        return CHECK_SYSTEM if self is Kind.NOT_CHECKED else ACT_CODE


_DISPLAYS: Final = {
    Kind.ALLERGY: "Allergy Alert",
    Kind.SAME_SUBSTANCE: "duplicate generic alert",
    Kind.SAME_CLASS: "duplicate therapeutic alass alert",  # as the code system has it
    Kind.INTERACTION: "Drug Interaction Alert",
    Kind.CONDITION: "Condition Alert",
    Kind.PREGNANCY: "Pregnancy Alert",
    Kind.AGE: "Age Alert",
    Kind.HIGH_DOSE: "High Dose Alert",
    Kind.INTERVAL: "Dose-Interval Alert",
    Kind.DOSE: "Dosage problem",
    Kind.NOT_CHECKED: "Not checked",
}


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in English and in French."""

    en: str
    fr: str

    def of(self, language: str) -> str:
        """The words in a language (``fr``, ``fr-CA``); English where it is neither."""
        return self.fr if language.lower().startswith("fr") else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a pharmacist should look at before handing out.

    ``code`` says for programs what exactly it is (``interaction:maois+ssris``, ``not-checked:age``)
    and never holds words of the record. ``references`` are what it was found in, sorted; the order
    itself is not among them. ``source`` says whose knowledge it is.
    """

    severity: Severity
    kind: Kind
    code: str
    summary: Text
    detail: Text
    references: tuple[str, ...] = ()
    source: str = ""

    @property
    def needs_reason(self) -> bool:
        """Whether nobody dispenses over it without a reason on record."""
        return self.severity is Severity.HIGH and self.kind is not Kind.NOT_CHECKED

    @property
    def key(self) -> str:
        """The same for the same finding about the same record: what a reason given is for."""
        return " ".join((self.code, *self.references))


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Why somebody dispensed all the same: who (a reference), when (dateTime), in their words."""

    author: str
    date: str
    reason: str = field(repr=False)


def detected_issue(
    finding: Finding,
    *,
    order: str,
    patient: Resource,
    identified: str,
    language: str = "en",
    override: Override | None = None,
) -> Resource:
    """The finding as a DetectedIssue resource, without id.

    ``order`` is the reference of the order that was checked, ``patient`` its ``subject``,
    ``identified`` a dateTime. An ``override`` becomes the mitigation.
    """
    issue: Resource = {
        "resourceType": "DetectedIssue",
        "status": "final",
        "code": {
            "coding": [
                {
                    "system": finding.kind.system,
                    "code": finding.kind.value,
                    "display": finding.kind.display,
                },
            ],
            "text": finding.summary.of(language),
        },
        "severity": finding.severity.value,
        "patient": patient,
        "identifiedDateTime": identified,
        "implicated": [{"reference": one} for one in (order, *finding.references) if one],
        "evidence": [{"code": [{"coding": [{"system": CHECK_SYSTEM, "code": finding.code}]}]}],
        "detail": finding.detail.of(language),
    }
    if finding.references:
        issue["evidence"][0]["detail"] = [{"reference": one} for one in finding.references]
    if override is not None:
        issue["mitigation"] = [
            {
                "action": {"text": override.reason},
                "date": override.date,
                "author": {"reference": override.author},
            }
        ]
    return issue


def ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Gravest first, each once, in the same order whatever the record's order was."""
    unique = {(one.key, one.kind, one.severity): one for one in findings}
    return tuple(
        sorted(
            unique.values(),
            key=lambda one: (
                one.kind is Kind.NOT_CHECKED,
                one.severity.rank,
                one.kind.value,
                one.code,
                one.references,
                one.summary.en,
            ),
        )
    )


def shortened(text: str, most: int) -> str:
    """A text of at most ``most`` characters on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def summary(en: str, fr: str) -> Text:
    """Words short enough for one line of a card."""
    return Text(shortened(en, MOST_SUMMARY_CHARACTERS), shortened(fr, MOST_SUMMARY_CHARACTERS))


def not_checked(
    what: str, en: str, fr: str, *, references: tuple[str, ...] = (), grave: bool = False
) -> Finding:
    """Say that something was not checked, and why; ``grave`` where it is most of the checks."""
    said = Text(en, fr)
    return Finding(
        severity=Severity.MODERATE if grave else Severity.LOW,
        kind=Kind.NOT_CHECKED,
        code=f"not-checked:{what}",
        summary=summary(en, fr),
        detail=said,
        references=tuple(sorted(set(references))),
    )
