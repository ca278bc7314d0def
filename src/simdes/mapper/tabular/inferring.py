"""Draft a map for a table nobody has declared yet, from its columns and what its cells look like.

A draft is a sheet (`simdes.mapper.sheets`) to be read and finished by a person: columns it knows
stand as rows, the others as comments. It never holds a cell's content but short codes of columns
that FHIR has a fixed set of codes for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files

from simdes.mapper import paths, primitives
from simdes.mapper.model import Limits, Site
from simdes.mapper.sheets import Line, rows
from simdes.mapper.tabular.reader import Table, read

_SAMPLE = 2_000
_MOST_CODES = 12
_PATIENT = ("patient", "patient_id", "patientid", "mrn", "pid", "subject", "patient_number")
_SUBJECT = {"AllergyIntolerance": "patient", "Immunization": "patient"}
_DATES = ("yyyy-mm-dd", "dd/mm/yyyy", "mm/dd/yyyy", "dd.mm.yyyy", "dd-mm-yyyy", "dd/mm/yy")
_SEX = {
    **dict.fromkeys(("m", "male", "man", "h", "homme", "männlich", "1"), "male"),
    **dict.fromkeys(("f", "female", "woman", "w", "femme", "weiblich", "2"), "female"),
    **dict.fromkeys(("o", "other", "d", "divers", "x"), "other"),
}
_OF_THE_TABLE = ("Code", "Id", "Whose")
_HEADER = "source | target | as | codes | when | why"
_CODES = "vocabulary | code | target | display | system"


@dataclass(slots=True)
class _Column:
    """What a column's cells look like."""

    name: str
    filled: int = 0
    values: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)

    def add(self, cell: str) -> None:
        self.filled += 1
        if len(self.values) <= _SAMPLE:
            self.values[cell] += 1
        for form in _forms(cell):
            self.forms[form] += 1

    @property
    def form(self) -> str:
        """The form that all cells have; empty for plain text."""
        return next((form for form in _FORMS if self.forms[form] == self.filled > 0), "")


_FORMS = ("time", *_DATES, "number", "number with a comma")


