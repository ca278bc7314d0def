"""How much of a source's content is in the FHIR that the mapper makes of it.

Run `.venv/bin/python bench/coverage.py`; ``--missing`` lists the paths most often not found. Every
leaf value of the source (bench/values.py) is looked for in the Bundle outside narrative and
attachments' data, and counted once, as

- **literal**: a value of the Bundle is this one, perhaps in FHIR's form (dates, numbers, digits of
  a telephone number), or a text of it contains it as whole words;
- **translated**: FHIR's word for it is there, by a vocabulary of the mapper's tables (a gender, a
  status, a coding system's URI);
- **missing**.

Of the literal ones, those found only in our extensions for what FHIR has no element for are also
given as **beside**.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from values import FORMATS, TIME, values_of

from simdes.mapper import map_bytes
from simdes.mapper.hl7v2.functions import absolute
from simdes.mapper.hl7v2.tables import hl7v2
from simdes.mapper.sheets import blocks, rows

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "tests" / "vectors"
TABLE = json.loads((ROOT / "src/simdes/mapper/hl7v2/table.json").read_text(encoding="utf-8"))
SHORT = 3


class Output:
    """The values of a Bundle, ready to be asked."""

    def __init__(self, leaves: list[str]) -> None:
        self.exact = {leaf.casefold() for leaf in leaves}
        self.text = "\n".join(self.exact)
        self.digits = {re.sub(r"\D", "", leaf) for leaf in leaves}
        self.times = {
            re.sub(r"\D", "", re.sub(r"(?<=:\d\d)(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$", "", leaf))
            for leaf in leaves
            if re.match(r"\d{4}(?:-\d\d){0,2}(?:T|$)|\d\d:\d\d", leaf)
        }
        self.numbers = {number for number in map(_number, leaves) if number is not None}

    def has(self, value: str) -> bool:
        """Whether ``value`` is one of them, in its own form or FHIR's."""
        folded = value.casefold()
        if folded in self.exact:
            return True
        digits = re.sub(r"\D", "", value)
        if TIME.fullmatch(value) and self._has_time(value):
            return True
        if _number(value) in self.numbers:
            return True
        if len(digits) > 5 and not re.search("[A-Za-z]", value) and digits in self.digits:
            return True
        if len(folded) < SHORT:
            return False
        words = rf"(?<![^\W_]){re.escape(folded)}(?![^\W_])"
        return folded in self.text and re.search(words, self.text) is not None

    def _has_time(self, value: str) -> bool:
        digits = re.match(r"\d+", value)
        wanted = digits[0][:14] if digits else ""
        return any(time.startswith(wanted) or wanted == time for time in self.times)


def _number(text: str) -> Decimal | None:
    if not re.fullmatch(r"[+-]?\d*\.?\d+|\d+\.", text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def leaves(value: Any, *, beside: bool) -> Iterator[str]:
    """Yield every value outside narrative and attachments; without ours kept ``beside`` or with."""
    if isinstance(value, dict):
        if not beside and str(value.get("url", "")).endswith(":unmapped"):
            return
        for name, part in value.items():
            is_attached = name == "data" and isinstance(part, str)
            if (
                name not in ("div", "resourceType", "id", "fullUrl", "reference")
                and not is_attached
            ):
                yield from leaves(part, beside=beside)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, beside=beside)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        text = " ".join(str(value).split())
        yield text
        if "%" in text:
            yield unquote(text)


class Meanings:
    """What the mapper's vocabularies turn a v2 field's codes into."""

    def __init__(self) -> None:
        self._by_field: dict[str, set[str]] = {}
        self._systems = hl7v2().systems
        for name, map_ in TABLE["segments"].items():
            segment = name[:3].upper()
            for row in map_["rows"]:
                if "codes" in row:
                    self._by_field.setdefault(f"{segment}-{row['source']}", set()).add(row["codes"])
        inner = [row for map_ in TABLE["datatypes"].values() for row in map_["rows"]]
        self._everywhere = {row["codes"] for row in inner if "codes" in row}

    def of(self, path: str, value: str) -> Iterator[str]:
        """Yield the words that FHIR may say instead of ``value`` in this field."""
        names = self._by_field.get(path.partition(".")[0], set()) | self._everywhere
        for name in names:
            target = TABLE["codes"][name]["codes"].get(value)
            if target:
                yield target[0]
        if value.upper() in self._systems:
            yield self._systems[value.upper()]
        table = re.fullmatch(r"HL7(\d{4})", value)
        if table:
            yield f"http://terminology.hl7.org/CodeSystem/v2-{table[1]}"
        yield absolute(value)


