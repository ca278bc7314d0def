"""The start page: what is new, and what each role comes for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from simdes.exchange import fhir_users, members, notices
from simdes.exchange.notices import Notice
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.navigation import PATIENT, links_of
from simdes.gateway.pages.patient import claim, merges, moving

WHERE: Final[Mapping[str, str]] = {
    notices.REQUEST: "/sharing",
    notices.EMERGENCY: "/sharing",
    notices.RECOVERY: "/guardians",
    notices.ROTATION: "/guardians",
    notices.WALLET: moving.PATH,
    notices.GUARDIANS: "/guardians",
    notices.FREEZE: "/guardians",
    notices.MERGE: merges.PATH,
    **dict.fromkeys(notices.CLAIMS.values(), claim.PATH),
}
"""Where each kind of notice is looked at."""


def show(asked: Asked) -> Shown:
    """A card for each page of the person's role, after what a patient should know of."""
    found = notices.listed(asked.node, asked.visit.session) if asked.role in PATIENT else []
    named = {one.organisation for one in found if one.organisation}
    patients = _patients(asked) if any(one.vault for one in found) else {}
    return Shown(
        "home.html",
        {
            "cards": links_of(asked.role, bills=asked.node.claims.opens),
            "role": asked.role,
            "notices": found,
            "where": lambda one: _where(one, patients),
            "names": {one: members.name_of(asked.node, one) for one in named},
        },
    )


def _patients(asked: Asked) -> dict[bytes, str]:
    """The Patient of each vault, for whoever has several; {} for one alone."""
    found = fhir_users.own_records(asked.node, asked.visit.session.actor.account)
    return {one.vault: one.patient for one in found} if len(found) > 1 else {}


def _where(one: Notice, patients: Mapping[bytes, str]) -> str:
    said = {"patient": patients.get(one.vault, ""), "claim": one.claim.hex()}
    kept = {name: value for name, value in said.items() if value}
    return f"{WHERE[one.kind]}?{urlencode(kept)}" if kept else WHERE[one.kind]
