"""Check digits of code systems: a number that only looks like a code doesn't pass for one.

Verhoeff's as SNOMED CT's identifiers have it (SNOMED CT Release File Specification, 5.6), Luhn's as
LOINC's do (LOINC Users' Guide, appendix on the check digit).
"""

from __future__ import annotations

_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_FIRST = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permutations() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10)), _FIRST]
    while len(rows) < 8:
        rows.append(tuple(_FIRST[d] for d in rows[-1]))
    return tuple(rows)


_PERMUTED = _permutations()


def has_verhoeff(text: str) -> bool:
    """Whether the digits ``text`` end with their Verhoeff check digit."""
    check = 0
    for place, digit in enumerate(reversed(text)):
        check = _TIMES[check][_PERMUTED[place % 8][int(digit)]]
    return check == 0


def has_luhn(text: str) -> bool:
    """Whether the digits of ``text`` end with their Luhn check digit."""
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
