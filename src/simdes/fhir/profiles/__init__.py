"""Validation against profiles of loaded packages (https://hl7.org/fhir/R4/profiling.html).

Checked: cardinality, fixed values and patterns, types, target types and profiles, slicing,
bindings (required: error; extensible: warning), invariants, extensions. ``mustSupport`` asks
nothing of a resource. R4's own profiles and extension definitions are always there.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import msgspec

from simdes.errors import Invalid, NotFound, SimdesError
from simdes.fhir.primitives import PRIMITIVES
from simdes.fhir.problem import Problem
from simdes.fhir.profiles.check import Checker, Verdict
from simdes.fhir.profiles.extensions import extensions, may_stand
from simdes.fhir.profiles.package import Package, load_package
from simdes.fhir.profiles.tree import Profile, build
from simdes.fhir.profiles.values import Item, root
from simdes.fhir.run import Run
from simdes.fhir.terminology import Library
from simdes.fhir.terminology.sets import Sets
from simdes.fhir.validate import validate

__all__ = ["Package", "Profiles", "load_package", "validate_profile"]

Resource = dict[str, Any]


def validate_profile(resource: Resource, url: str, packages: Iterable[Package]) -> list[Problem]:
    """Return what in ``resource`` breaks the profile ``url``, and what its extensions break.

    The rules of the base type are not among them (:func:`simdes.fhir.validate.validate`). Raises
    ``NotFound`` if the profile is not loaded.
    """
    return _profiles(tuple(packages)).validate(resource, url)


@lru_cache(maxsize=8)
def _profiles(packages: tuple[Package, ...]) -> Profiles:
    return Profiles(packages)


class Profiles:
    """What is loaded, ready to check with. Safe to share between threads."""

    def __init__(self, packages: Iterable[Package] = ()) -> None:
        self._packages = tuple(packages)
        self._built: dict[str, Profile | None] = {}
        self._codes: dict[str, frozenset[tuple[str, str]] | None] = {}

    def validate(self, resource: Resource, url: str) -> list[Problem]:
        """As :func:`validate_profile`."""
        profile = self.profile(url)
        if profile is None:
            raise NotFound(
                f"the profile {url} is not loaded here",
                advice="Load the package that defines it, then validate again.",
            )
        checker, item = self._start(resource)
        checker.check(profile, item, item.type)
        self._check_extensions(checker, item)
        return list(dict.fromkeys(checker.problems))

    def check(self, resource: Resource) -> list[Problem]:
        """Return what breaks the profiles that ``resource``, and what is inside it, claims.

        (``meta.profile``). One that is not loaded, or can't be read, is a warning.
        """
        checker, item = self._start(resource)
        for one, path in checker.resources(item, item.type):
            for url in _claims(one.value):
                self._check_claim(checker, one, path, url)
        self._check_extensions(checker, item)
        return list(dict.fromkeys(checker.problems))

    def _check_claim(self, checker: Checker, item: Item, path: str, url: str) -> None:
        try:
            profile = self.profile(url)
        except Invalid as error:  # the package's fault, not the resource's
            checker.problems.append(_warned(error.message, path, "profile-unreadable"))
            return
        if profile is None:
            message = f"the profile {url} is not loaded here"
            checker.problems.append(_warned(message, path, "profile-unknown"))
        else:
            checker.check(profile, item, path)

    def _start(self, resource: Resource) -> tuple[Checker, Item]:
        run = Run(resource)
        run.enter(resource)
        return Checker(self, run), root(resource)

    def _check_extensions(self, checker: Checker, item: Item) -> None:
        for one, path, hosts in extensions(item, item.type):
            url = one.members.get("url")
            structure = self.structure(url) if isinstance(url, str) else None
            if structure is None or structure.get("type") != "Extension":
                continue
            if not may_stand(structure, hosts):
                message = f"the extension {structure['url']} may not stand here"
                checker.problems.append(
                    Problem("error", "structure", path, message, "extension-context")
                )
            profile = self.profile(structure["url"])
            if profile is not None:
                checker.check(profile, one, path)

    # --- what is loaded ----------------------------------------------------------------------

    def structure(self, canonical: str) -> Resource | None:
        """Return the StructureDefinition, None if it is not loaded."""
        url = canonical.partition("|")[0]
        return self.find("StructureDefinition", url) or _own().get(url)

    def find(self, kind: str, url: str) -> Resource | None:
        """Return the resource of a package, None if none has it."""
        found = (package.find(kind, url) for package in self._packages)
        return next((one for one in found if one is not None), None)

    def profile(self, url: str) -> Profile | None:
        """Return the profile ``url``, None if it is not loaded."""
        plain = url.partition("|")[0]
        if plain not in self._built:
            self._built[plain] = self._build(plain)
        return self._built[plain]

    def _build(self, url: str) -> Profile | None:
        try:
            return build(url, self._sound)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid(f"the profile {url} can't be read") from error

    def _sound(self, url: str) -> Resource | None:
        """Return a StructureDefinition whose parts have the shape that R4 says they have."""
        structure = self.structure(url)
        if structure is None or structure is _own().get(url):
            return structure
        if any(p.code == "structure" or p.rule in PRIMITIVES for p in validate(structure)):
            raise Invalid(f"the profile {url} is no sound StructureDefinition")
        return structure

    def in_value_set(self, url: str, system: str | None, code: str) -> Verdict:
        """Return whether the code is in the value set; None: what is loaded does not tell."""
        plain = url.partition("|")[0]
        library = Library(self.provide)
        if plain not in self._codes:
            self._codes[plain] = _codes(plain, library)
        codes = self._codes[plain]
        if codes is not None and system is not None:
            return (system, code) in codes
        if system is None:
            return None if codes is None else any(code == known for _, known in codes)
        try:
            value_set = library.find("ValueSet", plain)
            found = Sets(library).contains(value_set, (system, code)) if value_set else None
        except SimdesError:
            return None
        return found if found is None else found is not False

    def provide(self, kind: str, url: str | None) -> Iterable[Resource]:
        """Provide the packages' terminology (:data:`simdes.fhir.terminology.Provider`)."""
        urls = [url] if url is not None else [u for p in self._packages for u in p.urls(kind)]
        found = (self.find(kind, one) for one in urls)
        return [one for one in found if one is not None]


def _codes(url: str, library: Library) -> frozenset[tuple[str, str]] | None:
    try:
        return frozenset(Sets(library).codes(library.get("ValueSet", url)))
    except SimdesError:
        return None


def _warned(message: str, path: str, rule: str) -> Problem:
    return Problem("warning", "not-found", f"{path}.meta.profile", message, rule)


def _claims(resource: Resource) -> list[str]:
    meta = resource.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    return [u for u in claimed if isinstance(u, str)] if isinstance(claimed, list) else []


@cache
def _own() -> dict[str, Resource]:
    """Return R4's own profiles and extension definitions by URL."""
    packed = resources.files("simdes.fhir.definitions").joinpath("profiles.json.gz").read_bytes()
    rows: list[Resource] = msgspec.json.decode(gzip.decompress(packed))
    return {row["url"]: row for row in rows}
