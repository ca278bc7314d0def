"""Turn the narrative of a section into the XHTML that FHIR allows.

From the CDA narrative block (CDA R2, section 4.3.5) to https://hl7.org/fhir/R4/narrative.html.
Every text stays; an element or attribute that is not in the tables below gives its content alone,
so that nothing active can pass.
"""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from simdes.mapper.cda.reader import name_of

_HEAD = '<div xmlns="http://www.w3.org/1999/xhtml">'

_ELEMENTS = {
    "br": "br",
    "caption": "caption",
    "col": "col",
    "colgroup": "colgroup",
    "content": "span",
    "footnote": "span",
    "footnoteRef": "a",
    "item": "li",
    "linkHtml": "a",
    "list": "ul",
    "paragraph": "p",
    "renderMultiMedia": "span",
    "sub": "sub",
    "sup": "sup",
    "table": "table",
    "tbody": "tbody",
    "td": "td",
    "tfoot": "tfoot",
    "th": "th",
    "thead": "thead",
    "tr": "tr",
    "a": "a",  # from here on not CDA, but sent
    "b": "b",
    "div": "div",
    "em": "em",
    "i": "i",
    "li": "li",
    "ol": "ol",
    "p": "p",
    "span": "span",
    "strong": "strong",
    "u": "u",
    "ul": "ul",
}
_EMPTY = frozenset(("br", "col"))

_CELL = frozenset(("abbr", "axis", "colspan", "rowspan", "scope", "headers", "align", "valign"))
_ATTRIBUTES: dict[str, frozenset[str]] = {
    "table": frozenset(("border", "cellpadding", "cellspacing", "frame", "rules", "summary"))
    | {"width"},
    "td": _CELL,
    "th": _CELL,
    "tr": frozenset(("align", "valign")),
    "thead": frozenset(("align", "valign")),
    "tbody": frozenset(("align", "valign")),
    "tfoot": frozenset(("align", "valign")),
    "col": frozenset(("align", "valign", "span", "width")),
    "colgroup": frozenset(("align", "valign", "span", "width")),
}
_STYLES = {"Bold": "font-weight: bold", "Italics": "font-style: italic"}
_STYLES["Underline"] = "text-decoration: underline"
_LINK = re.compile(r"(?:https?://|mailto:|tel:|#)\S*", re.IGNORECASE)
_WORD = re.compile(r"[\w:.-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


_WITHIN: dict[str, frozenset[str]] = {
    **dict.fromkeys(("li",), frozenset(("ul", "ol"))),
    **dict.fromkeys(("caption", "colgroup", "thead", "tbody", "tfoot"), frozenset(("table",))),
    "col": frozenset(("table", "colgroup")),
    "tr": frozenset(("table", "thead", "tbody", "tfoot")),
    **dict.fromkeys(("td", "th"), frozenset(("tr",))),
}
"""Where in XHTML an element may stand; out of place it becomes a div."""
_ROW = ("<tr><td>", "</td></tr>", "td")
_WRAPS: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys(("ul", "ol"), ("<li>", "</li>", "li")),
    **dict.fromkeys(("table", "thead", "tbody", "tfoot"), _ROW),
    "tr": ("<td>", "</td>", "td"),
}
"""What goes around text, or an element out of place, directly in a list, a table or a row."""
_BLOCKS = frozenset(("div", "p", "table", "ul", "ol", *_WITHIN))
_INLINE = frozenset(("a", "b", "em", "i", "p", "span", "strong", "sub", "sup", "u"))
"""What may hold no block; a paragraph or span that does becomes a div, others give way."""


class _Page:
    """What is written, and the ids that a link can lead to."""

    __slots__ = ("ids", "made")

    def __init__(self, element: Any) -> None:
        self.made: list[str] = []
        self.ids = {one.get("ID") or one.get("id") for one in element.iter()}


def div(element: Any) -> str | None:
    """Write a narrative ``element`` as XHTML; None where it shows nothing."""
    page = _Page(element)
    _inside(element, page, "div")
    text = "".join(page.made)
    if not text.strip() or not re.search(r">[^<]*[^<\s]|^[^<]*[^<\s]", text):
        return None
    return f"{_HEAD}{text}</div>"


def words(text: str) -> str:
    """Write a plain text as XHTML."""
    return f"{_HEAD}{_escaped(text)}</div>"


def _inside(element: Any, page: _Page, around: str) -> None:
    _text(element.text, page, around)
    for child in element:
        _write(child, page, around)
        _text(child.tail, page, around)


def _text(text: str | None, page: _Page, around: str) -> None:
    if not text:
        return
    before, after, _ = _WRAPS.get(around, _BARE) if text.strip() else _BARE
    page.made.append(f"{before}{_escaped(text)}{after}")


_BARE = ("", "", "")


def _write(element: Any, page: _Page, around: str) -> None:
    name = name_of(element.tag)
    tag = _tag(element, name)
    if tag is not None and around in _WRAPS and around not in _WITHIN.get(tag, ()):
        before, after, inner = _WRAPS[around]
        page.made.append(before)
        _write(element, page, inner)
        page.made.append(after)
        return
    if tag in _WITHIN and around not in _WITHIN[tag]:
        tag = "div"
    if tag in _INLINE and _has_block(element):
        tag = "div" if tag in ("p", "span") else None
    if tag is None:
        _inside(element, page, around)
        return
    attributes = _attributes(element, name, tag, page.ids)
    if name in _EMPTY and not len(element) and not element.text:
        page.made.append(f"<{tag}{attributes}/>")
        return
    page.made.append(f"<{tag}{attributes}>")
    if name == "renderMultiMedia":
        page.made.append(_escaped(f"[{element.get('referencedObject') or 'media'}]"))
    _inside(element, page, tag)
    page.made.append(f"</{tag}>")


def _has_block(element: Any) -> bool:
    inner = element.iterdescendants()
    return any(_ELEMENTS.get(name_of(one.tag)) in _BLOCKS for one in inner)


def _tag(element: Any, name: str) -> str | None:
    tag = _ELEMENTS.get(name)
    if name == "list" and element.get("listType") == "ordered":
        return "ol"
    if name == "caption" and name_of(element.getparent().tag) != "table":
        return "span"
    if name == "br" and (len(element) or element.text):
        return None
    return tag


def _attributes(element: Any, name: str, tag: str, ids: set[str]) -> str:
    allowed = _ATTRIBUTES.get(tag, frozenset())
    made: dict[str, str] = {}
    for key, value in element.attrib.items():
        if key in allowed:
            made[key] = value
        elif key in ("ID", "id"):
            made["id"] = value
        elif key == "styleCode":
            made["class"] = " ".join(_WORD.findall(value))
            style = "; ".join(_STYLES[word] for word in value.split() if word in _STYLES)
            if style:
                made["style"] = style
        elif value.startswith("#") and value[1:] not in ids:
            continue  # leads nowhere in this narrative
        elif key == "href" and tag == "a" and _LINK.fullmatch(value):
            made["href"] = value
        elif key == "IDREF" and tag == "a" and value in ids:
            made["href"] = f"#{value}"
        elif key in ("title", "lang"):
            made[key] = value
    return "".join(f" {key}={quoteattr(_CONTROL.sub('', made[key]))}" for key in made if made[key])


def _escaped(text: str) -> str:
    return escape(_CONTROL.sub("", text))
