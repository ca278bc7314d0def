"""The start page: what is new, and what each role comes for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.exchange import members, notices
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.navigation import PATIENT, links_of

WHERE: Final[Mapping[str, str]] = {
    notices.REQUEST: "/sharing",
    notices.EMERGENCY: "/sharing",
    notices.RECOVERY: "/guardians",
}
"""Where each kind of notice is looked at."""


def show(asked: Asked) -> Shown:
    """A card for each page of the person's role, after what a patient should know of."""
    found = notices.listed(asked.node, asked.visit.session) if asked.role in PATIENT else []
    named = {one.organisation for one in found if one.organisation}
    return Shown(
        "home.html",
        {
            "cards": links_of(asked.role),
            "role": asked.role,
            "notices": found,
            "where": WHERE,
            "names": {one: members.name_of(asked.node, one) for one in named},
        },
    )
