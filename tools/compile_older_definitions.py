"""Compile HL7's definitions of FHIR DSTU2 (1.0.2) and STU3 (3.0.2) to what the mapper needs.

Source: the StructureDefinitions that HAPI FHIR packs (Maven Central,
``ca.uhn.hapi.fhir:hapi-fhir-validation-resources-dstu2`` and ``-dstu3``; HL7, CC0-1.0,
https://hl7.org/fhir/DSTU2/downloads.html, https://hl7.org/fhir/STU3/downloads.html). Unpack the
two jars, then

    python -m tools.compile_older_definitions DSTU2-FOLDER STU3-FOLDER

writes ``dstu2.json`` and ``stu3.json`` in ``src/simdes/mapper/older``: by type (an inline type is
named by its path, as in ``simdes.fhir.definitions``) the elements, each as its types between
spaces, with ``*`` behind a list and ``!`` behind a required one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/simdes/mapper/older"
VERSIONS = (("dstu2", "1.0.2"), ("stu3", "3.0.2"))
F = "{http://hl7.org/fhir}"
# What every resource and element has, in all versions; `shapes` adds it.
BASE = frozenset(
    {"id", "meta", "implicitRules", "language", "text", "contained", "extension"}
    | {"modifierExtension"}
)
INNER = frozenset(["id", "extension", "modifierExtension"])
BOUND = "http://hl7.org/fhir/StructureDefinition/"


def main(folders: list[str]) -> int:
    """Compile both versions from the folders given."""
    for (name, version), folder in zip(VERSIONS, folders, strict=True):
        types, names = compile_types(Path(folder))
        path = TARGET / f"{name}.json"
        lines = [f"{json.dumps(one)}:{_compact(types[one])}" for one in sorted(types)]
        head = f'{{"fhirVersion":"{version}","resources":{_compact(sorted(names))},"types":{{\n'
        text = head + ",\n".join(lines) + "\n}}\n"
        path.write_text(text, "utf-8")
        sys.stdout.write(
            f"{path.relative_to(ROOT)}: {len(types)} types, {len(text):,} characters\n"
        )
    return 0


def compile_types(folder: Path) -> tuple[dict[str, dict[str, str]], set[str]]:
    """Return element rows by type, and which types are resources, read below ``folder``."""
    types: dict[str, dict[str, str]] = {}
    resources: set[str] = set()
    for structure in _structures(folder):
        name = _value(structure, "name" if structure.find(F + "type") is None else "type")
        if not _is_base(structure) or name in types:
            continue
        types.setdefault(name, {})
        is_resource = _value(structure, "kind") == "resource"
        if is_resource and _value(structure, "abstract") != "true":
            resources.add(name)
        elements = structure.findall(f"{F}snapshot/{F}element")
        named = {
            _value(one, "name"): _value(one, "path")
            for one in elements
            if one.find(F + "name") is not None
        }
        parents = {_value(one, "path").rpartition(".")[0] for one in elements}
        for one in elements:
            path = _value(one, "path")
            owner, _, element = path.rpartition(".")
            inherited = BASE if owner == name and is_resource else INNER
            if owner and element not in inherited:
                types.setdefault(owner, {})[element] = _row(one, path, parents, named)
    return types, resources


def _row(element: Any, path: str, parents: set[str], named: dict[str, str]) -> str:
    reference = element.find(F + "nameReference")
    content = element.find(F + "contentReference")
    if reference is not None:
        kinds = [named[reference.get("value")]]
    elif content is not None:
        kinds = [content.get("value").lstrip("#")]
    elif path in parents:
        kinds = [path]
    else:
        kinds = list(dict.fromkeys(_kind(one) for one in element.findall(F + "type")))
    is_list = _value(element, "max") not in ("0", "1")
    is_required = _value(element, "min") != "0"
    return " ".join(kinds) + ("*" if is_list else "") + ("!" if is_required else "")


def _kind(found: Any) -> str:
    code = found.find(F + "code")
    value = code.get("value") if code is not None else None
    if value is None:
        return "string"  # the value of a primitive type
    profiles = [one.get("value", "") for one in found.findall(F + "profile")]
    narrowed = profiles[0].removeprefix(BOUND) if profiles else ""
    return narrowed if value == "Quantity" and narrowed == "Money" else value


def _is_base(structure: Any) -> bool:
    """Say whether it defines a type, not a profile on one."""
    kind = _value(structure, "kind")
    if structure.find(F + "derivation") is not None:
        return _value(structure, "derivation") != "constraint" and kind != "logical"
    narrowed = structure.find(F + "constrainedType")
    return kind in ("resource", "datatype") and narrowed is None


def _structures(folder: Path) -> Iterator[Any]:
    for path in sorted(folder.rglob("*.xml")):
        if "StructureDefinition" in path.read_text("utf-8", errors="replace"):
            parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
            yield from etree.parse(path, parser).getroot().iter(F + "StructureDefinition")


def _value(element: Any, name: str) -> str:
    found = element.find(F + name)
    return "" if found is None else str(found.get("value", ""))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
