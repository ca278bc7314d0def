"""Where code systems, value sets and concept maps are found.

R4's own (https://hl7.org/fhir/R4/terminologies-systems.html, compiled by
``tools/compile_terminology.py`` into ``definitions/terminology.json.gz``) and what the caller has:
resources that an organisation stored, resources of packages. The caller's come first, so that an
organisation can hold a newer edition under the same URL.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from simdes.errors import NotFound
from simdes.fhir.terminology.system import System

Resource = dict[str, Any]
Provider = Callable[[str, str | None], Iterable[Resource]]
"""``(resource type, canonical URL without version)`` to resources; URL None: all of the type."""

_WITHOUT_CODES = frozenset({"not-present", "supplement"})

KINDS = ("CodeSystem", "ValueSet", "ConceptMap")


def nothing(resource_type: str, url: str | None) -> Iterable[Resource]:
    """Provide no resources: R4's own alone."""
    return ()


class Library:
    """What is loaded. Keeps what it was given, so that one belongs to one request."""

    def __init__(self, provider: Provider = nothing) -> None:
        self._provider = provider
        self._given: dict[tuple[str, str], tuple[Resource, ...]] = {}
        self._systems: dict[tuple[str, str], System | None] = {}

    def find(self, kind: str, canonical: str) -> Resource | None:
        """Return the resource ``url`` or ``url|version``; without version the newest known."""
        url, _, version = canonical.partition("|")
        if (kind, url) not in self._given:
            self._given[kind, url] = tuple(r for r in self._provider(kind, url) if _is(r, kind))
        for found in (self._given[kind, url], published(kind, url)):
            fitting = [r for r in found if not version or _fits(r, version)]
            if fitting:
                return max(fitting, key=_age)
        return self._implicit(canonical) if kind == "ValueSet" else None

    def _implicit(self, canonical: str) -> Resource | None:
        """Return the value set that is there because a code system is.

        All codes of a system (``CodeSystem.valueSet``), SNOMED CT's ``?fhir_vs`` and
        ``?fhir_vs=isa/`` (https://hl7.org/fhir/R4/snomedct.html#implicit), LOINC's ``/vs``.
        """
        system, _, query = canonical.partition("?fhir_vs")
        include: dict[str, Any] = {"system": system}
        if canonical == "http://loinc.org/vs":
            include = {"system": "http://loinc.org"}
        elif query.startswith("=isa/"):
            rule = {"property": "concept", "op": "is-a", "value": query.removeprefix("=isa/")}
            include["filter"] = [rule]
        elif query or system == canonical:
            owners = (r for r in self._provider("CodeSystem", None) if _is(r, "CodeSystem"))
            owner = next((r for r in owners if r.get("valueSet") == canonical), None)
            if owner is None:
                return None
            include = {"system": owner["url"]}
        compose = {"include": [include]}
        return {"resourceType": "ValueSet", "url": canonical, "status": "active"} | {
            "compose": compose
        }

    def get(self, kind: str, canonical: str) -> Resource:
        """Return the resource ``canonical``; raises ``NotFound`` if it is not loaded."""
        found = self.find(kind, canonical)
        if found is None:
            raise NotFound(
                f"the {kind} {canonical} is not loaded here",
                advice="Store the resource or load a package that has it, then ask again.",
            )
        return found

    def system(self, url: str, version: str = "") -> System | None:
        """Return the code system ``url`` ready to ask, None if it is not loaded."""
        key = (url, version)
        if key not in self._systems:
            self._systems[key] = self._load(f"{url}|{version}" if version else url)
        return self._systems[key]

    def _load(self, canonical: str) -> System | None:
        resource = self.find("CodeSystem", canonical)
        if resource is None or resource.get("content") in _WITHOUT_CODES:
            return None
        own = published("CodeSystem", canonical.partition("|")[0])
        if any(resource is one for one in own):
            return _published_system(resource["url"], resource.get("version", ""))
        return System(resource)

    def concept_maps(self) -> Iterator[Resource]:
        """Yield every concept map."""
        given = [r for r in self._provider("ConceptMap", None) if _is(r, "ConceptMap")]
        yield from given
        urls = {r.get("url") for r in given}
        for url in _compiled()["ConceptMap"]:
            if url not in urls:
                yield from published("ConceptMap", url)


def known_system(library: Library, url: str, version: str = "") -> System:
    """Return the code system; raises ``NotFound`` if it is not loaded."""
    system = library.system(url, version)
    if system is None:
        name = f"{url}|{version}" if version else url
        raise NotFound(
            f"the code system {name} is not loaded here, so nothing is said about its codes",
            advice="Store the CodeSystem or load a package that has it, then ask again.",
        )
    return system


@cache
def published(kind: str, url: str) -> tuple[Resource, ...]:
    """Return R4's own resources with the canonical ``url`` (two editions of one v2 table)."""
    rows = _compiled()[kind].get(url, ())
    return tuple(msgspec.json.decode(row) for row in rows)


def published_urls(kind: str) -> tuple[str, ...]:
    """Return the canonical URLs of R4's own resources of ``kind``."""
    return tuple(_compiled()[kind])


@cache
def _published_system(url: str, version: str) -> System:
    editions = published("CodeSystem", url)
    return System(next(r for r in editions if r.get("version", "") == version))


@cache
def _compiled() -> dict[str, dict[str, list[msgspec.Raw]]]:
    packed = resources.files("simdes.fhir.definitions").joinpath("terminology.json.gz").read_bytes()
    return msgspec.json.decode(
        gzip.decompress(packed), type=dict[str, dict[str, list[msgspec.Raw]]]
    )


def _is(resource: Resource, kind: str) -> bool:
    return resource.get("resourceType") == kind


def _fits(resource: Resource, version: str) -> bool:
    """Whether the resource has the version; ``4.0`` asks for any 4.0.x."""
    own = str(resource.get("version", ""))
    return own == version or own.startswith(version + ".")


def _age(resource: Resource) -> tuple[list[tuple[int, str]], str]:
    """Order by version, its numbers as numbers, then by date."""
    parts = str(resource.get("version", "")).replace("-", ".").split(".")
    order = [(int(p), "") if p.isdecimal() and p.isascii() else (0, p) for p in parts]
    return order, str(resource.get("date", ""))
