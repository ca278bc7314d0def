"""What a FHIR Claim asks for, line by line, in minor units (pure).

https://hl7.org/fhir/R4/claim.html. A Claim whose lines do not add up to its total is refused: what
is proved on the ledger and what is decided must be the same amounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from simdes.claims.money import Money, read_money, times
from simdes.claims.reading import coded, day_of, quantity_of
from simdes.errors import Invalid

Json = Mapping[str, Any]

MOST_LINES: Final = 999
"""As many as an X12 837I may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A service: its codes as (system, code), when, how much of it, and ``net`` minor units."""

    sequence: int
    codes: Sequence[tuple[str, str]]
    day: date
    net: int
    quantity: Decimal = Decimal(1)
    modifiers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The lines of a claim, its prior authorisations (numbers), and the day it was made."""

    currency: str
    lines: Sequence[Line]
    created: date
    authorisations: frozenset[str] = frozenset()

    @property
    def total(self) -> Money:
        """What is claimed in all."""
        return Money(sum(one.net for one in self.lines), self.currency)


def claimed_of(claim: Json) -> Claimed:
    """Read a Claim. Raises Invalid for one that can't be decided: no lines, amounts that do not
    add up, several currencies, a line without a day."""
    items = claim.get("item") or ()
    if not items:
        raise Invalid("The claim has no lines.")
    if len(items) > MOST_LINES:
        raise Invalid(f"A claim has {MOST_LINES} lines at most.")
    created = day_of(claim.get("created"))
    if created is None:
        raise Invalid("The claim does not say when it was made.")
    period = claim.get("billablePeriod") or {}
    default = day_of(period.get("start")) or day_of(period.get("end"))
    nets = [_net(one, _currency(claim)) for one in items]
    currency = nets[0].currency
    whole = nets[0]
    for one in nets[1:]:
        whole = whole + one
    if "total" in claim and read_money(claim["total"], currency=currency) != whole:
        raise Invalid("The lines of the claim do not add up to its total.")
    lines = [_line(item, net, default) for item, net in zip(items, nets, strict=True)]
    if len({one.sequence for one in lines}) != len(lines):
        raise Invalid("Two lines of the claim have the same number.")
    return Claimed(
        currency=currency,
        lines=tuple(lines),
        created=created,
        authorisations=frozenset(
            str(number)
            for insurance in claim.get("insurance") or ()
            if insurance.get("focal") is True
            for number in insurance.get("preAuthRef") or ()
        ),
    )


def _currency(claim: Json) -> str:
    """The currency that a Claim names anywhere: an imported one may name it in its total alone."""
    found = (claim.get("total") or {}).get("currency")
    return found if isinstance(found, str) else ""


def _net(item: Json, currency: str) -> Money:
    if "net" in item:
        net = read_money(item["net"], currency=currency)
    else:
        unit = read_money(item.get("unitPrice"), currency=currency)
        factor = item.get("factor", 1)
        if isinstance(factor, bool) or not isinstance(factor, Decimal | int):
            raise Invalid("A factor is a number.")
        net = Money(times(unit.minor, quantity_of(item.get("quantity")) * factor), unit.currency)
    if net.minor < 0:
        raise Invalid("A line of a claim is not negative.")
    return net


def _line(item: Json, net: Money, default: date | None) -> Line:
    period = item.get("servicedPeriod") or {}
    day = day_of(item.get("servicedDate")) or day_of(period.get("start")) or default
    sequence = item.get("sequence")
    if day is None or not isinstance(sequence, int) or isinstance(sequence, bool):
        raise Invalid("A line of a claim has a number and a day.")
    codes = [*coded(item.get("productOrService")), *coded(item.get("revenue"))]
    return Line(
        sequence=sequence,
        codes=tuple(codes),
        day=day,
        net=net.minor,
        quantity=quantity_of(item.get("quantity")),
        modifiers=tuple(code for one in item.get("modifier") or () for _, code in coded(one)),
    )
