"""What a caller may see of the entries kept here, as values that become SQL.

`simdes.access.rights` decides; `simdes.index.search` puts the decision into every part of every
statement: on the resource searched for, on each step of a chain, on what ``_has`` looks through,
on what is included and on what is counted. There is no way to search without one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from simdes.fhir.search.conditions import ALWAYS, Condition

OWN = b"\0" * 32
"""The ``handle`` of entries that this organisation wrote itself."""

PATIENT = b"\xff" * 32
"""The ``handle`` of copies that the vault's own patient opened (PATRQT needs no consent)."""

EVERY_LABEL = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One reason why entries may be seen; everything in it holds together.

    ``handle``: `OWN` for what this organisation wrote itself, else that under which a copy of
    another organisation's record is held: a consent's or an emergency's, or `PATIENT` where the
    patient read it. ``vaults`` None: of every patient. ``categories`` is a bit mask; an entry's
    label bits must all be in ``labels``; ``types`` None: of every type.
    """

    handle: bytes
    vaults: tuple[bytes, ...] | None
    categories: int
    labels: int = EVERY_LABEL
    types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a client was allowed of one resource type: in these vaults, meeting this condition."""

    vaults: tuple[bytes, ...] | None = None
    where: Condition = ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """An entry may be seen when one of the grounds and one of its type's scopes hold.

    ``scopes`` by resource type; a type that is not in it is not seen at all.
    """

    grounds: tuple[Ground, ...]
    scopes: Mapping[str, tuple[Scope, ...]]


def narrowed(visible: Visible, vaults: tuple[bytes, ...] | None) -> Visible:
    """The same within these vaults; all of it for None."""
    if vaults is None:
        return visible
    grounds = []
    for one in visible.grounds:
        inside = vaults if one.vaults is None else tuple(v for v in one.vaults if v in vaults)
        if inside:
            grounds.append(replace(one, vaults=inside))
    return replace(visible, grounds=tuple(grounds))
