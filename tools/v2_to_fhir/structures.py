"""Compile a message map: the tree of groups and segments, and which resource each one feeds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tools.v2_to_fhir import conditions, sheets
from tools.v2_to_fhir.sheets import Line

from simdes.mapper import paths

Json = dict[str, Any]

_BEGIN = re.compile(r"---\s*(.*?)\s+begin")
_END = re.compile(r"---\s*(.*?)\s+end")
_REFERENCE = re.compile(
    r"(?P<alias>\w+(?:\[\w+\])?)\.(?P<path>.+?)(?:\.reference|\.id)?\s*=\s*"
    r"(?P<to>[A-Z]\w+(?:\[\w+\])?)\.id$"
)
_ALIAS = re.compile(r"[A-Z][A-Za-z]+(\[\w+\])?$")


def compile_message(lines: list[Line], changes: list[dict[str, str]]) -> Json:
    """Compile one message map. Raises ValueError listing what it cannot follow."""
    problems: list[str] = []
    root: Json = {"name": _structure(lines[0].identifier), "repeats": False, "items": []}
    stack = [root]
    seen: dict[str, Json] = {}
    for line in _changed(lines, changes, problems):
        begin = _BEGIN.search(line.name)
        if begin:
            group = {"name": begin[1], "repeats": "{" in line.syntax, "items": []}
            stack[-1]["items"].append(group)
            stack.append(group)
        elif _END.search(line.name):
            stack.pop()
        else:
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
    structure = _structure(lines[0].identifier)
    ours = [c for c in changes if _structure(c["identifier"]) == structure]
    used: set[int] = set()
    order = [line.identifier for line in lines]
    for at, line in enumerate(lines):
        identifier = line.identifier
        dropped = False
        for number, change in enumerate(ours):
            if change["verb"] == "drop" and _hits(change, line, identifier):
                dropped = True
                used.add(number)
        if not dropped:
            yield line
        elif identifier not in order[:at]:
            yield line._replace(alias="", map="", references="", when="", prose="")
        if identifier in order[at + 1 :]:
            continue
        for number, change in enumerate(ours):
            if change["verb"] == "add" and change["identifier"] == identifier:
                used.add(number)
                yield line._replace(
                    when=change["when"],
                    prose="",
                    alias=change["alias"],
                    map=change["map"],
                    references=change["references"],
                )
    for number, change in enumerate(ours):
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
        owner = match["alias"].partition("[")[0]
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
