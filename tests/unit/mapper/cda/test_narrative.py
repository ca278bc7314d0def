"""The narrative of a section becomes XHTML that FHIR allows, and loses no text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from simdes.fhir.narrative import find_fault
from simdes.mapper.cda.narrative import div
from unit.mapper.cda.samples import NAMES, document, mapped, only, sample


def _div(inner: str) -> str:
    made = div(etree.fromstring(f'<text xmlns="urn:hl7-org:v3">{inner}</text>'))
    assert made is not None
    assert find_fault(made) is None
    return made.removeprefix('<div xmlns="http://www.w3.org/1999/xhtml">').removesuffix("</div>")


@pytest.mark.parametrize(
    ("cda", "xhtml"),
    [
        ("plain", "plain"),
        ("<paragraph>a</paragraph>", "<p>a</p>"),
        (
            '<content ID="x" styleCode="Bold">a</content>',
            '<span id="x" class="Bold" style="font-weight: bold">a</span>',
        ),
        ("<list><item>a</item></list>", "<ul><li>a</li></ul>"),
        ('<list listType="ordered"><item>a</item></list>', "<ol><li>a</li></ol>"),
        (
            "<list><caption>c</caption><item>a</item></list>",
            "<ul><li><span>c</span></li><li>a</li></ul>",
        ),
        (
            '<table border="1"><thead><tr><th colspan="2">h</th></tr></thead></table>',
            '<table border="1"><thead><tr><th colspan="2">h</th></tr></thead></table>',
        ),
        ("H<sub>2</sub>O<br/>x<sup>2</sup>", "H<sub>2</sub>O<br/>x<sup>2</sup>"),
        ('<linkHtml href="https://x.org/a">a</linkHtml>', '<a href="https://x.org/a">a</a>'),
        ('<footnote ID="f">n</footnote>', '<span id="f">n</span>'),
        (
            '<footnoteRef IDREF="f">1</footnoteRef><footnote ID="f">n</footnote>',
            '<a href="#f">1</a><span id="f">n</span>',
        ),
        ('<footnoteRef IDREF="f">1</footnoteRef>', "<a>1</a>"),
        ('<renderMultiMedia referencedObject="MM1"/>', "<span>[MM1]</span>"),
        ("<paragraph>a<list><item>b</item></list></paragraph>", "<div>a<ul><li>b</li></ul></div>"),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
    ],
)
def test_each_kind_of_block_has_its_element(cda: str, xhtml: str) -> None:
    assert _div(cda) == xhtml


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '<paragraph onclick="alert(1)">a</paragraph>',
        '<linkHtml href="javascript:alert(1)">a</linkHtml>',
        '<linkHtml href=" data:text/html,x">a</linkHtml>',
        '<a href="vbscript:x">a</a>',
        '<iframe src="https://x.org">a</iframe>',
        '<content style="background:url(javascript:x)">a</content>',
        '<content styleCode="&quot;&gt;&lt;script&gt;">a</content>',
        '<svg xmlns="http://www.w3.org/2000/svg" onload="x">a</svg>',
        '<script xmlns="http://www.w3.org/1999/xhtml">a</script>',
        '<form action="https://x.org"><input value="a"/>a</form>',
    ],
)
def test_nothing_active_passes(hostile: str) -> None:
    made = _div(hostile)
    assert not re.search(
        r"<script|javascript|vbscript|onclick|onload|<iframe|<svg|<form|data:", made
    )


def test_blank_narrative_is_none() -> None:
    assert div(etree.fromstring('<text xmlns="urn:hl7-org:v3"> <paragraph/> </text>')) is None
    found = mapped(document(text="<text/>"))
    assert only(found, "Composition")["section"][0]["text"]["status"] == "empty"


@pytest.mark.parametrize("name", ["ccd", "transfer", "synthea", "amb-ccd", "imaging"])
def test_no_word_of_a_samples_narrative_is_lost(name: str) -> None:
    assert name in NAMES
    source = etree.fromstring(sample(name))
    texts = source.findall(".//{urn:hl7-org:v3}section/{urn:hl7-org:v3}text")
    said = [word for text in texts for word in "".join(text.itertext()).split()]
    found = only(mapped(sample(name)), "Composition")
    shown: list[str] = []
    waiting = list(found["section"])
    while waiting:
        section = waiting.pop(0)
        waiting = section.get("section", []) + waiting
        if section["text"]["status"] != "empty":
            made = etree.fromstring(section["text"]["div"])
            shown += "".join(made.itertext()).split()
    assert [word for word in shown if not word.startswith("[")] == [
        word for word in said if not word.startswith("[")
    ]


_TAGS = st.sampled_from(
    ["content", "paragraph", "list", "item", "table", "tr", "td", "caption", "br", "script", "x"]
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.recursive(
        st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5),
        lambda inner: st.tuples(_TAGS, st.lists(inner, max_size=3)),
        max_leaves=12,
    )
)
def test_any_nesting_gives_allowed_xhtml(tree: object) -> None:
    top = etree.Element("{urn:hl7-org:v3}text")
    top.text = "x"
    _grow(top, tree)
    made = div(top)
    assert made is not None
    assert find_fault(made) is None


def _grow(element: etree._Element, tree: object) -> None:
    if isinstance(tree, str):
        last = element[-1] if len(element) else None
        if last is None:
            element.text = (element.text or "") + tree
        else:
            last.tail = (last.tail or "") + tree
        return
    tag, parts = tree  # type: ignore[misc]
    child = etree.SubElement(element, f"{{urn:hl7-org:v3}}{tag}")
    for part in parts:
        _grow(child, part)
