"""From changed resources to Bundles by patient, ready to be submitted.

A resource that names its patient by a reference gets that Patient along, with the identifiers by
which the vault is found; what it points at that is nobody's (practitioners, organisations, places)
goes along too, so that a vault is whole without the others. Resources about nobody go to the
organisation's own vault. Ids stay the source's; references that name the source's address become
relative, so that they lead to what is stored here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from simdes.errors import Forbidden, Invalid, NotFound, SimdesError, Unavailable
from simdes.exchange.facade.source import Change, Source, Unreadable
from simdes.fhir.json import dumps
from simdes.fhir.reference import parse_reference
from simdes.fhir.resource import patient_references, references, subject_reference
from simdes.index.seeing import SHARED
from simdes.index.vaults import ORGANISATION
from simdes.mapper import Limits, Quarantined, Site
from simdes.mapper import Mapping as Mapped
from simdes.mapper.fhir_input import map_version

KIND = "fhir"
_READ_AS = "fhir-r4"
_MOST_CACHED = 4_096
_MOST_ALONG = 64
_OF_MANY = frozenset(("Group",))
"""Types that list patients and are about none of them alone."""

Json = dict[str, Any]
Name = tuple[str, str]


class Gatherer:
    """Makes Bundles of one source's changes; asks it for what they point at. For one thread."""

    def __init__(self, source: Source, *, organisation: bytes, site: Site, limits: Limits) -> None:
        self._source = source
        self._own = (ORGANISATION, f"0x{organisation.hex()}")
        self._site = site
        self._limits = limits
        self._known: OrderedDict[Name, Json | None] = OrderedDict()

    def forget(self) -> None:
        """Ask for everything anew: what goes along is never older than the round."""
        self._known.clear()

    def gather(
        self, name: str, changes: Sequence[Change | Unreadable]
    ) -> Iterator[tuple[Mapped, Sequence[Change]]]:
        """Make an input of each patient's changes, and of each that can't be read.

        Raises Unavailable where the source does not answer for what they point at.
        """
        whole: dict[tuple[Name, ...], list[Change]] = {}
        for one in changes:
            if isinstance(one, Unreadable):
                yield _unreadable(name, one), ()
            elif one.resource is not None:
                local = replace(one, resource=self._localised(one.resource))
                self._keep(one.name, local.resource)
                whole.setdefault(self._patients(local), []).append(local)
        for patients, group in whole.items():
            yield self._input(name, patients, group), group

    def alone(self, name: str, change: Change) -> Mapped:
        """Make an input of one change that `gather` gave."""
        return self._input(name, self._patients(change), [change])

    def _input(self, name: str, patients: Sequence[Name], group: Sequence[Change]) -> Mapped:
        along = self._along(patients, group)
        entries: list[Json] = [*along, *(one.resource for one in group if one.resource is not None)]
        bundle = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [
                {"fullUrl": self._url(one["resourceType"], one["id"]), "resource": one}
                for one in entries
            ],
        }
        mapped = map_version(
            name, dumps(bundle), site=self._site, limits=self._limits, kind=_READ_AS
        )
        messages = tuple(
            replace(
                one,
                event=f"FHIR {group[0].type}" if len(group) == 1 else one.event,
                patient_identifiers=self._identifiers(entries, one.patient_identifiers),
                is_nobodys=not any(entry["resourceType"] == "Patient" for entry in entries),
            )
            for one in mapped.messages
        )
        return replace(mapped, kind=KIND, messages=messages)

    def _identifiers(
        self, entries: Sequence[Json], found: Sequence[tuple[str, str]]
    ) -> tuple[tuple[str, str], ...]:
        """Whose the Bundle is: by the source's own id, too, since that never changes.

        Several patients are told apart by their own identifiers alone.
        """
        patients = [one["id"] for one in entries if one["resourceType"] == "Patient"]
        if not patients:
            return (self._own,)
        if len(patients) > 1:
            return tuple(found)
        return (*found, (f"{self._source.base}/Patient", str(patients[0])))

    def _patients(self, change: Change) -> tuple[Name, ...]:
        """The Patients that a change is about, by its subject or else by its compartments."""
        resource = change.resource or {}
        if change.type in _OF_MANY:
            return ()
        if change.type == "Patient":
            linked = (_local(_reference(one, "other")) for one in _objects(resource, "link"))
            others = (one for one in linked if one is not None and one[0] == "Patient")
            return tuple(sorted({change.name, *others}))
        try:
            subject = subject_reference(resource)
            named = [subject] if subject is not None else patient_references(resource)
        except SimdesError:
            named = []
        found = (_local(one.get("reference")) for one in named)
        return tuple(sorted({one for one in found if one is not None and one[0] == "Patient"}))

    def _along(self, patients: Sequence[Name], group: Sequence[Change]) -> list[Json]:
        """What goes with a group and did not change: its patients, and what is nobody's."""
        have = {one.name for one in group}
        along: dict[Name, Json] = {}
        for name in patients:
            if name not in have and (found := self._fetch(name)) is not None:
                along[name] = found
        waiting = [one.resource for one in group if one.resource is not None]
        for _ in range(2):  # a role's practitioner and organisation, and no further
            named = _nobodys(waiting)
            waiting = []
            for name in named:
                if name in have or name in along or len(along) >= _MOST_ALONG:
                    continue
                if (found := self._fetch(name)) is not None:
                    along[name] = found
                    waiting.append(found)
        return list(along.values())

    def _fetch(self, name: Name) -> Json | None:
        """A resource of the source; None where it has none, or does not give it out."""
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        try:
            found = self._source.get("/".join(name)).resource
        except (NotFound, Forbidden, Invalid):
            found = None
        kept = None
        if found is not None:
            kept = self._localised(_require(found, name))
        self._keep(name, kept)
        return kept

    def _keep(self, name: Name, resource: Json | None) -> None:
        self._known[name] = resource
        self._known.move_to_end(name)
        if len(self._known) > _MOST_CACHED:
            self._known.popitem(last=False)

    def _url(self, type_: str, id_: str) -> str:
        return f"{self._source.base}/{type_}/{id_}"

    def _localised(self, resource: Json) -> Json:
        """The same with references to the source made relative."""
        base = f"{self._source.base}/"
        copied: Json = _relative(resource, base)
        return copied


