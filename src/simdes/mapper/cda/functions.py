"""The few things about CDA that rows alone can't say; sheets call them by name."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from simdes.fhir.ucum import is_unit
from simdes.mapper.cda import narrative as xhtml
from simdes.mapper.cda.reader import Document, plain
from simdes.mapper.draft import Node
from simdes.mapper.model import Json
from simdes.mapper.primitives import OID, date_time, decimal
from simdes.mapper.sheets import rows
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work

_MIME = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;.*)?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SCHEMES = {"tel": "phone", "fax": "fax", "mailto": "email", "http": "url", "https": "url"}


@cache
def systems() -> Mapping[str, str]:
    """URIs by OID or by the name of a coding system in lower case (``systems.psv``)."""
    text = (files("simdes.mapper.cda") / "systems.psv").read_text(encoding="utf-8")
    return {line.cell("name").lower(): line.cell("uri") for line in rows("systems.psv", text)}


def uri(work: Work, branch: Branch, root: str) -> str | None:
    """Name an identifier system by its root: an OID, a UUID, or whatever was sent."""
    del branch
    root = root.strip()
    known = work.site.systems.get(root) or systems().get(root)
    return known or urn(work, branch=Branch(""), root=root)


def urn(work: Work, branch: Branch, root: str) -> str | None:
    """Write a root as a URN."""
    del work, branch
    root = root.strip()
    if OID.fullmatch(root):
        return f"urn:oid:{root}"
    if _UUID.fullmatch(root):
        return f"urn:uuid:{root.lower()}"
    made = "-".join(root.split())
    return (made if ":" in made else f"urn:id:{made}") if made else None


def code_system(work: Work, branch: Branch, root: str, name: str) -> str | None:
    """Name a code system by its OID, else by its name."""
    for text in (root.strip(), name.strip()):
        known = work.site.code_systems.get(text) or systems().get(text.lower())
        if known:
            return known
    return urn(work, branch, root or name)


def key(work: Work, branch: Branch, root: str, extension: str) -> str:
    """Join an id's parts to the name that references use."""
    del work, branch
    return f"{root.strip()}^{extension.strip()}"


def called(work: Work, branch: Branch, root: str, extension: str) -> bool:
    """Let references find the resource being made by this id; the first of that id counts."""
    if work.here is not None:
        work.named.setdefault(key(work, branch, root, extension), work.here)
    return True


def own_text(work: Work, branch: Branch) -> str | None:
    """Give a text, or the narrative it refers to by ``reference/@value``."""
    own = work.take(branch)
    parts = [own] if own else []
    for reference in branch.inner.get("reference", ()):
        for value in reference.inner.get("@value", ()):
            element = _referred(work, value.value or "")
            if element is not None:
                work.take(value)
                parts.append(plain(element))
    return " ".join(part for part in parts if part) or None


def text_div(work: Work, branch: Branch) -> Json | None:
    """Show a text, or the narrative it refers to, as the narrative of a resource."""
    text = own_text(work, branch)
    return {"status": "additional", "div": xhtml.words(text)} if text else None


def section_text(work: Work, branch: Branch) -> Json | None:
    """Turn a section's narrative into FHIR's."""
    made = None if branch.content is None else xhtml.div(branch.content)
    if made is None:
        return no_text(work, branch)
    work.take(branch)
    return {"status": "additional", "div": made}


def no_text(work: Work, branch: Branch) -> Json:
    """Say that a section has no narrative."""
    del work, branch
    return {"status": "empty", "div": xhtml.words("No text was sent.")}


def _referred(work: Work, reference: str) -> Any:
    document = work.source
    if not isinstance(document, Document):
        return None
    return document.parts.get(reference.strip().removeprefix("#"))


def telecom(work: Work, branch: Branch, text: str, part: str) -> str | None:
    """Split a telecom's URL: its ``system`` or its ``value``."""
    del work, branch
    scheme, colon, rest = text.strip().partition(":")
    system = _SCHEMES.get(scheme.lower()) if colon else None
    if part == "value":
        return text if system in (None, "url") else rest.strip()
    if system is None:
        return "email" if "@" in text and not colon else "other" if colon else "phone"
    return system


def words(work: Work, branch: Branch, text: str, wanted: str) -> str | None:
    """Pick the first of ``text``'s words that is one of ``wanted``."""
    del work, branch
    known = wanted.split()
    return next((word for word in text.split() if word in known), None)


def unit_code(work: Work, branch: Branch, unit: str) -> str | None:
    """Give a unit where it is one of UCUM."""
    del work, branch
    return unit.strip() if is_unit(unit.strip()) else None


