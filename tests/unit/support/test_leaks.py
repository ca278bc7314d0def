"""The scanner for seeded identifiers finds them in every form: one that can't fail is a defect."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable

import pytest

from support.leaks import Scanner, values_of
from support.seeds import SEEDED

FORMS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "capitals": lambda value: value.upper().encode(),
    "utf-16-le": lambda value: value.encode("utf-16-le"),
    "utf-16-be": lambda value: value.encode("utf-16-be"),
    "hex": lambda value: value.encode().hex().encode(),
    "reversed": lambda value: value[::-1].encode(),
}


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(SEEDED.values())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", SEEDED)
def test_the_scanner_finds_every_value_in_every_form(
    scanner: Scanner, what: str, form: str
) -> None:
    hidden = b"\x00\xffbefore " + FORMS[form](SEEDED[what]) + b" after\x00"
    assert SEEDED[what] in values_of(scanner.scan([("here", hidden)]))


@pytest.mark.parametrize("shift", range(7))
@pytest.mark.parametrize("alphabet", ["b64encode", "urlsafe_b64encode"])
def test_the_scanner_finds_every_value_in_base64_wherever_it_begins(
    scanner: Scanner, shift: int, alphabet: str
) -> None:
    for value in SEEDED.values():
        encoded = getattr(base64, alphabet)(b"?" * shift + value.encode() + b"more")
        assert value in values_of(scanner.scan([("here", encoded)]))


def test_the_scanner_finds_values_in_urls_and_json(scanner: Scanner) -> None:
    for value in SEEDED.values():
        for text in (
            urllib.parse.quote(value, safe=""),
            urllib.parse.quote_plus(value),
            json.dumps({"a": value}),
        ):
            assert value in values_of(scanner.scan([("here", text.encode())]))


def test_the_scanner_finds_nothing_in_nothing_and_refuses_short_values(scanner: Scanner) -> None:
    assert scanner.scan([("noise", bytes(range(256)) * 4000)]) == []
    with pytest.raises(ValueError, match="under 8"):
        Scanner(["short"])
