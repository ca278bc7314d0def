"""The values of an older element one by one, and the element without those that are placed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simdes.mapper.model import Json
from simdes.mapper.older.shapes import Shape

Keys = tuple[tuple[str, int], ...]
"""Names and places that lead to a value."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One value of an older element: ``keys`` lead to it, ``extra`` is what ``_name`` has.

    ``type`` is the type its version gives it, ``unknown`` for none.
    """

    keys: Keys
    value: Any
    extra: Any
    type: str

    @property
    def path(self) -> str:
        """Its path for people."""
        return ".".join(name if at == 0 else f"{name}[{at}]" for name, at in self.keys)


def slots_of(value: Json, old: Shape | None, new: Shape | None, only: str = "") -> Iterator[Slot]:
    """Yield the values of an object one by one, with the types its version gives them."""
    plain = only.removesuffix("[x]")
    for name in dict.fromkeys(one.removeprefix("_") for one in value):
        part = old.parts.get(name) if old else None
        if only and name != only and (part is None or part.name != plain or only == plain):
            continue
        if name == "resourceType" and isinstance(value[name], str):
            continue
        if part is None and new is not None:
            part = new.parts.get(name)
        kind = part.type if part else "unknown"
        values, extras = value.get(name), value.get(f"_{name}")
        listed = values if isinstance(values, list) else [values]
        beside = extras if isinstance(extras, list) else [extras]
        for at in range(max(len(listed), len(beside))):
            one = listed[at] if at < len(listed) else None
            extra = beside[at] if at < len(beside) else None
            if one is not None or extra is not None:
                yield Slot(((name, at),), one, extra, kind)


def text_at(value: Any, name: str) -> str:
    """Give the text of an element; empty where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return str(found).lower() if isinstance(found, bool) else str(found or "")


def without(value: Json, gone: list[Keys]) -> Json:
    """Copy an object without the values at some places; what becomes empty goes, too."""
    if not gone:
        return value
    tops = {keys[0][0] for keys in gone}
    made = {name: part for name, part in value.items() if name.removeprefix("_") not in tops}
    for name in tops:
        paths: dict[int, list[Keys]] = {}
        for keys in gone:
            if keys[0][0] == name:
                paths.setdefault(keys[0][1], []).append(keys[1:])
        values, extras = value.get(name), value.get(f"_{name}")
        listed = values if isinstance(values, list) else [values]
        beside = extras if isinstance(extras, list) else [extras]
        kept = [_rest(one, paths.get(at)) for at, one in enumerate(listed)]
        left = [one if at not in paths else None for at, one in enumerate(beside)]
        if any(one is not None for one in kept):
            made[name] = kept
        if any(one is not None for one in left):
            made[f"_{name}"] = left
    return made


def _rest(value: Any, gone: list[Keys] | None) -> Any:
    if gone is None:
        return value
    if any(not keys for keys in gone) or not isinstance(value, dict):
        return None
    return without(value, gone) or None
