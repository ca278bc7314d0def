"""Compile HL7's v2-to-FHIR maps (data/v2-to-fhir) and our overlay into the mapper's one table.

Run ``python -m tools.compile_v2_maps`` after a change of either; it writes
``src/simdes/mapper/hl7v2/table.json``, or with ``--check`` says whether that file is up to date.
It stops at every row that it cannot follow, naming it: the overlay then has to decide it, so that
no row of HL7's is dropped by accident. Only what the messages of ``events.psv`` reach is compiled.
Source of the maps: https://github.com/HL7/v2-to-fhir (Apache-2.0).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tools.v2_to_fhir import shapes, sheets, structures, syntax

from simdes.mapper.hl7v2.notation import rows

ROOT = Path(__file__).parents[1]
MAPS = ROOT / "data/v2-to-fhir/mappings"
OVERLAY = ROOT / "data/v2-to-fhir-overlay"
OUTPUT = ROOT / "src/simdes/mapper/hl7v2/table.json"

Json = dict[str, Any]


class Compiler:
    """Collects what the covered messages reach, and every problem on the way."""

    def __init__(self) -> None:
        self.segments = sheets.maps(MAPS, "segments")
        self.repeating = sheets.repeating(MAPS)
        self.datatypes = sheets.maps(MAPS, "datatypes")
        self.vocabularies = sheets.vocabularies(MAPS)
        self.overlay = sheets.overlay(OVERLAY / "rows.psv")
        self.out: Json = {"segments": {}, "datatypes": {}, "codes": {}}
        self.problems: list[str] = []

    def segment(self, name: str) -> None:
        """Compile segment map ``name`` such as ``PID[Patient]`` and what it uses."""
        key = rows.squeeze(name)
        if key in self.out["segments"]:
            return
        owner = name.partition("[")[2].rstrip("]").partition("-")[0]
        self.out["segments"][key] = {
            "segment": name.partition("[")[0],
            "resource": owner,
            "rows": self._compile(name, owner, self.segments, segment=True),
            "ignored": rows.ignored(name, self.overlay),
        }

    def datatype(self, key: str, owner: str) -> None:
        """Compile data type map ``key`` (squeezed) whose result has type ``owner``."""
        if key in self.out["datatypes"]:
            return
        self.out["datatypes"][key] = {}
        name = self.datatypes.get(key, (key, []))[0]
        self.out["datatypes"][key] = {
            "kind": owner,
            "rows": self._compile(name, owner, self.datatypes, segment=False),
        }

    def vocabulary(self, key: str) -> None:
        """Include concept map ``key``, with our additions."""
        if key in self.out["codes"]:
            return
        table, codes = self.vocabularies.get(key, ("", {}))
        codes = dict(codes)
        for line in sheets.overlay(OVERLAY / "codes.psv"):
            if rows.squeeze(line["vocabulary"]) == key:
                table = table or line["table"]
                codes[line["v2"]] = [line["code"], line["display"], line["system"]]
        if not codes and key not in self.vocabularies:
            self.problems.append(f"no vocabulary {key}")
        self.out["codes"][key] = {"table": table, "codes": codes}

    def _compile(
        self,
        name: str,
        owner: str,
        known: dict[str, tuple[str, list[sheets.Row]]],
        *,
        segment: bool,
    ) -> list[Json]:
        try:
            source = known.get(rows.squeeze(name), (name, []))[1]
            chosen = rows.merged(name, source, self.overlay, self.repeating)
            if not chosen:
                raise rows.Problem(f"{name}: no such map")
            _check_extensions(name, chosen)
            compiled = rows.compile_rows(name, owner, chosen, segment=segment)
        except rows.Problem as problem:
            self.problems += str(problem).splitlines()
            return []
        for row in compiled:
            if "map" in row:
                self.datatype(row["map"], row["kind"])
            if "codes" in row:
                self.vocabulary(row["codes"])
        return compiled


def _check_extensions(name: str, chosen: list[rows.Row]) -> None:
    """Refuse extensions that look like HL7's and that R4 does not have."""
    for row in chosen:
        url = row.assign.strip('"').strip()
        is_theirs = row.target.endswith("url") and url.startswith("http://hl7.org/fhir/Str")
        if is_theirs and url not in shapes.extensions():
            raise rows.Problem(f"{name}: {url} is not an extension of R4")


def compile_table() -> tuple[Json, list[str]]:
    """Compile everything; returns the table and the problems that stop it."""
    compiler = Compiler()
    events = {line["event"]: line["structure"] for line in sheets.overlay(OVERLAY / "events.psv")}
    ours = syntax.structures(sheets.overlay(OVERLAY / "structures.psv"))
    messages = structures.Structures(
        {**sheets.messages(MAPS), **ours}, sheets.overlay(OVERLAY / "messages.psv")
    )
    compiled: Json = {}
    for structure in sorted(set(events.values())):
        try:
            compiled[structure] = messages.compile(structure)
        except ValueError as problem:
            compiler.problems += str(problem).splitlines()
            continue
        for name in structures.maps_of(compiled[structure]):
            compiler.segment(name)
    compiler.datatype(rows.squeeze("PL[Location-Level]"), "Location")  # used by chains.psv
    table = {
        "events": events,
        "messages": compiled,
        **compiler.out,
        "tables": structures.small_tables(OVERLAY),
    }
    return table, compiler.problems


def render() -> tuple[str, list[str]]:
    """Give the table as text (one line a map, so that differences can be read) and problems."""
    table, problems = compile_table()
    parts = []
    for name, section in table.items():
        lines = [
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
            for key, value in sorted(section.items())
        ]
        parts.append(f'"{name}": {{\n' + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n", problems


def main(arguments: list[str]) -> int:
    """Write or check the table; returns the exit code."""
    text, problems = render()
    for problem in problems:
        sys.stderr.write(problem + "\n")
    if problems:
        return 1
    if "--check" in arguments:
        current = OUTPUT.read_text(encoding="utf-8") if OUTPUT.exists() else ""
        return 0 if current == text else 1
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
