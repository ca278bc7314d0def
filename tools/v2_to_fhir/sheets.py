"""Read HL7's CSV sheets and our overlay sheets into plain rows; no meaning is added here."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

from simdes.mapper.hl7v2.notation.rows import Row, squeeze

_PROSE = re.compile(r"\s{2,}|\w \w|[<\"]")
_STRAY = "\u00c2"  # what is left of a no-break space that was read in the wrong encoding


class Line(NamedTuple):
    """One line of a message map."""

    identifier: str
    syntax: str
    name: str
    when: str
    prose: str
    alias: str
    map: str
    references: str


def _read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as sheet:
        rows = csv.reader(sheet)
        return [[cell.strip().rstrip(_STRAY).strip() for cell in row] + [""] * 20 for row in rows]


def _label(path: Path) -> str:
    return re.split(r"FHIR R4_ |Concept Map_ ", path.name)[-1].rpartition(" - ")[0].strip()


def maps(folder: Path, kind: str) -> dict[str, tuple[str, list[Row]]]:
    """Read the maps of ``kind`` (``segments``, ``datatypes``): squeezed name -> (name, rows)."""
    found: dict[str, tuple[str, list[Row]]] = {}
    for path in sorted((folder / kind).glob("*.csv")):
        name = _label(path)
        rows = []
        for cells in _read(path)[2:]:
            target = re.sub(r"\s+", " ", cells[9])
            if not target and not cells[10]:
                continue
            rows.append(
                Row(
                    source=cells[1],
                    target=target or f"~{cells[10]}",
                    when=cells[6],
                    prose=cells[8],
                    datatype=cells[14],
                    vocabulary=cells[15],
                    assign=cells[16],
                    repeats=cells[5] == "-1",
                )
            )
        found[squeeze(name)] = (name, rows)
    return found


def repeating(folder: Path) -> set[str]:
    """List the fields that repeat, by HL7's segment sheets: ``PID-3`` and so on."""
    return {
        cells[1]
        for path in (folder / "segments").glob("*.csv")
        for cells in _read(path)[2:]
        if cells[5] == "-1"
    }


def messages(folder: Path) -> dict[str, list[Line]]:
    """Read the message maps: structure name -> lines."""
    found = {}
    for path in sorted((folder / "messages").glob("*.csv")):
        found[_label(path)] = [
            Line(_identifier(cells, _label(path)), *cells[2:4], cells[6], *cells[8:12])
            for cells in _read(path)[2:]
            if cells[1]
        ]
    return found


def _identifier(cells: list[str], structure: str) -> str:
    """Give a line's identifier; some name the group, or the sheet they were copied from."""
    name = re.sub(r"\W", "", cells[2])
    ours = cells[1].rpartition(".")[2] == name or not re.fullmatch(r"[A-Z][A-Z0-9]{2}", name)
    identifier = cells[1] if ours else f"{cells[1]}.{name}"
    return re.sub(r"^(/?)[A-Z]{3}_[A-Z]\d+", rf"\1{structure}", identifier)


def vocabularies(folder: Path) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """Read the concept maps: squeezed name -> (v2 table, {v2 code: [code, display, system]})."""
    found = {}
    for path in sorted((folder / "codesystems").glob("*.csv")):
        codes: dict[str, list[str]] = {}
        table = ""
        for cells in _read(path)[2:]:
            table = table or cells[2]
            if cells[0] and cells[6] and not _PROSE.search(cells[6]):
                system = cells[9] if cells[9].startswith(("http", "urn:")) else ""
                codes.setdefault(cells[0], [cells[6], cells[8], system])
        found[squeeze(_label(path))] = (table, codes)
    return found


def overlay(path: Path) -> list[dict[str, str]]:
    """Read one of our sheets: fields between ``|``, a header line first, ``#`` for comments."""
    lines = [
        [cell.strip() for cell in line.split("|")]
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    header = lines[0]
    padded = [line + [""] * (len(header) - len(line)) for line in lines[1:]]
    for line in padded:
        if len(line) != len(header):
            raise ValueError(f"{path.name}: too many fields: {line}")
    return [dict(zip(header, line, strict=True)) for line in padded]
