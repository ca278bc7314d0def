"""Read FHIR's XML form (https://hl7.org/fhir/R4/xml.html, the same in DSTU2 and STU3) as its JSON.

XML does not say what is a list and what a number: the definitions of a version do, so that the
same text can be read as each of them (`simdes.fhir.elements`), forgivingly: what a version does not
have tells that the text is of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from simdes.errors import Invalid
from simdes.fhir import markup
from simdes.fhir.elements import FHIR, Part, Reader, split
from simdes.fhir.markup import Bounds
from simdes.fhir.xml import MAX_ATTRIBUTES, MAX_TAGS
from simdes.mapper.model import Json, Limits
from simdes.mapper.older.shapes import VERSIONS, shape

_FORM = "Send one FHIR resource or Bundle as XML in the namespace http://hl7.org/fhir."


def parse(data: bytes, *, limits: Limits) -> Any:
    """Parse the XML of one resource. Raises `BadMarkup` or `TooLarge`."""
    return markup.parse(data, Bounds(limits.file_bytes, MAX_TAGS, MAX_ATTRIBUTES))


def read(top: Any, version: str) -> Json:
    """Read a parsed resource by the definitions of ``version``. Raises Invalid or TooLarge."""
    space, name = split(top)
    if space != FHIR or not name[:1].isupper():
        raise Invalid("this XML is no FHIR resource", advice=_FORM)
    return _READERS[version].resource(top)


def _parts(version: str, name: str) -> Mapping[str, Part] | None:
    found = shape(version, name)
    return found.parts if found else None


_READERS = {version: Reader(partial(_parts, version), is_strict=False) for version in VERSIONS}
