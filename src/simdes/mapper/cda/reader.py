"""Read a CDA document into a tree of branches (https://www.hl7.org/implement/standards/, CDA R2).

Elements are branches by their name (``sdtc:`` ones keep that prefix), attributes are branches
``@name``, text is a value. The narrative of a section is one branch: its XML stays as it is in
``content``. The parser loads no DTD, resolves no entity and reaches no network; size and depth are
limited before and while reading.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from lxml import etree

from simdes.errors import TooLarge
from simdes.mapper.model import Limits
from simdes.mapper.refusal import Unreadable
from simdes.mapper.tree import Branch

V3 = "urn:hl7-org:v3"
MAX_TAGS = 500_000
MAX_ATTRIBUTES = 1_000_000
MAX_DEPTH = 100
MAX_ATTRIBUTES_OF_ONE = 200  # reading the attributes of one element costs their number squared

_PREFIXES = {
    V3: "",
    "": "",
    "urn:hl7-org:sdtc": "sdtc:",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi:",
    "http://www.w3.org/XML/1998/namespace": "xml:",
}
_CROWDED = etree.XPath(f"boolean(//*[count(@*) > {MAX_ATTRIBUTES_OF_ONE}])")
_DOCTYPE = tuple("<!DOCTYPE".encode(name) for name in ("ascii", "utf-16-le", "utf-16-be"))
_UNDECLARED_PREFIX = "NS_ERR_UNDEFINED_NAMESPACE"
_BLANKS = re.compile(r"\s+")
_FORM = "Send a whole CDA R2 document: one ClinicalDocument in the namespace urn:hl7-org:v3."


@dataclass(slots=True)
class Document:
    """A document: its tree, its narrative's elements by their ID, and who refers to such."""

    root: Branch
    parts: dict[str, Any] = field(default_factory=dict)
    references: list[Branch] = field(default_factory=list)


def read(data: bytes, *, limits: Limits) -> Document:
    """Read one document. Raises `Unreadable` or `TooLarge`."""
    top = _parse(data, limits)
    if not isinstance(top.tag, str) or name_of(top.tag) != "ClinicalDocument":
        raise Unreadable("not-cda", "this XML is no CDA document, or only a part of one", _FORM)
    document = Document(Branch("ClinicalDocument"))
    _grow(document, document.root, top, depth=0)
    for element in top.iterfind(".//*[@ID]"):
        document.parts.setdefault(element.get("ID", ""), element)
    return document


def _parse(data: bytes, limits: Limits) -> Any:
    if len(data) > limits.message_bytes:
        raise TooLarge(f"a document of {len(data)} bytes; the limit is {limits.message_bytes}")
    if data.count(b"<") > MAX_TAGS or data.count(b"=") > MAX_ATTRIBUTES:
        raise TooLarge(f"a document of more than {MAX_TAGS} tags")
    if any(sign in data for sign in _DOCTYPE):
        raise Unreadable(
            "forbidden-xml",
            "the document declares a document type, which could make it mean anything",
            "Send it without <!DOCTYPE ...>; CDA has none.",
        )
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=True,
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
        raise Unreadable("forbidden-xml", "the document declares a document type", _FORM)
    return top


def _broken(fault: Any) -> Unreadable:
    """Say where the XML breaks; never what stands there."""
    where = f" at line {fault.line}: {fault.type_name}" if fault is not None else ""
    advice = "Check that the file is whole and in the encoding it declares, and send it again."
    return Unreadable("invalid-xml", f"the XML is not well-formed{where}", advice)


@lru_cache(maxsize=4096)
def name_of(tag: str) -> str:
    """Name an element or attribute as sheets do."""
    if tag[0] != "{":
        return tag.removeprefix("cda:")
    space, _, name = tag[1:].partition("}")
    return _PREFIXES.get(space, "other:") + name


def _grow(document: Document, branch: Branch, element: Any, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TooLarge(f"elements more than {MAX_DEPTH} deep")
    for name, value in element.items():
        if name[0] != "{":
            branch.add(f"@{name}", value)
        else:
            plain = name_of(name)
            branch.add(f"@{plain}", value if plain != "xsi:type" else value.rpartition(":")[2])
    text = element.text
    texts = [text] if text and not text.isspace() else []
    for child in element:
        name = name_of(child.tag)
        tail = child.tail
        if tail and not tail.isspace():
            texts.append(tail)
        if name == "text" and branch.name == "section":
            _keep(branch.add(name), child)
        else:
            _grow(document, branch.add(name), child, depth=depth + 1)
    if branch.name == "reference" and element.get("value", "").startswith("#"):
        document.references += branch.inner["@value"]
    if text and branch.name == "text" and branch.outer is not None:
        branch.content = text  # line breaks count where it is the document itself
    if texts:
        branch.value = " ".join(" ".join(texts).split()) or None


def _keep(branch: Branch, element: Any) -> None:
    """Keep a section's narrative as it is, beside its plain text."""
    branch.content = element
    branch.value = plain(element) or None
    for name in ("mediaType", "nullFlavor"):
        value = element.get(name)
        if value is not None:
            branch.add(f"@{name}", value)


def plain(element: Any) -> str:
    """Give an element's text, blanks as one."""
    return _BLANKS.sub(" ", "".join(element.itertext())).strip()
