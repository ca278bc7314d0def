"""Is the patient allergic to what is ordered: to the very thing, an ingredient, its class?

AllergyIntolerance (https://hl7.org/fhir/R4/allergyintolerance.html). Refuted and entered-in-error
ones do not count, nor inactive and resolved ones; unconfirmed ones do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from simdes.fhir.checks import reading
from simdes.fhir.checks.finding import Finding, Kind, Severity, Text, not_checked, summary
from simdes.fhir.checks.knowledge import TABLE_SOURCE, Drug, Tables
from simdes.fhir.checks.reading import Resource
from simdes.fhir.checks.recognising import recognise
from simdes.fhir.checks.record import Record

NO_KNOWN_ALLERGY: Final = frozenset(
    ("716186003", "409137002", "no-known-allergies", "no-known-medication-allergies")
)
"""SNOMED CT's and IPS's codes for "asked, and there is none"."""
_NOBODY_ASKED: Final = frozenset(("no-allergy-info", "1631000175102"))
_OTHER_THINGS: Final = frozenset(("food", "environment"))
_MOST_NAMED: Final = 5


def check_allergies(tables: Tables, record: Record) -> Iterator[Finding]:
    """Findings, one for each allergy at most, and what could not be checked."""
    unknown: list[Resource] = []
    is_asked = False
    for allergy in record.allergies:
        code = reading.coded(allergy.get("code"))
        if not code.isdisjoint(_NOBODY_ASKED):
            continue
        is_asked = True
        if not code.isdisjoint(NO_KNOWN_ALLERGY):
            continue
        substance = _substance(tables, allergy)
        found = _found(tables, allergy, substance, record.ordered)
        if found is not None:
            yield found
        elif not substance.is_known and not _is_of_other_things(allergy):
            unknown.append(allergy)
    if not is_asked:
        yield not_checked(
            "allergies-missing",
            "The record says nothing about allergies: ask the patient.",
            "Le dossier ne dit rien des allergies : interroger le patient.",
        )
    if unknown:
        named = "; ".join(_name(one) for one in unknown[:_MOST_NAMED])
        yield not_checked(
            "allergies-unknown",
            f"Allergies compared by code and name alone, not known here otherwise: {named}",
            f"Allergies comparées par code et nom seulement, substance inconnue ici : {named}",
            references=tuple(reading.reference(one) for one in unknown if reading.reference(one)),
        )


def _substance(tables: Tables, allergy: Resource) -> Drug:
    concepts: list[Any] = [allergy.get("code")]
    concepts += [one.get("substance") for one in reading.objects(allergy.get("reaction"))]
    return recognise(tables, [one for one in concepts if isinstance(one, dict)])


def _is_of_other_things(allergy: Resource) -> bool:
    value = allergy.get("category")
    categories = {reading.text(one) for one in (value if isinstance(value, list) else [value])}
    return bool(categories & _OTHER_THINGS) and categories <= _OTHER_THINGS


def _name(allergy: Resource) -> str:
    names = reading.names(allergy.get("code"))
    return names[0][:60] if names else "?"


def _found(tables: Tables, allergy: Resource, to: Drug, ordered: Drug) -> Finding | None:
    """The gravest thing that one allergy says about the order."""
    same = to.substances & ordered.substances
    if same or to.codes & ordered.codes or (to.phrase and to.phrase == ordered.phrase):
        key = min(same) if same else "code"
        name = tables.name(key) if same else Text(ordered.name[:60], ordered.name[:60])
        return _finding(allergy, "substance", key, Severity.HIGH, name, None)
    shared = [
        (severity, key)
        for key in to.classes & ordered.classes
        if (severity := tables.classes[key].allergy) is not None
    ]
    if shared:
        severity, key = min(shared, key=lambda one: (one[0].rank, one[1]))
        return _finding(allergy, "class", key, severity, tables.name(key), None)
    crossed = [
        rule.known
        for rule in tables.crossings
        if rule.one in to.keys and rule.other in ordered.keys
    ]
    if crossed:
        known = min(crossed, key=lambda one: (one.severity.rank, one.key))
        name = Text(to.name[:60], to.name[:60])
        return _finding(allergy, "crossing", known.key, known.severity, name, known.text)
    return None


def _finding(
    allergy: Resource, how: str, key: str, severity: Severity, name: Text, said: Text | None
) -> Finding:
    criticality = allergy.get("criticality")
    graded = severity
    if criticality == "high":
        graded = Severity.HIGH
    elif criticality == "low" or (allergy.get("type") == "intolerance" and criticality is None):
        graded = severity.milder
    said = said or _SAID[how]
    reference = reading.reference(allergy)
    return Finding(
        severity=graded,
        kind=Kind.ALLERGY,
        code=f"allergy-{how}:{key.partition(':')[2] or key}".replace(" ", "-"),
        summary=summary(
            f"Allergy on record: {_name(allergy)}. {_SHORT[how].en}: {name.en}",
            f"Allergie au dossier : {_name(allergy)}. {_SHORT[how].fr} : {name.fr}",
        ),
        detail=Text(
            f"{said.en} {_manifestations(allergy, 'Reactions on record')}".strip(),
            f"{said.fr} {_manifestations(allergy, 'Réactions au dossier')}".strip(),
        ),
        references=(reference,) if reference else (),
        source=TABLE_SOURCE,
    )


_SHORT: Final = {
    "substance": Text("Ordered is", "Prescrit"),
    "class": Text("Ordered is of the class", "Prescrit, de la classe"),
    "crossing": Text("May cross-react with", "Réaction croisée possible avec"),
}
_SAID: Final = {
    "substance": Text(
        "The patient is recorded as allergic to what is ordered.",
        "Le patient est noté allergique à ce qui est prescrit.",
    ),
    "class": Text(
        "The patient is recorded as allergic to a drug of the same class.",
        "Le patient est noté allergique à un médicament de la même classe.",
    ),
}


def _manifestations(allergy: Resource, words: str) -> str:
    found = [
        name
        for reaction in reading.objects(allergy.get("reaction"))
        for concept in reading.objects(reaction.get("manifestation"))
        for name in reading.names(concept)[:1]
    ]
    return f"{words}: {', '.join(one[:60] for one in found[:_MOST_NAMED])}." if found else ""
