"""Whose is what: a message about several patients, taken apart so that nothing of theirs is mixed.

A resource belongs to the patient that it names; one that names none belongs where the resources
around it belong. Practitioners, organisations and the like are nobody's and go with everybody, each
vault being whole without the others. Headers name only what is in their part. Where that does not
settle every resource, or a resource of one patient points at one of another, the message is
refused: better a person decides (docs/decisions/0016-whose-records.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.errors import Invalid
from simdes.exchange.bundle import Entry, Submitted, entries_of, submitted
from simdes.exchange.subjects import Subjects, identifiers_of, items
from simdes.index.seeing import SHARED
from simdes.index.vaults import Identifier

_HEADERS: Mapping[str, str] = {"MessageHeader": "focus", "Provenance": "target"}
"""Types that point at everything, and the element in which they do."""
_REPLACES, _REPLACED_BY = "replaces", "replaced-by"


@dataclass(frozen=True, slots=True)
class Merge:
    """Two patients are one: records of ``prior`` follow to ``survivor``."""

    survivor: tuple[Identifier, ...]
    prior: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What a message says of one patient. ``subject`` refers to the Patient, "" without one."""

    identifiers: tuple[Identifier, ...]
    resources: tuple[Submitted, ...]
    subject: str

    @property
    def labels(self) -> int:
        """Every label that one of its resources has."""
        mask = 0
        for one in self.resources:
            mask |= one.labels
        return mask


@dataclass(frozen=True, slots=True)
class Parts:
    """A message by patients; merged patients are in one part."""

    parts: tuple[Part, ...]
    merges: tuple[Merge, ...]


@dataclass(slots=True)
class _Graph:
    """Entries of a Bundle by place, and which of them point at which (of several patients)."""

    entries: Sequence[Entry]
    points: Sequence[frozenset[int]]
    facility: str

    def type_of(self, at: int) -> str:
        return self.entries[at].type

    def having(self, *types: str) -> list[int]:
        return [at for at, one in enumerate(self.entries) if one.type in types]


def parts_of(
    bundle: Mapping[str, Any],
    identifiers: Iterable[tuple[str, str]] = (),
    *,
    facility: str = "",
) -> Parts:
    """Take a Bundle apart by its patients.

    ``identifiers`` are those of the one patient where the Bundle holds one or none; ``facility``
    is the system of identifiers that name none. Raises Invalid where the message can't be split
    without mixing patients, and as `entries_of`.
    """
    entries = entries_of(bundle)
    known = [Identifier(*pair) for pair in identifiers]
    subjects = _subjects(entries, Subjects(entries, known, facility=facility))
    graph = _Graph(entries, (), facility)
    patients = graph.having("Patient")
    merges = tuple(_merges(graph, patients))
    if len(patients) <= 1 and not merges:
        named = known or _named(graph, patients)
        subject = entries[patients[0]].name if patients else ""
        whole = Part(tuple(dict.fromkeys(named)), submitted(entries, entries), subject)
        return Parts((whole,), ())
    graph.points = list(_points(entries, subjects))
    persons = _persons(graph, patients)
    owners = _owners(graph, persons)
    parts = [
        _part(graph, owners, person, [at for at in patients if persons[at] == person])
        for person in dict.fromkeys(persons.values())
    ]
    named = [one for part in parts for one in dict.fromkeys(part.identifiers)]
    if len(named) != len(set(named)):
        raise _mixed("gives the same identifier to two of them")
    pairs = tuple(
        Merge(identifiers_of(survivor, facility), identifiers_of(prior, facility))
        for survivor, prior, _, _ in merges
    )
    return Parts(tuple(parts), pairs)