def unit_system(work: Work, branch: Branch, unit: str) -> str | None:
    """Name UCUM where the unit is one of it."""
    del work, branch
    return "http://unitsofmeasure.org" if is_unit(unit.strip()) else None


def moment(work: Work, branch: Branch, text: str) -> str | None:
    """Give a time as an instant: a day begins at midnight of its zone, else the site's."""
    del branch
    found = date_time(text, work.zone)
    if found is None or "T" in found:
        return found
    day = f"{found}-01-01"[:10] if len(found) == 4 else f"{found}-01"[:10]
    return date_time(f"{day}T00:00:00", work.zone)


def nearest(work: Work, branch: Branch, alias: str) -> Node | None:
    """Give the resource already made that stands around, by its type or map."""
    del branch
    found = work.scope.find(alias)
    return found if isinstance(found, Node) else None


def encoded(work: Work, branch: Branch) -> str | None:
    """Give a text that was sent as it is in Base64."""
    work.take(branch)
    text = branch.content if isinstance(branch.content, str) else branch.value or ""
    return base64.b64encode(text.encode()).decode() or None


def encoded_text(work: Work, branch: Branch) -> str | None:
    """Give a text, or the narrative it refers to, in Base64."""
    text = own_text(work, branch)
    return base64.b64encode(text.encode()).decode() if text else None


def same(work: Work, branch: Branch, low: str, high: str) -> str | None:
    """Give a moment where an interval begins and ends with it."""
    del work, branch
    return low if low == high else None


def mime(work: Work, branch: Branch, text: str) -> str | None:
    """Give a MIME type (RFC 6838) where it is one."""
    del work, branch
    return text if _MIME.fullmatch(text) else None


def minutes(work: Work, branch: Branch, value: str, unit: str) -> str | None:
    """Give an amount of time in whole minutes."""
    del work, branch
    factor, number = _MINUTES.get(unit), decimal(value)
    return None if factor is None or number is None else str(abs(number) * factor)


def spoken(work: Work, branch: Branch, text: str) -> Json | None:
    """Give a language as a concept: its code, else the words sent."""
    code = language(work, branch, text)
    if code is not None:
        return {"coding": [{"system": "urn:ietf:bcp:47", "code": code}]}
    return {"text": text.strip()} if text.strip() else None


def positive(work: Work, branch: Branch, text: str) -> str | None:
    """Give a number that is more than nothing."""
    del work, branch
    number = decimal(text)
    return text if number is not None and number > 0 else None


def timed(work: Work, branch: Branch, text: str) -> str | None:
    """Give a time only where it says more than the day."""
    del branch
    return text if "T" in (date_time(text, work.zone) or "") else None


def joined(work: Work, branch: Branch, *texts: list[str]) -> str | None:
    """Join texts with blanks."""
    del work, branch
    return " ".join(text for several in texts for text in several if text) or None


def language(work: Work, branch: Branch, text: str) -> str | None:
    """Give a language as BCP 47 writes it: ``EN_us`` is ``en-US``, ``eng`` is ``en``.

    A language of two letters has no other code there (RFC 5646, section 2.2.1); of those of three
    letters that have one, the most spoken are known.
    """
    del work, branch
    first, *others = text.strip().replace("_", "-").split("-")
    first = _LANGUAGES.get(first.lower(), first.lower())
    others = [part.upper() if len(part) == 2 else part for part in others]
    made = "-".join((first, *others))
    return made if _LANGUAGE.fullmatch(made) else None


_LANGUAGES = {
    "ara": "ar",
    "chi": "zh",
    "deu": "de",
    "eng": "en",
    "fra": "fr",
    "fre": "fr",
    "ger": "de",
    "hin": "hi",
    "ita": "it",
    "jpn": "ja",
    "kor": "ko",
    "pol": "pl",
    "por": "pt",
    "rus": "ru",
    "spa": "es",
    "vie": "vi",
    "zho": "zh",
}
_MINUTES = {"min": 1, "h": 60, "d": 1440}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "called": called,
    "code_system": code_system,
    "encoded": encoded,
    "encoded_text": encoded_text,
    "joined": joined,
    "key": key,
    "language": language,
    "mime": mime,
    "minutes": minutes,
    "moment": moment,
    "nearest": nearest,
    "no_text": no_text,
    "own_text": own_text,
    "same": same,
    "positive": positive,
    "section_text": section_text,
    "spoken": spoken,
    "telecom": telecom,
    "text_div": text_div,
    "timed": timed,
    "unit_code": unit_code,
    "unit_system": unit_system,
    "uri": uri,
    "urn": urn,
    "words": words,
}
