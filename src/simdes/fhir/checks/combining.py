"""Is the patient on the same or a like drug already, or on one that this one does not go with?"""

from __future__ import annotations

from collections.abc import Iterator

from simdes.fhir.checks.finding import Finding, Kind, Severity, Text, not_checked, summary
from simdes.fhir.checks.knowledge import TABLE_SOURCE, Interactions, Known, Tables
from simdes.fhir.checks.record import InUse, Record

_MOST_NAMED = 5


def check_duplicates(tables: Tables, record: Record) -> Iterator[Finding]:
    """One finding for each drug in use that does the same: by substance, else by class."""
    ordered = record.ordered
    for one in record.in_use:
        same = ordered.substances & one.drug.substances
        is_same_thing = bool(ordered.codes & one.drug.codes) or (
            bool(ordered.phrase) and ordered.phrase == one.drug.phrase
        )
        shared = sorted(
            (severity.rank, key)
            for key in ordered.classes & one.drug.classes
            if (severity := tables.classes[key].duplicate) is not None
        )
        if same or is_same_thing:
            name = tables.name(min(same)) if same else Text(ordered.name[:60], ordered.name[:60])
            is_grave = bool(shared) and shared[0][0] == Severity.HIGH.rank
            severity = Severity.HIGH if is_grave else Severity.MODERATE
            code = f"duplicate:{min(same) if same else 'code'}"
            yield _duplicate(Kind.SAME_SUBSTANCE, code, severity, name, one)
        elif shared:
            key = shared[0][1]
            severity = tables.classes[key].duplicate or Severity.MODERATE
            yield _duplicate(
                Kind.SAME_CLASS, f"duplicate-class:{key}", severity, tables.name(key), one
            )


def _duplicate(kind: Kind, code: str, severity: Severity, name: Text, one: InUse) -> Finding:
    other = one.drug.name[:50]
    return Finding(
        severity=severity,
        kind=kind,
        code=code.replace(" ", "-"),
        summary=summary(
            f"In use already: {other} ({name.en})", f"Déjà en cours : {other} ({name.fr})"
        ),
        detail=Text(
            "The patient has a drug of the same substance or class in use. Is this one in its "
            "place, or on top of it?",
            "Le patient prend déjà un médicament de la même substance ou classe. Celui-ci le "
            "remplace-t-il, ou s'y ajoute-t-il ?",
        ),
        references=_reference(one),
        source=TABLE_SOURCE,
    )


def check_interactions(source: Interactions, record: Record) -> Iterator[Finding]:
    """What the source says of the ordered drug with each drug in use, and what it lacks."""
    if record.ordered.is_known and not source.covers(record.ordered):
        yield not_checked(
            "interactions-order",
            "No interactions are known here of the ordered drug, which does not mean there are "
            f"none: {record.ordered.name[:60]}",
            "Aucune interaction connue ici pour le médicament prescrit, ce qui n'en exclut pas : "
            f"{record.ordered.name[:60]}",
        )
    for one in record.in_use:
        for known in source.between(record.ordered, one.drug):
            yield _interaction(known, record, one)
    yield from _unknown_drugs(record)


def _interaction(known: Known, record: Record, one: InUse) -> Finding:
    pair = f"{record.ordered.name[:45]} + {one.drug.name[:45]}"
    return Finding(
        severity=known.severity,
        kind=Kind.INTERACTION,
        code=known.key,
        summary=summary(f"Interaction: {pair}", f"Interaction : {pair}"),
        detail=known.text,
        references=_reference(one),
        source=known.source,
    )


def _unknown_drugs(record: Record) -> Iterator[Finding]:
    unknown = [one for one in record.in_use if not one.drug.is_known or not one.drug.is_whole]
    if unknown:
        named = "; ".join(sorted({one.drug.name[:50] for one in unknown})[:_MOST_NAMED])
        yield not_checked(
            "drugs-in-use",
            f"Drugs in use that are not known here, or in part: {named}",
            f"Médicaments en cours inconnus ici, ou en partie : {named}",
            references=tuple(ref for one in unknown for ref in _reference(one)),
        )


def _reference(one: InUse) -> tuple[str, ...]:
    return (one.reference,) if one.reference else ()