def _part(
    graph: _Graph, owners: Sequence[frozenset[int]], person: int, patients: Sequence[int]
) -> Part:
    inside = {at for at, its in enumerate(owners) if person in its}
    kept = []
    for at in sorted(inside):
        entry = graph.entries[at]
        if entry.type in _HEADERS:
            entry = _only(entry, [graph.entries[one] for one in inside], graph.entries)
        kept.append(entry)
    survivor = next((at for at in patients if not _replaced(graph.entries[at])), patients[0])
    return Part(
        tuple(_named(graph, patients)),
        submitted(kept, graph.entries),
        graph.entries[survivor].name,
    )


def _only(entry: Entry, inside: Sequence[Entry], entries: Sequence[Entry]) -> Entry:
    """A header that names only what is in its part."""
    element = _HEADERS[entry.type]
    outside = _names(entries) - _names(inside)
    named = entry.resource.get(element)
    if not isinstance(named, list):
        return entry
    left = [one for one in named if _reference(one) not in outside]
    resource = {key: value for key, value in entry.resource.items() if key != element}
    return Entry(entry.full_url, entry.logical_id, resource | ({element: left} if left else {}))


def _names(entries: Iterable[Entry]) -> set[str]:
    return {name for one in entries for name in (one.full_url, one.name) if name}


# Who is whom ----------------------------------------------------------------------------------


def _merges(
    graph: _Graph, patients: Sequence[int]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], int | None, int | None]]:
    """(survivor, prior, their places) by ``Patient.link``; each pair once.

    https://hl7.org/fhir/R4/patient.html#links; a link's other side may be an identifier alone.
    """
    seen: set[tuple[tuple[Identifier, ...], ...]] = set()
    for at in patients:
        for link in items(graph.entries[at].resource, "link"):
            kind = link.get("type")
            if kind not in (_REPLACES, _REPLACED_BY):
                continue
            place, other = _other(graph, link.get("other"))
            if other is None:
                continue
            here = graph.entries[at].resource
            sides = (here, other) if kind == _REPLACES else (other, here)
            places = (at, place) if kind == _REPLACES else (place, at)
            pair = tuple(identifiers_of(side, graph.facility) for side in sides)
            if pair not in seen:
                seen.add(pair)
                yield sides[0], sides[1], places[0], places[1]


def _other(graph: _Graph, reference: Any) -> tuple[int | None, Mapping[str, Any] | None]:
    if not isinstance(reference, Mapping):
        return None, None
    target = _reference(reference)
    for at in graph.having("Patient"):
        if target and target in (graph.entries[at].full_url, graph.entries[at].name):
            return at, graph.entries[at].resource
    identifier = reference.get("identifier")
    return None, None if identifier is None else {"identifier": [identifier]}


def _persons(graph: _Graph, patients: Sequence[int]) -> dict[int, int]:
    """Each Patient's person: the first Patient that merges, or the same numbers, make the same."""
    person = {at: at for at in patients}
    pairs = [(one, other) for _, _, one, other in _merges(graph, patients)]
    for one, other in (*pairs, *_same(graph, patients)):
        if one is not None and other is not None:
            first, second = sorted((person[one], person[other]))
            person = {at: first if its == second else its for at, its in person.items()}
    return person


