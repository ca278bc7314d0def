"""What a site says about its sources, in files that an analyst writes.

A folder with ``site.toml`` (time zone, encoding, identifier and coding systems, and the same per
sender), FHIR R4 ``ConceptMap`` resources as ``*.json`` (local codes to LOINC, SNOMED and so on,
https://hl7.org/fhir/R4/conceptmap.html), and sheets in folders named after the kind of input
(``hl7v2/z-segments.psv``, ``cda/our-sections.psv``) whose rows go before those that ship.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from simdes.errors import Invalid, SimdesError
from simdes.fhir.json import loads
from simdes.mapper import primitives
from simdes.mapper.model import Json, Sheet, Site
from simdes.mapper.older.shapes import VERSIONS

_TEXTS = ("name", "time_zone", "encoding", "fhir_version", "identity")
_TABLES = ("systems", "code_systems")
_SAME = frozenset(("equal", "equivalent"))
"""Equivalences that translate; a wider or narrower code would change what was said."""


def site_of(files: Mapping[str, bytes], *, default: Site) -> Site:
    """Read a site's files, by their path in its folder; what they don't say is ``default``'s.

    Raises Invalid naming the file, and what is wrong with it.
    """
    made = default
    translations: dict[tuple[str, str], Json] = dict(default.translations)
    sheets: list[Sheet] = list(default.sheets)
    for path in sorted(files):
        data = files[path]
        parts = PurePosixPath(path).parts
        if path == "site.toml":
            made = _settings(path, _toml(path, data), made)
        elif path.endswith(".json"):
            translations.update(_translations(path, data))
        elif path.endswith(".psv") and len(parts) > 1:
            sheets.append(Sheet(parts[0], path, _text(path, data)))
        elif not parts[-1].startswith(("README", ".")):
            raise Invalid(
                f"{path} is no file of a site",
                advice="A site has site.toml, ConceptMaps (*.json) and KIND/*.psv sheets.",
            )
    senders = {
        name: replace(one, translations=MappingProxyType(translations), sheets=tuple(sheets))
        for name, one in made.senders.items()
    }
    return replace(
        made,
        senders=MappingProxyType(senders),
        translations=MappingProxyType(translations),
        sheets=tuple(sheets),
    )


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error


def _toml(path: str, data: bytes) -> Json:
    try:
        return tomllib.loads(_text(path, data))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Invalid(f"{path} is not readable as TOML: {error}") from error


def _settings(path: str, table: Json, default: Site) -> Site:
    """Read one level of settings; ``senders`` start from what stands around them."""
    unknown = sorted(set(table) - {*_TEXTS, *_TABLES, "senders"})
    if unknown:
        raise Invalid(f"{path} has unknown settings: {', '.join(unknown)}")
    changes: dict[str, Any] = {}
    for name in _TEXTS:
        if name in table:
            changes[name] = _checked(path, name, table[name], str)
    for name in _TABLES:
        if name in table:
            given = _checked(path, name, table[name], dict)
            if not all(isinstance(value, str) and value for value in given.values()):
                raise Invalid(f"{path}: {name} must give each name a URI")
            changes[name] = MappingProxyType({**getattr(default, name), **given})
    made = replace(default, **changes)
    try:
        primitives.zone(made.time_zone)
        "".encode(made.encoding)
    except (SimdesError, LookupError) as error:
        raise Invalid(f"{path}: {error}") from error
    if made.fhir_version not in ("", *VERSIONS):
        raise Invalid(f"{path}: fhir_version must be one of {', '.join(VERSIONS)}")
    senders = _checked(path, "senders", table.get("senders", {}), dict)
    read = {
        name: _settings(f"{path}, sender {name}", _checked(path, name, one, dict), made)
        for name, one in senders.items()
    }
    return replace(made, senders=MappingProxyType({**default.senders, **read}))


def _checked(path: str, name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise Invalid(f"{path}: {name} must be {'a table' if kind is dict else 'a text'}")
    return value


def _translations(path: str, data: bytes) -> dict[tuple[str, str], Json]:
    """Read a ConceptMap: (source system, code) -> the Coding that means the same."""
    try:
        resource = loads(data)
    except SimdesError as error:
        raise Invalid(f"{path}: {error.message}") from error
    if not isinstance(resource, dict) or resource.get("resourceType") != "ConceptMap":
        raise Invalid(f"{path} is no ConceptMap")
    try:
        return _translations_in(path, resource)
    except (AttributeError, TypeError) as error:  # a text where an object belongs, and the like
        raise Invalid(f"{path} is not laid out as a ConceptMap") from error


def _translations_in(path: str, resource: Json) -> dict[tuple[str, str], Json]:
    found: dict[tuple[str, str], Json] = {}
    for group in resource.get("group", ()):
        source, system = group.get("source"), group.get("target")
        if not source or not system:
            raise Invalid(f"{path}: each group needs the URIs of its source and target systems")
        for element in group.get("element", ()):
            for target in element.get("target", ()):
                if target.get("equivalence") in _SAME and "code" in target and "code" in element:
                    coding = {"system": system, "code": target["code"]}
                    if target.get("display"):
                        coding["display"] = target["display"]
                    found.setdefault((source, element["code"]), coding)
    return found


def translate(body: Any, translations: Mapping[tuple[str, str], Json]) -> None:
    """Put the code that means the same before a local one, in every CodeableConcept below."""
    if isinstance(body, list):
        for one in body:
            translate(one, translations)
        return
    if not isinstance(body, dict):
        return
    for name, part in body.items():
        if name == "coding" and isinstance(part, list):
            _add(part, translations)
        elif isinstance(part, (dict, list)):
            translate(part, translations)


def _add(codings: list[Json], translations: Mapping[tuple[str, str], Json]) -> None:
    for coding in list(codings):
        found = translations.get((coding.get("system", ""), coding.get("code", "")))
        if found is None:
            continue
        named = {(one.get("system"), one.get("code")) for one in codings}
        if (found["system"], found["code"]) not in named:
            codings.insert(0, dict(found))