def _forms(cell: str) -> Iterable[str]:
    if "-" in cell[4:] and primitives.instant(cell) is not None:
        yield "time"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", cell):
        yield "yyyy-mm-dd"
    match = re.fullmatch(r"(\d\d?)([/.-])(\d\d?)\2(\d{4}|\d\d)", cell)
    if match is not None:
        first, sign, second = int(match[1]), match[2], int(match[3])
        year = "yyyy" if len(match[4]) > len("yy") else "yy"
        if first <= 31 and second <= 12:
            yield f"dd{sign}mm{sign}{year}"
        if second <= 31 and first <= 12:
            yield f"mm{sign}dd{sign}{year}"
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", cell):
        yield "number"
    if re.fullmatch(r"[+-]?\d{1,3}(\.?\d{3})*,\d+|[+-]?\d+", cell):
        yield "number with a comma"


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted map: the resource type it guesses, its sheet and its codes sheet (maybe empty)."""

    type: str
    sheet: str
    codes: str
    known: int
    unknown: tuple[str, ...]


def draft(name: str, data: bytes, *, site: Site, limits: Limits) -> Draft:
    """Draft a map for a table. Raises Invalid where it is no table."""
    table = read(name, data, site=site, limits=limits)
    columns = _look(table)
    kind = _guess(columns)
    found = {one.name: _row_of(one, kind) for one in columns}
    lines = [_line(one, found[one.name], kind, table) for one in columns]
    title = _title(table)
    when = f"@table={table.name}" + (f" and columns/{columns[0].name}" if columns else "")
    sheet = [
        f"# Drafted from the columns of {table.name}: read every line before you rely on it.",
        "# A line that begins with # is a column no row takes; its cells are kept beside.",
        "@ Table : choose",
        _HEADER,
        f" | | {title} | | {when} |",
        "",
        f"@ {title} : {kind}",
        _HEADER,
        *lines,
        "",
        *_types(found.values(), table),
    ]
    codes = [line for one in columns for line in _codes(one, found[one.name], table)]
    unknown = tuple(one.name for one in columns if found[one.name] is None)
    return Draft(
        type=kind,
        sheet="\n".join(sheet) + "\n",
        codes="\n".join([_CODES, *codes]) + "\n" if codes else "",
        known=len(columns) - len(unknown),
        unknown=unknown,
    )


def _look(table: Table) -> list[_Column]:
    columns = [_Column(name) for name in table.columns]
    for row in table.rows(_SAMPLE):
        if not row.fault:
            for column, cell in zip(columns, row.cells, strict=True):
                if cell.strip():
                    column.add(cell.strip())
    return columns


def _known() -> list[Line]:
    text = (files("simdes.mapper.tabular") / "columns.psv").read_text(encoding="utf-8")
    return rows("columns.psv", text)


def _matches(column: str, line: Line) -> bool:
    lower = column.lower()
    return any(fnmatchcase(lower, name) for name in line.cell("names").split(","))


def _guess(columns: list[_Column]) -> str:
    """Guess what a row is: the type that knows most of the columns."""
    votes: Counter[str] = Counter()
    for column in columns:
        votes.update({line.cell("type") for line in _known() if _matches(column.name, line)})
    return votes.most_common(1)[0][0] if votes else "Observation"


def _row_of(column: _Column, kind: str) -> Line | None:
    if kind != "Patient" and column.name.lower() in _PATIENT:
        return Line("", {"target": _SUBJECT.get(kind, "subject"), "as": "Whose"})
    for line in _known():
        if line.cell("type") == kind and _matches(column.name, line):
            return line
    return None


def _line(column: _Column, row: Line | None, kind: str, table: Table) -> str:
    form = column.form or "text"
    seen = f"{form}; {column.filled} filled, {len(column.values)} different"
    if row is None:
        return f"# {column.name} | ? | | | | {seen}"
    how, target = row.cell("as"), row.cell("target")
    codes = _vocabulary(table) if target == "gender" else ""
    if how in _OF_THE_TABLE:
        how = f"{_title(table)}{how}"
    return f"{column.name} | {target} | {how or _as(column, target, kind)} | {codes} | | {seen}"


def _vocabulary(table: Table) -> str:
    return f"{_title(table)}Sex"


def _title(table: Table) -> str:
    return "".join(word.capitalize() for word in re.split(r"\W+|_", table.name)) or "Rows"


def _as(column: _Column, target: str, kind: str) -> str:
    """Say how cells become the target's type: dates and numbers as they are written here."""
    wanted = paths.compile_path(target, kind, pivot=False).kind
    form = column.form
    if wanted in ("date", "dateTime", "instant") and form in _DATES and form != "yyyy-mm-dd":
        return f"date(., '{form}')"
    if wanted == "decimal" and form == "number with a comma":
        return "number(.)"
    return ""


def _types(found: Iterable[Line | None], table: Table) -> list[str]:
    """Give the element maps that the rows use."""
    used = {row.cell("as") for row in found if row is not None}
    lines: list[str] = []
    title = _title(table)
    system = f"urn:id:{title}"
    if used & {"Id", "Whose"}:
        lines += [
            f"@ {title}Id : Identifier",
            f" | system | '{system}' | | | whose numbers these are",
            ". | value",
            "",
        ]
    if "Whose" in used:
        lines += [
            f"@ {title}Whose : Reference",
            f". | | patient('{system}', .)",
            " | type | 'Patient'",
            f". | identifier | {title}Id",
            "",
        ]
    if "Code" in used:
        lines += [
            "# LOINC is http://loinc.org, SNOMED CT http://snomed.info/sct, ICD-10",
            "# http://hl7.org/fhir/sid/icd-10",
            f"@ {title}Code : CodeableConcept",
            ". | coding[1].code",
            f" | coding[1].system | '{system}-codes' | | | which codes these are",
            "",
        ]
    return lines


def _codes(column: _Column, row: Line | None, table: Table) -> list[str]:
    """List the codes of a column that FHIR has fixed codes for; many values are no codes."""
    if row is None or row.cell("target") != "gender" or len(column.values) > _MOST_CODES:
        return []
    return [
        f"{_vocabulary(table)} | {value} | {_SEX.get(value.lower(), 'unknown')}"
        for value in sorted(column.values)
        if len(value) <= len("undifferentiated") and value.isalnum()
    ]
