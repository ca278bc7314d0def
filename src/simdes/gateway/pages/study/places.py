"""The researcher's pages, as one table; approvers are administrators and doctors, too."""

from __future__ import annotations

from typing import Final

from simdes.gateway.pages.navigation import APPROVERS, RESEARCHERS
from simdes.gateway.pages.place import Needs, Place
from simdes.gateway.pages.study import studies

_WHO: Final = RESEARCHERS | APPROVERS

STUDY_PLACES: Final = (
    Place(studies.PATH, "GET", studies.show, Needs.SIGNED_IN, _WHO),
    Place(studies.STUDY, "GET", studies.show_study, Needs.RECENT, _WHO),
    Place(studies.STUDY, "POST", studies.study, Needs.RECENT, _WHO),
)
