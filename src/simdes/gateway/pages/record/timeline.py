"""A record in the order of its days: every resource a line, grouped by part and by month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from simdes.fhir.attachments import File, files
from simdes.gateway.pages.languages import Reader
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.record import kinds
from simdes.gateway.pages.record.kinds import KINDS, OVER, STATUS, UNKNOWN, Kind
from simdes.gateway.pages.record.saying import Json, dig, first, say, text, unit_of

_MOST_VALUES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A resource as it was loaded, with the name of the organisation that wrote it."""

    resource: Json
    organisation: str
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One resource as people read it.

    ``when`` is a FHIR date ("" without one), ``status`` in the reader's words, ``over`` whether it
    no longer goes on, ``facts`` pairs of a marked name and a text, ``closed`` whether its author
    labelled it as sensitive.
    """

    name: str
    part: str
    kind: str
    title: str
    when: str
    status: str
    over: bool
    facts: tuple[tuple[str, str], ...]
    organisation: str
    own: bool
    closed: bool
    files: tuple[File, ...] = ()

    @property
    def order(self) -> tuple[str, str]:
        """What lines are put in order by; newest last."""
        return _moment(self.when), self.name


def lines(sources: Iterable[Source], reader: Reader) -> list[Line]:
    """The lines of a record, newest first. What other lines say is no line of its own."""
    listed = list(sources)
    drugs = {
        f"Medication/{one.resource.get('id')}": one.resource
        for one in listed
        if one.resource.get("resourceType") == "Medication"
    }
    found = [
        line(one, reader, drugs)
        for one in listed
        if one.resource.get("resourceType") not in kinds.LEFT_OUT and not _is_hidden(one.resource)
    ]
    return sorted(found, key=lambda one: one.order, reverse=True)


def line(source: Source, reader: Reader, drugs: Mapping[str, Json]) -> Line:
    """One resource as people read it."""
    resource = source.resource
    type_ = str(resource.get("resourceType"))
    kind = KINDS.get(type_, UNKNOWN)
    code = _status(resource)
    return Line(
        name=f"{type_}/{resource.get('id')}",
        part=kind.part,
        kind=reader.text(kind.name) or type_,
        title=_title(resource, kind, reader, drugs),
        when=text(resource, kind.when) if kind.when else "",
        status=reader.text(STATUS[code]) if code in STATUS else code,
        over=code in OVER,
        facts=tuple(_facts(resource, kind, reader)),
        organisation=source.organisation,
        own=source.own,
        closed=_is_closed(resource),
        files=tuple(files(resource)),
    )


def parts(listed: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines by their part, in the order of the parts; empty parts left out."""
    found: dict[str, list[Line]] = {part: [] for part in kinds.PARTS}
    for one in listed:
        found[one.part].append(one)
    return {part: its for part, its in found.items() if its}


def months(listed: Sequence[Line], reader: Reader) -> list[tuple[str, list[Line]]]:
    """Lines, newest first, under the month that they are of; "" for those without a date."""
    return [
        (name, list(its)) for name, its in groupby(listed, lambda one: reader.month(one.when[:7]))
    ]


def value_of(resource: Json, reader: Reader) -> str:
    """What an Observation, or a component of one, found; "" where it holds no value."""
    for name in resource:
        if name.startswith("value"):
            value = resource[name]
            if isinstance(value, str) and name in ("valueDateTime", "valueTime"):
                return reader.date(value) or value
            return say(value, reader)
    absent = first(resource, "dataAbsentReason")
    return say(absent, reader) if absent else ""


def reference_of(resource: Json, reader: Reader) -> str:
    """The reference range of a measurement in words, "" without one."""
    found = first(resource, "referenceRange")
    if not isinstance(found, Mapping):
        return ""
    bounds = {name: found[name] for name in ("low", "high") if name in found}
    unit = next((unit_of(one) for one in bounds.values() if isinstance(one, Mapping)), "")
    bare = {name: {"value": one.get("value")} for name, one in bounds.items()}
    return f"{say(bare, reader)} {unit}".strip() if bare else text(found, "text")


def _title(resource: Json, kind: Kind, reader: Reader, drugs: Mapping[str, Json]) -> str:
    for path in kind.title.split("|"):
        found = first(resource, path)
        if isinstance(found, Mapping) and (drug := drugs.get(str(found.get("reference", "")))):
            found = drug.get("code")
        elif isinstance(found, Mapping) and str(found.get("reference", "")).startswith("#"):
            found = first(_contained(resource, str(found["reference"])[1:]), "code")
        if said := say(found, reader):
            return said
    return reader.text(kind.name) or str(resource.get("resourceType"))


def _contained(resource: Json, id_: str) -> Json:
    inside = dig(resource, "contained")
    return next((one for one in inside if isinstance(one, Mapping) and one.get("id") == id_), {})


def _facts(resource: Json, kind: Kind, reader: Reader) -> Iterator[tuple[str, str]]:
    if kind.part == kinds.RESULTS:
        yield from _measured(resource, reader)
    for name, path in kind.facts:
        found = [say(one, reader) for one in dig(resource, path)][:_MOST_VALUES]
        if any(found):
            yield reader.text(name), reader.apart.join(dict.fromkeys(one for one in found if one))
    for name, path in kind.dates:
        if said := reader.date(text(resource, path)):
            yield reader.text(name), said


def _measured(resource: Json, reader: Reader) -> Iterator[tuple[str, str]]:
    if value := value_of(resource, reader):
        yield reader.text(_("Value")), value
    if normal := reference_of(resource, reader):
        yield reader.text(_("Usual range")), normal
    for part in dig(resource, "component"):
        if isinstance(part, Mapping) and (value := value_of(part, reader)):
            yield say(part.get("code"), reader) or reader.text(_("Value")), value


def _status(resource: Json) -> str:
    """The code of the state that says most; "" without one."""
    return text(resource, "clinicalStatus.coding.code|status")[:40]


def _is_closed(resource: Json) -> bool:
    """Whether its author labelled it (https://hl7.org/fhir/R4/security-labels.html)."""
    return any(code not in ("U", "L", "M", "N") for code in dig(resource, "meta.security.code"))


def _is_hidden(resource: Json) -> bool:
    """Documents of ours that only repeat or open what other pages show."""
    if resource.get("resourceType") != "DocumentReference":
        return False
    marks = set(dig(resource, "category.coding.code"))
    return bool(marks & {"simdes-source", "simdes-prescription"})


def _moment(when: str) -> str:
    """A text by which FHIR dates of any precision sort, in UTC where they name an offset."""
    if "T" in when:
        try:
            return datetime.fromisoformat(when).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            return ""
    return when
