"""Parse XML that comes from outside: no DTD, no entities, no network, bounded before and while.

What could cost more than its size is refused first: countless tags or attributes, document types
(entity bombs, external entities), texts and depths beyond what the parser takes. Faults are told by
line and kind, never with what stands there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lxml import etree

from simdes.errors import Invalid, TooLarge

MAX_ATTRIBUTES_OF_ONE = 200  # reading the attributes of one element costs their number squared

_CROWDED = etree.XPath(f"boolean(//*[count(@*) > {MAX_ATTRIBUTES_OF_ONE}])")
_DOCTYPE = tuple("<!DOCTYPE".encode(name) for name in ("ascii", "utf-16-le", "utf-16-be"))
_UNDECLARED_PREFIX = "NS_ERR_UNDEFINED_NAMESPACE"


class BadMarkup(Invalid):
    """Text that is not XML, or not XML that is taken; ``code`` names why in one word."""

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message, advice=advice)
        self.code = code


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one document may hold.

    ``forgiving``: prefixes that nobody declared are read as part of the name.
    """

    size_bytes: int
    tags: int
    attributes: int
    forgiving: bool = False


def parse(data: bytes, bounds: Bounds) -> Any:
    """Parse a document; gives its root element. Raises `BadMarkup` or `TooLarge`."""
    if len(data) > bounds.size_bytes:
        raise TooLarge(f"{len(data)} bytes; the limit is {bounds.size_bytes}")
    if data.count(b"<") > bounds.tags or data.count(b"=") > bounds.attributes:
        raise TooLarge(f"XML of more than {bounds.tags} tags")
    if any(sign in data for sign in _DOCTYPE):
        raise _forbidden()
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=bounds.forgiving,
    )
    top = None
    with suppress(etree.XMLSyntaxError, ValueError):
        top = etree.fromstring(data.lstrip(b" \t\r\n"), parser)
    faults = [fault for fault in parser.error_log if fault.type_name != _UNDECLARED_PREFIX]
    if any(fault.type_name == "ERR_RESOURCE_LIMIT" for fault in faults):
        raise TooLarge("a text or depth beyond what the XML parser takes (10 MB, 256 levels)")
    if top is None or faults:
        raise _broken(faults[0] if faults else None)
    if _CROWDED(top):
        raise TooLarge(f"an element of more than {MAX_ATTRIBUTES_OF_ONE} attributes")
    if top.getroottree().docinfo.internalDTD is not None:
        raise _forbidden()
    return top


def _forbidden() -> BadMarkup:
    return BadMarkup(
        "forbidden-xml",
        "the XML declares a document type, which could make it mean anything",
        "Send it without <!DOCTYPE ...>; neither CDA nor FHIR has one.",
    )


def _broken(fault: Any) -> BadMarkup:
    where = f" at line {fault.line}: {fault.type_name}" if fault is not None else ""
    advice = "Check that the file is whole and in the encoding it declares, and send it again."
    return BadMarkup("invalid-xml", f"the XML is not well-formed{where}", advice)
