"""A record as its page: the same for its patient, for staff by consent and in an emergency.

Who reads says under which rights, and what the addresses of the page keep; the rest is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simdes.exchange.rights import Asking
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.record.loading import Record, load
from simdes.gateway.pages.record.showing import View, view


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Somebody's reading of a record. ``patient`` is the id of its Patient, None where not even
    that is open to them; ``base`` the page's address, ``kept`` what it says of the record;
    ``files`` where its files are saved, up to the parameters that name one."""

    asking: Asking
    patient: str | None
    base: str
    files: str
    kept: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def shown(asked: Asked, reading: Reading) -> View:
    """The part and page of the record that were asked for. NotFound for no such patient."""
    older = asked.asked("older")
    if reading.patient is None:
        found = Record(sources=(), older="", warnings=reading.warnings)
    else:
        found = load(asked.node, reading.asking, reading.patient, older=older)
    return view(
        found,
        asked.reader,
        base=reading.base,
        files=reading.files,
        kept={**reading.kept, **({"older": older} if older else {})},
        part=asked.asked("part"),
        page=asked.page,
    )
