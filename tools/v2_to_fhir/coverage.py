"""Count how HL7's published maps are followed: row by row, in numbers for docs/mapping.md."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tools.v2_to_fhir import sheets

from simdes.mapper.hl7v2.notation import rows

Json = dict[str, Any]


def lines(maps: Path, overlay: Path, compiled: Json) -> list[str]:
    """Write the section: published maps in use, and what became of each of their rows."""
    changes = sheets.overlay(overlay / "rows.psv")
    found = ["| maps | published | in use | rows | as published | decided by the overlay |"]
    found.append("| --- | --- | --- | --- | --- | --- |")
    unused: list[str] = []
    for kind in ("segments", "datatypes"):
        published = sheets.maps(maps, kind)
        used = {key: entry for key, entry in published.items() if key in compiled[kind]}
        unused += [name for key, (name, _) in published.items() if key not in used]
        count = _count(used, changes)
        found.append(
            f"| {kind} | {len(published)} | {len(used)} | {count.total()} | {count['kept']} | "
            f"{count['changed']} |"
        )
    codes = sheets.vocabularies(maps)
    used_codes = [key for key in codes if key in compiled["codes"]]
    pairs = sum(len(codes[key][1]) for key in used_codes)
    found.append(f"| code systems | {len(codes)} | {len(used_codes)} | {pairs} | {pairs} | |")
    messages = sheets.messages(maps)
    covered = [name for name in messages if name in compiled["messages"]]
    found.append(f"| messages | {len(messages)} | {len(covered)} | | | |")
    ours = sum(1 for line in changes if line["verb"] == "add")
    return [
        "## Coverage of HL7's published maps",
        "",
        "A row counts as decided by the overlay where it is prose, misspelt, contradicts R4 or"
        " another row, or has no condition that can be computed; `rows.psv` says why, row by row."
        " Rows to which HL7 gives no element yet are not counted: their fields are kept beside.",
        "",
        *found,
        "",
        f"The overlay adds {ours} rows of ours. Published maps that no covered message reaches: "
        f"{', '.join(sorted(unused))}.",
        "",
    ]


def _count(
    used: dict[str, tuple[str, list[rows.Row]]], changes: list[dict[str, str]]
) -> Counter[str]:
    count: Counter[str] = Counter()
    for name, published in used.values():
        kept = rows.merged(name, published, changes, set())
        theirs = [row for row in published if not rows.is_undefined(row)]
        standing = {row._replace(prose="") for row in kept}
        for row in theirs:
            same = row._replace(prose="") in standing
            count["kept" if same else "changed"] += 1
    return count
