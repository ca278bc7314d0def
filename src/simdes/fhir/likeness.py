"""How alike a field of two Patients is: names folded and reordered, dates mistyped, and so on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from itertools import product
from typing import Any

from simdes.fhir.nicknames import NICKNAMES

Resource = dict[str, Any]


class Level(StrEnum):
    """How alike a field is. None, instead of a level, where one side has no value."""

    SAME = "same"
    CLOSE = "close"
    HINT = "hint"
    DIFFERENT = "different"


_RANK = (Level.SAME, Level.CLOSE, Level.HINT, Level.DIFFERENT)

# Letters that Unicode does not take apart into a letter and a mark.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
_PARTICLES = frozenset(
    ("al", "ben", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos", "du")
) | {"el", "ibn", "la", "las", "le", "les", "los", "mac", "mc", "o", "of", "st", "ten", "ter"}
_PARTICLES |= {"van", "vom", "von", "y", "zu", "zur"}
_NOT_WORD = re.compile(r"[^\w]+")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_DIGITS = re.compile(r"\d+")
_SHORTEST_PHONE = 7
_LONGEST_FOLDED = 200


def rows(patient: Resource, name: str) -> list[dict[str, Any]]:
    """Return the objects of the list ``name``."""
    value = patient.get(name)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def folded(text: str) -> list[str]:
    """Return the words of ``text`` without case, accents and punctuation; apostrophes join."""
    text = text[:_LONGEST_FOLDED].casefold().replace("'", "").replace("’", "")
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return [word for word in _NOT_WORD.split(plain.replace("_", " ")) if word]


def _best(levels: Iterable[Level | None]) -> Level | None:
    known = [level for level in levels if level is not None]
    return min(known, key=_RANK.index, default=None)


# --- identifiers -----------------------------------------------------------------------------


def identifiers(one: Resource, other: Resource) -> Level | None:
    """Same: system and value; close: a value of which one side names no system.

    Different: each has a value in one and the same system, and none agrees.
    """
    return _best(_identifier(a, b) for a, b in product(_identified(one), _identified(other)))


def _identified(patient: Resource) -> list[tuple[str, str]]:
    found = []
    for row in rows(patient, "identifier"):
        value = row.get("value")
        plain = "".join(folded(value)) if isinstance(value, str) else ""
        if plain:
            found.append((str(row.get("system", "")), plain))
    return found


def _identifier(one: tuple[str, str], other: tuple[str, str]) -> Level | None:
    systems_agree = bool(one[0]) and one[0] == other[0]
    if one[1] == other[1]:
        if systems_agree:
            return Level.SAME
        return Level.CLOSE if not (one[0] and other[0]) and len(one[1]) > 4 else None
    return Level.DIFFERENT if systems_agree else None


# --- names -----------------------------------------------------------------------------------


def family_words(patient: Resource) -> list[str]:
    """Return the words of every family name, particles aside where there are others."""
    texts = (n["family"] for n in rows(patient, "name") if isinstance(n.get("family"), str))
    return list(dict.fromkeys(word for text in texts for word in _significant(text)))


def given_words(patient: Resource) -> list[str]:
    """Return every given name."""
    found: dict[str, None] = {}
    for name in rows(patient, "name"):
        for text in _texts(name.get("given")):
            found |= dict.fromkeys(folded(text))
    return list(found)


def _significant(text: str) -> list[str]:
    words = folded(text)
    return [w for w in words if w not in _PARTICLES] or words


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def families(one: Resource, other: Resource) -> Level | None:
    """Same but for case, accents, particles; close: a part of a double name, a typing error.

    Close, too, where family and given name changed places.
    """
    pairs = product(rows(one, "name"), rows(other, "name"))
    levels = [_family(a, b) for a, b in pairs]
    if any(level is not Level.DIFFERENT and level is not None for level in levels):
        return _best(levels)
    if _are_swapped(one, other):
        return Level.CLOSE
    return _best(levels)


def _family(one: dict[str, Any], other: dict[str, Any]) -> Level | None:
    texts = [n.get("family") for n in (one, other)]
    words = [_significant(t) if isinstance(t, str) else [] for t in texts]
    if not words[0] or not words[1]:
        return None
    if sorted(words[0]) == sorted(words[1]) or "".join(words[0]) == "".join(words[1]):
        return Level.SAME
    shared = set(words[0]) & set(words[1])
    if shared or is_typing_error("".join(words[0]), "".join(words[1])):
        return Level.CLOSE
    return Level.DIFFERENT


def _are_swapped(one: Resource, other: Resource) -> bool:
    """Whether the family name of each is a given name of the other."""
    ours = set(family_words(one)), set(given_words(one))
    theirs = set(family_words(other)), set(given_words(other))
    return bool(ours[0] & theirs[1]) and bool(ours[1] & theirs[0])


def givens(one: Resource, other: Resource) -> Level | None:
    """Same: the first name; close: a short form, a typing error, another's first; hint: initial."""
    level = _best(_given(a, b) for a, b in product(_given_lists(one), _given_lists(other)))
    is_swapped = level is Level.DIFFERENT and _are_swapped(one, other)
    return Level.CLOSE if is_swapped else level