class SheetMeanings:
    """What the vocabularies of a format's sheets turn an element's codes into."""

    def __init__(self, package: str) -> None:
        self._vocabularies: dict[str, dict[str, str]] = {}
        self._by_element: dict[str, set[str]] = {}
        sheets = {one.name: one.read_text() for one in (files(package) / "sheets").iterdir()}
        for name, text in sheets.items():
            if name.startswith("codes"):
                for line in rows(name, text):
                    known = self._vocabularies.setdefault(line.cell("vocabulary"), {})
                    known[line.cell("code")] = line.cell("target")
        plain = {name: text for name, text in sheets.items() if not name.startswith("codes")}
        for block in blocks(plain).values():
            for line in block.lines:
                if line.cell("codes"):
                    element = line.cell("source").rpartition("/")[2]
                    self._by_element.setdefault(element, set()).add(line.cell("codes"))

    def of(self, path: str, value: str) -> Iterator[str]:
        """Yield the words that FHIR may say instead of ``value`` in this element."""
        for name in self._by_element.get(path, ()):
            known = self._vocabularies[name]
            if value in known or "*" in known:
                yield known.get(value) or known["*"]


def measure(folder: Path, kind: str) -> tuple[dict[str, Any], Counter[str]]:
    """Measure every file of ``folder`` that is mapped; returns the figures and missing paths."""
    meanings = SheetMeanings("simdes.mapper.x12") if kind == "x12" else Meanings()
    counts: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix == ".md":
            continue
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        mapping = map_bytes(path.name, data)
        counts["quarantined"] += len(mapping.quarantined)
        if mapping.kind != kind:
            continue
        for message in mapping.messages:
            counts["sources"] += 1
            in_elements = Output(list(leaves(message.bundle, beside=False)))
            anywhere = Output(list(leaves(message.bundle, beside=True)))
            for name, value in values_of(kind, message.source):
                counts["values"] += 1
                words = {word.casefold() for word in meanings.of(name, value)}
                is_translated = not words.isdisjoint(in_elements.exact)
                if anywhere.has(value):
                    counts["literal"] += 1
                    if not in_elements.has(value) and not is_translated:
                        counts["beside"] += 1
                        missing[f"beside {name}"] += 1
                elif is_translated:
                    counts["translated"] += 1
                else:
                    missing[f"missing {name}"] += 1
    figures = {
        name: counts[name] for name in ("sources", "values", "literal", "beside", "translated")
    }
    total = counts["values"] or 1
    figures["literal_share"] = round(counts["literal"] / total, 4)
    figures["accounted_share"] = round((counts["literal"] + counts["translated"]) / total, 4)
    figures["beside_share"] = round(counts["beside"] / total, 4)
    return {"format": kind, "set": folder.name, **figures}, missing


def folders() -> list[tuple[Path, str]]:
    """Return the folders of published inputs under tests/vectors, with their formats."""
    found = []
    for kind in FORMATS:
        root = VECTORS / kind
        inner = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        found += [(path, kind) for path in inner or ([root] if root.is_dir() else [])]
    return found


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="measure this folder (with --format)")
    parser.add_argument("--format", choices=sorted(FORMATS), default="hl7v2")
    parser.add_argument("--missing", action="store_true", help="list the paths not found")
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    arguments = parser.parse_args()
    chosen = [(arguments.folder, arguments.format)] if arguments.folder else folders()
    results = []
    for folder, kind in chosen:
        figures, missing = measure(folder, kind)
        results.append(figures)
        print(json.dumps(figures))
        if arguments.missing:
            for path, count in missing.most_common(60):
                print(f"{count:>8}  {path}")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        report = {"command": "bench/coverage.py", "results": results}
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
