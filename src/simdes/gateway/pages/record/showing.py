"""What a page shows of a record: an overview, or one part of it, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from simdes.gateway.pages.languages import Reader
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.record import kinds
from simdes.gateway.pages.record.loading import Record
from simdes.gateway.pages.record.results import Series, series
from simdes.gateway.pages.record.saying import dig, say, text
from simdes.gateway.pages.record.timeline import Line, Source, lines, months, parts

LINES: Final = 50
SERIES: Final = 8
MORE_SERIES: Final = 12
"""Charts on the overview, and on each page of the results."""
RECENT: Final = 30
HISTORY: Final = "all"
"""The part that is everything in the order of its days."""

Address = Callable[..., str]
"""The address of a page of this record, by ``part``, ``page`` and ``older``."""

_GENDERS: Final = {
    "male": _("male"),
    "female": _("female"),
    "other": _("other"),
    "unknown": _("unknown"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who the record is about, in words."""

    name: str
    born: str
    gender: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A part of the record to go to."""

    label: str
    count: int
    address: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a template writes. ``part`` "" is the overview; ``before``, ``after`` and ``older``
    are addresses, "" where there is nothing; ``files`` begins those of files, "" for none."""

    person: Person | None
    tabs: tuple[Tab, ...]
    part: str
    heading: str
    current: tuple[tuple[str, tuple[Line, ...]], ...]
    series: tuple[Series, ...]
    more_series: str
    months: tuple[tuple[str, tuple[Line, ...]], ...]
    before: str
    after: str
    older: str
    files: str
    empty: bool
    warnings: tuple[str, ...]


def view(
    record: Record,
    reader: Reader,
    *,
    base: str,
    kept: Mapping[str, str],
    files: str = "",
    part: str = "",
    page: int = 1,
) -> View:
    """The page of a record at ``base`` with the parameters ``kept`` in every address."""
    listed = lines(record.sources, reader)
    by_part = parts(listed)
    measured = series(record.sources, reader)

    def address(**more: str | int) -> str:
        said = {name: value for name, value in {**kept, **more}.items() if value not in ("", 1)}
        return f"{base}?{urlencode(said)}" if said else base

    part = part if part == HISTORY or part in by_part else ""
    chosen = _chosen(listed, by_part, part)
    pages = max(1, -(-len(chosen) // LINES))
    if part == kinds.RESULTS:
        pages = max(pages, -(-len(measured) // MORE_SERIES))
    page = max(1, min(page, pages))
    shown = chosen[(page - 1) * LINES : page * LINES] if part else chosen[:RECENT]
    return View(
        person=person(record.patient, reader),
        tabs=_tabs(by_part, len(listed), part, reader, address),
        part=part,
        heading=reader.text(kinds.PARTS.get(part, "")),
        current=() if part else tuple(_current(by_part, reader)),
        series=_measured(measured, part, page),
        more_series=address(part=kinds.RESULTS) if not part and len(measured) > SERIES else "",
        months=tuple((name, tuple(its)) for name, its in months(shown, reader)),
        before=address(part=part, page=page - 1) if page > 1 else "",
        after=address(part=part, page=page + 1) if part and page < pages else "",
        older=address(part=part or HISTORY, older=record.older) if record.older else "",
        files=files,
        empty=not listed,
        warnings=record.warnings,
    )


def _chosen(listed: Sequence[Line], by_part: Mapping[str, list[Line]], part: str) -> Sequence[Line]:
    """The lines of a part. Measurements in charts are not said twice beside the others' lines."""
    if part in ("", HISTORY):
        return listed
    return by_part[part]


def _measured(measured: Sequence[Series], part: str, page: int) -> tuple[Series, ...]:
    if part == kinds.RESULTS:
        return tuple(measured[(page - 1) * MORE_SERIES : page * MORE_SERIES])
    return tuple(measured[:SERIES]) if not part else ()


def _current(
    by_part: Mapping[str, list[Line]], reader: Reader
) -> Sequence[tuple[str, tuple[Line, ...]]]:
    """What goes on now: problems, allergies, medicines; each by name, the newest of equal ones."""
    return [
        (reader.text(kinds.PARTS[part]), tuple(_distinct(by_part.get(part, ()))))
        for part in (kinds.PROBLEMS, kinds.ALLERGIES, kinds.MEDICINES)
    ]


def _distinct(listed: Sequence[Line]) -> list[Line]:
    found: dict[str, Line] = {}
    for one in listed:
        if not one.over:
            found.setdefault(one.title.casefold(), one)
    return list(found.values())[:12]


def _tabs(
    by_part: Mapping[str, list[Line]],
    total: int,
    part: str,
    reader: Reader,
    address: Address,
) -> tuple[Tab, ...]:
    found = [
        Tab(label=reader.text(_("Overview")), count=0, address=address(), here=not part),
        *(
            Tab(
                label=reader.text(kinds.PARTS[name]),
                count=len(its),
                address=address(part=name),
                here=name == part,
            )
            for name, its in by_part.items()
        ),
        Tab(
            label=reader.text(_("Everything by date")),
            count=total,
            address=address(part=HISTORY),
            here=part == HISTORY,
        ),
    ]
    return tuple(found) if total else ()


def person(patient: Source | None, reader: Reader) -> Person | None:
    """Who a Patient is, in words; None without one."""
    if patient is None:
        return None
    resource = patient.resource
    names = [say(one, reader) for one in dig(resource, "name")]
    facts = [
        (_("Address"), [say(one, reader) for one in dig(resource, "address")]),
        (_("Phone and e-mail"), [say(one, reader) for one in dig(resource, "telecom")]),
        (_("Numbers"), [say(one, reader) for one in dig(resource, "identifier")]),
    ]
    return Person(
        name=next((one for one in names if one), ""),
        born=reader.date(text(resource, "birthDate")),
        gender=reader.text(_GENDERS.get(text(resource, "gender"), "")),
        facts=tuple(
            (reader.text(name), reader.apart.join(one for one in dict.fromkeys(said) if one))
            for name, said in facts
            if any(said)
        ),
    )
