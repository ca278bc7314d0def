"""What a consent hangs on, in words, for the page on which a wallet signs it.

Each kind has a part of its own in the templates, ``wallet_about_KIND.html``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simdes.exchange import members
from simdes.exchange.claims.appealing import is_words
from simdes.exchange.claims.disclosing import Line as ClaimLine
from simdes.exchange.claims.disclosing import Request
from simdes.exchange.meanings import AREA, CLAIM, PRESCRIPTION, STUDY, Meaning
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.research.studies import Document
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.record.loading import load
from simdes.gateway.pages.record.timeline import Line, Source, line


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a consent hangs on: its kind, its title, what else there is to say of it."""

    kind: str
    title: str
    more: tuple[str, ...] = ()


def in_words(asked: Asked, meaning: Meaning | None) -> Words | None:
    """As the reader writes it; None for None."""
    return None if meaning is None else _WORDS[meaning.kind](asked, meaning.found)


def medicine(asked: Asked, held: Held) -> tuple[str, str]:
    """What was prescribed, and how to take it, "" where nobody said."""
    one = line(Source(resource=held.request, organisation="", own=True), asked.reader, {})
    return one.title, dict(one.facts).get(asked.reader.text("How to take it"), "")


def _prescription(asked: Asked, held: Held) -> Words:
    title, dosage = medicine(asked, held)
    return Words(kind=PRESCRIPTION, title=title, more=(dosage,) if dosage else ())


def titles(asked: Asked, mine: Own) -> dict[str, Line]:
    """The lines of the patient's record by the reference of their resource."""
    found = load(asked.node, mine.asking, mine.record.patient)
    return {
        f"{one.resource['resourceType']}/{one.resource.get('id')}": line(one, asked.reader, {})
        for one in found.sources
    }


def _claim(asked: Asked, found: Request) -> Words:
    known, reader = titles(asked, own(asked)), asked.reader

    def said(one: ClaimLine) -> str:
        its = known.get(one.reference)
        if its is None:
            return f"{one.reference}: {one.why}"
        when = f", {reader.date(its.when)}" if its.when else ""
        words = dict(its.facts).get(reader.text("Text"))
        if words and is_words(one):
            return f"{its.kind}{when}: {words}"
        return f"{its.title} ({its.kind}{when}): {one.why}"

    more = tuple(said(one) for one in found.lines)
    return Words(kind=CLAIM, title=members.name_of(asked.node, found.provider), more=more)


def _study(_: Asked, document: Document) -> Words:
    return Words(kind=STUDY, title=document.title, more=(document.purpose,))


def _area(_: Asked, area: str) -> Words:
    return Words(kind=AREA, title=area)


_WORDS: Final[Mapping[str, Callable[[Asked, Any], Words]]] = {
    CLAIM: _claim,
    PRESCRIPTION: _prescription,
    STUDY: _study,
    AREA: _area,
}
