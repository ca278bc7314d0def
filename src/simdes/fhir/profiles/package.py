"""FHIR packages: what others defined, in one archive (https://confluence.hl7.org/display/FHIR/NPM+Package+Specification).

A ``.tgz`` with ``package/package.json`` and one JSON file for each resource. It comes from outside,
so it is read in memory and never unpacked to disk, with limits on what it may hold; only resources
that define something are kept.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from simdes.decoding import ready
from simdes.errors import Invalid, TooLarge
from simdes.fhir.json import loads

Resource = dict[str, Any]

MOST_FILES = 20_000
MOST_BYTES = 1 << 30
MOST_BYTES_OF_A_FILE = 64 << 20
_KEPT = frozenset({"StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap"})


class _Manifest(msgspec.Struct):
    name: str
    version: str
    fhirVersions: list[str] = []


class _Header(msgspec.Struct):
    resourceType: str = ""
    url: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """A package: its name and version, and its definitions by type and canonical URL."""

    name: str
    version: str
    _files: dict[tuple[str, str], bytes]
    _read: dict[tuple[str, str], Resource] = field(default_factory=dict)

    def find(self, kind: str, url: str) -> Resource | None:
        """Return the resource with the canonical ``url``, None if the package has none."""
        key = (kind, url)
        if key not in self._read and key in self._files:
            self._read[key] = loads(self._files[key])
        return self._read.get(key)

    def urls(self, kind: str) -> Iterator[str]:
        """Yield the canonical URLs of all resources of ``kind``."""
        return (url for type_, url in self._files if type_ == kind)


def load_package(path: Path) -> Package:
    """Return the package in the archive ``path``.

    Raises ``Invalid`` for what is no FHIR R4 package, ``TooLarge`` for one above the limits.
    """
    manifest: _Manifest | None = None
    files: dict[tuple[str, str], bytes] = {}
    try:
        for name, content in _members(path):
            if name == "package/package.json":
                manifest = msgspec.json.decode(content, type=ready(_Manifest))
            elif name.endswith(".json") and name.count("/") == 1:
                header = _header(content)
                if header.resourceType in _KEPT and header.url:
                    files.setdefault((header.resourceType, header.url), content)
    except (tarfile.TarError, EOFError, zlib.error, OSError, msgspec.MsgspecError) as error:
        raise Invalid("not a FHIR package: the archive can't be read") from error
    if manifest is None:
        raise Invalid("not a FHIR package: package/package.json is missing")
    if manifest.fhirVersions and not any(v.startswith("4.0") for v in manifest.fhirVersions):
        raise Invalid("the package is for another version of FHIR than R4")
    return Package(manifest.name, manifest.version, files)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file directly in ``package/``, checking the limits."""
    count = total = 0
    with tarfile.open(path, mode="r|gz") as archive:
        for member in archive:
            count, total = count + 1, total + member.size
            if count > MOST_FILES or total > MOST_BYTES:
                raise TooLarge("a package has more files or bytes than are taken in")
            if not member.isfile() or not _is_plain(member.name):
                continue
            if member.size > MOST_BYTES_OF_A_FILE:
                raise TooLarge("a file in a package is larger than is taken in")
            content = archive.extractfile(member)
            if content is not None:
                yield member.name, content.read(MOST_BYTES_OF_A_FILE)


def _is_plain(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "package" and not {"", ".", ".."}.intersection(parts)


def _header(content: bytes) -> _Header:
    """Return what a file says it is; nothing for JSON that is no resource, or no JSON at all."""
    try:
        return msgspec.json.decode(content, type=ready(_Header))
    except msgspec.MsgspecError:
        return _Header()
