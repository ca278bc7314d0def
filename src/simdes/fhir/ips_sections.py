"""The sections of the International Patient Summary: what goes where, and how it reads.

https://hl7.org/fhir/uv/ips/STU1.1/Structure-of-the-International-Patient-Summary.html
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simdes.fhir.reference import contained

Resource = dict[str, Any]

ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
_DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
MOST_OF_A_SECTION = 100

Test = Callable[[Resource], bool]


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its LOINC code, and per resource type which resources belong to it.

    With ``is_newest``, only the newest resource of each code is shown.
    """

    title: str
    code: str
    display: str
    belongs: Mapping[str, Test]
    absent: str = ""
    """The code for "no information"; "" for a section that may be missing."""
    is_newest: bool = False

    @property
    def is_required(self) -> bool:
        """Whether the section is there even with nothing to say."""
        return bool(self.absent)


# --- what belongs where ----------------------------------------------------------------------


def _codes(resource: Resource, name: str) -> set[str]:
    """Return the codes of an element: a code, a CodeableConcept or several."""
    value = resource.get(name)
    concepts = value if isinstance(value, list) else [value]
    found = {c for c in concepts if isinstance(c, str)}
    for concept in concepts:
        for coding in concept.get("coding", ()) if isinstance(concept, dict) else ():
            found.add(str(coding.get("code")))
    return found


def _status(*wanted: str) -> Test:
    return lambda resource: resource.get("status") in wanted


def _is_real(resource: Resource) -> bool:
    verified = _codes(resource, "verificationStatus")
    return verified.isdisjoint({"entered-in-error", "refuted"})


_OVER = frozenset({"inactive", "remission", "resolved"})


def _is_problem(resource: Resource) -> bool:
    return _is_real(resource) and _codes(resource, "clinicalStatus").isdisjoint(_OVER)


def _is_past(resource: Resource) -> bool:
    return _is_real(resource) and not _codes(resource, "clinicalStatus").isdisjoint(_OVER)


_FINAL = _status("final", "amended", "corrected")
_PREGNANCY = frozenset(
    ("82810-3", "11778-8", "11779-6", "11780-4", "11636-8", "11637-6", "11638-4", "11639-2")
) | {"11640-0", "11612-9", "11613-7", "11614-5", "33065-4", "49051-6", "57062-2"}


def _is_pregnancy(resource: Resource) -> bool:
    return not _codes(resource, "code").isdisjoint(_PREGNANCY)


def _in_category(*wanted: str) -> Test:
    def belongs(resource: Resource) -> bool:
        is_wanted = not _codes(resource, "category").isdisjoint(wanted)
        return is_wanted and _FINAL(resource) and not _is_pregnancy(resource)

    return belongs


_MEDICATED = _status("active", "intended", "on-hold", "unknown")
_RESULTS = _in_category("laboratory", "imaging", "procedure", "exam")

SECTIONS: tuple[Section, ...] = (
    Section(
        "Medication summary",
        "10160-0",
        "History of Medication use Narrative",
        {"MedicationStatement": _MEDICATED, "MedicationRequest": _MEDICATED},
        absent="no-medication-info",
    ),
    Section(
        "Allergies and intolerances",
        "48765-2",
        "Allergies and adverse reactions Document",
        {"AllergyIntolerance": _is_real},
        absent="no-allergy-info",
    ),
    Section(
        "Problem list",
        "11450-4",
        "Problem list - Reported",
        {"Condition": _is_problem},
        absent="no-problem-info",
    ),
    Section(
        "Immunizations",
        "11369-6",
        "History of Immunization Narrative",
        {"Immunization": _status("completed")},
    ),
    Section(
        "History of procedures",
        "47519-4",
        "History of Procedures Document",
        {"Procedure": _status("completed", "in-progress", "on-hold", "stopped")},
    ),
    Section(
        "Medical devices",
        "46264-8",
        "History of medical device use",
        {"DeviceUseStatement": _status("active", "completed", "intended", "on-hold")},
    ),
    Section(
        "Diagnostic results",
        "30954-2",
        "Relevant diagnostic tests/laboratory data Narrative",
        {"Observation": _RESULTS, "DiagnosticReport": _FINAL},
        is_newest=True,
    ),
    Section(
        "Vital signs",
        "8716-3",
        "Vital signs note",
        {"Observation": _in_category("vital-signs")},
        is_newest=True,
    ),
    Section(
        "History of past illness",
        "11348-0",
        "History of Past illness note",
        {"Condition": _is_past},
    ),
    Section(
        "Pregnancy",
        "10162-6",
        "History of pregnancies Narrative",
        {"Observation": lambda r: _is_pregnancy(r) and _FINAL(r)},
        is_newest=True,
    ),
    Section(
        "Social history",
        "29762-2",
        "Social history note",
        {"Observation": _in_category("social-history")},
        is_newest=True,
    ),
    Section(
        "Plan of care",
        "18776-5",
        "Plan of care note",
        {"CarePlan": _status("active", "on-hold")},
    ),
    Section(
        "Advance directives",
        "42348-3",
        "Advance healthcare directives",
        {"Consent": lambda r: r.get("status") == "active" and "adr" in _codes(r, "scope")},
    ),
    Section("Alerts", "104605-1", "Alert", {"Flag": _status("active")}),
)


