"""Give resources ids that follow from what they are, so that the same message gives the same again.

Recipes per resource type are data (overlay table ``identity``). Ids are name-based UUIDs in the
manner of version 5 (RFC 9562), over the site's identity, the type and the recipe's parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Protocol

import msgspec

from simdes.mapper.draft import Node
from simdes.mapper.model import Json

_NAMESPACE = bytes.fromhex("5d0c9d0b5f0e4f0c9a1b6f1a2c7e3d41")
_STARTED = hashlib.sha1(_NAMESPACE, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_BEING_NAMED = "?"

Key = tuple[str, ...]


def uuid(*parts: str) -> str:
    """Make a UUID of ``parts``: the same parts, the same UUID."""
    name = _STARTED.copy()
    name.update("\x1f".join(parts).encode("utf-8", "surrogatepass"))
    text = name.hexdigest()
    variant = _VARIANT[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def patient_identifiers(
    entries: Iterable[Json], *, facility: str = "", named: Iterable[tuple[str, str]] = ()
) -> tuple[tuple[str, str], ...]:
    """List the (system, value) pairs of a Bundle's patients after those ``named`` elsewhere.

    ``facility`` stands for the system of identifiers that have none. Entries need not be valid.
    """
    found = dict.fromkeys(named)
    for entry in entries:
        resource = entry["resource"]
        identifiers = resource.get("identifier") if resource["resourceType"] == "Patient" else None
        for identifier in identifiers if isinstance(identifiers, list) else ():
            if isinstance(identifier, dict) and isinstance(identifier.get("value"), str):
                found[(str(identifier.get("system") or facility), identifier["value"])] = None
    return tuple(found)


class Parts(Protocol):
    """What a format adds to recipes: the parts only it can answer.

    ``control`` names the message or document, ``facility`` the assigner of identifiers that name
    none; ``parents`` are the aliases that may stand for ``@parent``, innermost first.
    """

    control: str
    facility: str
    parents: tuple[str, ...]

    def part(self, node: Node, name: str) -> str | None:
        """Give the part ``name`` of ``node``; None when the source does not have it."""


Recipes = Mapping[str, tuple[bool, list[list[str]]]]
"""By resource type: whether equal ones are merged, and the recipes, best first."""


class Namer:
    """Names the resources of one message or document."""

    def __init__(self, site: str, recipes: Recipes, parts: Parts) -> None:
        self._site = site
        self._recipes = recipes
        self._parts = parts
        self._counts: dict[str, int] = {}

    def id_of(self, node: Node) -> str:
        """Give ``node`` its id, and those it depends on theirs."""
        if node.id:
            return node.id if node.id != _BEING_NAMED else uuid(self._parts.control, node.type)
        node.id = _BEING_NAMED  # two resources may be named after each other
        merge, recipes = self._recipes.get(node.type, (True, [["@content"]]))
        key = self._key(node, recipes)
        made = uuid(self._site, node.type, *key)
        if not merge:
            count = self._counts.get(made, 0)
            self._counts[made] = count + 1
            if count:
                made = uuid(self._site, node.type, *key, str(count))
        node.id = made
        return made

    def _key(self, node: Node, recipes: list[list[str]]) -> Key:
        for number, recipe in enumerate(recipes):
            parts = [str(number)]
            for name in recipe:
                part = _reader(name)(self, node)
                if part is None:
                    break
                parts.append(part)
            else:
                return tuple(parts)
        return ("content", self._content(node))

    def _parent(self, node: Node) -> str | None:
        for alias in self._parts.parents:
            found = node.frame.find(alias)
            if found is not None and found is not node:
                return self.id_of(found)
        return None

    def _identifier(self, body: Json, code: str) -> str | None:
        found = body.get("identifier")
        for identifier in found if isinstance(found, list) else [found] if found else []:
            value = identifier.get("value")
            if value is None:
                continue
            if code and code not in {
                coding.get("code") for coding in identifier.get("type", {}).get("coding", ())
            }:
                continue
            return f"{identifier.get('system') or self._parts.facility}|{value}"
        return None

    def _content(self, node: Node) -> str:
        return self._text(node.body)

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return msgspec.json.encode(value, enc_hook=self._encode, order="sorted").decode()

    def _encode(self, value: Any) -> str:
        return self.id_of(value) if isinstance(value, Node) else str(value)


_CONTEXT: dict[str, Callable[[Namer, Node], str | None]] = {
    "@control": lambda namer, _: namer._parts.control,
    "@facility": lambda namer, _: namer._parts.facility,
    "@place": lambda _, node: str(node.place),
    "@content": Namer._content,
    "@parent": Namer._parent,
}


@cache
def _reader(name: str) -> Callable[[Namer, Node], str | None]:
    """Build what reads the part ``name`` of a recipe."""
    if name in _CONTEXT:
        return _CONTEXT[name]
    if name[0] == "@" or name.endswith(")"):
        return lambda namer, node: namer._parts.part(node, name)
    if name.startswith("identifier"):
        code = name.partition(":")[2]
        return lambda namer, node: namer._identifier(node.body, code)
    path, compared, wanted = name.partition("=")
    steps = path.split(".")

    def read(namer: Namer, node: Node) -> str | None:
        value: Any = node.body
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        if compared:
            return str(value == wanted)
        return None if value is None else namer._text(value)

    return read
