"""Where each role finds what: the links of every page, and the start page that leads there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.gateway.pages.languages import mark as _

PATIENT: Final = frozenset({"patient"})


@dataclass(frozen=True, slots=True)
class Link:
    """A page that people go to by themselves: its address, name, what it is for, and for whom."""

    path: str
    name: str
    about: str
    roles: frozenset[str]


LINKS: Final = (
    Link(
        "/record",
        _("My record"),
        _("Results, medicines, visits and documents, from everybody who wrote about you."),
        PATIENT,
    ),
)


def links_of(role: str) -> tuple[Link, ...]:
    """The links of a role, in order."""
    return tuple(one for one in LINKS if role in one.roles)
