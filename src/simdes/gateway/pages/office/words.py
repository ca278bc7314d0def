"""Closed lists of words of the administrator's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.gateway.pages.languages import mark as _

OFFICE_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "standing": {
        "unregistered": _("not on the ledger yet"),
        "pending": _("waits to be verified"),
        "verified": _("verified"),
        "suspended": _("suspended"),
    },
    "decision": {
        "verify": _("Verify"),
        "suspend": _("Suspend"),
    },
    "who": {
        "": _("Staff"),
        "waiting": _("Waiting"),
        "patients": _("Patients"),
    },
}

OFFICE_DONE: Final[Mapping[str, str]] = {
    "organisation-verified": _("The organisation and its software are verified."),
    "organisation-suspended": _("The organisation is suspended."),
    "confirmed": _("Your confirmation counts. More owners must confirm."),
    "person-verified": _("The account is verified."),
    "person-suspended": _("The account is suspended."),
}
