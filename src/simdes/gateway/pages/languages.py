"""English and French: which one a reader gets, the message catalogues, and dates as they read them.

The texts in templates and code are the English ones and the keys of the catalogue
``locale/fr.po`` (GNU gettext; `tools/messages.py` collects them, a test compares). The language is
the reader's own choice, else the best of Accept-Language (RFC 9110, section 12.5.4); its region
decides how dates are written (Unicode CLDR, by Babel).
"""

from __future__ import annotations

import gettext
import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    format_timedelta,
    get_datetime_format,
)
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_decimal_symbol
from babel.units import format_unit

from simdes.claims.money import Money
from simdes.fhir.checks.finding import Text

LANGUAGES: Final = {"en": "English", "fr": "Français"}
DEFAULT: Final = "en"
_CATALOGUES: Final = Path(__file__).parent / "locale"
_MOST_TAGS: Final = 16
_MOST_DIGITS: Final = 18
_FHIR_DATE: Final = re.compile(
    r"(?P<year>\d{4})((?P<month>-\d\d)((?P<day>-\d\d)"
    r"(?P<time>T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?"
)
COLONS: Final = {"fr": "\N{NO-BREAK SPACE}: "}
"""What stands between a name and what is said of it, where it is not ": "."""
_SIGN: Final = re.compile(r" (?=[:;?!»])|(?<=«) ")


def mark(text: str) -> str:
    """Mark a text for the catalogue where it stands; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader's language (`LANGUAGES`), locale with region, and the time zone of dates."""

    language: str
    locale: Locale
    zone: ZoneInfo

    def text(self, message: str) -> str:
        """A marked text in the reader's language."""
        return catalogue(self.language).gettext(message) if message else ""

    def both(self, message: Text) -> str:
        """Words that come in both languages, as the reader's are printed."""
        return _typeset(message.fr) if self.language == "fr" else message.en

    @property
    def apart(self) -> str:
        """What stands between several things on one line."""
        return "\N{NO-BREAK SPACE}; " if self.language == "fr" else "; "

    def moment(self, unix_ms: int) -> str:
        """A date and time as the reader writes them."""
        return self._minute(datetime.fromtimestamp(unix_ms / 1000, UTC))

    def stamp(self, unix_ms: int) -> str:
        """The same for machines, in UTC (RFC 3339)."""
        return datetime.fromtimestamp(unix_ms // 1000, UTC).isoformat()

    def day(self, unix_ms: int) -> str:
        """A date as the reader writes it."""
        when = datetime.fromtimestamp(unix_ms / 1000, UTC).astimezone(self.zone)
        return format_date(when, "long", locale=self.locale)

    def date(self, text: str) -> str:
        """A FHIR date, dateTime or instant as the reader writes it, as exact as it is; "" where it
        is none (https://hl7.org/fhir/R4/datatypes.html#dateTime)."""
        found = _FHIR_DATE.fullmatch(text)
        if found is None:
            return ""
        try:
            if found["time"]:
                when = datetime.fromisoformat(text)
                return self._minute(when)
            whole = date.fromisoformat(
                f"{found['year']}{found['month'] or '-01'}{found['day'] or '-01'}"
            )
        except (ValueError, OverflowError):
            return ""
        if found["day"]:
            return format_date(whole, "medium", locale=self.locale)
        skeleton = "yMMM" if found["month"] else "y"
        return str(format_skeleton(skeleton, whole, locale=self.locale))

    def _minute(self, when: datetime) -> str:
        """A date and time to the minute: nobody waits, or was somewhere, to the second."""
        pattern = str(get_datetime_format("medium", locale=self.locale)).replace("'", "")
        local = when.astimezone(self.zone)
        day = format_date(local, "medium", locale=self.locale)
        return pattern.format(format_time(local, "short", locale=self.locale), day)

    def month(self, text: str) -> str:
        """The month and year of a FHIR date; "" where it is none."""
        if not _FHIR_DATE.fullmatch(text):
            return ""
        try:
            whole = date.fromisoformat(f"{text[:7]}-01" if len(text) >= 7 else f"{text[:4]}-01-01")
        except ValueError:
            return ""
        skeleton = "yMMMM" if len(text) >= 7 else "y"
        return str(format_skeleton(skeleton, whole, locale=self.locale))

    def span(self, seconds: int) -> str:
        """A length of time in its largest whole unit."""
        return str(format_timedelta(timedelta(seconds=seconds), threshold=1.5, locale=self.locale))

    def size(self, octets: int) -> str:
        """How large a file is."""
        of, unit = (1_000_000, "megabyte") if octets >= 1_000_000 else (1_000, "kilobyte")
        number = max(1, round(octets / of))
        return str(format_unit(number, f"digital-{unit}", "short", locale=self.locale))

    def money(self, value: Money) -> str:
        """An amount of money, exactly, with its currency."""
        return str(format_currency(value.amount, value.currency, locale=self.locale))

    def minor(self, minor: int, currency: str) -> str:
        """The same for minor units (cents) of a currency."""
        return self.money(Money(minor, currency))

    def number(self, value: Decimal | int) -> str:
        """A number with the reader's signs and every digit that was measured."""
        exact = Decimal(value)
        if not exact.is_finite() or abs(exact.adjusted()) > _MOST_DIGITS:
            return str(value)
        text = format_decimal(exact, locale=self.locale, decimal_quantization=False)
        digits = -int(exact.as_tuple().exponent)
        shown = len(text.rpartition(self._point)[2]) if self._point in text else 0
        if digits <= shown:
            return str(text)
        return f"{text}{'' if shown else self._point}{'0' * (digits - shown)}"

    @property
    def _point(self) -> str:
        return str(get_decimal_symbol(self.locale))


def reader(*, chosen: str, accepted: str, zone: str) -> Reader:
    """The reader behind a language cookie and an Accept-Language header; any bytes are fine."""
    tags = _tags(accepted)
    known = [(tag, tag.partition("-")[0].lower()) for tag in tags]
    language = chosen if chosen in LANGUAGES else ""
    language = language or next((base for _, base in known if base in LANGUAGES), DEFAULT)
    locale = next(
        (found for tag, base in known if base == language and (found := _locale(tag))),
        Locale(language),
    )
    return Reader(language, locale, _zone(zone))


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The messages of a language; English stands in the code itself."""
    path = _CATALOGUES / f"{language}.po"
    if not path.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        messages = read_po(file, locale=language)
    for one in messages:
        if one.id:
            said = one.string or ""
            one.string = _typeset(said) if isinstance(said, str) else tuple(map(_typeset, said))
    write_mo(compiled, messages)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _typeset(text: str) -> str:
    """French as it is printed: no sign alone on a line, and the apostrophe of print.

    Lexique des règles typographiques en usage à l'Imprimerie nationale, "Ponctuation".
    """
    kept = _SIGN.sub("\N{NO-BREAK SPACE}", text)
    return kept.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


def _tags(accepted: str) -> list[str]:
    """The tags of an Accept-Language header, the most wanted first."""
    weighed: list[tuple[float, str]] = []
    for part in accepted.split(",")[:_MOST_TAGS]:
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        if tag and 0 < quality <= 1:
            weighed.append((quality, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda one: -one[0])]


def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return None


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