def _same(graph: _Graph, patients: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Patients all of whose numbers another has, as the one that a number was moved from (A43)."""
    numbers = {at: frozenset(_named(graph, [at])) for at in patients}
    having: defaultdict[Identifier, list[int]] = defaultdict(list)
    for at, its in numbers.items():
        for number in its:
            having[number].append(at)
    for at, its in numbers.items():
        found = [other for other in (having[next(iter(its))] if its else ()) if other != at]
        if len(found) == 1 and its <= numbers[found[0]]:
            yield at, found[0]


def _replaced(entry: Entry) -> bool:
    return any(link.get("type") == _REPLACED_BY for link in items(entry.resource, "link"))


def _named(graph: _Graph, patients: Sequence[int]) -> list[Identifier]:
    return [
        one for at in patients for one in identifiers_of(graph.entries[at].resource, graph.facility)
    ]


# Who owns what --------------------------------------------------------------------------------


def _owners(graph: _Graph, persons: Mapping[int, int]) -> list[frozenset[int]]:
    """The persons whose part each entry is in."""
    places = range(len(graph.entries))
    everybody = frozenset(persons.values())
    if len(everybody) == 1:
        return [everybody for _ in places]
    shared = set(graph.having(*SHARED))
    headers = set(graph.having(*_HEADERS))
    own = set(places) - shared - headers
    owners: dict[int, frozenset[int]] = {
        at: frozenset((persons[at],))
        if at in persons
        else frozenset(persons[one] for one in graph.points[at] if one in persons)
        for at in own
    }
    _spread(owners, _neighbours(graph, own), {at for at in own if not owners[at]})
    if any(len(owners[at]) != 1 for at in own):
        raise _mixed("holds resources that belong to several of its patients, or to none")
    for at in own - set(persons):
        if any(owners[one] != owners[at] for one in graph.points[at] if one in own):
            raise _mixed("links resources of different patients")
    owners |= dict.fromkeys(shared, frozenset())
    _spread(owners, _referrers(graph, own | shared), shared)
    found = [owners.get(at) or everybody for at in places]
    for at in headers:
        named = [found[one] for one in graph.points[at] if one not in headers]
        found[at] = frozenset().union(*named) if named else everybody
    return _with_headers(graph, headers, found)


def _with_headers(
    graph: _Graph, headers: set[int], found: list[frozenset[int]]
) -> list[frozenset[int]]:
    """A Provenance of the MessageHeader goes where the header goes."""
    for at in headers:
        of = [found[one] for one in graph.points[at] if one in headers]
        if of and not any(one not in headers for one in graph.points[at]):
            found[at] = frozenset().union(*of)
    return found


def _spread(
    owners: dict[int, frozenset[int]], near: Mapping[int, set[int]], open_: set[int]
) -> None:
    """Let the entries ``open_`` take on the owners of those near them, until nothing changes."""
    changed = True
    while changed:
        changed = False
        for at in open_:
            taken = owners[at].union(*(owners[one] for one in near[at]))
            if taken != owners[at]:
                owners[at], changed = taken, True


def _neighbours(graph: _Graph, among: set[int]) -> dict[int, set[int]]:
    near: defaultdict[int, set[int]] = defaultdict(set)
    for at in among:
        for one in graph.points[at] & among:
            if graph.type_of(one) != "Patient":
                near[at].add(one)
                near[one].add(at)
    return near


def _referrers(graph: _Graph, among: set[int]) -> dict[int, set[int]]:
    near: defaultdict[int, set[int]] = defaultdict(set)
    for at in among:
        for one in graph.points[at]:
            near[one].add(at)
    return near


def _subjects(entries: Sequence[Entry], subjects: Subjects) -> list[int | None]:
    """Where the subject of each entry is. Raises Invalid where one is nobody in the message."""
    found = []
    for one in entries:
        try:
            found.append(subjects.place(one))
        except LookupError:
            raise Invalid(
                f"A {one.type} is of a patient who is not in the message.",
                advice="Send the Patient along, with an identifier, or a message for each patient.",
            ) from None
    return found


def _points(entries: Sequence[Entry], subjects: Sequence[int | None]) -> Iterator[frozenset[int]]:
    place = {name: at for at, one in enumerate(entries) for name in (one.name, one.full_url)}
    for at, (one, subject) in enumerate(zip(entries, subjects, strict=True)):
        named = {place[name] for name in _references(one.resource) if name in place}
        yield frozenset(named if subject is None else named | {subject}) - {at}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key == "reference" and isinstance(part, str):
                yield part
            else:
                yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _reference(value: Any) -> str:
    found = value.get("reference") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""


def _mixed(what: str) -> Invalid:
    return Invalid(
        f"The message names several patients and {what}.",
        advice="Send one message for each patient.",
    )
