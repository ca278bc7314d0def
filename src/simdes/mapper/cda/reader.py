"""Read a CDA document into a tree of branches (https://www.hl7.org/implement/standards/, CDA R2).

Elements are branches by their name (``sdtc:`` ones keep that prefix), attributes are branches
``@name``, text is a value. The narrative of a section is one branch: its XML stays as it is in
``content``. The parser loads no DTD, resolves no entity and reaches no network; size and depth are
limited before and while reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from simdes.errors import TooLarge
from simdes.fhir.markup import Bounds, parse
from simdes.mapper.model import Limits
from simdes.mapper.refusal import Unreadable
from simdes.mapper.tree import Branch

V3 = "urn:hl7-org:v3"
MAX_TAGS = 500_000
MAX_ATTRIBUTES = 1_000_000
MAX_DEPTH = 100

_PREFIXES = {
    V3: "",
    "": "",
    "urn:hl7-org:sdtc": "sdtc:",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi:",
    "http://www.w3.org/XML/1998/namespace": "xml:",
}
_BLANKS = re.compile(r"\s+")
_FORM = "Send a whole CDA R2 document: one ClinicalDocument in the namespace urn:hl7-org:v3."


@dataclass(slots=True)
class Document:
    """A document: its tree, its narrative's elements by their ID, and who refers to such."""

    root: Branch
    parts: dict[str, Any] = field(default_factory=dict)
    references: list[Branch] = field(default_factory=list)


def read(data: bytes, *, limits: Limits) -> Document:
    """Read one document. Raises `Unreadable`, `BadMarkup` or `TooLarge`."""
    bounds = Bounds(limits.message_bytes, MAX_TAGS, MAX_ATTRIBUTES, forgiving=True)
    top = parse(data, bounds)
    if not isinstance(top.tag, str) or name_of(top.tag) != "ClinicalDocument":
        raise Unreadable("not-cda", "this XML is no CDA document, or only a part of one", _FORM)
    document = Document(Branch("ClinicalDocument"))
    _grow(document, document.root, top, depth=0)
    for element in top.iterfind(".//*[@ID]"):
        document.parts.setdefault(element.get("ID", ""), element)
    return document


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
