"""Write docs/mapping/*.md from the maps, and the coverage in docs/mapping.md.

Run ``python -m tools.write_mapping_doc`` after a change of maps or sheets; with ``--check`` it says
whether the pages are up to date. In docs/mapping.md only what stands between the two marks is
written here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tools.compile_v2_maps import MAPS, OVERLAY
from tools.v2_to_fhir import coverage

from simdes.mapper.sheets import blocks, rows

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "src/simdes/mapper/hl7v2/table.json"
PAGE = ROOT / "docs/mapping.md"
PACKAGE = ROOT / "src/simdes/mapper"
FORMATS = {
    "cda": "C-CDA documents",
    "dicom": "DICOM",
    "tabular": "Tables",
    "x12": "X12",
}
BEGIN = "<!-- Written by tools/write_mapping_doc.py; do not edit what follows. -->"
END = "<!-- Up to here. -->"
NOTE = "Written by `tools/write_mapping_doc.py` from the maps; see [the overview](../mapping.md)."

Json = dict[str, Any]


def condition(tree: list[Any] | None) -> str:
    """Write a condition for people."""
    if tree is None:
        return ""
    kind, *rest = tree
    if kind == "not":
        text = f"not ({condition(rest[0])})"
    elif kind in ("and", "or"):
        text = f"({condition(rest[0])} {kind} {condition(rest[1])})"
    elif kind == "named":
        text = f"{rest[0]}({', '.join(rest[1])})"
    elif kind == "valued":
        text = f"{rest[0]} valued"
    elif kind == "in":
        text = f"{rest[0]} in {', '.join(rest[1])}"
    elif kind == "eq":
        text = f"{rest[0]} = {rest[1]}"
    else:
        text = f"{kind} of {rest[0]} {rest[1]} {rest[2]}"
    return text


def place(path: list[str]) -> str:
    """Write a compiled path as HL7 does."""
    text, closing = "", ""
    for token in path:
        name = token.partition("|")[0].replace("+", "*").partition("*")[0]
        if token.startswith(">"):
            text += f"({name[1:]}"
            closing += ")"
        else:
            text += ("." if text and not text.endswith("(") else "") + name
    return (text + closing).replace("(.", "(") or "the element itself"


def value(row: Json) -> str:
    """Write what a row puts there."""
    assign = row.get("assign")
    if assign and "text" in assign:
        return f'"{assign["text"]}"'
    parts = []
    if assign:
        arguments = (a.get("ref") or f'"{a["text"]}"' for a in assign["args"])
        parts.append(f"{assign['call']}({', '.join(arguments)})")
    if "map" in row:
        parts.append(f"map {row['map']}")
    if "codes" in row:
        parts.append(f"codes {row['codes']}")
    return ", ".join(parts) or row["kind"]


def table(name: str, data: Json, prefix: str, sign: str) -> list[str]:
    """Write one map as a table."""
    lines = [f"### {name}", "", "| source | when | goes to | as |", "| --- | --- | --- | --- |"]
    for row in sorted(data["rows"], key=lambda row: int(row["source"])):
        source = f"{prefix}{sign}{row['source']}" if row["source"] != "0" else "(always)"
        cells = (source, condition(row.get("when")), f"`{place(row['path'])}`", value(row))
        lines.append("| " + " | ".join(cells) + " |")
    for number, reason in data.get("ignored", {}).items():
        lines.append(f"| {prefix}{sign}{number} | | dropped | {reason} |")
    return [*lines, ""]


def structure(node: Json, depth: int = 0) -> list[str]:
    """Write a message's groups and what its segments feed."""
    pad = "  " * depth
    if "segment" in node:
        feeds = [
            f"{t['alias']} by {t['map']}" + (f" when {condition(t['when'])}" if "when" in t else "")
            for t in node["targets"]
        ]
        return [f"{pad}- {node['segment']}: {'; '.join(feeds) or 'kept beside'}"]
    lines = [f"{pad}- {node['name']}{' (repeats)' if node['repeats'] else ''}"]
    for inner in node["items"]:
        lines += structure(inner, depth + 1)
    return lines


