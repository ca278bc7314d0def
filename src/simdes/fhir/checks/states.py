"""Does the drug go with the patient's state: pregnancy, asthma, failing kidneys …?

States are read from Conditions (ICD-10 by its hierarchy, SNOMED CT by listed concepts, names), from
the pregnancy status (LOINC 82810-3) and from the estimated filtration rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from simdes.fhir.checks import reading
from simdes.fhir.checks.finding import Finding, Kind, not_checked, summary
from simdes.fhir.checks.knowledge import State, Tables
from simdes.fhir.checks.reading import Resource
from simdes.fhir.checks.record import Record

PREGNANCY: Final = "pregnancy"
RENAL: Final = "severe renal failure"
_PREGNANCY_DAYS: Final = 310
_FERTILE_YEARS: Final = range(11, 56)
_STATUS: Final = "82810-3"
_PREGNANT: Final = frozenset({"LA15173-0", "77386006"})
_NOT_PREGNANT: Final = frozenset({"LA26683-5", "60001007"})
_FILTRATION: Final = frozenset(
    ("33914-3", "48642-3", "48643-1", "62238-1", "69405-9", "98979-8", "98980-6", "50044-7")
)
_LEAST_FILTRATION: Final = 30.0
_SNOMED: Final = "http://snomed.info/sct"
_ICD10: Final = frozenset(
    (
        "http://hl7.org/fhir/sid/icd-10",
        "http://hl7.org/fhir/sid/icd-10-cm",
        "http://hl7.org/fhir/sid/icd-10-gm",
        "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
        "urn:oid:2.16.840.1.113883.6.3",
        "urn:oid:2.16.840.1.113883.6.90",
    )
)
_MOST_NAMED: Final = 5


def check_states(tables: Tables, record: Record, *, today: date) -> Iterator[Finding]:
    """Findings by state, and what of the record could not be judged."""
    present, unknown = _present(tables, record, today)
    keys = record.ordered.keys
    for rule in tables.contraindications:
        if rule.other in keys and rule.one in present:
            for reference in sorted(present[rule.one]):
                state = tables.states[rule.one]
                yield Finding(
                    severity=rule.known.severity,
                    kind=Kind.PREGNANCY if rule.one == PREGNANCY else Kind.CONDITION,
                    code=rule.known.key,
                    summary=summary(
                        f"{record.ordered.name[:60]}: on record is {state.name.en}",
                        f"{record.ordered.name[:60]} : au dossier, {state.name.fr}",
                    ),
                    detail=rule.known.text,
                    references=(reference,) if reference else (),
                    source=rule.known.source,
                )
    if PREGNANCY not in present:
        yield from _pregnancy_unknown(tables, record, today)
    if unknown:
        named = "; ".join(sorted({_name(one) for one in unknown})[:_MOST_NAMED])
        yield not_checked(
            "conditions-unknown",
            f"Problems whose codes are not known here: {named}",
            f"Problèmes dont les codes sont inconnus ici : {named}",
            references=tuple(reading.reference(one) for one in unknown if reading.reference(one)),
        )


def _present(
    tables: Tables, record: Record, today: date
) -> tuple[dict[str, set[str]], list[Resource]]:
    present: dict[str, set[str]] = {}
    unknown: list[Resource] = []
    for condition in (*record.conditions, *record.past_conditions):
        is_past = condition in record.past_conditions
        states = [one for one in tables.states.values() if _is(one, condition.get("code"))]
        for state in states:
            if is_past and not state.past:
                continue
            if state.key == PREGNANCY and _is_long_ago(condition, today):
                continue
            present.setdefault(state.key, set()).add(reading.reference(condition))
        if not states and not is_past and not _is_classified(condition):
            unknown.append(condition)
    for key, reference in _observed(record, today):
        present.setdefault(key, set()).add(reference)
    return present, unknown


def _is(state: State, concept: Any) -> bool:
    for system, code in reading.codes(concept):
        if system in _ICD10 and code.replace(".", "").upper().startswith(state.icd10):
            return True
        if system == _SNOMED and code in state.snomed:
            return True
    return any(_mentions(state, reading.words(name)) for name in reading.names(concept))


def _mentions(state: State, words: tuple[str, ...]) -> bool:
    """Whether a name says the state, and not that there is none or that it runs in the family."""
    if _DENIED.intersection(words):
        return False
    return any(
        words[at : at + len(phrase)] == phrase
        for phrase in state.phrases
        for at in range(len(words) - len(phrase) + 1)
    )


_DENIED: Final = frozenset(
    ("no", "not", "non", "without", "family", "screening", "risk", "suspected", "sans", "familial")
) | {"familiaux", "risque", "exclusion", "unwanted", "test", "tubal"}


def _is_long_ago(condition: Resource, today: date) -> bool:
    began = reading.day(condition.get("onsetDateTime")) or reading.day(
        condition.get("recordedDate")
    )
    return began is not None and began + timedelta(days=_PREGNANCY_DAYS) < today


def _is_classified(condition: Resource) -> bool:
    """ICD-10 is a classification: what none of the listed ranges holds is none of the states."""
    return any(system in _ICD10 for system, _ in reading.codes(condition.get("code")))


def _observed(record: Record, today: date) -> Iterator[tuple[str, str]]:
    status = _newest(record, frozenset({_STATUS}))
    if status is not None and _is_recent(status, today):
        answer = reading.coded(status.get("valueCodeableConcept"))
        if not answer.isdisjoint(_PREGNANT):
            yield PREGNANCY, reading.reference(status)
    rate = _newest(record, _FILTRATION)
    if rate is not None:
        value = reading.quantity(rate.get("valueQuantity"))
        if value is not None and 0 <= value.value < _LEAST_FILTRATION:
            yield RENAL, reading.reference(rate)


def _newest(record: Record, wanted: frozenset[str]) -> Resource | None:
    found = [one for one in record.observations if reading.coded(one.get("code")) & wanted]
    return max(found, key=_moment, default=None)


def _moment(observation: Resource) -> str:
    period = reading.text(reading.member(observation, "effectivePeriod", "start"))
    return reading.text(observation.get("effectiveDateTime")) or period


def _is_recent(observation: Resource, today: date) -> bool:
    when = reading.day(_moment(observation))
    return when is None or when + timedelta(days=_PREGNANCY_DAYS) >= today


def _pregnancy_unknown(tables: Tables, record: Record, today: date) -> Iterator[Finding]:
    """Say so where it matters: a drug that harms a child, a woman of whom nobody asked."""
    harms = any(
        rule.one == PREGNANCY and rule.other in record.ordered.keys
        for rule in tables.contraindications
    )
    if not harms or reading.member(record.patient, "gender") == "male":
        return
    born = reading.day(reading.member(record.patient, "birthDate"))
    if born is not None and today.year - born.year not in _FERTILE_YEARS:
        return
    status = _newest(record, frozenset({_STATUS}))
    answer = reading.coded(reading.member(status, "valueCodeableConcept"))
    if status is None or not _is_recent(status, today) or answer.isdisjoint(_NOT_PREGNANT):
        yield not_checked(
            "pregnancy-missing",
            "This drug may harm an unborn child, and the record does not say whether there is one.",
            "Ce médicament peut nuire à un enfant à naître, et le dossier n'en dit rien.",
        )


def _name(condition: Resource) -> str:
    names = reading.names(condition.get("code"))
    codes = sorted(reading.codes(condition.get("code")))
    return names[0][:50] if names else (codes[0][1] if codes else "?")
