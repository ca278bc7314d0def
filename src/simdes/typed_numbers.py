"""Numbers that people type: plain digits with a point or comma, and what is named by 0x….

``Decimal`` reads much that nobody types. ``1e99999999`` is a few characters and, once it is made an
``int``, more memory than there is; NaN and Infinity compare and round with errors; what passes may
be more than a record can be read with again (`simdes.fhir.json`). So this stands before it.

An account's number has 64 digits. On paper it stands in four numbered lines, each with two decimal
digits to check it by: 97 less what line number and digits leave when divided by 97. One wrong digit
shows, or two beside each other that were swapped. Whoever copies it is told which line is wrong
(static/numbers.js says so before it is sent).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_LINE: Final = 8
_GROUP: Final = 4
_MODULUS: Final = 97
_BETWEEN: Final = re.compile(r"[\s.·-]+")
_PLAIN: Final = re.compile(r"-?[0-9]{1,18}(?:[.,][0-9]{1,18})?")


def read(text: str) -> Decimal | None:
    """The number with every digit that was typed; None for what is none."""
    return Decimal(text.replace(",", ".")) if _PLAIN.fullmatch(text) else None


def octets(text: str, size: int) -> bytes | None:
    """So many bytes as hexadecimal digits, with or without 0x, or as they were `printed`; None for
    anything else."""
    found = _digits(text)
    if found is None or len(found) == size:
        return found
    lines = _lines(found)
    if size % _LINE or len(found) != size // _LINE * (_LINE + 1) or wrong_line(text):
        return None
    return b"".join(line[:_LINE] for line in lines)


def printed(value: bytes) -> list[str]:
    """The lines of a number on paper: groups of four digits, and two to check the line by."""
    parts = [value[at : at + _LINE] for at in range(0, len(value), _LINE)]
    return [
        " ".join([*re.findall(f".{{{_GROUP}}}", part.hex()), _check(number, part)])
        for number, part in enumerate(parts, start=1)
    ]


def wrong_line(text: str) -> int:
    """The first printed line, from 1, that is not as it was printed; 0 where none is."""
    found = _digits(text) or b""
    if len(found) % (_LINE + 1):
        return 0
    return next(
        (
            number
            for number, line in enumerate(_lines(found), start=1)
            if line[_LINE:].hex() != _check(number, line[:_LINE])
        ),
        0,
    )


def _digits(text: str) -> bytes | None:
    try:
        return bytes.fromhex(_BETWEEN.sub("", re.sub("^0x", "", text, flags=re.IGNORECASE)))
    except ValueError:
        return None


def _lines(found: bytes) -> list[bytes]:
    return [found[at : at + _LINE + 1] for at in range(0, len(found), _LINE + 1)]


def _check(number: int, part: bytes) -> str:
    counted = int.from_bytes(bytes([number]) + part)
    return f"{_MODULUS - counted % _MODULUS:02d}"
