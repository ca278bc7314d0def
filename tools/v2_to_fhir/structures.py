"""Compile a message map: the tree of groups and segments, and which resource each one feeds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tools.v2_to_fhir import sheets
from tools.v2_to_fhir.sheets import Line

from simdes.mapper import paths
from simdes.mapper.hl7v2.notation import conditions

Json = dict[str, Any]

_BEGIN = re.compile(r"(?:---\s*)?(\S+)\s+begin$")
_END = re.compile(r"(?:---\s*)?(\S+)\s+end$")
_REFERENCE = re.compile(
    r"(?P<alias>\^?\w+(?:\[\w+\])?)\.(?P<path>.+?)(?:\.reference|\.id)?\s*=\s*"
    r"(?P<to>\^?[A-Z]\w+(?:\[\w+\])?)\.id$"
)
_ALIAS = re.compile(r"[A-Z][A-Za-z]+(\[\w+\])?$")


class Structures:
    """All message maps, HL7's and ours, with the overlay's changes."""

    def __init__(self, known: dict[str, list[Line]], changes: list[dict[str, str]]) -> None:
        self._known = known
        self._changes = changes
        self._done: dict[str, list[Line]] = {}

    def compile(self, structure: str) -> Json:
        """Compile one message map. Raises ValueError listing what it cannot follow."""
        return _compile(self._lines(structure))

    def _lines(self, structure: str) -> list[Line]:
        """Give the lines of ``structure`` with all changes made. Raises ValueError."""
        if structure not in self._done:
            ours = [c for c in self._changes if _structure(c["identifier"]) == structure]
            problems: list[str] = []
            lines = self._known[structure]
            for change in ours:
                if change["verb"] == "as":
                    lines = self._alike(lines, change, problems)
            changes = [change for change in ours if change["verb"] != "as"]
            self._done[structure] = list(_changed(lines, changes, problems))
            if problems:
                raise ValueError("\n".join(problems))
        return self._done[structure]

    def _alike(self, lines: list[Line], change: dict[str, str], problems: list[str]) -> list[Line]:
        """Let the segments below one identifier feed what those of another structure do."""
        below, model = change["identifier"], change["alias"]
        theirs = [line for line in self._lines(_structure(model)) if line.map]
        made: list[Line] = []
        done: set[str] = set()
        hits = 0
        for line in lines:
            identifier = line.identifier
            found: list[Line] = []
            if _is_below(identifier, below):
                found = _counterparts(theirs, model + identifier[len(below) :], model)
            if not found:
                made.append(line)
            elif identifier not in done:
                done.add(identifier)
                hits += 1
                made += [line._replace(**_targets_of(other)) for other in found]
        if not hits:
            problems.append(f"messages.psv: nothing matches {change}")
        return made


def _is_below(identifier: str, prefix: str) -> bool:
    return identifier == prefix or identifier.startswith((f"{prefix}.", f"{prefix}:"))


def _counterparts(lines: list[Line], identifier: str, model: str) -> list[Line]:
    """Find the lines of the same place, else those of the only segment of that name."""
    found = [line for line in lines if line.identifier == identifier]
    if found:
        return found
    name = identifier.rpartition(".")[2]
    named = [
        line
        for line in lines
        if _is_below(line.identifier, model) and line.identifier.rpartition(".")[2] == name
    ]
    return named if len({line.identifier for line in named}) == 1 else []


def _targets_of(line: Line) -> dict[str, str]:
    names = ("when", "prose", "alias", "map", "references")
    return {name: getattr(line, name) for name in names}


def _compile(lines: list[Line]) -> Json:
    problems: list[str] = []
    root: Json = {"name": _structure(lines[0].identifier), "repeats": False, "items": []}
    stack = [root]
    seen: dict[str, Json] = {}
    for line in lines:
        begin = _BEGIN.search(line.name)
        if begin:
            group = {"name": begin[1], "repeats": "{" in line.syntax, "items": []}
            stack[-1]["items"].append(group)
            stack.append(group)
        elif _END.search(line.name):
            stack.pop()
        elif re.search(r"\w", line.syntax):  # not the signs of a choice
            item = seen.get(line.identifier)
            if item is None:
                item = {"segment": re.sub(r"\W", "", line.syntax), "repeats": "{" in line.syntax}
                item["targets"] = []
                seen[line.identifier] = item
                stack[-1]["items"].append(item)
            if line.map:
                try:
                    item["targets"].append(_target(line))
                except ValueError as error:
                    problems.append(f"{line.identifier} {line.alias} {line.map}: {error}")
    if len(stack) != 1:
        problems.append(f"{root['name']}: groups do not close")
    if problems:
        raise ValueError("\n".join(problems))
    return root


def _changed(
    lines: list[Line], changes: list[dict[str, str]], problems: list[str]
) -> Iterator[Line]:
    """Apply the overlay's drops and additions, in place of or after the lines they name."""
    used: set[int] = set()
    order = [line.identifier for line in lines]
    for at, line in enumerate(lines):
        identifier = line.identifier
        dropped = False
        for number, change in enumerate(changes):
            if change["verb"] == "drop" and _hits(change, line, identifier):
                dropped = True
                used.add(number)
        if not dropped:
            yield line
        elif identifier not in order[:at]:
            yield line._replace(alias="", map="", references="", when="", prose="")
        if identifier in order[at + 1 :]:
            continue
        for number, change in enumerate(changes):
            if change["verb"] == "add" and change["identifier"] == identifier:
                used.add(number)
                yield line._replace(
                    when=change["when"],
                    prose="",
                    alias=change["alias"],
                    map=change["map"],
                    references=change["references"],
                )
    for number, change in enumerate(changes):
        if number not in used:
            problems.append(f"messages.psv: nothing matches {change}")


