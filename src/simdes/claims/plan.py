"""An insurer's plan: what is covered, what the patient bears, what it needs to see. Tables.

A plan is TOML: ``[plan]`` and rows of ``[[rule]]`` (the first that names a line's code holds; the
last may name every code by ``*``) and ``[[need]]``. Amounts are texts, so that nothing is read as
floating point. docs/claims.md shows one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes import typed_numbers
from simdes.claims.claimed import Line
from simdes.claims.money import decimals_of, money_of
from simdes.claims.reasons import REASONS
from simdes.errors import Invalid

WHOLE: Final = 10_000
"""All of it, in basis points."""
_RULE: Final = frozenset(
    (
        *("name", "codes", "covered", "reason", "authorisation", "ceiling", "copay"),
        *("coinsurance", "deductible", "limit_amount", "limit_count", "service_types"),
    )
)
_PLAN: Final = frozenset(
    ("id", "name", "currency", "deductible", "coinsurance", "out_of_pocket", "filing_days")
)
_SERVICE_TYPE: Final = re.compile(r"[0-9A-Z]{1,3}")
_NEED: Final = frozenset(("resource", "codes", "why"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for a line: ``ceiling`` for one unit, ``copay`` for the line, ``coinsurance`` in
    basis points (None: the plan's), limits for the period shared by all lines under ``name``.
    ``service_types`` are X12's (data element 1365), under which it is told to who asks."""

    name: str
    codes: Sequence[str] = ("*",)
    covered: bool = True
    reason: str = "96"
    authorisation: bool = False
    ceiling: int | None = None
    copay: int = 0
    coinsurance: int | None = None
    deductible: bool = True
    limit_amount: int | None = None
    limit_count: int | None = None
    service_types: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A kind of resource that the insurer must see for lines with these codes, and why."""

    resource: str
    codes: Sequence[str] = ("*",)
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The rules of one insurer's product; amounts in minor units for one period of the cover."""

    id: str
    name: str
    currency: str
    deductible: int = 0
    coinsurance: int = 0
    out_of_pocket: int | None = None
    filing_days: int = 365
    rules: Sequence[Rule] = ()
    needs: Sequence[Need] = ()

    def rule(self, line: Line) -> Rule:
        """The first rule that names one of a line's codes; without one, the line isn't covered."""
        return next((one for one in self.rules if names(one.codes, line.codes)), _NONE)

    def needed(self, lines: Sequence[Line]) -> list[Need]:
        """What must be seen to decide these lines."""
        return [one for one in self.needs if any(names(one.codes, line.codes) for line in lines)]


_NONE: Final = Rule(name="not in the plan", covered=False, reason="204")


def names(patterns: Sequence[str], codes: Sequence[tuple[str, str]]) -> bool:
    """Whether a pattern (``*``, ``system|code``, ``code``, each may end in ``*``) names a code."""
    return any(
        _names(one, system, code) for one in patterns for system, code in codes or (("", ""),)
    )


def _names(pattern: str, system: str, code: str) -> bool:
    wanted, bar, rest = pattern.rpartition("|")
    if bar and wanted != system:
        return False
    return code.startswith(rest[:-1]) if rest.endswith("*") else code == rest


def read_plan(text: str) -> Plan:
    """Read a plan. Raises Invalid naming what can't be read."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"The plan is no TOML: {error}") from None
    head = told.get("plan")
    if not isinstance(head, dict) or not {"id", "currency"} <= head.keys():
        raise Invalid("A plan has a table [plan] with id and currency.")
    _only(head, _PLAN, "[plan]")
    _only(told, frozenset(("plan", "rule", "need")), "the plan")
    currency = str(head["currency"])
    decimals_of(currency)
    return Plan(
        id=str(head["id"]),
        name=str(head.get("name", head["id"])),
        currency=currency,
        deductible=_amount(head, "deductible", currency) or 0,
        coinsurance=_points(head, "coinsurance") or 0,
        out_of_pocket=_amount(head, "out_of_pocket", currency),
        filing_days=_count(head, "filing_days", 365) or 0,
        rules=tuple(_rule(one, at, currency) for at, one in enumerate(told.get("rule", ()), 1)),
        needs=tuple(_need(one) for one in told.get("need", ())),
    )


def _rule(row: Mapping[str, Any], at: int, currency: str) -> Rule:
    _only(row, _RULE, f"rule {at}")
    reason = str(row.get("reason", "96"))
    if reason not in REASONS:
        raise Invalid(f"Rule {at} names an unknown reason.")
    return Rule(
        name=str(row.get("name", f"rule {at}")),
        codes=_texts(row, "codes"),
        covered=_flag(row, "covered", default=True),
        reason=reason,
        authorisation=_flag(row, "authorisation", default=False),
        ceiling=_amount(row, "ceiling", currency),
        copay=_amount(row, "copay", currency) or 0,
        coinsurance=_points(row, "coinsurance"),
        deductible=_flag(row, "deductible", default=True),
        limit_amount=_amount(row, "limit_amount", currency),
        limit_count=_count(row, "limit_count", None),
        service_types=_service_types(row),
    )


def _need(row: Mapping[str, Any]) -> Need:
    _only(row, _NEED, "a need")
    if not row.get("resource"):
        raise Invalid("A need names a resource.")
    return Need(
        resource=str(row["resource"]), codes=_texts(row, "codes"), why=str(row.get("why", ""))
    )


def _only(row: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(row.keys() - known)
    if unknown:
        raise Invalid(f"There is no {unknown[0]!r} in {where}.")


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = row.get(name, ["*"])
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise Invalid(f"{name} is a list of texts.")
    return tuple(found)


def _service_types(row: Mapping[str, Any]) -> tuple[str, ...]:
    found = _texts(row, "service_types") if "service_types" in row else ()
    if not all(_SERVICE_TYPE.fullmatch(one) for one in found):
        raise Invalid("service_types are X12's codes of one to three letters or digits.")
    return found


def _flag(row: Mapping[str, Any], name: str, *, default: bool) -> bool:
    found = row.get(name, default)
    if not isinstance(found, bool):
        raise Invalid(f"{name} is true or false.")
    return found


def _amount(row: Mapping[str, Any], name: str, currency: str) -> int | None:
    if name not in row:
        return None
    if not isinstance(row[name], str):
        raise Invalid(f'{name} is an amount as text, such as "12.50".')
    found = money_of(row[name], currency).minor
    if found < 0:
        raise Invalid(f"{name} is not negative.")
    return found


def _points(row: Mapping[str, Any], name: str) -> int | None:
    """A percentage with two decimals at most, in basis points."""
    if name not in row:
        return None
    percent = typed_numbers.read(str(row[name]))
    if percent is None:
        raise Invalid(f"{name} is a percentage.")
    points = percent * 100
    if points != int(points) or not 0 <= points <= WHOLE:
        raise Invalid(f"{name} is a percentage with two decimals at most.")
    return int(points)


def _count(row: Mapping[str, Any], name: str, default: int | None) -> int | None:
    found = row.get(name, default)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int) or found < 0):
        raise Invalid(f"{name} is a number that is not negative.")
    return found
