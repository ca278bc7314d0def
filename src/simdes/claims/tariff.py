"""What a service costs: a table of prices by code and day (pure).

A tariff is a text of lines ``system|code ; from ; until ; price ; what it is``, days as
``YYYY-MM-DD`` or empty for open; ``#`` begins a comment. Its first line names the currency:
``currency EUR``. Rows of one code must not overlap, so that a day has one price.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from simdes.claims.money import Money, decimals_of, money_of
from simdes.errors import Invalid

_PARTS: Final = 5
_FIRST, _LAST = date(1, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one unit from a day to another, both included."""

    first: date
    last: date
    price: Money
    text: str


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices by (system, code)."""

    currency: str
    prices: Mapping[tuple[str, str], Sequence[Price]]

    def price(self, system: str, code: str, day: date) -> Price | None:
        """What one unit of a code costs on a day, None where the table says nothing."""
        its = self.prices.get((system, code), ())
        return next((one for one in its if one.first <= day <= one.last), None)


def read_tariff(text: str) -> Tariff:
    """Read a tariff. Raises Invalid naming the line at fault."""
    rows = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows or not rows[0][1].startswith("currency "):
        raise Invalid("A tariff begins with its currency, such as: currency EUR")
    currency = rows[0][1].split()[1]
    decimals_of(currency)
    found: defaultdict[tuple[str, str], list[Price]] = defaultdict(list)
    for number, line in rows[1:]:
        try:
            key, price = _row(line, currency)
        except (Invalid, ValueError):
            raise Invalid(f"Line {number} of the tariff can't be read.") from None
        if any(one.first <= price.last and price.first <= one.last for one in found[key]):
            raise Invalid(f"Line {number} of the tariff gives a day a second price.")
        found[key].append(price)
    return Tariff(currency, {key: tuple(its) for key, its in found.items()})


def _row(line: str, currency: str) -> tuple[tuple[str, str], Price]:
    parts = [one.strip() for one in line.split(";")]
    if len(parts) != _PARTS or not parts[0].rpartition("|")[2]:
        raise Invalid("A row has five parts.")
    system, _, code = parts[0].rpartition("|")
    first = date.fromisoformat(parts[1]) if parts[1] else _FIRST
    last = date.fromisoformat(parts[2]) if parts[2] else _LAST
    price = money_of(parts[3], currency)
    if first > last or price.minor < 0:
        raise Invalid("A price is not negative and ends after it begins.")
    return (system, code), Price(first, last, price, parts[4])
