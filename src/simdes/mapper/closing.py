"""What `finaliser` needs to know of each resource type, from small tables.

``identity``: what makes two resources the same. ``links``: the element that names the patient.
``required``: what R4 demands and a source may not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from simdes.mapper.identity import Recipes
from simdes.mapper.sheets import rows


class Required(NamedTuple):
    """An element to fill: its path's steps, how, the value, and when (`data ... required.psv`)."""

    steps: list[str]
    kind: str
    value: str
    unless: list[str]
    given: str


class Link(NamedTuple):
    """The element of a type that names its patient, whether it is a list, and whom it names."""

    element: str
    is_list: bool
    alias: str


@dataclass(frozen=True, slots=True)
class Closing:
    """The tables, by resource type; ``completes``: whatever else R4 requires is filled in, too."""

    identity: Recipes
    links: Mapping[str, Link]
    required: Mapping[str, list[Required]]
    completes: bool = False


def closing(tables: Mapping[str, Sequence[Sequence[str]]]) -> Closing:
    """Read the rows of the tables ``identity``, ``links`` and ``required``."""
    required: dict[str, list[Required]] = {}
    for path, kind, value, unless, given in tables["required"]:
        owner, *steps = path.split(".")
        required.setdefault(owner, []).append(Required(steps, kind, value, unless.split(), given))
    return Closing(
        identity={
            kind: (merge == "same", [recipe.split() for recipe in recipes.split(";")])
            for kind, merge, recipes in tables["identity"]
        },
        links={
            kind: Link(element.rstrip("*"), element.endswith("*"), alias)
            for kind, element, alias in tables["links"]
        },
        required=required,
    )


@cache
def shared() -> Closing:
    """Read the tables of the formats that sheets map (``identity.psv``, ``links.psv``)."""
    tables: dict[str, list[list[str]]] = {"required": []}
    for name, columns in _SHARED.items():
        text = (files("simdes.mapper") / f"{name}.psv").read_text(encoding="utf-8")
        tables[name] = [[line.cell(one) for one in columns] for line in rows(f"{name}.psv", text)]
    made = closing(tables)
    return Closing(made.identity, made.links, made.required, completes=True)


_SHARED = {"identity": ("type", "merge", "recipes"), "links": ("type", "element", "alias")}
