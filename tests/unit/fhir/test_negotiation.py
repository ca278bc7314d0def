"""Headers over their whole tables, garbage included."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid
from simdes.fhir.form import Form
from simdes.fhir.negotiation import (
    Body,
    Preferences,
    Versions,
    answer_form,
    body_of,
    etag,
    http_date,
    if_none_exist,
    media_type,
    none_match,
    not_modified,
    parse_http_date,
    preferences,
    query_pairs,
    versions,
)

JSON, XML = Form.JSON, Form.XML

ACCEPT: dict[str | None, Form | None] = {
    None: JSON,
    "": JSON,
    " ": JSON,
    "*/*": JSON,
    "application/*": JSON,
    "application/fhir+json": JSON,
    "application/fhir+xml": XML,
    "APPLICATION/FHIR+XML": XML,
    "application/json": JSON,
    "application/xml": XML,
    "text/json": JSON,
    "text/xml": XML,
    "application/json+fhir": JSON,
    "application/xml+fhir": XML,
    "application/fhir+xml; charset=utf-8": XML,
    "application/fhir+json; fhirVersion=4.0": JSON,
    "application/fhir+xml;fhirVersion=4.0.1": XML,
    'application/fhir+xml;fhirVersion="4.0"': XML,
    "application/fhir+json;fhirVersion=5.0": None,
    "application/fhir+json;fhirVersion=3.0, application/fhir+xml;fhirVersion=4.0": XML,
    # What is more welcome wins, then what is named first.
    "application/fhir+json;q=0.5, application/fhir+xml": XML,
    "application/fhir+json;q=0.5, application/fhir+xml;q=0.4": JSON,
    "application/fhir+xml, application/fhir+json": XML,
    "application/fhir+json, application/fhir+xml": JSON,
    "application/fhir+xml;q=1.0,*/*;q=0.1": XML,
    "*/*, application/fhir+xml;q=0.1": JSON,
    "application/fhir+json;q=0, */*": XML,
    "application/fhir+json;q=0": None,
    "*/*;q=0": None,
    "application/json, text/plain, */*": JSON,  # axios
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8": XML,  # browsers
    "text/html, */*": JSON,
    "text/html": None,
    "application/fhir+turtle": None,
    "application/pdf, image/png;q=0.3": None,
    # What is no media range counts for nothing.
    "garbage": JSON,
    ",,,": JSON,
    "application/fhir+xml;q=2": JSON,
    "application/fhir+xml;q=x": JSON,
    "garbage, application/fhir+xml": XML,
    'application/fhir+xml;x="a,b;q=0"': XML,
    "application/fhir+xml;": XML,
    "application/fhir+xml;;q=1": XML,
    "/": JSON,
    "\x00": JSON,
}


@pytest.mark.parametrize("accept", ACCEPT)
def test_the_accept_header_chooses_the_form(accept: str | None) -> None:
    assert answer_form(accept) == ACCEPT[accept]


FORMAT: dict[str, Form | None] = {
    "json": JSON,
    "xml": XML,
    "JSON": JSON,
    "application/fhir+json": JSON,
    "application/fhir json": JSON,  # an unescaped + of a URL
    "application/fhir xml": XML,
    "application/json": JSON,
    "text/json": JSON,
    "text/xml": XML,
    "application/xml": XML,
    "application/fhir+xml;fhirVersion=4.0": XML,
    "application/fhir+xml;fhirVersion=3.0": None,
    "*/*": JSON,
    "html": None,
    "ttl": None,
    "text/html": None,
    "nonsense": None,
    "json/": None,
}


@pytest.mark.parametrize("value", FORMAT)
def test_format_overrides_the_accept_header(value: str) -> None:
    for accept in (None, "application/fhir+json", "application/fhir+xml", "text/html"):
        assert answer_form(accept, value) == FORMAT[value]


def test_an_empty_format_asks_for_nothing() -> None:
    assert answer_form("application/fhir+xml", "") == XML


CONTENT: dict[str | None, Body | None] = {
    None: None,
    "": None,
    "application/fhir+json": Body.JSON,
    "application/fhir+json; charset=UTF-8": Body.JSON,
    'application/fhir+json; charset="utf-8"': Body.JSON,
    "application/fhir+json;charset=iso-8859-1": None,
    "application/fhir+json;charset=utf-16": None,
    "application/fhir+json; fhirVersion=4.0": Body.JSON,
    "application/fhir+json; fhirVersion=5.0": None,
    "application/json": Body.JSON,
    "text/json": Body.JSON,
    "application/fhir+xml": Body.XML,
    "text/xml; charset=us-ascii": Body.XML,
    "application/json-patch+json": Body.JSON_PATCH,
    "application/xml-patch+xml": Body.XML_PATCH,
    "application/x-www-form-urlencoded": Body.FIELDS,
    "application/fhir+ndjson": None,
    "text/plain": None,
    "json": None,
    "application/fhir+json, application/fhir+xml": None,
    "application/fhir+json garbage": None,
    "application/fhir+json; charset": None,
    "a/b" * 5000: None,
}


@pytest.mark.parametrize("value", CONTENT, ids=lambda value: str(value)[:50])
def test_the_content_type_says_what_a_body_is(value: str | None) -> None:
    assert body_of(value) == CONTENT[value]


def test_only_resources_have_a_form() -> None:
    assert {body: body.form for body in Body if body.form} == {Body.JSON: JSON, Body.XML: XML}


def test_a_media_types_parameters_are_read_as_written() -> None:
    found = media_type('Multipart/Related; Type="a;b\\"c"; x=Y; X=z')
    assert found is not None
    assert found.name == "multipart/related"
    assert found.parameters == {"type": 'a;b"c', "x": "Y"}


PREFER: dict[str | None, Preferences] = {
    None: Preferences(),
    "": Preferences(),
    "return=minimal": Preferences(returns="minimal"),
    "return=representation": Preferences(returns="representation"),
    "return=OperationOutcome": Preferences(returns="OperationOutcome"),
    "RETURN=operationoutcome": Preferences(returns="OperationOutcome"),
    'return="minimal"': Preferences(returns="minimal"),
    "return = minimal": Preferences(returns="minimal"),
    "return=nonsense": Preferences(),
    "return": Preferences(),
    "handling=strict": Preferences(handling="strict"),
    "handling=lenient": Preferences(handling="lenient"),
    "handling=other": Preferences(),
    "respond-async": Preferences(is_async=True),
    "respond-async, wait=10": Preferences(is_async=True),
    "return=minimal, handling=lenient,respond-async": Preferences(
        returns="minimal", handling="lenient", is_async=True
    ),
    "return=representation; handling=strict": Preferences(
        returns="representation", handling="strict"
    ),
    "return=minimal, return=representation": Preferences(returns="minimal"),
    "return=nonsense, return=minimal": Preferences(),
    'x="return=minimal, a", handling=strict': Preferences(handling="strict"),
    ", ;=, \x00, return=minimal": Preferences(returns="minimal"),
}


@pytest.mark.parametrize("value", PREFER)
def test_the_prefer_header_is_read(value: str | None) -> None:
    assert preferences(value) == PREFER[value]


TAGS: dict[str, set[str] | None] = {
    "*": None,
    ' W/"3" ': {"3"},
    '"3"': {"3"},
    'W/"3", "4",W/"5"': {"3", "4", "5"},
    'W/""': {""},
    'W/"a,b"': {"a,b"},
    'W/"3",': {"3"},
}


@pytest.mark.parametrize("header", TAGS)
def test_entity_tags_name_versions(header: str) -> None:
    ids = TAGS[header]
    assert versions(header) == Versions(None if ids is None else frozenset(ids))


@pytest.mark.parametrize(
    "header",
    ["", " ", "3", "W/3", 'w/"3"', 'W/"3', 'W/"3" W/"4"', '*, W/"3"', "'3'", 'W/"a"b"', 'W/"\n"'],
)
def test_garbage_for_entity_tags_is_refused(header: str) -> None:
    with pytest.raises(Invalid):
        versions(header)


def test_a_version_matches_its_own_tag_and_any() -> None:
    assert versions(None) is None
    assert etag(3) == etag("3") == 'W/"3"'
    tag, any_ = versions(etag(3)), versions("*")
    assert tag
    assert any_
    assert tag.has(3)
    assert tag.has("3")
    assert not tag.has(4)
    assert any_.has(4)
    assert not tag.has(None)
    assert not any_.has(None)
    assert none_match('W/"2", W/"3"', 3)
    assert none_match("*", 1)
    assert not none_match("*", None)
    assert not none_match('W/"2"', 3)
    assert none_match("3", 3)
    assert not none_match("2", 3)
    assert not none_match(None, 3)


MOMENT = 784111777000  # the example of RFC 9110, section 5.6.7
DATES: dict[str | None, int | None] = {
    "Sun, 06 Nov 1994 08:49:37 GMT": MOMENT,
    "Sunday, 06-Nov-94 08:49:37 GMT": MOMENT,
    "Sun Nov  6 08:49:37 1994": MOMENT,
    " Sun, 06 Nov 1994 08:49:37 GMT ": MOMENT,
    "Sunday, 06-Nov-24 08:49:37 GMT": 1730882977000,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0,
    None: None,
    "": None,
    "0": None,
    "garbage": None,
    "Sun, 31 Feb 1994 08:49:37 GMT": None,
    "Sun, 06 Nov 1994 25:49:37 GMT": None,
    "Sun, 06 Nov 1994 08:49:37 CET": None,
    "Sun, 06 Nov 0000 08:49:37 GMT": None,
    "1994-11-06T08:49:37Z": None,
    "Sun, 6 Nov 1994 08:49:37 GMT": None,
}


@pytest.mark.parametrize("text", DATES)
def test_http_dates_are_read_in_their_three_forms_and_else_ignored(text: str | None) -> None:
    assert parse_http_date(text) == DATES[text]


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.integers(0, 253402300799))
def test_a_date_that_is_written_is_read_again(seconds: int) -> None:
    assert parse_http_date(http_date(seconds * 1000 + 999)) == seconds * 1000


def test_what_changed_within_the_second_is_not_modified_since() -> None:
    header = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert not_modified(header, MOMENT)
    assert not_modified(header, MOMENT + 999)
    assert not not_modified(header, MOMENT + 1000)
    assert not not_modified("garbage", 0)
    assert not not_modified(None, 0)


SEARCHES = {
    "identifier=http://h.example|1": (("identifier", "http://h.example|1"),),
    "?identifier=http%3A%2F%2Fh.example%7C1": (("identifier", "http://h.example|1"),),
    "Patient?a=1&b=2&a=3": (("a", "1"), ("b", "2"), ("a", "3")),
    "name=A+B%2BC": (("name", "A B+C"),),
    "a=&b": (("a", ""), ("b", "")),
    "a=x=y": (("a", "x=y"),),
    "&a=1&": (("a", "1"),),
    "name=%C3%A9": (("name", "é"),),
}


@pytest.mark.parametrize("header", SEARCHES)
def test_if_none_exist_holds_a_search(header: str) -> None:
    assert if_none_exist(header) == SEARCHES[header]


@pytest.mark.parametrize("header", ["", " ", "?", "&", "=x", "a=%FF", "%C3=1", "a=1&" * 101])
def test_if_none_exist_without_a_search_is_refused(header: str) -> None:
    assert if_none_exist(None) is None
    with pytest.raises(Invalid):
        if_none_exist(header)


def test_a_query_may_be_empty() -> None:
    assert query_pairs("") == ()


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(st.sampled_from('ab/;,=*" \\+q01.W%?&\x00é'), max_size=40))
def test_garbage_never_crashes_a_reader(text: str) -> None:
    readers: list[Any] = [answer_form, body_of, media_type, parse_http_date, preferences]
    for read in readers:
        read(text)
    answer_form(None, text)
    for refuse in (versions, query_pairs, if_none_exist):
        try:
            refuse(text)
        except Invalid:
            continue


def test_long_garbage_takes_no_time() -> None:
    started = time.process_time()
    for text in ('"' * 8000, ";" * 8000, "a/b;" * 2000, 'a/b;x="' * 1000, " " * 8000, "\\" * 8000):
        answer_form(text)
        body_of(text)
        preferences(text)
        for refuse in (versions, if_none_exist):
            try:
                refuse(text)
            except Invalid:
                continue
    assert time.process_time() - started < 2
