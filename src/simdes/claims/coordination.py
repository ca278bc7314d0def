"""Which insurer comes first: the order of several Coverages of one patient (pure).

A Coverage's ``order`` (https://hl7.org/fhir/R4/coverage-definitions.html#Coverage.order) decides
where every one that counts has its own; else the usual rules in turn: statutory accident and
auto cover first, one's own policy before one as a dependant, the longer standing one, the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from simdes.claims.reading import coded, day_of

Json = Mapping[str, Any]

_FIRST_TYPES: Final = frozenset(("WCBPOL", "AUTOPOL", "COL", "UNINSMOT"))
"""v3 ActCode: workers' compensation and motor insurance pay before health insurance does."""


def covers_on(coverage: Json, day: date) -> bool:
    """Whether a Coverage is in force on a day, by its status and period."""
    if coverage.get("status") != "active":
        return False
    period = coverage.get("period") or {}
    start, end = day_of(period.get("start")), day_of(period.get("end"), last=True)
    return (start is None or start <= day) and (end is None or day <= end)


def in_order(coverages: Iterable[Json], day: date) -> list[Json]:
    """The Coverages in force on a day, in the order in which their insurers are asked."""
    found = [one for one in coverages if covers_on(one, day)]
    orders = [one.get("order") for one in found]
    if all(isinstance(one, int) for one in orders) and len(set(orders)) == len(orders):
        return sorted(found, key=lambda one: (one["order"], str(one.get("id"))))
    return sorted(found, key=_rank)


def _rank(coverage: Json) -> tuple[int, int, str, str]:
    kinds = {code for _, code in coded(coverage.get("type"))}
    relations = {code for _, code in coded(coverage.get("relationship"))}
    own = not relations or relations & {"self", "18"}
    start = str((coverage.get("period") or {}).get("start") or "9999")
    return (0 if kinds & _FIRST_TYPES else 1, 0 if own else 1, start, str(coverage.get("id")))


def payers(coverages: Sequence[Json]) -> list[str]:
    """The value by which each Coverage names its insurer as an organisation of the network, ""
    where it names none (``payor.identifier`` of the system ``urn:simdes:organisation``)."""
    return [_payer(one) for one in coverages]


def _payer(coverage: Json) -> str:
    for payor in coverage.get("payor") or ():
        identifier = payor.get("identifier") or {}
        if identifier.get("system") == "urn:simdes:organisation":
            return str(identifier.get("value", ""))
    return ""
