"""What a page is: its address, method, who may ask for it. `places` has the table of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from simdes.gateway.pages.answering import Answer
from simdes.gateway.pages.asking import Asked

Page = Callable[[Asked], Answer]


class Needs(Enum):
    """Who may ask for a page."""

    NOBODY = "nobody"
    SIGNED_IN = "a signed-in person"
    RECENT = "a signed-in person who proved it within fifteen minutes"


@dataclass(frozen=True, slots=True)
class Place:
    """A page at an address. ``roles``: of these people alone; none: of everybody. ``signed``: its
    form needs no browser of ours, because its address is one that we signed. ``signs``: it takes
    the person's key, so whose wallet keeps theirs is told before a form. ``per_minute``: how often
    one network address may ask, 0 as often as it likes."""

    path: str
    method: str
    page: Page
    needs: Needs
    roles: frozenset[str] = frozenset()
    signed: bool = False
    signs: bool = False
    per_minute: int = 0
