"""Compile the rows of one segment or data type map, HL7's corrected by our overlay."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import NamedTuple

from simdes.mapper import paths
from simdes.mapper.hl7v2.notation import conditions
from simdes.mapper.model import Json

# Segments without a sheet of HL7's: any field may repeat.
_UNPUBLISHED = ("FT1", "GOL", "GT1", "IAR", "PRB", "PTH", "RXC", "RXD", "RXE", "RXG")
_UNDEFINED = re.compile(r"\?|^~|#")
_PART = re.compile(r'\s*(?:"([^"]*)"|([A-Z][A-Z0-9]*[-.]\d+(?:\.\d+)*))\s*(?:\+|$)')
_CALL = re.compile(r"([a-z_]+)\((.*)\)$")
_LEVELS = re.compile(r"[A-Z][A-Z0-9]*[-.](\d+)(?:\.(\d+))?")


class Row(NamedTuple):
    """One line of a segment or data type map, HL7's or ours."""

    source: str
    target: str
    when: str
    prose: str
    datatype: str
    vocabulary: str
    assign: str
    repeats: bool


def squeeze(name: str) -> str:
    """Make the names of maps and vocabularies comparable: ``Yes/NoIndicator``, ``XPN[String]``."""
    return re.sub(r"[^a-z0-9\[\]]", "", name.lower())


class Problem(ValueError):
    """A row that can be neither followed nor ignored; the overlay must decide it."""


def merged(
    name: str, rows: list[Row], overlay: list[dict[str, str]], repeating: set[str]
) -> list[Row]:
    """Apply the overlay's verbs for map ``name``: replace, drop, keep (prose accepted), add."""
    ours = [line for line in overlay if squeeze(line["map"]) == squeeze(name)]
    kept = [] if any(line["verb"] == "replace" for line in ours) else list(rows)
    for line in ours:
        source, target = line["source"], line["target"]
        matches = [r for r in kept if r.source == source and _matches(r.target, target)]
        if line["verb"] in ("drop", "keep") and not matches:
            raise Problem(f"{name}: overlay names no row: {source} {target}")
        if line["verb"] == "drop":
            kept = [row for row in kept if row not in matches]
        elif line["verb"] == "keep":
            kept = [r._replace(prose="") if r in matches else r for r in kept]
        elif line["verb"] == "add":
            kept.append(
                Row(
                    source,
                    target,
                    line["when"],
                    "",
                    line["datatype"],
                    line["vocabulary"],
                    line["assign"],
                    repeats=source in repeating or source.startswith(_UNPUBLISHED),
                )
            )
    return kept


def ignored(name: str, overlay: list[dict[str, str]]) -> dict[str, str]:
    """List the fields the overlay leaves out on purpose: field number -> reason."""
    return {
        _LEVELS.match(line["source"])[1]: line["why"]  # type: ignore[index]
        for line in overlay
        if line["verb"] == "ignore" and squeeze(line["map"]) == squeeze(name)
    }


def is_undefined(row: Row) -> bool:
    """Say whether HL7 names no element for it yet."""
    return bool(_UNDEFINED.search(row.target.strip()))


def _matches(target: str, pattern: str) -> bool:
    literal = pattern.replace("[", "\0").replace("]", "\1")
    literal = literal.replace("\0", "[[]").replace("\1", "[]]")
    return pattern in ("", target) or fnmatchcase(target, literal)


def compile_rows(name: str, owner: str, rows: list[Row], *, segment: bool) -> list[Json]:
    """Compile ``rows`` of map ``name`` whose target is of type ``owner``. Raises `Problem`."""
    compiled, problems = [], []
    for row in rows:
        if is_undefined(row):
            continue  # the field stays unmapped and is kept so
        try:
            compiled.append(_row(name, owner, row, segment=segment))
        except (ValueError, StopIteration) as error:
            problems.append(f"{name} {row.source} -> {row.target!r}: {error}")
    if problems:
        raise Problem("\n".join(problems))
    _check_slots(name, compiled)
    return compiled


def _check_slots(name: str, compiled: list[Json]) -> None:
    """Refuse two extensions in one slot; HL7's sheets number some of them twice."""
    urls: dict[str, str] = {}
    for row in compiled:
        text = row.get("assign", {}).get("text")
        if row["path"][-1:] == ["url"] and text is not None:
            slot = ".".join(row["path"])
            if urls.setdefault(slot, text) != text:
                raise Problem(f"{name}: two extensions in one slot: {urls[slot]} and {text}")


def _row(name: str, owner: str, row: Row, *, segment: bool) -> Json:
    if row.prose:
        raise Problem(f"prose condition: {row.prose}")
    path = paths.compile_path(row.target, owner, pivot=segment and row.repeats)
    out: Json = {"source": _source(row.source), "path": path.tokens, "kind": path.kind}
    when = row.when
    if not segment:
        when = re.sub(r"\b([A-Z]{2,3})-(\d)", r"\1.\2", when)
    tree = conditions.read(when)
    if tree is not None:
        out["when"] = tree
    if row.assign:
        out["assign"] = compile_assign(row.assign)
    if row.datatype and not (row.assign and path.primitive):
        out["map"] = squeeze(row.datatype)
    elif not path.primitive and "assign" not in out:
        raise Problem(f"no data type map for {path.kind}")
    if row.vocabulary:
        out["codes"] = squeeze(row.vocabulary)
        if row.vocabulary.endswith("!"):
            out["strict"] = True
    return out


def _source(source: str) -> str:
    match = _LEVELS.match(source)
    return match[1] if match else "0"


def compile_assign(text: str) -> Json:
    """Compile ``"text"``, ``"urn:oid:"+HD.2`` or ``function(HD.1, "x")``."""
    call = _CALL.match(text)
    if call:
        return {"call": call[1], "args": [_operand(arg) for arg in _arguments(call[2])]}
    parts: list[Json] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise Problem(f"assignment is prose: {text}")
        parts.append({"ref": match[2]} if match[2] else {"text": match[1]})
        at = match.end()
    if len(parts) == 1 and "text" in parts[0]:
        return {"text": parts[0]["text"].strip()}
    return {"call": "concatenate", "args": parts}


def _arguments(text: str) -> list[str]:
    return [part.strip() for part in re.findall(r'"[^"]*"|[^,]+', text) if part.strip()]


def _operand(text: str) -> Json:
    if text.startswith('"'):
        return {"text": text.strip('"')}
    if text.startswith("~"):
        return {"ref": text[1:], "keep": True}
    return {"ref": text}
