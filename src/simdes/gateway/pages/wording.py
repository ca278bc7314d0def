"""Closed lists of words that pages show: roles, what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.gateway.pages.languages import mark as _

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "role": {
        "patient": _("Patient"),
        "doctor": _("Doctor"),
        "nurse": _("Nurse"),
        "pharmacist": _("Pharmacist"),
        "insurer": _("Insurer"),
        "researcher": _("Researcher"),
        "administrator": _("Administrator"),
    },
    "category": {
        "demographics": _("Name, address and contacts"),
        "encounters": _("Visits and appointments"),
        "conditions": _("Problems and diagnoses"),
        "observations": _("Measurements and test results"),
        "medications": _("Medicines"),
        "allergies": _("Allergies"),
        "immunizations": _("Vaccinations"),
        "prescriptions": _("Prescriptions to be dispensed"),
        "procedures": _("Procedures, orders and devices"),
        "documents": _("Documents and messages"),
        "imaging": _("Images"),
        "care-plans": _("Care plans and goals"),
        "claims": _("Insurance and bills"),
        "family-social": _("Family history"),
        "administrative": _("Staff, places and administration"),
        "research": _("Research"),
        "other": _("Other records"),
        "sources": _("Original messages"),
    },
    "done": {
        "passphrase": _("Your passphrase is changed. You were signed out everywhere else."),
        "passkey": _("The passkey was added. From now on it signs you in by itself."),
        "passkey-alone": _(
            "The passkey was added. It can't unlock your account by itself, so you will be asked "
            "for your passphrase besides."
        ),
        "passkey-renamed": _("The passkey has its new name."),
        "passkey-removed": _("The passkey was removed."),
        "codes-off": _("One-time codes are off."),
        "session": _("You are signed out there."),
        "sessions": _("You are signed out everywhere but here."),
        "app": _("The app can't use your account any more."),
        "signed-out": _("You are signed out."),
    },
}

_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_of(client: str) -> str:
    """``Firefox · Linux`` for what a browser calls itself; "" where nothing is known."""
    found = [next((name for mark, name in listed if mark in client), "") for listed in _LISTS]
    return " · ".join(name for name in found if name)


_LISTS: Final = (_BROWSERS, _SYSTEMS)
