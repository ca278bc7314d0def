"""What people are written about: what they choose, and what is always told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.access.categories import Role

ACCESS: Final = "access"
REFUSED: Final = "refused"
REQUEST: Final = "request"
CLAIM: Final = "claim"
PRESCRIPTION: Final = "prescription"
EMERGENCY: Final = "emergency"
RECOVERY: Final = "recovery"
ERASURE: Final = "erasure"


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that happens. ``always``: whoever has an address is told, at once; ``first``: it is
    chosen unless its owner says otherwise; ``patients``: it happens to patients alone."""

    name: str
    always: bool = False
    first: bool = False
    patients: bool = True


KINDS: Final = (
    Kind(ACCESS),
    Kind(REFUSED, first=True),
    Kind(REQUEST, first=True),
    Kind(CLAIM, first=True),
    Kind(PRESCRIPTION, first=True),
    Kind(EMERGENCY, always=True),
    Kind(RECOVERY, always=True, patients=False),
    Kind(ERASURE, always=True),
)


def kinds_of(role: Role) -> tuple[Kind, ...]:
    """What somebody in a role may be written about."""
    return tuple(one for one in KINDS if role == Role.PATIENT or not one.patients)


def chosen_first(role: Role) -> frozenset[str]:
    """What somebody is written about who has not chosen yet."""
    return frozenset(one.name for one in kinds_of(role) if one.first)
