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

_INLINE = frozenset(("p", "span", "a", "b", "i", "em", "strong", "u"))
_BLOCKS = frozenset(("table", "list", "paragraph", "div", "p", "ul", "ol"))
_PARTS = {"ul": ("li",), "ol": ("li",)}
"""What may stand in a list; anything else becomes one of its parts."""
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


def div(element: Any) -> str | None:
    """Write a narrative ``element`` as XHTML; None where it shows nothing."""
    made: list[str] = []
    _inside(element, made)
    text = "".join(made)
    if not text.strip() or not re.search(r">[^<]*[^<\s]|^[^<]*[^<\s]", text):
        return None
    return f"{_HEAD}{text}</div>"


def words(text: str) -> str:
    """Write a plain text as XHTML."""
    return f"{_HEAD}{_escaped(text)}</div>"


def _inside(element: Any, made: list[str], *, within: str = "") -> None:
    if element.text:
        made.append(_escaped(element.text))
    for child in element:
        _write(child, made, within=within)
        if child.tail:
            made.append(_escaped(child.tail))


def _write(element: Any, made: list[str], *, within: str = "") -> None:
    name = name_of(element.tag)
    tag = _tag(element, name)
    allowed = _PARTS.get(within)
    if allowed is not None and tag not in allowed:
        made.append(f"<{allowed[0]}>")
        _write(element, made)
        made.append(f"</{allowed[0]}>")
        return
    if tag is None:
        _inside(element, made)
        return
    attributes = _attributes(element, name, tag)
    if name in _EMPTY and not len(element) and not element.text:
        made.append(f"<{tag}{attributes}/>")
        return
    made.append(f"<{tag}{attributes}>")
    if name == "renderMultiMedia":
        made.append(_escaped(f"[{element.get('referencedObject') or 'media'}]"))
    _inside(element, made, within=tag)
    made.append(f"</{tag}>")


def _tag(element: Any, name: str) -> str | None:
    tag = _ELEMENTS.get(name)
    if tag in _INLINE and any(name_of(one.tag) in _BLOCKS for one in element.iterdescendants()):
        return "div"
    if name == "list" and element.get("listType") == "ordered":
        return "ol"
    if name == "caption" and name_of(element.getparent().tag) != "table":
        return "span"
    if name == "br" and (len(element) or element.text):
        return None
    return tag


def _attributes(element: Any, name: str, tag: str) -> str:
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
        elif key == "href" and name in ("linkHtml", "a") and _LINK.fullmatch(value):
            made["href"] = value
        elif key == "IDREF" and name == "footnoteRef":
            made["href"] = f"#{value}"
        elif key in ("title", "lang"):
            made[key] = value
    return "".join(f" {key}={quoteattr(_CONTROL.sub('', made[key]))}" for key in made if made[key])


def _escaped(text: str) -> str:
    return escape(_CONTROL.sub("", text))
