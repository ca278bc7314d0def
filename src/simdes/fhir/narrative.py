"""What narrative may hold: a small, inert part of XHTML (https://hl7.org/fhir/R4/narrative.html).

Invariants txt-1 (elements and attributes) and txt-2 (some content). Active content would run in
whoever displays the record, so what is not on the list is refused. Parsed by lxml without
entities, DTD or network.
"""

from __future__ import annotations

import html.entities
import re

from lxml import etree

XHTML = "http://www.w3.org/1999/xhtml"

_SPAN_ATTRIBUTES = frozenset({"abbr", "axis", "colspan", "rowspan", "scope", "headers"})
_COLUMN = frozenset({"align", "valign", "char", "charoff", "span", "width"})
_CELL = _SPAN_ATTRIBUTES | {"align", "valign", "char", "charoff", "nowrap", "width", "height"}
_ROW = frozenset({"align", "valign", "char", "charoff"})
_NONE: frozenset[str] = frozenset()

_PLAIN = """
    abbr acronym address b big br caption cite code dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd p
    pre s samp small span strike strong sub sup tt u ul var
"""

# Chapters 7 to 11 (except sections 9 and 15 of them) and 15 of HTML 4.0, links, images and style.
_ELEMENTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_PLAIN.split(), _NONE),
    "a": frozenset({"href", "name", "rel", "rev", "type", "hreflang", "charset", "target"}),
    "blockquote": frozenset({"cite"}),
    "q": frozenset({"cite"}),
    "ins": frozenset({"cite", "datetime"}),
    "del": frozenset({"cite", "datetime"}),
    "img": frozenset({"src", "alt", "longdesc", "height", "width", "border"}),
    "ol": frozenset({"start", "type"}),
    "li": frozenset({"value"}),
    "table": frozenset({"border", "cellpadding", "cellspacing", "frame", "rules", "summary"})
    | {"width", "align", "bgcolor"},
    "col": _COLUMN,
    "colgroup": _COLUMN,
    "tbody": _ROW,
    "thead": _ROW,
    "tfoot": _ROW,
    "tr": _ROW | {"bgcolor"},
    "td": _CELL | {"bgcolor"},
    "th": _CELL | {"bgcolor"},
    "map": frozenset({"name"}),
    "area": frozenset({"shape", "coords", "href", "alt", "nohref"}),
}
_ROWS = frozenset({"tr"})
_HOLDS: dict[str, frozenset[str]] = {
    "ul": frozenset({"li"}),
    "ol": frozenset({"li"}),
    "dl": frozenset({"dt", "dd"}),
    "table": _ROWS | {"caption", "colgroup", "col", "thead", "tbody", "tfoot"},
    "thead": _ROWS,
    "tbody": _ROWS,
    "tfoot": _ROWS,
    "tr": frozenset({"td", "th"}),
}
"""What alone may stand in a list, a table or a row, and only there (HTML 4.0, chapters 10, 11)."""
_ONLY_THERE = frozenset().union(*_HOLDS.values())
_NOT_IN_TEXT = frozenset({"div", "ul", "ol", "table", "pre"})
_EVERYWHERE = frozenset({"title", "style", "class", "id", "lang", "dir", "accesskey", "tabindex"})
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_UNSAFE_LINK = re.compile(r"\s*(?:javascript|vbscript|data\s*:\s*text)\s*:?", re.IGNORECASE)
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})


def find_fault(div: str) -> tuple[str, str] | None:
    """Return ``(rule, what is wrong)`` with the narrative ``div``, or None if nothing is."""
    if "<!" in div and ("<!DOCTYPE" in div or "<!ENTITY" in div or "<![CDATA[" in div):
        return "txt-1", "a document type, entity or CDATA section is not allowed"
    root = _parse(div)
    if root is None:
        return "txt-1", "not well-formed XHTML"
    if root.tag != f"{{{XHTML}}}div":
        return "txt-1", "must be a div in the XHTML namespace"
    for node in root.iter():
        fault = _find_in(node)
        if fault:
            return "txt-1", fault
    return None if _has_content(root) else ("txt-2", "must have some text or an image")


def _parse(div: str) -> etree._Element | None:
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    try:
        return etree.fromstring(with_numeric_entities(div).encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def with_numeric_entities(div: str) -> str:
    """Return ``div`` with HTML's named entities as numbers: XML without a DTD knows only five."""
    return _NAMED.sub(_numeric, div)


def _numeric(match: re.Match[str]) -> str:
    point = html.entities.name2codepoint.get(match[1])
    return match[0] if point is None or match[1] in _XML_ENTITIES else f"&#{point};"


def _find_in(node: etree._Element) -> str | None:
    if node.tag is etree.Comment:
        return None
    if not isinstance(node.tag, str):
        return "a processing instruction or entity is not allowed"
    space, _, name = node.tag.rpartition("}")
    if space != "{" + XHTML or name not in _ELEMENTS:
        return "an element that narrative may not have"
    allowed = _ELEMENTS[name]
    for key, value in node.attrib.items():
        if key not in allowed and key not in _EVERYWHERE and key != _XML_LANG:
            return f"an attribute that narrative may not have on <{name}>"
        if key in ("href", "src") and _UNSAFE_LINK.match(str(value)):
            return f"a link on <{name}> that would run code"
    return _misplaced(node)


def _misplaced(node: etree._Element) -> str | None:
    """Say what is wrong with where ``node`` stands."""
    name, parent = _name(node), node.getparent()
    around = _name(parent) if parent is not None else ""
    if around in _HOLDS and name not in _HOLDS[around]:
        return f"<{around}> may not hold <{name}>"
    if name in _ONLY_THERE and around not in _HOLDS and (name, around) != ("col", "colgroup"):
        return f"<{name}> out of place"
    if name in _HOLDS and any(text.strip() for text in (node.text or "", *_tails(node))):
        return f"<{name}> may not hold text"
    is_block = name in _NOT_IN_TEXT or name == "p"
    texts = ("p", "span") if name in _NOT_IN_TEXT else ("p",)
    if is_block and any(_name(one) in texts for one in node.iterancestors()):
        return f"<{name}> inside a paragraph"
    return None


def _name(node: etree._Element) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _tails(node: etree._Element) -> list[str]:
    return [child.tail or "" for child in node]


def _has_content(root: etree._Element) -> bool:
    texts = (text for text in root.itertext(tag=etree.Element) if text.strip())
    return next(texts, None) is not None or root.find(f".//{{{XHTML}}}img") is not None