def hl7v2() -> str:
    """Write the page of HL7 v2: what each message feeds, and every map it uses."""
    data = json.loads(TABLE.read_text(encoding="utf-8"))
    lines = ["# HL7 v2: messages, segments, data types, codes", "", NOTE, "", "## Messages", ""]
    for name, node in data["messages"].items():
        events = ", ".join(event for event, used in data["events"].items() if used == name)
        lines += [f"### {name}: {events}", "", *structure(node), ""]
    lines += ["## Segments", ""]
    for name, entry in data["segments"].items():
        lines += table(name, entry, entry["segment"], "-")
    lines += ["## Data types", ""]
    for name, entry in data["datatypes"].items():
        lines += table(name, entry, name.partition("[")[0].upper(), ".")
    lines += ["## Codes", "", "| vocabulary | v2 table | codes |", "| --- | --- | --- |"]
    for name, entry in data["codes"].items():
        pairs = [f"{v2} → {code[0]}" for v2, code in entry["codes"].items()]
        shown = ", ".join(pairs[:40]) + (f", … {len(pairs)} in all" if len(pairs) > 40 else "")
        lines.append(f"| {name} | {entry['table']} | {shown.replace('|', '&#124;')} |")
    return "\n".join(lines).rstrip() + "\n"


def sheets(title: str, folder: Path) -> str:
    """Write the page of a format that sheets map."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.psv"))}
    maps = {name: text for name, text in texts.items() if "\n@ " in f"\n{text}"}
    lines = [f"# {title}: every map", "", NOTE, ""]
    for block in blocks(maps).values():
        lines += [f"## {block.name}: {block.type}", ""]
        lines += ["| source | when | goes to | as | codes |", "| --- | --- | --- | --- | --- |"]
        for line in block.lines:
            cells = [line.cell(one) for one in ("source", "when", "target", "as", "codes")]
            shown = [f"`{cell}`" if cell else "" for cell in cells]
            lines.append(f"| {' | '.join(shown)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def older() -> str:
    """Write the page of FHIR DSTU2 and STU3: what changed, by version."""
    lines = ["# FHIR DSTU2 and STU3: every change", "", NOTE, ""]
    for folder, title in (("both", "Both"), ("dstu2", "DSTU2"), ("stu3", "STU3")):
        source = PACKAGE / "older/sheets" / folder
        lines += [f"## {title}", ""]
        types = source / "types.psv"
        if types.exists():
            lines += ["| resource | becomes | ids |", "| --- | --- | --- |"]
            for line in rows(types.name, types.read_text(encoding="utf-8")):
                lines.append("| " + " | ".join(map(line.cell, ("type", "target", "ids"))) + " |")
            lines.append("")
        page = sheets("", source).partition(NOTE)[2].strip()
        lines += [page.replace("## ", "### "), ""]
    return "\n".join(lines).rstrip() + "\n"


def overview() -> str:
    """Write docs/mapping.md: people's words as they are, and the coverage in numbers."""
    data = json.loads(TABLE.read_text(encoding="utf-8"))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    lines = [BEGIN, "", *coverage.lines(MAPS, OVERLAY, data), END]
    return before + "\n".join(lines) + after


def pages() -> dict[Path, str]:
    """Give every page that is written here, by its path."""
    folder = PAGE.parent / "mapping"
    made = {PAGE: overview(), folder / "hl7v2.md": hl7v2(), folder / "older.md": older()}
    for name, title in FORMATS.items():
        source = PACKAGE / name / "sheets"
        if source.is_dir():
            made[folder / f"{name}.md"] = sheets(title, source)
    return made


def main(arguments: list[str]) -> int:
    """Write or check the pages; returns the exit code."""
    for path, text in pages().items():
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
