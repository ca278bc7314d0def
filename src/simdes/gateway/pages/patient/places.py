"""The pages of patients, as one table."""

from __future__ import annotations

from typing import Final

from simdes.gateway.pages.navigation import PATIENT
from simdes.gateway.pages.patient import record
from simdes.gateway.pages.place import Needs, Place

PATIENT_PLACES: Final = (Place(record.PATH, "GET", record.show, Needs.SIGNED_IN, PATIENT),)