def _require(found: Any, name: Name) -> Json:
    """The resource that was asked for; another one is an answer that can't be relied on."""
    if isinstance(found, dict) and (found.get("resourceType"), found.get("id")) == name:
        return found
    raise Unavailable("The FHIR server answered with another resource than was asked for")


def _relative(value: Any, base: str) -> Any:
    if type(value) is dict:
        return {
            key: member.removeprefix(base)
            if key == "reference" and type(member) is str
            else _relative(member, base)
            for key, member in value.items()
        }
    if type(value) is list:
        return [_relative(member, base) for member in value]
    return value


def _nobodys(resources: Iterable[Json]) -> dict[Name, None]:
    """The resources about nobody that these point at."""
    found: dict[Name, None] = {}
    for resource in resources:
        for one in references(resource):
            name = _local(one.literal)
            if name is not None and name[0] in SHARED:
                found[name] = None
    return found


def _local(text: Any) -> Name | None:
    """Type and id of a relative reference."""
    if not isinstance(text, str):
        return None
    literal = parse_reference(text)
    return (literal.type, literal.id) if literal.kind == "relative" else None


def _reference(value: Mapping[str, Any], name: str) -> Any:
    found = value.get(name)
    return found.get("reference") if isinstance(found, dict) else None


def _objects(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _unreadable(name: str, one: Unreadable) -> Mapped:
    refused = Quarantined(
        index=0,
        reason_code="invalid-fhir",
        reason="The FHIR server listed an entry that holds no R4 resource with an id.",
        advice="Correct the resource at the FHIR server; its next version is read again.",
        source=dumps(one.entry),
    )
    return Mapped(name=name, kind=KIND, quarantined=(refused,))
