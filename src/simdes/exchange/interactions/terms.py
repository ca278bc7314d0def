"""Codes for searches by value set and hierarchy (``:in``, ``:not-in``, ``:above``, ``:below``)."""

from __future__ import annotations

from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.search.criteria import Expand


def expander(node: Node, asking: Asking) -> Expand | None:
    """What finds the codes of a value set among what is loaded and what the caller may see."""
    return None
