"""The start page: what each role comes for."""

from __future__ import annotations

from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.navigation import links_of


def show(asked: Asked) -> Shown:
    """A card for each page of the person's role."""
    return Shown("home.html", {"cards": links_of(asked.role), "role": asked.role})
