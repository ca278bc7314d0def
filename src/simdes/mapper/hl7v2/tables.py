"""The compiled table of HL7's maps (tools/compile_v2_maps.py), read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import msgspec

from simdes.mapper.closing import Closing, closing
from simdes.mapper.hl7v2 import conditions
from simdes.mapper.hl7v2.conditions import Condition
from simdes.mapper.hl7v2.grammar import Item, build
from simdes.mapper.hl7v2.local import changed
from simdes.mapper.hl7v2.maps import Maps
from simdes.mapper.hl7v2.segments import SegmentMap
from simdes.mapper.model import Json, Sheet, Site
from simdes.mapper.places import Place, place


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
        self.local: dict[str, list[SegmentMap]] = {
            segment: [self.maps.segment(key) for key in keys]
            for segment, keys in table.get("local", {}).items()
        }

    def _target(self, data: Json) -> Target:
        references = tuple(
            (owner, place((*path, ">")), to) for owner, path, to in data.get("references", ())
        )
        when = conditions.build(data["when"], 0) if "when" in data else None
        kind = data["alias"].partition("[")[0]
        map_ = self.maps.segment(data["map"].lower().replace("-", ""))
        return Target(data["alias"], kind, map_, when, references)


@lru_cache(maxsize=1)
def _compiled() -> Json:
    source = files("simdes.mapper.hl7v2") / "table.json"
    table: Json = msgspec.json.decode(source.read_bytes())
    return table


@lru_cache(maxsize=1)
def hl7v2() -> Tables:
    """Read the HL7 v2 table of this package."""
    return Tables(_compiled())


@lru_cache(maxsize=64)
def _with_sheets(sheets: tuple[Sheet, ...]) -> Tables:
    return Tables(changed(_compiled(), sheets))


def tables_of(site: Site) -> Tables:
    """Give the tables as ``site`` changes them. Raises Invalid where a sheet can't be followed."""
    return _with_sheets(site.sheets_of("hl7v2")) if site.sheets else hl7v2()
