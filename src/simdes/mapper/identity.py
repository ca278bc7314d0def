"""Give resources ids that follow from what they are, so that the same message gives the same again.

Recipes per resource type are data (overlay table ``identity``). Ids are name-based UUIDs in the
manner of version 5 (RFC 9562), over the site's identity, the type and the recipe's parts.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from simdes.mapper.hl7v2.functions import authority
from simdes.mapper.hl7v2.state import Json, Node, State
from simdes.mapper.hl7v2.tables import Tables

_NAMESPACE = bytes.fromhex("5d0c9d0b5f0e4f0c9a1b6f1a2c7e3d41")
_PREFERRED = ("MR", "PI", "PT", "VN")
_BEING_NAMED = "?"
_PARENTS = ("DiagnosticReport[1]", "Encounter[1]", "Patient[1]")

Key = tuple[str, ...]


def uuid(*parts: str) -> str:
    """Make a UUID of ``parts``: the same parts, the same UUID."""
    name = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    digest = bytearray(hashlib.sha1(_NAMESPACE + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Namer:
    """Names the resources of one message."""

    def __init__(self, state: State, tables: Tables, *, control: str, facility: str) -> None:
        self._state = state
        self._tables = tables
        self._control = control
        self._facility = facility
        self._counts: dict[str, int] = {}

    def id_of(self, node: Node) -> str:
        """Give ``node`` its id, and those it depends on theirs."""
        if node.id:
            return node.id if node.id != _BEING_NAMED else uuid(self._control, node.type)
        node.id = _BEING_NAMED  # two resources may be named after each other
        merge, recipes = self._tables.identity.get(node.type, (True, [["@content"]]))
        key = self._key(node, recipes)
        made = uuid(self._state.site.identity, node.type, *key)
        if not merge:
            count = self._counts.get(made, 0)
            self._counts[made] = count + 1
            if count:
                made = uuid(self._state.site.identity, node.type, *key, str(count))
        node.id = made
        return made

    def _key(self, node: Node, recipes: list[list[str]]) -> Key:
        for number, recipe in enumerate(recipes):
            parts = [str(number)]
            for name in recipe:
                part = self._part(node, name)
                if part is None:
                    break
                parts.append(part)
            else:
                return tuple(parts)
        return ("content", self._content(node))

    def _part(self, node: Node, name: str) -> str | None:
        if name.startswith("@"):
            return self._context(node, name)
        if name.startswith("cx("):
            found = source_identifier(self._state, node.origin, name[3:-1])
            return None if found is None else f"{found[0] or self._facility}|{found[1]}"
        if name.startswith("identifier"):
            return self._identifier(node.body, name.partition(":")[2])
        value: Any = node.body
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return None if value is None else self._text(value)

    def _context(self, node: Node, name: str) -> str | None:
        if name == "@control":
            return self._control
        if name == "@facility":
            return self._facility
        if name == "@place":
            return str(node.place)
        if name == "@content":
            return self._content(node)
        if name == "@parent":
            return self._parent(node)
        field = 1 if name == "@set" else 4
        return node.origin[field] if field < len(node.origin) else ""

    def _parent(self, node: Node) -> str | None:
        for alias in _PARENTS:
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
            return f"{identifier.get('system') or self._facility}|{value}"
        return None

    def _content(self, node: Node) -> str:
        return self._text(node.body)

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return msgspec.json.encode(value, enc_hook=self._encode, order="sorted").decode()

    def _encode(self, value: Any) -> str:
        return self.id_of(value) if isinstance(value, Node) else str(value)


def source_identifier(state: State, origin: list[str], reference: str) -> tuple[str, str] | None:
    """Read a CX field of the segment a resource came from: (system or empty, value), best first."""
    segment, _, number = reference.partition("-")
    at = int(number)
    if not origin or origin[0] != segment or at >= len(origin) or not origin[at]:
        return None
    best: tuple[int, str, str] | None = None
    for text in origin[at].split(state.separators.repetition):
        parts = [*text.split(state.component), "", "", "", ""]
        value = state.plain(parts[0].split(state.subcomponent)[0]).strip()
        if not value or value == '""':
            continue
        pieces = [*parts[3].split(state.subcomponent), ""]
        system = authority(state, pieces[0], pieces[1])
        code = parts[4].split(state.subcomponent)[0]
        rank = _PREFERRED.index(code) if code in _PREFERRED else len(_PREFERRED) + (not system)
        if best is None or rank < best[0]:
            best = (rank, system, value)
    return None if best is None else (best[1], best[2])
