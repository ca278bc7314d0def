"""A patient of hospital north with a record, an account and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, enrolled, history
from unit.gateway.pages.conftest import Place

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{ 7*7 }}"


@pytest.fixture(scope="session")
def doctor(founded_pages: Place) -> Api:
    """A doctor of hospital north, over FHIR."""
    return Api.of(founded_pages.north, "dr.north", app=founded_pages.app)


@pytest.fixture(scope="session")
def rosa(founded_pages: Place, doctor: Api) -> Enrolled:
    """A patient with a few years of history."""
    who = enrolled(founded_pages.network, doctor, "pages-1", user="rosa")
    for one in history(who.patient["id"]):
        doctor.create(one)
    founded_pages.network.settle()
    return who


@pytest.fixture(scope="session")
def hostile(founded_pages: Place, doctor: Api) -> Enrolled:
    """A patient whose record holds markup in every string that a page shows."""
    who = enrolled(founded_pages.network, doctor, "pages-2", user="mallory", given=HOSTILE)
    for one in history(who.patient["id"]):
        doctor.create(_spoiled(one))
    founded_pages.network.settle()
    return who


@pytest.fixture
def browser(place: Place, rosa: Enrolled) -> Iterator[Visitor]:
    """Rosa's browser, signed in."""
    visitor = place.visitor()
    assert visitor.sign_in(rosa.user).headers["location"] == "/home"
    return visitor


_KEPT = ("resourceType", "id", "reference", "status", "intent", "system", "code", "criticality")


def _spoiled(value: object, name: str = "") -> object:
    if isinstance(value, dict):
        return {key: _spoiled(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_spoiled(inner, name) for inner in value]
    free = name in ("text", "display", "title", "unit")
    return HOSTILE if isinstance(value, str) and free else value
