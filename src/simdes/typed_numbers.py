"""Numbers that people type: plain digits with a point or comma, and what is named by 0x….

``Decimal`` reads much that nobody types. ``1e99999999`` is a few characters and, once it is made an
``int``, more memory than there is; NaN and Infinity compare and round with errors; what passes may
be more than a record can be read with again (`simdes.fhir.json`). So this stands before it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_PLAIN: Final = re.compile(r"-?[0-9]{1,18}(?:[.,][0-9]{1,18})?")


def read(text: str) -> Decimal | None:
    """The number with every digit that was typed; None for what is none."""
    return Decimal(text.replace(",", ".")) if _PLAIN.fullmatch(text) else None


def octets(text: str, size: int) -> bytes | None:
    """So many bytes as hexadecimal digits, with or without 0x; None for anything else."""
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return None
    return found if len(found) == size else None
