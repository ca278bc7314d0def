"""The text of search parameters: escapes, lists, prefixes, limits, and how wrong ones are named.

https://hl7.org/fhir/R4/search.html#escaping. Nothing here repeats what a client searched for: a
value may be a patient's name, and a message goes to logs.
"""

from __future__ import annotations

import re
from typing import Final

from simdes.errors import Invalid, TooLarge

MOST_PARAMETERS: Final = 100
MOST_VALUES: Final = 500
MOST_EXPANDED: Final = 5_000
MOST_STEPS: Final = 5
MOST_INCLUDES: Final = 30
MOST_SORTS: Final = 10
LONGEST_VALUE: Final = 16_000
LONGEST_NAME: Final = 300

_NAME = re.compile(r"[A-Za-z0-9_.:\-*]{1,64}")
_ESCAPED = re.compile(r"\\([,|$\\])")
_SEPARATORS = re.compile(r"[\\,$|]")


def wrong(name: str, problem: str, *, advice: str | None = None) -> Invalid:
    """Return the error that ``problem`` is with the parameter ``name``."""
    shown = f"search parameter {name}" if _NAME.fullmatch(name) else "a search parameter"
    return Invalid(f"{shown}: {problem}", advice=advice)


def too_many(name: str, what: str, most: int) -> TooLarge:
    """Return the error that the parameter ``name`` has more than ``most`` of something."""
    shown = f"search parameter {name}" if _NAME.fullmatch(name) else "a search parameter"
    return TooLarge(f"{shown}: more than {most} {what}")


def split(text: str, separator: str) -> list[str]:
    """Return ``text`` cut at each ``separator`` without a backslash before it; escapes stay."""
    if "\\" not in text:
        return text.split(separator)
    parts: list[list[str]] = [[]]
    is_escaped = False
    for character in text:
        if character == separator and not is_escaped:
            parts.append([])
        else:
            parts[-1].append(character)
        is_escaped = character == "\\" and not is_escaped
    return ["".join(part) for part in parts]


def escaped(text: str) -> str:
    """Return ``text`` as one value of a search, whatever separators it holds."""
    return _SEPARATORS.sub(r"\\\g<0>", text)


def unescape(text: str) -> str:
    """Return ``text`` without the backslashes that escape a separator or a backslash."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
