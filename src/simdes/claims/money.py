"""Exact money: whole minor units of one currency, never floating point (pure).

ISO 4217 (https://www.iso.org/iso-4217-currency-codes.html) gives each currency its number of
decimals. FHIR's Money (https://hl7.org/fhir/R4/datatypes.html#Money) is read exactly: an amount
that is no whole number of minor units is refused, never rounded. What is reckoned (a percentage, a
price times a quantity) is rounded once, half away from zero, and where it is says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

from simdes.errors import Invalid

_DECIMALS: Final[Mapping[int, str]] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP "
    "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP "
    "GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK "
    "LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER "
    "ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMALS: Final[Mapping[str, int]] = {
    code: count for count, codes in _DECIMALS.items() for code in codes.split()
}
"""How many decimals an amount in a currency has."""

MOST_MINOR: Final = 2**63 - 1
"""The largest amount, in minor units: what a proof and a database column hold."""
_MOST_EXPONENT: Final = 100


@dataclass(frozen=True, slots=True)
class Money:
    """``minor`` units (cents) of a ``currency`` (ISO 4217, such as EUR)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        decimals_of(self.currency)
        if not -MOST_MINOR <= self.minor <= MOST_MINOR:
            raise Invalid("The amount is larger than any that can be claimed.")

    def __add__(self, other: Money) -> Money:
        """Add an amount of the same currency."""
        return Money(self.minor + other._same(self), self.currency)

    def __sub__(self, other: Money) -> Money:
        """Take an amount of the same currency away."""
        return Money(self.minor - other._same(self), self.currency)

    def __neg__(self) -> Money:
        """The same amount the other way."""
        return Money(-self.minor, self.currency)

    def __le__(self, other: Money) -> bool:
        """Whether it is no more than an amount of the same currency."""
        return self.minor <= other._same(self)

    def __lt__(self, other: Money) -> bool:
        """Whether it is less than an amount of the same currency."""
        return self.minor < other._same(self)

    def _same(self, other: Money) -> int:
        if self.currency != other.currency:
            raise Invalid(f"{self.currency} and {other.currency} can't be reckoned together.")
        return self.minor

    @property
    def amount(self) -> Decimal:
        """The amount in the currency's own unit, with all its decimals."""
        return Decimal(self.minor).scaleb(-DECIMALS[self.currency])

    def __str__(self) -> str:
        """The amount as people read it: ``12.30 EUR``."""
        return f"{self.amount:f} {self.currency}"


def decimals_of(currency: str) -> int:
    """How many decimals a currency has. Raises Invalid for one that ISO 4217 does not list."""
    try:
        return DECIMALS[currency]
    except KeyError:
        raise Invalid("The currency is none of ISO 4217.") from None


def money_of(value: object, currency: str) -> Money:
    """An amount written as a decimal (Decimal, int or text) of a currency, exactly.

    Raises Invalid for what is no number, or no whole number of minor units.
    """
    decimals = decimals_of(currency)
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise Invalid("An amount of money is a decimal number.")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise Invalid("An amount of money is a decimal number.") from None
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or (amount and amount.adjusted() > 18):
        raise Invalid("The amount is larger than any that can be claimed.")
    if abs(exponent) > _MOST_EXPONENT:  # a Fraction of it would fill the memory
        raise Invalid("An amount of money is a decimal number.")
    minor = Fraction(amount) * 10**decimals
    if minor.denominator != 1:
        raise Invalid(f"An amount in {currency} has {decimals} decimals at most.")
    return Money(int(minor), currency)


def read_money(value: object, *, currency: str = "") -> Money:
    """A FHIR Money; ``currency`` is meant where it names none. Raises Invalid."""
    if not isinstance(value, Mapping) or "value" not in value:
        raise Invalid("An amount of money needs a value.")
    named = value.get("currency", currency)
    if not isinstance(named, str) or not named:
        raise Invalid("An amount of money needs a currency.")
    return money_of(value["value"], named)


def write_money(money: Money) -> dict[str, Any]:
    """The amount as a FHIR Money, its value with all decimals of the currency."""
    value = money.amount
    return {"value": value if DECIMALS[money.currency] else money.minor, "currency": money.currency}


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of amounts of one currency; none: nothing of ``currency``."""
    found = Money(0, currency)
    for one in amounts:
        found = found + one
    return found


def rounded(exact: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    doubled = abs(exact) * 2
    whole = (doubled.numerator + doubled.denominator) // (2 * doubled.denominator)
    return whole if exact >= 0 else -whole


def times(minor: int, factor: Decimal | Fraction) -> int:
    """Minor units times a quantity, rounded once."""
    return rounded(minor * Fraction(factor))


def part(minor: int, basis_points: int) -> int:
    """So many hundredths of a percent of an amount, rounded once."""
    return rounded(Fraction(minor * basis_points, 10_000))


def split(minor: int, weights: Iterable[int]) -> list[int]:
    """Split an amount by weights so that the parts add up to it: the largest remainders get the
    units that rounding down leaves. All weights zero: everything to the first."""
    asked = list(weights)
    if not asked or any(one < 0 for one in asked):
        raise Invalid("An amount is split by weights that are not negative.")
    whole = sum(asked)
    if not whole:
        return [minor, *[0] * (len(asked) - 1)]
    parts = [minor * one // whole for one in asked]
    left = minor - sum(parts)
    order = sorted(range(len(asked)), key=lambda at: (-(minor * asked[at] % whole), at))
    for at in order[:left]:
        parts[at] += 1
    return parts
