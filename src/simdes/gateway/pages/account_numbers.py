"""The number of an account: shown to be copied or read by a camera, and taken from a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import segno

from simdes import typed_numbers
from simdes.errors import Invalid
from simdes.gateway.pages.languages import mark as _

BYTES: Final = 32
MOST: Final = 160
"""Characters that a form may bring for one: its digits, those to check it by, and room between."""
SCRIPTS: Final = ("numbers.js", "scan.js")
WRONG: Final = (
    _("The first line is not as it was printed."),
    _("The second line is not as it was printed."),
    _("The third line is not as it was printed."),
    _("The fourth line is not as it was printed."),
)
_COMPARE: Final = _("Compare its digits with those on the paper.")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands on a page: lines to copy, a QR code as an image's address."""

    lines: list[str]
    picture: str


def shown(account: bytes) -> Number:
    """How the number of an account is shown."""
    code = segno.make(f"0x{account.hex()}", error="m")
    return Number(typed_numbers.printed(account), code.svg_data_uri(scale=4, border=4))


def account_of(text: str, *, advice: str) -> bytes:
    """The account that was typed or scanned; Invalid, with the line that is wrong if one is."""
    found = typed_numbers.octets(text, BYTES)
    if found is not None:
        return found
    line = typed_numbers.wrong_line(text)
    if 0 < line <= len(WRONG):
        raise Invalid(WRONG[line - 1], advice=_COMPARE)
    raise Invalid("That is no number of an account.", advice=advice)
