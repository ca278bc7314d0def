"""Displays: which language, and whether two are the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

Designation = dict[str, Any]


def folded(text: str) -> str:
    """Return ``text`` without case, accents and needless white space."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def in_language(display: str, designations: Iterable[Designation], languages: str) -> str:
    """Return the designation in the first of ``languages`` there is, else ``display``.

    ``languages`` is a language tag or a list of them with weights, as in ``Accept-Language``.
    """
    known = [d for d in designations if isinstance(d.get("language"), str) and "value" in d]
    for wanted in _preferred(languages):
        for designation in known:
            tag = designation["language"].lower()
            if tag == wanted or tag.startswith(wanted + "-") or wanted.startswith(tag + "-"):
                return str(designation["value"])
    return display


def _preferred(languages: str) -> list[str]:
    weighted = []
    for part in languages.split(","):
        tag, _, weight = part.strip().lower().partition(";q=")
        try:
            weighted.append((-float(weight or "1"), tag))
        except ValueError:
            weighted.append((0.0, tag))
    return [tag for _, tag in sorted(weighted, key=lambda pair: pair[0]) if tag and tag != "*"]


def is_one_of(text: str, display: str, designations: Iterable[Designation]) -> bool:
    """Whether ``text`` is the display or a designation, but for case and white space."""
    own = " ".join(text.casefold().split())
    known = [display, *(str(d.get("value", "")) for d in designations)]
    return any(own == " ".join(k.casefold().split()) for k in known)
