"""Can dose, frequency and quantity be meant as they stand?

What the order itself says must hold together whatever the drug; the usual limits of a drug are
those of the shipped table. Whatever is missing for a judgement is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from simdes.fhir.checks import dosing, reading
from simdes.fhir.checks.dosing import Amount, Instruction, Strength
from simdes.fhir.checks.finding import Finding, Kind, Severity, Text, not_checked, summary
from simdes.fhir.checks.knowledge import TABLE_SOURCE, Limit, Tables
from simdes.fhir.checks.reading import Resource
from simdes.fhir.checks.record import Record

_ADULT_YEARS: Final = 18.0
_DAYS_A_YEAR: Final = 365.25
_WEIGHT_DAYS: Final = 366
_WEIGHTS: Final = frozenset(("29463-7", "3141-9", "3142-7", "8335-2"))
_ROUNDING: Final = 1.0001
_GRAVE_FACTOR: Final = 2.0
_MOST_TIMES_A_DAY: Final = 24.0
_MOST_SUPPLY_DAYS: Final = 366.0
_QUANTITY_TOLERANCE: Final = 1.5
_LOCAL: Final = frozenset(
    ("topical", "cutaneous", "ophthalmic", "otic", "nasal", "inhalation", "inhaler", "inhalant",
     "cream", "ointment", "gel", "lotion", "transdermal", "patch", "vaginal", "cutanee", "creme",
     "pommade", "collyre", "nasale", "inhalee", "transdermique", "vaginale")
)  # fmt: skip
"""Words of a route or form for which the limits of the table are not meant."""


@dataclass(frozen=True, slots=True)
class _Person:
    age_years: float | None
    weight_kg: float | None


def check_doses(
    tables: Tables, order: Resource, record: Record, *, today: date
) -> Iterator[Finding]:
    """What is odd about the order itself, then what is above the usual."""
    dosages = [dosing.instruction(one) for one in reading.objects(order.get("dosageInstruction"))]
    yield from _form(dosages)
    yield from _quantity(order, dosages)
    known = sorted(key for key in record.ordered.substances if key in tables.limits)
    person = _Person(_age(record, today), _weight(record, today))
    for substance in known:
        yield from _age_limit(tables, substance, person)
    yield from _missing(tables, record, person, known)
    if not known:
        return
    if _is_local(order, record):
        yield not_checked(
            "dose-route",
            "Dose limits are known here for the body as a whole, not for this route or form.",
            "Les doses maximales connues ici valent pour la voie générale, pas pour cette voie.",
        )
        return
    concepts = (order.get("medicationCodeableConcept"), reading.member(record.medication, "code"))
    for substance in known:
        each = dosing.strength(tables, substance, record.medication, concepts)
        yield from _limits(tables, substance, each, dosages, person)


# --- the order itself ------------------------------------------------------------------------


def _form(dosages: list[Instruction]) -> Iterator[Finding]:
    if not any(one.high for one in dosages):
        what = "dose-rate" if any(one.is_rate for one in dosages) else "dose-missing"
        yield not_checked(
            what,
            "The order has no dose in numbers: dose and quantity were not checked.",
            "La prescription n'a pas de dose chiffrée : dose et quantité non vérifiées.",
        )
    for one in dosages:
        if one.low is None or one.high is None:
            continue
        if one.low.value <= 0 or one.high.value <= 0:
            yield _odd("dose-zero", "The dose is zero or less.", "La dose est nulle ou négative.")
        elif one.low.unit == one.high.unit and one.low.value > one.high.value:
            yield _odd(
                "dose-range",
                "The lowest dose is above the highest.",
                "La dose minimale dépasse la maximale.",
            )
        if dosing.amount(one.high) is None:
            yield not_checked(
                "dose-unit",
                f"The dose's unit is none of UCUM's that are compared here: {one.high.unit[:20]}",
                f"L'unité de la dose n'est pas une unité UCUM comparée ici : {one.high.unit[:20]}",
            )
        if one.times_a_day is None:
            yield not_checked(
                "frequency-missing",
                "How often is not said so that it can be counted: the daily dose was not checked.",
                "La fréquence n'est pas chiffrée : la dose quotidienne n'a pas été vérifiée.",
            )
        elif one.times_a_day <= 0 or one.times_a_day > _MOST_TIMES_A_DAY:
            yield _odd(
                "frequency",
                f"The frequency is not one to take a drug by: {one.times_a_day:g} times a day.",
                f"La fréquence n'est pas plausible : {one.times_a_day:g} fois par jour.",
                Kind.INTERVAL,
            )


def _odd(
    code: str, en: str, fr: str, kind: Kind = Kind.DOSE, severity: Severity = Severity.HIGH
) -> Finding:
    said = Text(en, fr)
    return Finding(
        severity=severity, kind=kind, code=f"order:{code}", summary=summary(en, fr), detail=said
    )


def _quantity(order: Resource, dosages: list[Instruction]) -> Iterator[Finding]:
    supply = order.get("dispenseRequest")
    quantity = reading.quantity(reading.member(supply, "quantity"))
    expected = dosing.days(reading.member(supply, "expectedSupplyDuration"))
    repeats = reading.number(reading.member(supply, "numberOfRepeatsAllowed"))
    if repeats is not None and repeats < 0:
        yield _odd("repeats", "Fewer refills than none.", "Nombre de renouvellements négatif.")
    if expected is not None and expected <= 0:
        yield _odd("supply", "The supply is for no time.", "La durée est nulle ou négative.")
    elif expected is not None and expected > _MOST_SUPPLY_DAYS:
        yield _odd(
            "supply-long",
            f"One supply is for {expected:.0f} days.",
            f"Une délivrance couvre {expected:.0f} jours.",
            severity=Severity.MODERATE,
        )
    if quantity is None:
        yield not_checked(
            "quantity-missing",
            "The order has no quantity.",
            "La prescription n'a pas de quantité.",
        )
        return
    if quantity.value <= 0:
        yield _odd(
            "quantity", "The quantity is zero or less.", "La quantité est nulle ou négative."
        )
        return
    yield from _days_of_supply(dosing.amount(quantity), expected, dosages)


def _days_of_supply(
    quantity: Amount | None, expected: float | None, dosages: list[Instruction]
) -> Iterator[Finding]:
    """Does the quantity last as long as the order says?"""
    if expected is None or expected <= 0 or any(one.as_needed for one in dosages):
        return
    daily = [_daily(one) for one in dosages]
    if len({one.sequence for one in dosages}) > 1 or not daily or quantity is None:
        return
    if any(one is None or one.unit != quantity.unit for one in daily):
        yield not_checked(
            "supply-units",
            "Dose and quantity are in units that can't be compared: days of supply not checked.",
            "Dose et quantité ne sont pas comparables : durée couverte non vérifiée.",
        )
        return
    total = sum(one.value for one in daily if one is not None)
    if total <= 0:
        return
    lasts = quantity.value / total
    if expected / _QUANTITY_TOLERANCE <= lasts <= expected * _QUANTITY_TOLERANCE:
        return
    yield _odd(
        "days-of-supply",
        f"The quantity lasts {lasts:.3g} days, the order is for {expected:.3g}.",
        f"La quantité couvre {lasts:.3g} jours, la prescription {expected:.3g}.",
        severity=Severity.MODERATE,
    )


def _daily(one: Instruction) -> Amount | None:
    given = dosing.amount(one.high) if one.high is not None else None
    if given is None or one.times_a_day is None:
        return None
    return Amount(given.value * one.times_a_day, given.unit)


# --- the person ------------------------------------------------------------------------------


def _age(record: Record, today: date) -> float | None:
    born = reading.day(reading.member(record.patient, "birthDate"))
    return None if born is None or born > today else (today - born).days / _DAYS_A_YEAR


def _weight(record: Record, today: date) -> float | None:
    found = []
    for one in record.observations:
        when = reading.day(one.get("effectiveDateTime"))
        value = reading.quantity(one.get("valueQuantity"))
        mass = dosing.amount(value) if value is not None else None
        if when is None or mass is None or mass.unit != "mg" or mass.value <= 0:
            continue
        is_recent = today - timedelta(days=_WEIGHT_DAYS) <= when <= today
        if is_recent and reading.coded(one.get("code")) & _WEIGHTS:
            found.append((reading.text(one["effectiveDateTime"]), mass.value / 1e6))
    return max(found)[1] if found else None


def _missing(
    tables: Tables, record: Record, person: _Person, known: list[str]
) -> Iterator[Finding]:
    if record.ordered.is_known and not known:
        yield not_checked(
            "dose-limits",
            f"No dose limits are known here of {record.ordered.name[:60]}.",
            f"Aucune dose maximale connue ici pour {record.ordered.name[:60]}.",
        )
    if person.age_years is None:
        yield not_checked(
            "age",
            "The patient's age is not known: age was not checked, doses as for adults.",
            "Âge inconnu : âge non vérifié, doses comparées à celles de l'adulte.",
        )
    elif person.age_years < _ADULT_YEARS and known:
        by_weight = [one for one in known if tables.limits[one].child_day_mg_kg is not None]
        if by_weight and person.weight_kg is None:
            yield not_checked(
                "weight",
                "A child without a weight of the last year on record: dose not checked by weight.",
                "Enfant sans poids de moins d'un an au dossier : dose non vérifiée par le poids.",
            )
        if len(by_weight) < len(known):
            yield not_checked(
                "dose-child",
                "A child, and no dose by weight is known here: compared with an adult's alone.",
                "Enfant, sans dose par poids connue ici : comparée à celle de l'adulte seulement.",
            )


def _age_limit(tables: Tables, substance: str, person: _Person) -> Iterator[Finding]:
    least = tables.limits[substance].from_years
    if least is not None and person.age_years is not None and person.age_years < least:
        name = tables.name(substance)
        yield Finding(
            severity=Severity.HIGH,
            kind=Kind.AGE,
            code=f"age:{substance}".replace(" ", "-"),
            summary=summary(
                f"{name.en} is not usual below {least:g} years",
                f"{name.fr} : inhabituel avant {least:g} ans",
            ),
            detail=Text(
                "The patient is younger than those whom the drug is labelled for.",
                "Le patient est plus jeune que ce que prévoit la notice.",
            ),
            source=TABLE_SOURCE,
        )


# --- the usual limits ------------------------------------------------------------------------


def _is_local(order: Resource, record: Record) -> bool:
    routes: list[Any] = [
        one.get("route") for one in reading.objects(order.get("dosageInstruction"))
    ]
    named = [name for one in routes for name in reading.names(one)]
    named += reading.names(reading.member(record.medication, "form"))
    named += reading.names(order.get("medicationCodeableConcept"))
    named += reading.names(reading.member(record.medication, "code"))
    return any(_LOCAL.intersection(reading.words(one)) for one in named)


def _limits(
    tables: Tables,
    substance: str,
    each: Strength,
    dosages: list[Instruction],
    person: _Person,
) -> Iterator[Finding]:
    limit = tables.limits[substance]
    name = tables.name(substance)
    by_step: dict[float, float] = {}
    is_unclear = False
    for one in dosages:
        given = dosing.amount(one.high) if one.high is not None else None
        mass = dosing.milligrams(given, each) if given is not None else None
        if mass is None:
            is_unclear = is_unclear or given is not None
            continue
        yield from _above("once", mass, limit.once_mg, substance, name)
        if one.times_a_day is not None and one.times_a_day > 0:
            by_step[one.sequence] = by_step.get(one.sequence, 0.0) + mass * one.times_a_day
            yield from _too_often(one, limit, substance, name)
    if is_unclear:
        yield not_checked(
            "strength",
            f"The strength is not known, so the dose of {name.en} was not checked.",
            f"Le dosage unitaire est inconnu, la dose de {name.fr} n'a pas été vérifiée.",
        )
    daily = max(by_step.values(), default=None)
    if daily is not None:
        yield from _above("day", daily, _most_a_day(limit, person), substance, name)


def _most_a_day(limit: Limit, person: _Person) -> float | None:
    is_child = person.age_years is not None and person.age_years < _ADULT_YEARS
    if not is_child or limit.child_day_mg_kg is None or person.weight_kg is None:
        return limit.day_mg
    by_weight = limit.child_day_mg_kg * person.weight_kg
    return by_weight if limit.day_mg is None else min(by_weight, limit.day_mg)


def _above(
    when: str, mass: float, most: float | None, substance: str, name: Text
) -> Iterator[Finding]:
    if most is None or mass <= most * _ROUNDING:
        return
    en, fr = {"once": ("at once", "en une prise"), "day": ("a day", "par jour")}[when]
    grave = mass > most * _GRAVE_FACTOR * _ROUNDING
    yield Finding(
        severity=Severity.HIGH if grave else Severity.MODERATE,
        kind=Kind.HIGH_DOSE,
        code=f"dose-{when}:{substance}".replace(" ", "-"),
        summary=summary(
            f"{name.en}: {mass:.4g} mg {en}, usual at most {most:.4g} mg",
            f"{name.fr} : {mass:.4g} mg {fr}, usuellement {most:.4g} mg au plus",
        ),
        detail=Text(
            "Above the usual highest dose of the shipped table. It may be meant: ask.",
            "Au-dessus de la dose maximale usuelle de la table. C'est peut-être voulu : demander.",
        ),
        source=TABLE_SOURCE,
    )


def _too_often(one: Instruction, limit: Limit, substance: str, name: Text) -> Iterator[Finding]:
    if limit.every_days is None or one.times_a_day is None:
        return
    if one.times_a_day * limit.every_days <= _ROUNDING:
        return
    yield Finding(
        severity=Severity.HIGH,
        kind=Kind.INTERVAL,
        code=f"interval:{substance}".replace(" ", "-"),
        summary=summary(
            f"{name.en} is usually taken once in {limit.every_days:g} days, not more often",
            f"{name.fr} se prend usuellement une fois tous les {limit.every_days:g} jours",
        ),
        detail=Text(
            "Taken more often by mistake, it has killed. Ask the prescriber.",
            "Pris plus souvent par erreur, il a causé des décès. Demander au prescripteur.",
        ),
        source=TABLE_SOURCE,
    )
