"""Run the declared maps over the rows of a table, and gather what is one patient's.

A map is declared by sheets: a ``Table`` choice tells by ``@table`` (the file's name) and
``columns/NAME`` which map the rows are run by. Rows of one patient become one Bundle, so that a
table of many patients is submitted patient by patient.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import partial
from typing import Any

from simdes.errors import TooLarge
from simdes.mapper.closing import shared
from simdes.mapper.documents import finished
from simdes.mapper.draft import Scope
from simdes.mapper.finaliser import join, unmapped
from simdes.mapper.identity import uuid
from simdes.mapper.model import Json, Limits, Mapped, Mapping, Quarantined, Site
from simdes.mapper.refusal import Unreadable, attempt, gathered, quarantine
from simdes.mapper.rows import Maps
from simdes.mapper.shipped import Shipped
from simdes.mapper.tabular.reader import Row, Table, read
from simdes.mapper.work import Work

_KEPT = unmapped("csv")
_NO_MAP = (
    "no-map",
    "no map is declared for a table of this name and these columns",
    "Draft one with `simdes infer`, put it into the site's folder csv, and replay.",
)


SHIPPED = Shipped("simdes.mapper.tabular", "csv", {})
maps_of = SHIPPED.maps_of


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Map a table; rows that can't be mapped are quarantined one by one."""
    try:
        table = read(name, data, site=site, limits=limits)
        site = site.sent_by(table.name)
        maps = maps_of(site)
    except Unreadable as error:
        return gathered(name, "csv", [quarantine(0, data, error)])
    quarantined: list[Mapped | Quarantined] = []
    groups: dict[Hashable, list[Mapped]] = {}
    for row in table.rows(limits.messages):
        source = f"{table.header}{row.text}".encode()
        if row.number > limits.messages:
            over = TooLarge(f"more than {limits.messages} rows in one table")
            quarantined.append(quarantine(row.number, source, over))
            break
        mapped = partial(_mapped, table, row, maps, site, explain=explain)
        made = attempt(row.number, source, mapped)
        if isinstance(made, Mapped):
            groups.setdefault(made.patient_identifiers or _alone(made), []).append(made)
        else:
            quarantined.append(made)
    if not groups and quarantined and all(_has_no_map(one) for one in quarantined):
        return gathered(name, "csv", [quarantine(0, data, Unreadable(*_NO_MAP))])
    together = [_together(table, group, site) for group in groups.values()]
    return gathered(name, "csv", [*together, *quarantined])


def _mapped(table: Table, row: Row, maps: Maps, site: Site, *, explain: bool) -> Mapped:
    if row.fault:
        raise Unreadable("bad-row", row.fault, "Correct the row and send it again.")
    root = table.branch(row)
    work = Work(site, explain=explain)
    if maps.run("Table", work, root, Scope()) is None:
        raise Unreadable(*_NO_MAP)
    home = work.nodes[0] if work.nodes else None
    source = f"{table.header}{row.text}".encode()
    return finished(
        work,
        root,
        bundle={"type": "collection"},
        kind="csv",
        event=f"CSV {table.name}",
        source=source,
        control=uuid(table.name, table.header, row.text),
        ignored=SHIPPED.ignored,
        facility=f"urn:simdes:csv:{site.name}",
        home=home,
        index=row.number,
    )


def _has_no_map(one: Mapped | Quarantined) -> bool:
    return isinstance(one, Quarantined) and one.reason_code == _NO_MAP[0]


def _alone(row: Mapped) -> int | None:
    """Keep a row apart that is about a patient it does not name: the next may be another's."""
    kinds = {entry["resource"]["resourceType"] for entry in row.bundle.get("entry", ())}
    return row.index if kinds & {"Patient", *shared().links} else None


def _as_one(said: list[Json]) -> Json:
    """Make one resource of what rows say of it; lists are gathered once, however many rows."""
    if len(said) == 1:
        return said[0]
    whole: Json = {}
    lists: dict[str, dict[str, Any]] = {}
    for body in said:
        join(whole, {name: part for name, part in body.items() if type(part) is not list}, _KEPT)
        beside = whole.pop("extension", [])
        for name, part in (*body.items(), ("extension", beside)):
            for item in part if type(part) is list else ():
                lists.setdefault(name, {}).setdefault(repr(item), item)
    return whole | {name: list(found.values()) for name, found in lists.items()}


def _together(table: Table, group: list[Mapped], site: Site) -> Mapped:
    """Make one Bundle of a patient's rows; what several rows say of one resource is merged."""
    if len(group) == 1:
        return group[0]
    said: dict[str, list[Json]] = {}
    for one in group:
        for entry in one.bundle.get("entry", ()):
            said.setdefault(entry["fullUrl"], []).append(entry["resource"])
    entries = [{"fullUrl": url, "resource": _as_one(found)} for url, found in said.items()]
    header = table.header.encode()
    source = header + b"".join(one.source.removeprefix(header) for one in group)
    first = group[0]
    bundle = {
        **first.bundle,
        "id": uuid(site.identity, "Bundle", *[one.bundle["id"] for one in group]),
        "entry": entries,
    }
    return replace(
        first,
        bundle=bundle,
        source=source,
        dropped=tuple(dict.fromkeys(item for one in group for item in one.dropped)),
        explained=tuple(item for one in group for item in one.explained),
    )