def _given_lists(patient: Resource) -> list[list[str]]:
    lists = [_texts(name.get("given")) for name in rows(patient, "name")]
    return [words for texts in lists if (words := [w for t in texts for w in folded(t)])]


def _given(one: list[str], other: list[str]) -> Level:
    if one[0] == other[0] or "".join(one) == "".join(other):
        return Level.SAME
    if _is_nickname(one[0], other[0]) or is_typing_error(one[0], other[0]):
        return Level.CLOSE
    long = {w for w in one if len(w) > 1} & {w for w in other if len(w) > 1}
    if long and (one[0] in long or other[0] in long):
        return Level.CLOSE
    is_initial = 1 in (len(one[0]), len(other[0])) and one[0][0] == other[0][0]
    return Level.HINT if is_initial else Level.DIFFERENT


def _is_nickname(one: str, other: str) -> bool:
    return other in NICKNAMES.get(one, ())


def is_typing_error(one: str, other: str) -> bool:
    """Whether one letter is wrong, missing, too many or swapped with the next (4 letters up)."""
    if min(len(one), len(other)) < 4 or abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    first, second = one[start:], other[start:]
    is_swap = first[:2] == second[:2][::-1] and first[2:] == second[2:]
    return is_swap or first[1:] in (second[1:], second) or first == second[1:]


# --- the rest --------------------------------------------------------------------------------


def birth_dates(one: Resource, other: Resource) -> Level | None:
    """Close: day and month swapped, one digit wrong, two swapped; hint: the parts both have."""
    first, second = (p.get("birthDate") for p in (one, other))
    if not isinstance(first, str) or not isinstance(second, str):
        return None
    parts = [_DATE.fullmatch(text) for text in (first, second)]
    if parts[0] is None or parts[1] is None:
        return None
    if first == second:
        return Level.SAME if len(first) == 10 else Level.HINT
    if len(first) != len(second):
        short, long = sorted((first, second), key=len)
        return Level.HINT if long.startswith(short) else Level.DIFFERENT
    return Level.CLOSE if len(first) == 10 and _is_slip(first, second) else Level.DIFFERENT


def _is_slip(one: str, other: str) -> bool:
    if one[:4] == other[:4] and (one[5:7], one[8:]) == (other[8:], other[5:7]):
        return True
    digits = [text.replace("-", "") for text in (one, other)]
    return is_typing_error(digits[0], digits[1])


def similar_dates(patient: Resource) -> list[str]:
    """Return the birth date and, where that is a date, the one with day and month swapped."""
    date = patient.get("birthDate")
    if not isinstance(date, str) or not _DATE.fullmatch(date):
        return []
    year, month, day = date[:4], date[5:7], date[8:]
    return [date, f"{year}-{day}-{month}"] if day and day <= "12" and day != month else [date]


def genders(one: Resource, other: Resource) -> Level | None:
    """Tell only of male and female; other and unknown say nothing."""
    pair = [p.get("gender") for p in (one, other)]
    if any(gender not in ("male", "female") for gender in pair):
        return None
    return Level.SAME if pair[0] == pair[1] else Level.DIFFERENT


def addresses(one: Resource, other: Resource) -> Level | None:
    """Same: postal code or city, and the street's words; close: postal code or city alone."""
    return _best(_address(a, b) for a, b in product(rows(one, "address"), rows(other, "address")))


def _address(one: dict[str, Any], other: dict[str, Any]) -> Level | None:
    areas = [[_joined(a.get(name)) for name in ("postalCode", "city")] for a in (one, other)]
    if not any(a and a == b for a, b in zip(*areas, strict=True)):
        return None
    lines = [{w for t in _texts(a.get("line")) for w in folded(t)} for a in (one, other)]
    shared, least = lines[0] & lines[1], min(map(len, lines))
    has_number = any(_DIGITS.search(word) for word in shared)
    return Level.SAME if least and len(shared) * 2 > least and has_number else Level.CLOSE


def _joined(value: Any) -> str:
    return "".join(folded(value)) if isinstance(value, str) else ""


def telecoms(one: Resource, other: Resource) -> Level | None:
    """Same: a telephone number but for its prefixes and signs, or an e-mail address."""
    ours, theirs = ({_number(t) for t in rows(p, "telecom")} - {""} for p in (one, other))
    return Level.SAME if ours & theirs else None


def _number(row: dict[str, Any]) -> str:
    value = row.get("value")
    if not isinstance(value, str):
        return ""
    if "@" in value:
        return value.casefold().strip()
    digits = "".join(_DIGITS.findall(value))
    return digits[-9:] if len(digits) >= _SHORTEST_PHONE else ""


def birth_orders(one: Resource, other: Resource) -> Level | None:
    """Tell twins apart by the order of their birth."""
    first, second = (p.get("multipleBirthInteger") for p in (one, other))
    if not isinstance(first, int) or not isinstance(second, int):
        return None
    return Level.SAME if first == second else Level.DIFFERENT
