"""The compiled table of HL7's maps (tools/compile_v2_maps.py), read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from simdes.mapper.closing import Closing, closing
from simdes.mapper.hl7v2 import conditions
from simdes.mapper.hl7v2.conditions import Condition
from simdes.mapper.hl7v2.grammar import Item, build
from simdes.mapper.hl7v2.maps import Maps
from simdes.mapper.hl7v2.segments import SegmentMap
from simdes.mapper.places import Place, place

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that a segment feeds: its alias, the map, when, and the references to set."""

    alias: str
    type: str
    map: SegmentMap
    when: Condition | None
    references: tuple[tuple[str, Place, str], ...]


class Tables:
    """The events covered, their structures, all maps, and the overlay's small tables."""

    def __init__(self, table: Json) -> None:
        self.events: dict[str, str] = table["events"]
        self.maps = Maps(table)
        self.structures: dict[str, Item] = {
            name: build(node, self._target) for name, node in table["messages"].items()
        }
        small = table["tables"]
        self.systems: dict[str, str] = {name.upper(): uri for name, uri in small["systems"]}
        self.homes: dict[str, list[str]] = {
            name: aliases.split() for name, aliases in small["homes"]
        }
        self.closing: Closing = closing(small)

    def _target(self, data: Json) -> Target:
        references = tuple(
            (owner, place((*path, ">")), to) for owner, path, to in data.get("references", ())
        )
        when = conditions.build(data["when"], 0) if "when" in data else None
        kind = data["alias"].partition("[")[0]
        map_ = self.maps.segment(data["map"].lower().replace("-", ""))
        return Target(data["alias"], kind, map_, when, references)


@lru_cache(maxsize=1)
def hl7v2() -> Tables:
    """Read the HL7 v2 table of this package."""
    source = files("simdes.mapper.hl7v2") / "table.json"
    return Tables(msgspec.json.decode(source.read_bytes()))
