"""Change the compiled maps by a site's own sheets: Z segments, other targets, local codes.

``hl7v2/*.psv`` in a site's folder. A sheet whose header begins with ``verb`` has rows as HL7 and
our overlay write them
(``verb | map | source | target | when | datatype | vocabulary | assign | why``):

add
    A row that goes before those that ship. A map of a Z segment (``ZPD[Patient]``) feeds the
    nearest resource of that type, or begins one.
drop
    Forget the rows of a field (``source``) of a map.
replace
    Forget all rows of a map.
ignore
    Leave a field out on purpose; it is reported with ``why``.

A sheet whose header begins with ``vocabulary`` adds codes to a vocabulary
(``vocabulary | table | v2 | code | display | system``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simdes.errors import Invalid
from simdes.mapper import paths
from simdes.mapper.hl7v2.notation.conditions import Unreadable
from simdes.mapper.hl7v2.notation.rows import Problem, Row, compile_rows, ignored, squeeze
from simdes.mapper.model import Json, Sheet
from simdes.mapper.sheets import BadSheet, Line, rows

_VERBS = ("add", "drop", "replace", "ignore")


def changed(table: Json, sheets: Iterable[Sheet]) -> Json:
    """Give the compiled ``table`` as a site changes it. Raises Invalid naming the line at fault."""
    made = {name: dict(section) for name, section in table.items()}
    made["local"] = {}
    for sheet in sheets:
        try:
            _read(made, sheet)
        except BadSheet as error:
            raise Invalid(str(error), advice="Correct that line of the site's sheet.") from error
    return made


def _read(made: Json, sheet: Sheet) -> None:
    for line in rows(sheet.name, sheet.text):
        if "verb" in line.cells:
            _change(made, line)
        elif "vocabulary" in line.cells:
            _add_code(made, line)
        else:
            raise BadSheet(f"{sheet.name}: the header begins neither with verb nor vocabulary")


def _add_code(made: Json, line: Line) -> None:
    key = squeeze(line.cell("vocabulary"))
    known = made["codes"].get(key, {"table": line.cell("table"), "codes": {}})
    entry = [line.cell("code"), line.cell("display"), line.cell("system")]
    made["codes"][key] = {**known, "codes": {**known["codes"], line.cell("v2"): entry}}


def _change(made: Json, line: Line) -> None:
    verb, name = line.cell("verb"), line.cell("map")
    key = squeeze(name)
    segment, bracket, rest = name.partition("[")
    is_datatype = key in made["datatypes"]
    section = made["datatypes" if is_datatype else "segments"]
    if verb not in _VERBS:
        raise BadSheet(f"{line.place}: {verb!r} is not one of {', '.join(_VERBS)}")
    if key not in section:
        if not (segment.startswith("Z") and bracket):
            raise BadSheet(f"{line.place}: no map is called {name!r}")
        owner = rest.rstrip("]").partition("-")[0]
        section[key] = {"segment": segment, "resource": owner, "rows": [], "ignored": {}}
        made["local"].setdefault(segment, []).append(key)
    known = section[key]
    changes = _VERB[verb](line, known, made, name, is_datatype)
    section[key] = {**known, **changes}


def _added(line: Line, known: Json, made: Json, name: str, is_datatype: bool) -> Json:
    owner = known["kind"] if is_datatype else known["resource"]
    row = Row(
        source=line.cell("source"),
        target=line.cell("target"),
        when=line.cell("when"),
        prose="",
        datatype=line.cell("datatype"),
        vocabulary=line.cell("vocabulary"),
        assign=line.cell("assign"),
        repeats=True,
    )
    try:
        compiled = compile_rows(name, owner, [row], segment=not is_datatype)
    except (Problem, paths.Unreadable, Unreadable) as error:
        raise BadSheet(f"{line.place}: {error}") from error
    for one in compiled:
        for kind, section in (("map", "datatypes"), ("codes", "codes")):
            if kind in one and one[kind] not in made[section]:
                raise BadSheet(f"{line.place}: nothing is called {one[kind]!r} here")
    return {"rows": [*compiled, *known["rows"]]}


def _dropped(line: Line, known: Json, made: Json, name: str, is_datatype: bool) -> Json:
    del made, name, is_datatype
    number = line.cell("source").replace(".", "-").partition("-")[2].partition("-")[0]
    kept = [row for row in known["rows"] if row["source"] != number]
    if len(kept) == len(known["rows"]):
        raise BadSheet(f"{line.place}: no row reads {line.cell('source')!r}")
    return {"rows": kept}


def _replaced(line: Line, known: Json, made: Json, name: str, is_datatype: bool) -> Json:
    del line, known, made, name, is_datatype
    return {"rows": []}


def _ignored(line: Line, known: Json, made: Json, name: str, is_datatype: bool) -> Json:
    del made, is_datatype
    if not line.cell("why"):
        raise BadSheet(f"{line.place}: what is left out needs a reason (why)")
    added = ignored(name, [dict(line.cells)])
    return {"ignored": {**known.get("ignored", {}), **added}}


_VERB: dict[str, Any] = {
    "add": _added,
    "drop": _dropped,
    "replace": _replaced,
    "ignore": _ignored,
}
