"""Value sets of FHIR R4 as plain lists of codes: the terminology half of compile_definitions.py.

https://hl7.org/fhir/R4/valueset.html#compositions. What can't be enumerated from complete code
systems (a whole of UCUM, LOINC or BCP 47) stays unexpanded; the validator says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

# R4 has two editions of these tables with different codes under one URL.
EDITIONS = frozenset(("http://terminology.hl7.org/CodeSystem/v2-0360",))

# Larger value sets are kept only where a required binding needs them.
LARGEST_OPTIONAL_VALUE_SET = 400


class Terminology:
    """Expands value sets over the code systems whose content is complete in the source."""

    def __init__(self, resources: Iterable[Json]) -> None:
        """``resources`` are ValueSets and CodeSystems."""
        self._sets: dict[str, Json] = {}
        self._systems: dict[str, Json] = {}
        for resource in resources:
            is_set = resource["resourceType"] == "ValueSet"
            (self._sets if is_set else self._systems)[resource["url"]] = resource
        self.code_systems: dict[str, list[str]] = {}

    def value_sets(self, wanted: dict[str, bool]) -> dict[str, Json | None]:
        """Return per value set its codes by system; null codes mean the whole code system.

        A value set that can't be enumerated is null if a required binding needs it, else absent.
        """
        found: dict[str, Json | None] = {}
        for url in sorted(wanted):
            codes = self._expand(url)
            if codes is None:
                if wanted[url]:
                    found[url] = None
                continue
            count = sum(len(c) for c in codes.values())
            if wanted[url] or count <= LARGEST_OPTIONAL_VALUE_SET:
                found[url] = {s: self._shared(s, c) for s, c in sorted(codes.items())}
        return found

    def whole_code_systems(self) -> dict[str, list[str]]:
        """Return the codes of each code system whose content is complete, where it has any."""
        found = {url: self._codes(url) for url in self._systems if url not in EDITIONS}
        return {url: sorted(set(codes)) for url, codes in found.items() if codes}

    def _shared(self, system: str, codes: list[str]) -> list[str] | None:
        whole = self._codes(system)
        if whole is None or sorted(whole) != sorted(codes):
            return codes
        self.code_systems[system] = whole
        return None

    def _expand(self, url: str) -> dict[str, list[str]] | None:
        value_set = self._sets.get(url)
        if value_set is None or "compose" not in value_set:
            return None
        codes: dict[str, list[str]] = {}
        for include in value_set["compose"]["include"]:
            part = self._include(include)
            if part is None:
                return None
            for system, more in part.items():
                known = codes.setdefault(system, [])
                known.extend(c for c in more if c not in known)
        for exclude in value_set["compose"].get("exclude", []):
            part = self._include(exclude)
            if part is None:
                return None
            for system, less in part.items():
                codes[system] = [c for c in codes.get(system, []) if c not in less]
        return codes

    def _include(self, include: Json) -> dict[str, list[str]] | None:
        if "valueSet" in include:
            if len(include["valueSet"]) != 1 or "system" in include:
                return None
            return self._expand(include["valueSet"][0].partition("|")[0])
        system = include["system"]
        if "concept" in include:
            return {system: [c["code"] for c in include["concept"]]}
        codes = self._filtered(system, include["filter"]) if "filter" in include else None
        if "filter" not in include:
            codes = self._codes(system)
        return None if codes is None else {system: codes}

    def _codes(self, system: str) -> list[str] | None:
        code_system = self._systems.get(system)
        if code_system is None or code_system["content"] != "complete":
            return None
        return [c["code"] for c in _concepts(code_system.get("concept", []))]

    def _filtered(self, system: str, filters: list[Json]) -> list[str] | None:
        """Expand the one filter HL7's own sets use: everything below a concept."""
        code_system = self._systems.get(system)
        if code_system is None or len(filters) != 1 or self._codes(system) is None:
            return None
        rule = filters[0]
        if (rule["property"], rule["op"]) not in (
            ("concept", "is-a"),
            ("concept", "descendent-of"),
        ):
            return None
        below = _below(code_system, rule["value"])
        return below if rule["op"] == "descendent-of" else [rule["value"], *below]


def _concepts(concepts: list[Json]) -> Iterable[Json]:
    for concept in concepts:
        yield concept
        yield from _concepts(concept.get("concept", []))


def _below(code_system: Json, top: str) -> list[str]:
    """Return the codes below ``top``, by nesting and by ``subsumedBy`` properties."""
    children: dict[str, list[str]] = {}
    for concept in _concepts(code_system.get("concept", [])):
        children.setdefault(concept["code"], []).extend(
            c["code"] for c in concept.get("concept", [])
        )
        for prop in concept.get("property", []):
            if prop["code"] == "subsumedBy":
                children.setdefault(prop["valueCode"], []).append(concept["code"])
    found: list[str] = []
    waiting = [top]
    while waiting:
        for code in children.get(waiting.pop(0), []):
            if code not in found:
                found.append(code)
                waiting.append(code)
    return found
