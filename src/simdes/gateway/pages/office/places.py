"""The administrator's pages, as one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simdes.gateway.pages.answering import Answer
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.navigation import ADMINISTRATORS
from simdes.gateway.pages.office import (
    condition,
    emergencies,
    organisations,
    patient,
    people,
    quarantine,
    recover,
    trails,
    upgrades,
)
from simdes.gateway.pages.place import Needs, Place

_ANY, _FRESH = Needs.SIGNED_IN, Needs.RECENT
"""What decides, and what shows a document's content, asks for a fresh proof."""


def _place(path: str, method: str, page: Callable[[Asked], Answer], needs: Needs) -> Place:
    return Place(path, method, page, needs, ADMINISTRATORS)


OFFICE_PLACES: Final = (
    _place(organisations.PATH, "GET", organisations.show, _ANY),
    _place(organisations.DECIDE, "GET", organisations.show_decide, _FRESH),
    _place(organisations.DECIDE, "POST", organisations.decide, _FRESH),
    _place(people.PATH, "GET", people.show, _ANY),
    _place(people.NEW, "GET", people.show_new, _FRESH),
    _place(people.NEW, "POST", people.new, _FRESH),
    _place(people.DECIDE, "GET", people.show_decide, _FRESH),
    _place(people.DECIDE, "POST", people.decide, _FRESH),
    _place(patient.PATH, "GET", patient.show, _FRESH),
    _place(patient.PATH, "POST", patient.give, _FRESH),
    _place(patient.END, "POST", patient.end, _FRESH),
    _place(recover.PATH, "GET", recover.show, _FRESH),
    _place(recover.PATH, "POST", recover.attest, _FRESH),
    _place(quarantine.PATH, "GET", quarantine.show, _ANY),
    _place(quarantine.DOCUMENT, "GET", quarantine.show_document, _FRESH),
    _place(quarantine.CONTENT, "GET", quarantine.show_content, _FRESH),
    _place(quarantine.DECIDE, "POST", quarantine.decide, _FRESH),
    _place(condition.PATH, "GET", condition.show, _ANY),
    _place(trails.PATH, "GET", trails.show, _ANY),
    _place(trails.CLOSE, "GET", trails.show_close, _FRESH),
    _place(trails.CLOSE, "POST", trails.close, _FRESH),
    _place(upgrades.PATH, "GET", upgrades.show, _ANY),
    _place(upgrades.DECIDE, "GET", upgrades.show_decide, _FRESH),
    _place(upgrades.DECIDE, "POST", upgrades.decide, _FRESH),
    _place(emergencies.PATH, "GET", emergencies.show, _ANY),
    _place(emergencies.REVIEW, "GET", emergencies.show_review, _FRESH),
    _place(emergencies.REVIEW, "POST", emergencies.review, _FRESH),
)