def _structure(identifier: str) -> str:
    return re.split(r"[.:]", identifier)[0]


def _hits(change: dict[str, str], line: Line, identifier: str) -> bool:
    return (
        fnmatchcase(identifier, change["identifier"])
        and change["alias"] in ("", line.alias)
        and change["map"] in ("", line.map)
        and bool(line.map)
    )


def alias_of(text: str) -> str:
    """Give an alias its number: ``Patient`` means ``Patient[1]``."""
    return text if text.endswith("]") else f"{text}[1]"


def _target(line: Line) -> Json:
    if line.prose:
        raise ValueError(f"prose condition: {line.prose}")
    if not _ALIAS.match(line.alias):
        raise ValueError("not a resource")
    target: Json = {"alias": alias_of(line.alias), "map": line.map}
    tree = conditions.read(line.when)
    if tree is not None:
        target["when"] = tree
    references = []
    for text in re.split(r"[;\n]+", line.references):
        if not text.strip() or text.strip().endswith("Bundle.id"):
            continue
        match = _REFERENCE.match(text.strip())
        if match is None:
            raise ValueError(f"reference: {text.strip()}")
        owner = match["alias"].lstrip("^").partition("[")[0]
        path = paths.compile_path(match["path"], owner, pivot=False)
        if path.kind != "Reference":
            raise ValueError(f"not a reference: {text.strip()}")
        references.append([alias_of(match["alias"]), path.tokens, alias_of(match["to"])])
    if references:
        target["references"] = references
    return target


def maps_of(item: Json) -> Iterator[str]:
    """List the segment maps that a compiled message uses."""
    for target in item.get("targets", ()):
        yield target["map"]
    for inner in item.get("items", ()):
        yield from maps_of(inner)


def small_tables(folder: Path) -> Json:
    """Read the overlay's small tables: systems, identity, required elements, links, homes."""
    out: Json = {}
    for name in ("systems", "identity", "required", "links", "homes", "chains", "defaults"):
        out[name] = [list(line.values()) for line in sheets.overlay(folder / f"{name}.psv")]
    return out
