"""Functions that the sheets of every format may call.

Each is called with the work, the branch and its arguments as texts (see `sheets`), and gives the
value, or None where there is nothing to give.
"""

from __future__ import annotations

import re
from datetime import datetime

from simdes.mapper.making import Function
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work

_FORMAT = {
    "yyyy": "%Y",
    "yy": "%y",
    "mmm": "%b",
    "mm": "%m",
    "dd": "%d",
    "HH": "%H",
    "MM": "%M",
    "SS": "%S",
}


def join(work: Work, branch: Branch, between: str, *texts: str | list[str]) -> str | None:
    """Join the texts that are there."""
    del work, branch
    flat = [one for text in texts for one in (text if isinstance(text, list) else [text])]
    return between.join(text for text in flat if text) or None


def first(work: Work, branch: Branch, *texts: str) -> str | None:
    """Give the first text that is there."""
    del work, branch
    return next((text for text in texts if text), None)


def lower(work: Work, branch: Branch, text: str) -> str | None:
    """Write a text small."""
    del work, branch
    return text.lower() or None


def upper(work: Work, branch: Branch, text: str) -> str | None:
    """Write a text large."""
    del work, branch
    return text.upper() or None


def date(work: Work, branch: Branch, text: str, form: str) -> str | None:
    """Read a date written as ``form``: ``dd/mm/yyyy``, ``mm-dd-yy``, ``dd.mm.yyyy HH:MM``."""
    del work, branch
    pattern = re.sub(r"yyyy|yy|mmm|mm|dd|HH|MM|SS", lambda found: _FORMAT[found[0]], form)
    try:
        moment = datetime.strptime(text, pattern)
    except ValueError:
        return None
    return moment.strftime("%Y%m%d%H%M%S" if "HH" in form else "%Y%m%d")


def number(work: Work, branch: Branch, text: str) -> str | None:
    """Read a number with a decimal comma, or with signs between thousands: ``1.234,50``."""
    del work, branch
    text = text.replace(" ", "").replace("\u00a0", "").replace("'", "")
    decimal = "," if text.rfind(",") > text.rfind(".") else "."
    text = text.replace("." if decimal == "," else ",", "").replace(",", ".")
    return text or None


def part(work: Work, branch: Branch, text: str, between: str, at: str) -> str | None:
    """Give the part of a text at a place counted from 1, or from the end: ``-1``."""
    del work, branch
    parts = text.split(between)
    index = int(at) - 1 if int(at) > 0 else int(at)
    return parts[index].strip() or None if -len(parts) <= index < len(parts) else None


def patient(work: Work, branch: Branch, system: str, value: str) -> bool | None:
    """Say whose record this is, where the source names no more than the patient's identifier."""
    del branch
    if not value:
        return None
    work.patients.append((system, value))
    return True


COMMON: dict[str, Function] = {
    "date": date,
    "first": first,
    "join": join,
    "lower": lower,
    "number": number,
    "part": part,
    "patient": patient,
    "upper": upper,
}
