"""The pages of staff, as one table."""

from __future__ import annotations

from typing import Final

from simdes.gateway.pages.navigation import CLINICIANS, PHARMACISTS
from simdes.gateway.pages.place import Needs, Place
from simdes.gateway.pages.staff import counter, patients

_ANY = Needs.SIGNED_IN

STAFF_PLACES: Final = (
    Place(patients.PATH, "GET", patients.show, _ANY, CLINICIANS),
    Place(patients.PATH, "POST", patients.search, _ANY, CLINICIANS),
    Place(patients.RECORD, "GET", patients.record, _ANY, CLINICIANS),
    Place(counter.PATH, "GET", counter.show, _ANY, PHARMACISTS),
    Place(counter.OPEN, "POST", counter.open_, _ANY, PHARMACISTS),
    Place(counter.DISPENSE, "POST", counter.dispense, _ANY, PHARMACISTS),
    Place(counter.REFUSE, "POST", counter.refuse, _ANY, PHARMACISTS),
    Place(counter.DISPENSED, "GET", counter.dispensed, _ANY, PHARMACISTS),
)
