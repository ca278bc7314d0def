"""What a consent hangs on, in words, for the page on which a wallet signs it.

Each kind has a part of its own in the templates, ``wallet_about_KIND.html``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simdes.exchange.meanings import AREA, PRESCRIPTION, STUDY, Meaning
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.research.studies import Document
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.record.timeline import Source, line


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


def _study(_: Asked, document: Document) -> Words:
    return Words(kind=STUDY, title=document.title, more=(document.purpose,))


def _area(_: Asked, area: str) -> Words:
    return Words(kind=AREA, title=area)


_WORDS: Final[Mapping[str, Callable[[Asked, Any], Words]]] = {
    PRESCRIPTION: _prescription,
    STUDY: _study,
    AREA: _area,
}
