"""The insurer's pages, as one table."""

from __future__ import annotations

from typing import Final

from simdes.gateway.pages.insurer import claim, inbox
from simdes.gateway.pages.navigation import INSURERS
from simdes.gateway.pages.place import Needs, Place

INSURER_PLACES: Final = (
    Place(inbox.PATH, "GET", inbox.show, Needs.SIGNED_IN, INSURERS),
    Place(inbox.CLAIM, "GET", claim.show, Needs.RECENT, INSURERS),
    Place(claim.DECIDE, "POST", claim.decide, Needs.RECENT, INSURERS),
    Place(claim.ASK, "POST", claim.ask, Needs.RECENT, INSURERS),
    Place(claim.SETTLE, "POST", claim.settle, Needs.RECENT, INSURERS),
    Place(claim.REVERSE, "POST", claim.reverse, Needs.RECENT, INSURERS),
)
