"""The pages of staff, as one table."""

from __future__ import annotations

from typing import Final

from simdes.gateway.pages.navigation import BILLERS, CLINICIANS, PHARMACISTS
from simdes.gateway.pages.place import Needs, Place
from simdes.gateway.pages.record import files as record_files
from simdes.gateway.pages.staff import (
    billing,
    correcting,
    counter,
    elsewhere,
    emergency,
    newcomer,
    patients,
    prescribe,
    requesting,
    visit,
)

_ANY, _RECENT = Needs.SIGNED_IN, Needs.RECENT

STAFF_PLACES: Final = (
    Place(patients.PATH, "GET", patients.show, _ANY, CLINICIANS),
    Place(patients.PATH, "POST", patients.search, _ANY, CLINICIANS),
    Place(patients.RECORD, "GET", patients.record, _ANY, CLINICIANS),
    Place(record_files.STAFF, "GET", record_files.send, _ANY, CLINICIANS),
    Place(newcomer.PATH, "GET", newcomer.show, _ANY, CLINICIANS),
    Place(newcomer.PATH, "POST", newcomer.register, _ANY, CLINICIANS),
    Place(elsewhere.PATH, "GET", elsewhere.show, _ANY, CLINICIANS),
    Place(elsewhere.PATH, "POST", elsewhere.search, _ANY, CLINICIANS),
    Place(correcting.PATH, "GET", correcting.show, _ANY, CLINICIANS),
    Place(correcting.ANSWER, "GET", correcting.show_answer, _ANY, CLINICIANS),
    Place(correcting.ANSWER, "POST", correcting.answer, _ANY, CLINICIANS),
    Place(requesting.PATH, "GET", requesting.show, _ANY, CLINICIANS),
    Place(requesting.PATH, "POST", requesting.send, _ANY, CLINICIANS),
    Place(emergency.PATH, "GET", emergency.show, _ANY, CLINICIANS),
    Place(record_files.EMERGENCY, "GET", emergency.file, _ANY, CLINICIANS),
    Place(emergency.NEW, "GET", emergency.show_new, _RECENT, CLINICIANS),
    Place(emergency.NEW, "POST", emergency.open_, _RECENT, CLINICIANS),
    Place(visit.PATH, "GET", visit.show, _ANY, CLINICIANS),
    Place(visit.PATH, "POST", visit.write, _ANY, CLINICIANS),
    Place(prescribe.PATH, "GET", prescribe.show, _ANY, CLINICIANS),
    Place(prescribe.PATH, "POST", prescribe.sign, _ANY, CLINICIANS),
    Place(counter.PATH, "GET", counter.show, _ANY, PHARMACISTS),
    Place(counter.OPEN, "POST", counter.open_, _ANY, PHARMACISTS),
    Place(counter.DISPENSE, "POST", counter.dispense, _ANY, PHARMACISTS),
    Place(counter.REFUSE, "POST", counter.refuse, _ANY, PHARMACISTS),
    Place(counter.ACCEPT, "POST", counter.accept, _ANY, PHARMACISTS),
    Place(counter.RELEASE, "POST", counter.release, _ANY, PHARMACISTS),
    Place(counter.DISPENSED, "GET", counter.dispensed, _ANY, PHARMACISTS),
    Place(billing.PATH, "GET", billing.show, _ANY, BILLERS),
    Place(billing.CLAIM, "GET", billing.show_claim, _RECENT, BILLERS),
    Place(billing.ACCEPT, "POST", billing.accept, _RECENT, BILLERS),
    Place(billing.APPEAL, "POST", billing.appeal, _RECENT, BILLERS),
    Place(billing.ANSWER, "POST", billing.answer, _RECENT, BILLERS),
    Place(billing.END, "POST", billing.end, _RECENT, BILLERS),
    Place(billing.AGAIN, "POST", billing.again, _RECENT, BILLERS),
)
