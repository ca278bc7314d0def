"""Whom a resource is about: a Patient of the same Bundle, by what its subject says, or another.

A message is stored in the vaults of the patients that it names. A resource whose subject is none of
them, be it by a reference that leads out of the Bundle or by an identifier, must not be stored with
theirs (https://hl7.org/fhir/R4/compartmentdefinition-patient.html names the subjects).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simdes.exchange.bundle import Entry
from simdes.fhir.reference import contained, parse_reference
from simdes.fhir.resource import subject_reference
from simdes.index.vaults import Identifier

_UNKNOWN = -1


def identifiers_of(resource: Mapping[str, Any], facility: str) -> tuple[Identifier, ...]:
    """The identifiers of a Patient; ``facility`` stands for the system of those that name none."""
    return tuple(
        dict.fromkeys(
            Identifier(str(one.get("system") or facility), str(one["value"]))
            for one in items(resource, "identifier")
            if one.get("value")
        )
    )


def items(resource: Mapping[str, Any], element: str) -> Iterator[Mapping[str, Any]]:
    """The objects in a list of a resource; nothing where it is no list."""
    found = resource.get(element)
    for one in found if isinstance(found, list) else ():
        if isinstance(one, Mapping):
            yield one


class Subjects:
    """Finds the subjects of a Bundle's resources among its patients.

    ``known`` are identifiers of the one patient where the Bundle holds one Patient or none.
    """

    def __init__(
        self, entries: Sequence[Entry], known: Sequence[Identifier], *, facility: str
    ) -> None:
        self._facility = facility
        self._places = {
            name: at for at, one in enumerate(entries) for name in (one.name, one.full_url)
        }
        patients = [at for at, one in enumerate(entries) if one.type == "Patient"]
        self._local = frozenset(
            entries[at].name
            for at in patients
            if parse_reference(entries[at].full_url).kind != "absolute"
        )
        self._identified = {
            one: at for at in patients for one in identifiers_of(entries[at].resource, facility)
        }
        if len(patients) <= 1:
            self._identified |= dict.fromkeys(known, patients[0] if patients else _UNKNOWN)

    def place(self, entry: Entry) -> int | None:
        """Where the subject of a resource is in the Bundle; None where it names none that is.

        Raises LookupError where it names somebody else.
        """
        subject = subject_reference(dict(entry.resource))
        if subject is None:
            return None
        text = subject.get("reference")
        if not isinstance(text, str):
            identifier = subject.get("identifier")
            return self._by_identifier([identifier] if isinstance(identifier, Mapping) else [])
        literal = parse_reference(text)
        if literal.kind == "fragment":
            inside = contained(dict(entry.resource), literal.id) or {}
            if inside.get("resourceType", "Patient") != "Patient":
                return None
            return self._by_identifier([*items(inside, "identifier")], required=True)
        if (at := self._places.get(literal.versionless)) is not None:
            return at
        tail = f"{literal.type}/{literal.id}"
        if tail in self._local:  # the Patient came without an address of its own
            return self._places[tail]
        raise LookupError

    def _by_identifier(
        self, identifiers: Sequence[Mapping[str, Any]], *, required: bool = False
    ) -> int | None:
        named = identifiers_of({"identifier": list(identifiers)}, self._facility)
        for one in named:
            if one in self._identified:
                at = self._identified[one]
                return None if at == _UNKNOWN else at
        if named or required:
            raise LookupError
        return None
