"""All compiled maps of segments, data types and code systems, built when first needed.

A map is followed from the source's side: every field, component and subcomponent that holds
something is looked up, so that what no row takes is known and can be kept or reported.
"""

from __future__ import annotations

from simdes.mapper.hl7v2.datatypes import Chain, DatatypeMap
from simdes.mapper.hl7v2.rules import Vocabulary
from simdes.mapper.hl7v2.segments import SegmentMap
from simdes.mapper.model import Json


class Maps:
    """The maps of one compiled table."""

    def __init__(self, table: Json) -> None:
        self._table = table
        self._segments: dict[str, SegmentMap] = {}
        self._vocabularies: dict[str, Vocabulary] = {}
        self.built: dict[str, DatatypeMap] = {}
        self.defaults: dict[str, list[tuple[str, str, str]]] = {}
        for kind, needs, element, default in table["tables"]["defaults"]:
            self.defaults.setdefault(kind, []).append((needs, element, default))
        self.chain = Chain(table["tables"]["chains"], self)

    def datatype(self, name: str) -> DatatypeMap:
        """Give a data type's map."""
        found = self.built.get(name)
        return found or DatatypeMap(name, self._table["datatypes"][name], self)

    def segment(self, name: str) -> SegmentMap:
        """Give a segment's map."""
        found = self._segments.get(name)
        if found is None:
            found = self._segments[name] = SegmentMap(self._table["segments"][name], self)
        return found

    def vocabulary(self, name: str) -> Vocabulary:
        """Give a concept map."""
        found = self._vocabularies.get(name)
        if found is None:
            found = self._vocabularies[name] = Vocabulary(self._table["codes"][name])
        return found
