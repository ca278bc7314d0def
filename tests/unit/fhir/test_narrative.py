"""Narrative is the inert part of XHTML that the standard allows, and never empty."""

from __future__ import annotations

import time

import pytest

from simdes.fhir.narrative import find_fault


def div(inside: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'


GOOD = [
    "text",
    "<p>a <b>b</b> <i>c</i><br/></p>",
    '<a href="http://example.org">a</a><a name="x">b</a>',
    '<img src="#picture" alt="a picture"/>',
    '<img src="data:image/png;base64,QUJD"/>',
    '<table border="1"><tbody><tr><td colspan="2" style="color: red">a</td></tr></tbody></table>',
    '<ul><li>a</li></ul><ol start="2"><li>b</li></ol><dl><dt>c</dt><dd>d</dd></dl>',
    '<h1 id="a" class="b" title="c" lang="en" xml:lang="en" dir="ltr">a</h1>',
    "a &lt; b &amp;&nbsp;&copy;&#169;&eacute;",
    "<!-- a comment --> text",
    '<p xmlns:x="urn:x">a</p>',
    "<ul>\n<!-- a --> <li><p>a</p><ul><li>b</li></ul></li></ul><span><p>c</p></span>",
    "<table><colgroup><col/></colgroup><thead><tr><th>a</th></tr></thead></table>",
]

BAD_1 = [
    "<script>alert(1)</script>",
    "<p onclick='x()'>a</p>",
    "<p onClick='x()'>a</p>",
    '<a href="javascript:x()">a</a>',
    '<a href=" JavaScript:x()">a</a>',
    '<a href="vbscript:x()">a</a>',
    '<a href="data:text/html,x">a</a>',
    "<iframe src='http://example.org'/>a",
    "<object value='x'/>a",
    "<form><input/></form>a",
    "<style>p {}</style>a",
    "<link rel='stylesheet'/>a",
    "<head/>a",
    "<P>a</P>",
    "<p>a",
    "<p>a</pa>",
    "a & b",
    "&unknown;",
    "<?php x ?>a",
    '<p xmlns="urn:other">a</p>',
    "<svg xmlns='http://www.w3.org/2000/svg'/>a",
    "<![CDATA[a]]>",
    "<ul><span>a</span></ul>",
    "<ul>a</ul>",
    "<dl><span>a</span></dl>",
    "<li>a</li>",
    "<td>a</td>",
    "<table><tbody><td>a</td></tbody></table>",
    "<table><tr>a</tr></table>",
    "<p><div>a</div></p>",
    "<p><b><ul><li>a</li></ul></b></p>",
    "<p><p>a</p></p>",
    "<span><table><tr><td>a</td></tr></table></span>",
    "\x01a",
]

BAD_2 = ["", " \n\t", "<p/>", "<p> <b> </b></p>", "<!-- only a comment -->", "&#160;", "<br/>"]


@pytest.mark.parametrize("inside", GOOD)
def test_basic_formatting_is_allowed(inside: str) -> None:
    assert find_fault(div(inside)) is None


@pytest.mark.parametrize("inside", BAD_1)
def test_active_unknown_or_malformed_content_breaks_txt_1(inside: str) -> None:
    fault = find_fault(div(inside))
    assert fault
    assert fault[0] == "txt-1"


@pytest.mark.parametrize("inside", BAD_2)
def test_narrative_without_content_breaks_txt_2(inside: str) -> None:
    fault = find_fault(div(inside))
    assert fault
    assert fault[0] == "txt-2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<div>a</div>",
        '<p xmlns="http://www.w3.org/1999/xhtml">a</p>',
        div("a") + div("b"),
        '<div xmlns="http://www.w3.org/1999/xhtmlx">a</div>',
        '<x:div xmlns:x="urn:x">a</x:div>',
        "\ud800",
    ],
)
def test_narrative_is_one_div_of_xhtml(text: str) -> None:
    assert find_fault(text)


def test_entities_are_neither_expanded_nor_fetched() -> None:
    bomb = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "x" * 10}">' for i in range(12))
    for doctype in (f"<!DOCTYPE div [{bomb}]>", '<!DOCTYPE div SYSTEM "file:///etc/passwd">'):
        started = time.process_time()
        fault = find_fault(doctype + div("&e11;"))
        assert fault
        assert fault[0] == "txt-1"
        assert time.process_time() - started < 1


def test_great_depth_and_length_are_refused_or_read_in_bounded_time() -> None:
    started = time.process_time()
    assert find_fault(div("<b>" * 100_000 + "</b>" * 100_000))
    assert find_fault(div("<p>a</p>" * 50_000)) is None
    assert find_fault("<" * 1_000_000)
    assert time.process_time() - started < 5
