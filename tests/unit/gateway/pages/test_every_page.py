"""Every page, for somebody of each role who has nothing yet: small, few statements, a way on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simdes.access.categories import Role
from simdes.gateway import pages
from simdes.gateway.pages.places import PLACES
from simdes.gateway.pages.static_files import files
from support.pages import Visitor
from support.two_patients import statements
from unit.gateway.pages.conftest import Place

LARGEST = 100_000
"""Bytes of a page with its styles, scripts and icon, as they go over the wire at first."""
STATEMENTS = 60
PEOPLE = tuple(role for role in Role if any(role.name.lower() in place.roles for place in PLACES))
FILES = {"/log/proof", "/download/everything", "/download/summary", "/erasure/receipt"}
"""What is handed out is no page."""
NOTHING = re.compile(r"<(tbody|ul|ol|dl|select|fieldset)\b[^>]*>\s*</\1>")


def pages_of(role: str) -> list[str]:
    """Where somebody of a role may go."""
    open_to = {
        one.path for one in PLACES if one.method == "GET" and (not one.roles or role in one.roles)
    }
    return sorted(open_to - FILES - {"/"})


def test_styles_load_nothing_more() -> None:
    for one in files().values():
        if one.media_type == "text/css":
            assert not re.search(rb"@import|url\((?![\"']?data:)", one.content), one.name


def weight(text: str) -> int:
    """What a browser loads for a page that was never here."""
    served = {one.name: len(one.packed) for one in files().values()}
    named = set(re.findall(r'(?:href|src)="/static/([^"]+)"', text))
    assert named, "a page without styles"
    return len(text.encode()) + sum(served[one] for one in named)


def test_each_role_has_people() -> None:
    assert len(PEOPLE) == 7


@pytest.mark.parametrize("role", PEOPLE, ids=lambda role: role.name.lower())
def test_a_page_with_nothing_on_it_says_so_is_small_and_asks_little(
    place: Place, role: Role
) -> None:
    visitor = place.visitor()
    visitor.sign_in(place.person(role).user)
    for path in pages_of(role.name.lower()):
        with statements(place.north.node) as count:
            answer = visitor.get(path)
        assert answer.status_code < 500, path
        assert count[0] < STATEMENTS, path
        if not answer.is_redirect:
            _judge(path, answer.text, refused=answer.is_error)


@pytest.mark.parametrize("path", ["/sign-in", "/lost"])
def test_who_is_not_signed_in_gets_a_small_page_that_asks_little(
    place: Place, visitor: Visitor, path: str
) -> None:
    with statements(place.north.node) as count:
        answer = visitor.get(path)
    assert answer.status_code == 200
    assert count[0] < 5
    _judge(path, answer.text, refused=False)


def _judge(path: str, text: str, *, refused: bool) -> None:
    assert text.count("<h1") == 1, path
    assert weight(text) < LARGEST, path
    head = text.partition("</head>")[0]
    assert head.count('rel="stylesheet"') == 2, path
    assert all(" defer>" in one for one in re.findall(r"<script\b[^>]*>", text)), f"{path} waits"
    assert not NOTHING.search(text), f"{path} shows an empty list"
    main = text.partition("<main")[2].partition("</main>")[0]
    assert not refused or "<p" in main, f"{path} refuses without a word"
    assert not refused or "<a " in main or "<button" in main, f"{path} leads nowhere"


# Templates, without a page (WCAG 2.2, 2.4.2 and 3.3.1) -------------------------------------------

TEMPLATES = sorted((Path(pages.__file__).parent / "templates").rglob("*.html"))
FIELD = re.compile(r'<(?:select|textarea|input(?![^>]*type="(?:hidden|radio|checkbox)"))')
TIED = re.compile(r'parts\.(?:wrong|told)\(|aria-describedby="[^"]*trouble')


def test_no_two_pages_have_one_title() -> None:
    titles = [
        found.group(1)
        for one in TEMPLATES
        if (found := re.search(r"{% block title %}(.+){% endblock %}", one.read_text()))
    ]
    assert len(titles) > 60
    assert {one for one in titles if titles.count(one) > 1} == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_what_is_wrong_is_tied_to_its_form(template: Path) -> None:
    text = template.read_text()
    if "parts.trouble(" in text and FIELD.search(text.partition("<form")[2]):
        assert TIED.search(text), "who can't see the form hears an error that belongs nowhere"
