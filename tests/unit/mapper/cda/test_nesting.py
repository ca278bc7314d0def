"""Narrative keeps every text and stands where XHTML lets it, however the document nests it."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from simdes.fhir.narrative import find_fault
from simdes.mapper.cda.narrative import div


def written(inside: str) -> str:
    element = etree.fromstring(f'<text xmlns="urn:hl7-org:v3">{inside}</text>')
    made = div(element)
    assert made is not None
    return made.removeprefix('<div xmlns="http://www.w3.org/1999/xhtml">').removesuffix("</div>")


@pytest.mark.parametrize(
    ("cda", "xhtml"),
    [
        (
            "<list><caption>c</caption><item>a</item></list>",
            "<ul><li><span>c</span></li><li>a</li></ul>",
        ),
        ("<list listType='ordered'><item>a</item>b</list>", "<ol><li>a</li><li>b</li></ol>"),
        (
            "<paragraph>a<list><item>b</item></list></paragraph>",
            "<div>a<ul><li>b</li></ul></div>",
        ),
        ("<content>a<paragraph>b</paragraph></content>", "<div>a<p>b</p></div>"),
        ("<b>a<table><tr><td>b</td></tr></table></b>", "a<table><tr><td>b</td></tr></table>"),
        ("<tr><td>a</td></tr>", "<div><div>a</div></div>"),
        ("<item>a</item>", "<div>a</div>"),
        ("<table><tr>a<td>b</td></tr></table>", "<table><tr><td>a</td><td>b</td></tr></table>"),
        (
            "<table><tbody><td>a</td></tbody></table>",
            "<table><tbody><tr><td><div>a</div></td></tr></tbody></table>",
        ),
        ("<table><caption>c</caption></table>", "<table><caption>c</caption></table>"),
        ("<linkHtml href='#x'>a</linkHtml>", "<a>a</a>"),
        (
            "<linkHtml href='#x'>a</linkHtml><content ID='x'>b</content>",
            '<a href="#x">a</a><span id="x">b</span>',
        ),
    ],
)
def test_blocks_stand_where_they_may(cda: str, xhtml: str) -> None:
    made = written(cda)
    assert made == xhtml
    assert find_fault(f'<div xmlns="http://www.w3.org/1999/xhtml">{made}</div>') is None
    assert re.sub("<[^>]*>", "", made) == re.sub("<[^>]*>", "", cda)
