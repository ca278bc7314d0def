"""UCUM units in base units, so that quantities in different units can be compared.

https://ucum.org/ucum, sections 3 and 4. A unit's value in others is that of ``ucum-essence.xml``,
compiled by ``tools/compile_ucum.py``. Base units are UCUM's seven and, unlike there, the mole (it
is a number in UCUM: 1 mol/L of something would equal 6e23 /L of anything); an arbitrary unit such
as ``[iU]`` can be compared with nothing but itself. Of the special units, which no factor converts,
temperatures are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import msgspec

from simdes.decoding import ready
from simdes.fhir.ucum import LONGEST_UNIT, is_unit


@dataclass(frozen=True, slots=True)
class CanonicalUnit:
    """The base units ``code`` (``g.m-3``) that a unit converts to: ``value * factor + offset``."""

    code: str
    factor: float
    offset: float = 0.0

    def convert(self, value: Any) -> float:
        """Return the number ``value`` in base units, to 12 digits, so that equals stay equal."""
        return float(f"{float(value) * self.factor + self.offset:.12g}")


@dataclass(frozen=True, slots=True)
class ExactUnit:
    """A :class:`CanonicalUnit` in fractions, for arithmetic that must lose nothing."""

    code: str
    factor: Fraction
    offset: Fraction = Fraction(0)


class _Table(msgspec.Struct):
    prefixes: dict[str, str]
    units: dict[str, tuple[str, str] | None]


_Magnitude = tuple[Fraction, dict[str, int]]

_PART = re.compile(r"(10[*^][+-]?\d*|\d+|\[?[^./()]*)|([./()])")
_SIMPLE = re.compile(r"(10[*^]|(?:[^\s\d\[\]+-]|\[[^\]]*\])+)([+-]?\d+)?")
_NOTE = re.compile(r"\{[^}]*\}")
_BASE = frozenset({"mol"})
_SAME = {"[IU]": "[iU]"}
"""UCUM has the international unit twice."""
_MOST_DIGITS = 40

_TEMPERATURES: Mapping[str, ExactUnit] = {
    "Cel": ExactUnit("K", Fraction(1), Fraction("273.15")),
    "[degF]": ExactUnit("K", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
    "[degRe]": ExactUnit("K", Fraction(5, 4), Fraction("273.15")),
}


def canonical_unit(code: str) -> CanonicalUnit | None:
    """Return what the UCUM unit ``code`` is in base units; None if it isn't known here."""
    return _canonical_unit(code) if len(code) <= LONGEST_UNIT else None


@lru_cache(maxsize=4096)
def _canonical_unit(code: str) -> CanonicalUnit | None:
    unit = exact_unit(code)
    if unit is None:
        return None
    try:
        return CanonicalUnit(unit.code, float(unit.factor), float(unit.offset))
    except OverflowError:
        return None


@lru_cache(maxsize=4096)
def exact_unit(code: str) -> ExactUnit | None:
    """Return what :func:`canonical_unit` does, without rounding."""
    if code in _TEMPERATURES:
        return _TEMPERATURES[code]
    if not is_unit(code):
        return None
    try:
        factor, dimensions = _expression(code)
    except (LookupError, ArithmeticError):
        return None  # a special unit within an expression, or beyond any sensible size
    return ExactUnit(_written(dimensions), factor)


def _written(dimensions: Mapping[str, int]) -> str:
    parts = [f"{u}{'' if e == 1 else e}" for u, e in sorted(dimensions.items()) if e]
    return ".".join(parts) or "1"


def _expression(text: str) -> _Magnitude:
    """Evaluate an expression that `is_unit` accepts, left to right as UCUM says (§ 10)."""
    stack: list[tuple[_Magnitude, int]] = []
    total: _Magnitude = (Fraction(1), {})
    sign = 1
    for part, mark in _PART.findall(_NOTE.sub("", text)):
        if mark == "(":
            stack.append((total, sign))
            total, sign = (Fraction(1), {}), 1
        elif mark == ")":
            outer, outer_sign = stack.pop()
            total, sign = _times(outer, total, outer_sign), 1
        elif mark:
            sign = -1 if mark == "/" else 1
        elif part:
            total, sign = _times(total, _simple(part), sign), 1
    return total


def _times(left: _Magnitude, right: _Magnitude, exponent: int) -> _Magnitude:
    if abs(exponent) > _MOST_DIGITS:
        raise OverflowError
    dimensions = dict(left[1])
    for unit, power in right[1].items():
        dimensions[unit] = dimensions.get(unit, 0) + power * exponent
    return left[0] * right[0] ** exponent, dimensions


def _simple(text: str) -> _Magnitude:
    if text.isdigit():
        return Fraction(text), {}
    match = _SIMPLE.fullmatch(text)
    if match is None:
        raise LookupError(text)
    return _times((Fraction(1), {}), _unit(match[1]), int(match[2] or 1))


@cache
def _unit(code: str) -> _Magnitude:
    table = _table()
    code = _SAME.get(code, code)
    if code in table.units:
        value = table.units[code]
        if value is None or code in _BASE:
            return Fraction(1), {code: 1}
        inner = _expression(value[1]) if value[1] != "1" else (Fraction(1), {})
        return Fraction(value[0]) * inner[0], inner[1]
    for length in (2, 1):
        if code[:length] in table.prefixes and code[length:] in table.units:
            factor, dimensions = _unit(code[length:])
            return Fraction(table.prefixes[code[:length]]) * factor, dimensions
    raise LookupError(code)


@cache
def _table() -> _Table:
    data = resources.files("simdes.fhir.definitions").joinpath("units.json").read_bytes()
    return msgspec.json.decode(data, type=ready(_Table))