def chosen(section: Section, resources: Iterable[Resource]) -> list[Resource]:
    """Return the resources that belong to ``section``, the newest first."""
    found = [
        resource
        for resource in resources
        if (test := section.belongs.get(resource.get("resourceType", ""))) and test(resource)
    ]
    found.sort(key=lambda r: (r["resourceType"], str(r.get("id"))))
    found.sort(key=_date, reverse=True)
    if section.is_newest:
        newest: dict[str, Resource] = {}
        for resource in found:
            newest.setdefault(f"{resource['resourceType']} {_first_code(resource)}", resource)
        found = list(newest.values())
    return found[:MOST_OF_A_SECTION]


def _first_code(resource: Resource) -> str:
    """Return what tells resources of one kind together; its id where there is no code."""
    code = resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    if codings:
        return f"{codings[0].get('system')}|{codings[0].get('code')}"
    return str(code.get("text") if isinstance(code, dict) else resource.get("id"))


def placeholder(section: Section, patient: dict[str, Any]) -> Resource:
    """Return the resource that says: there is no information of this kind."""
    display = _ABSENT_DISPLAYS[section.absent]
    code = {"coding": [{"system": ABSENT, "code": section.absent, "display": display}]}
    return {**_PLACEHOLDERS[section.absent](code, patient), "id": section.absent}


_ABSENT_DISPLAYS = {
    "no-medication-info": "No information about medications",
    "no-allergy-info": "No information about allergies",
    "no-problem-info": "No information about problems",
}


def _active(system: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": "active"}]}


_PLACEHOLDERS: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], Resource]] = {
    "no-medication-info": lambda code, patient: {
        "resourceType": "MedicationStatement",
        "status": "unknown",
        "medicationCodeableConcept": code,
        "subject": patient,
        "_effectiveDateTime": {"extension": [{"url": _DATA_ABSENT, "valueCode": "unknown"}]},
    },
    "no-allergy-info": lambda code, patient: {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _active(_ALLERGY),
        "code": code,
        "patient": patient,
    },
    "no-problem-info": lambda code, patient: {
        "resourceType": "Condition",
        "clinicalStatus": _active(_CLINICAL),
        "code": code,
        "subject": patient,
    },
}


# --- narrative -------------------------------------------------------------------------------

_DATES = (
    *("effectiveDateTime", "effectiveInstant", "effectivePeriod"),
    *("performedDateTime", "performedPeriod", "occurrenceDateTime"),
    *("onsetDateTime", "onsetPeriod", "timingDateTime", "timingPeriod"),
    *("authoredOn", "recordedDate", "dateAsserted", "issued", "dateTime", "period"),
)
_NAMES = ("code", "medicationCodeableConcept", "vaccineCode", "title", "category", "description")
_CONTROLS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST_TEXT = 500


def narrative(section: Section, found: list[Resource], known: Mapping[str, Resource]) -> str:
    """Return the section as XHTML: what, value or status, when. Every text is escaped."""
    rows = "".join(
        f"<tr><td>{_shown(_what(r, known))}</td><td>{_shown(_value(r))}</td>"
        f"<td>{_shown(_date(r)[:10])}</td></tr>"
        for r in found
    )
    head = "<tr><th>What</th><th>Value or status</th><th>Date</th></tr>"
    return (
        f'<div xmlns="http://www.w3.org/1999/xhtml"><p><b>{_shown(section.title)}</b></p>'
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"
    )


def _shown(text: str) -> str:
    plain = " ".join(_CONTROLS.sub(" ", text[:_LONGEST_TEXT]).split())
    return html.escape(plain) or "-"


def _date(resource: Resource) -> str:
    for name in _DATES:
        value = resource.get(name)
        if isinstance(value, dict):
            value = value.get("start") or value.get("end")
        if isinstance(value, str):
            return value
    return ""


def _what(resource: Resource, known: Mapping[str, Resource]) -> str:
    for name in _NAMES:
        value = resource.get(name)
        text = value if isinstance(value, str) else _concept(value)
        if text:
            return text
    for name in ("medicationReference", "device"):
        value = resource.get(name)
        if isinstance(value, dict):
            reference = str(value.get("reference"))
            inside = contained(resource, reference[1:]) if reference[:1] == "#" else None
            other = inside or known.get(reference, {})
            return value.get("display") or _concept(other.get("code") or other.get("type"))
    return ""


def _concept(value: Any) -> str:
    """Return what a person reads of a CodeableConcept: its text, a display, a code."""
    if isinstance(value, list):
        return next((text for one in value if (text := _concept(one))), "")
    if not isinstance(value, dict):
        return ""
    texts = [value.get("text")]
    codings = value.get("coding", ())
    texts += [c.get("display") for c in codings] + [c.get("code") for c in codings]
    return next((t for t in texts if isinstance(t, str)), "")


def _value(resource: Resource) -> str:
    parts = [_one_value(resource)]
    for component in resource.get("component", ()):
        parts.append(f"{_concept(component.get('code'))}: {_one_value(component)}")
    text = "; ".join(p for p in parts if p)
    status = _concept(resource.get("clinicalStatus")) or resource.get("status")
    return text or (status if isinstance(status, str) else "")


def _one_value(resource: Resource) -> str:
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        unit = quantity.get("unit") or quantity.get("code") or ""
        return f"{quantity.get('comparator', '')}{quantity.get('value', '')} {unit}".strip()
    for name in ("valueString", "valueDateTime", "valueInteger", "valueBoolean"):
        if name in resource:
            return str(resource[name])
    return _concept(resource.get("valueCodeableConcept"))
