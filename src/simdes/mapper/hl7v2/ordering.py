"""Answer orders and dispenses as chapter 4 asks: RRE to RDE, RRD to RDS, ORR to ORM, and so on.

HL7 v2.5.1, chapter 4 (from v2.6 on 4A): an application's acknowledgment of an order names each
order, with what became of the request in ORC-1 (table 0119). "Accepted" here means that it is on
record; whether a pharmacy fills it, the pharmacy says in messages of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.errors import TooLarge
from simdes.mapper.hl7v2 import er7
from simdes.mapper.hl7v2.er7 import Segment, Separators
from simdes.mapper.model import LIMITS
from simdes.mapper.refusal import Unreadable

RESPONSES: Final = {
    ("ORM", "O01"): ("ORR", "O02", "ORR_O02"),
    ("OMP", "O09"): ("ORP", "O10", "ORP_O10"),
    ("RDE", "O01"): ("RRE", "O02", "RRE_O02"),
    ("RDE", "O11"): ("RRE", "O12", "RRE_O12"),
    ("RDE", "O25"): ("RRE", "O26", "RRE_O12"),
    ("RDS", "O01"): ("RRD", "O02", "RRD_O02"),
    ("RDS", "O13"): ("RRD", "O14", "RRD_O14"),
}
"""The message that answers a message: its type, event and structure."""

TYPES: Final = frozenset(kind[0] for kind in RESPONSES.values())
"""Types of messages that answer orders; such a one is itself never answered."""

_DONE: Final = {
    "CA": "CR",
    "DC": "DR",
    "HD": "HR",
    "RL": "OR",
    "RP": "RQ",
    "XO": "XR",
}
"""Table 0119: what was asked for, and that it was done; anything else is OK."""
_NOT_DONE: Final = {
    "CA": "UC",
    "DC": "UD",
    "HD": "UH",
    "RL": "UR",
    "RP": "UM",
    "XO": "UX",
}
"""Table 0119: what was asked for, and that it could not be done; anything else is UA."""
_NUMBERS: Final = (2, 3, 4)
"""ORC: the numbers of placer, filler and group, which the answer repeats."""


@dataclass(frozen=True, slots=True)
class OrderResponse:
    """How an order is answered: the kind of message, and a line for each order."""

    kind: tuple[str, str, str]
    lines: tuple[str, ...]


def order_response(source: bytes, *, accepted: bool) -> OrderResponse | None:
    """How ``source`` is answered; None for what is no order, or can't be read as one."""
    try:
        message = er7.read(source, default_encoding="utf-8", limits=LIMITS)
    except (Unreadable, TooLarge):
        return None
    signs = message.separators
    parts = [*message.header.field(9).split(signs.component), "", ""]
    kind = RESPONSES.get((parts[0].strip(), parts[1].strip()))
    if kind is None:
        return None
    orders = (one for one in message.segments if one.name == "ORC")
    return OrderResponse(kind, tuple(_line(one, signs, accepted=accepted) for one in orders))


def _line(order: Segment, signs: Separators, *, accepted: bool) -> str:
    asked = order.field(1).strip().upper()
    said = _DONE.get(asked, "OK") if accepted else _NOT_DONE.get(asked, "UA")
    numbers = (order.field(number).replace("\n", " ") for number in _NUMBERS)
    return signs.field.join(("ORC", said, *numbers)).rstrip(signs.field)
