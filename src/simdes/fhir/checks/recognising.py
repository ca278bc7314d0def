"""Recognise a medicine: by RxNorm ingredient, by ATC code, by the names of its ingredients.

RxNorm codes of products are not listed: a product's normalized name holds the names of its
ingredients, with `` / `` between them
(https://www.nlm.nih.gov/research/umls/rxnorm/docs/appendix2.html), so that each part of a name must
be recognised for the whole to count as known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from simdes.fhir.checks import reading
from simdes.fhir.checks.knowledge import UNLISTED, Drug, Tables
from simdes.fhir.checks.reading import Code

RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC: Final = "http://www.whocc.no/atc"
_SYSTEMS: Final = {
    RXNORM: "rxnorm",
    "urn:oid:2.16.840.1.113883.6.88": "rxnorm",
    ATC: "atc",
    "urn:oid:2.16.840.1.113883.6.73": "atc",
}
_SUBSTANCE_CODE = re.compile(r"[A-Z]\d{2}[A-Z]{2}\d{2}")
_LONGEST_NAME: Final = 6
_UNNAMED: Final = "?"


def recognise(tables: Tables, concepts: Sequence[Any]) -> Drug:
    """The drug that CodeableConcepts are about: a medicine's code and its ingredients' codes."""
    codes = frozenset[Code]().union(*(reading.codes(one) for one in concepts))
    names = [name for one in concepts for name in reading.names(one)]
    substances, classes = set[str](), set[str]()
    for system, code in codes:
        found = _of_code(tables, _SYSTEMS.get(system, ""), code)
        substances |= found[0]
        classes |= found[1]
    for name in names:
        mentioned = of_name(tables, name)
        substances |= mentioned[0]
        classes |= mentioned[1]
    for one in substances:
        if one in tables.substances:
            classes |= tables.substances[one].classes
    return Drug(
        name=names[0] if names else next((code for _, code in sorted(codes)), _UNNAMED),
        codes=codes,
        substances=frozenset(substances),
        classes=frozenset(classes),
        is_whole=all(_is_whole(tables, one) for one in concepts),
        phrase=reading.words(names[0]) if names else (),
    )


def of_name(tables: Tables, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The substances and classes that a name mentions, the longest names first."""
    text = reading.words(name)
    substances, classes = frozenset[str](), frozenset[str]()
    at = 0
    while at < len(text):
        for length in range(min(_LONGEST_NAME, len(text) - at), 0, -1):
            found = tables.by_words.get(text[at : at + length])
            if found is not None:
                substances |= found[0]
                classes |= found[1]
                at += length
                break
        else:
            at += 1
    return substances, classes


def parts(concept: Any) -> list[str]:
    """The ingredients with their strengths as an RxNorm name lists them; [] without such a name."""
    for one in reading.objects(reading.member(concept, "coding")):
        if _SYSTEMS.get(reading.text(one.get("system"))) == "rxnorm" and one.get("display"):
            return reading.text(one["display"]).split(" / ")
    return []


def _of_code(tables: Tables, system: str, code: str) -> tuple[set[str], set[str]]:
    substances = set(tables.by_code.get((system, code), ()))
    classes = set[str]()
    if system == "atc":
        classes = {one.key for one in tables.classes.values() if code.startswith(one.atc)}
        if not substances and _SUBSTANCE_CODE.fullmatch(code):
            substances = {f"{UNLISTED}{code}"}
    return substances, classes


def _is_whole(tables: Tables, concept: Any) -> bool:
    pieces = parts(concept)
    return len(pieces) < 2 or all(any(of_name(tables, piece)) for piece in pieces)
