"""The administrator of hospital north, who owns the network, and one of clinic south, who does
not; each with a browser."""

from __future__ import annotations

import pytest

from simdes.app import ADMINISTRATOR
from support.fhir_api import application
from support.pages import Visitor
from unit.gateway.pages.conftest import Place


@pytest.fixture
def office(place: Place) -> Visitor:
    """The owner's browser, signed in."""
    visitor = place.visitor()
    assert visitor.sign_in(ADMINISTRATOR).headers["location"] == "/home"
    return visitor


@pytest.fixture
def elsewhere(place: Place) -> Visitor:
    """The browser of clinic south's administrator."""
    visitor = Visitor(application(place.network["south"]))
    assert visitor.sign_in(ADMINISTRATOR).headers["location"] == "/home"
    return visitor
