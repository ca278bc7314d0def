"""What of a claim is fingerprinted, by example, and what matches mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simdes.claims.signals import (
    By,
    Mark,
    Match,
    Pair,
    Seen,
    Sign,
    included,
    marks_of,
    read_pairs,
    signals_of,
)
from simdes.errors import Invalid

PERSONS, PLACES = ("urn:p",), ("urn:npi", "urn:org")
PATIENT: dict[str, Any] = {
    "identifier": [
        {"system": "urn:p", "value": "941-77 3186"},
        {"system": "urn:elsewhere", "value": "X"},
    ],
    "name": [
        {"use": "old", "family": "Other", "given": ["Old"]},
        {"family": "O\u2019Brien-M\u00fcller", "given": ["Zo\u00eb", "Ann"]},
    ],
    "birthDate": "1980-02-29",
}


def claim(*items: dict[str, Any], insurers: int = 1) -> dict[str, Any]:
    return {
        "item": [{"sequence": n, **one} for n, one in enumerate(items, 1)],
        "insurance": [{}] * insurers,
        "billablePeriod": {"start": "2026-03-01"},
    }


def item(code: str, day: str | None = None) -> dict[str, Any]:
    one: dict[str, Any] = {"productOrService": {"coding": [{"system": "urn:c", "code": code}]}}
    return one | ({"servicedDate": day} if day else {})


def inputs(seen: Seen, *pairs: Pair) -> list[str]:
    marks = marks_of(seen, persons=PERSONS, places=PLACES, pairs=pairs)
    return [one.input.decode() for one in marks]


def test_a_line_is_marked_by_identifier_and_by_name() -> None:
    assert inputs(Seen(claim=claim(item("A", "2026-03-02")), patient=PATIENT)) == [
        '["simdes/fingerprint/v1","service","id","urn:p","941773186","","urn:c|A","2026-03-02"]',
        '["simdes/fingerprint/v1","service","name","obrienmuller","zoe","1980-02-29","",'
        '"urn:c|A","2026-03-02"]',
    ]


def test_however_a_number_or_name_is_written_the_mark_is_the_same() -> None:
    other = {
        "identifier": [{"system": "urn:p", "value": "941.77.3186"}],
        "name": [{"family": "O'BRIEN MUELLER".replace("UE", "U\u0308"), "given": ["ZOE\u0308"]}],
        "birthDate": "1980-02-29",
    }
    one, two = (inputs(Seen(claim=claim(item("A")), patient=who)) for who in (PATIENT, other))
    assert one == two


@pytest.mark.parametrize(
    "change",
    [{"birthDate": "1980-02"}, {"birthDate": None}, {"name": [{"family": "Solo"}]}, {"name": []}],
    ids=["month", "none", "family-alone", "nameless"],
)
def test_half_a_name_is_no_name(change: dict[str, Any]) -> None:
    marks = marks_of(
        Seen(claim=claim(item("A")), patient=PATIENT | change), persons=PERSONS, places=PLACES
    )
    assert {one.by for one in marks} == {By.IDENTIFIER}


def test_a_line_without_a_day_takes_the_claims_and_one_without_a_system_is_left_out() -> None:
    plain = {"productOrService": {"coding": [{"code": "A"}]}}
    found = inputs(Seen(claim=claim(item("A"), plain), patient=PATIENT | {"name": []}))
    assert len(found) == 1 and '"2026-03-01"' in found[0]


def test_the_same_service_twice_is_one_mark() -> None:
    seen = Seen(claim=claim(item("A"), item("A")), patient=PATIENT | {"name": []})
    [one] = marks_of(seen, persons=PERSONS, places=PLACES)
    assert one.line == 1


def test_either_half_of_a_pair_gives_the_same_mark() -> None:
    pair = Pair("urn:c|W", "urn:c|P", "step")
    patient = PATIENT | {"name": []}
    whole, part = (inputs(Seen(claim=claim(item(one)), patient=patient), pair) for one in "WP")
    assert whole[1] == part[1] and whole[0] != part[0]
    assert '"bundle"' in whole[1]


def test_a_stay_has_its_nights_and_its_places() -> None:
    patient = PATIENT | {"name": []}
    stay = {
        "class": {"code": "IMP"},
        "period": {"start": "2026-02-27T22:00:00Z", "end": "2026-03-01T08:00:00Z"},
    }
    provider = {
        "identifier": [
            {"system": "urn:npi", "value": "1"},
            {"system": "urn:org", "value": "0x1"},
            {"system": "urn:other", "value": "2"},
        ]
    }
    seen = Seen(claim=claim(), patient=patient, provider=provider, encounter=stay)
    marks = marks_of(seen, persons=PERSONS, places=PLACES)
    assert [(one.mark, one.day) for one in marks] == [
        (mark, day)
        for day in ("2026-02-27", "2026-02-28")
        for mark in (Mark.NIGHT, Mark.PLACE, Mark.PLACE)
    ]
    for other in (
        replace(seen, provider={}),
        replace(seen, encounter=stay | {"class": {"code": "AMB"}}),
        replace(seen, encounter=stay | {"period": {"start": "2026-02-27", "end": "2026-02-27"}}),
        replace(seen, encounter=stay | {"period": {"start": "2024-02-27", "end": "2026-02-27"}}),
        replace(seen, encounter=stay | {"period": {"start": "2026-02-27"}}),
    ):
        assert marks_of(other, persons=PERSONS, places=PLACES) == ()


def test_marks_say_nothing_of_the_patient_in_text() -> None:
    for one in marks_of(Seen(claim=claim(item("A")), patient=PATIENT), persons=PERSONS, places=()):
        assert "941" not in repr(one) and "brien" not in repr(one)


EAST, WEST = b"e" * 32, b"w" * 32


def match(mark: Mark, *others: bytes, by: By = By.IDENTIFIER, line: int = 1, **more: Any) -> Match:
    fields = {"claim": "c", "day": "2026-03-01", "detail": "", "coordinated": False} | more
    return Match(mark=mark, by=by, line=line, others=frozenset(others), **fields)


@pytest.mark.parametrize(
    ("matches", "signs"),
    [
        ([match(Mark.SERVICE, EAST)], [Sign.DUPLICATE]),
        ([match(Mark.BUNDLE, EAST)], [Sign.UNBUNDLING]),
        ([match(Mark.BUNDLE, EAST), match(Mark.SERVICE, EAST)], [Sign.DUPLICATE]),
        ([match(Mark.BUNDLE, EAST), match(Mark.SERVICE, WEST)], [Sign.UNBUNDLING, Sign.DUPLICATE]),
        ([match(Mark.NIGHT, EAST, line=0)], [Sign.OVERLAP]),
        ([match(Mark.NIGHT, EAST, line=0), match(Mark.PLACE, EAST, line=0)], []),
        ([match(Mark.NIGHT, EAST, line=0), match(Mark.PLACE, WEST, line=0)], [Sign.OVERLAP]),
        ([match(Mark.PLACE, EAST, line=0)], []),
        ([match(Mark.SERVICE)], []),
        ([], []),
    ],
    ids=str,
)
def test_what_matches_mean(matches: list[Match], signs: list[Sign]) -> None:
    found = sorted(signals_of(matches), key=lambda one: one.other)
    assert [one.sign for one in found] == signs


def test_a_match_by_name_alone_and_a_coordinated_claim_say_so() -> None:
    [one] = signals_of([match(Mark.SERVICE, EAST, by=By.NAME, coordinated=True)])
    assert one.by is By.NAME and one.expected
    assert "may be two people" in one.reason and "several insurers" in one.reason
    both = [match(Mark.SERVICE, EAST, by=by) for by in By]
    [one] = signals_of(both)
    assert one.by is By.IDENTIFIER and not one.expected and "two people" not in one.reason


@pytest.mark.parametrize("mark", [Mark.SERVICE, Mark.BUNDLE, Mark.NIGHT])
def test_another_claim_of_the_same_insurer_is_called_so(mark: Mark) -> None:
    [one, own] = signals_of([match(mark, EAST, WEST)], own=WEST)
    assert (one.other, one.own, own.other, own.own) == (EAST, False, WEST, True)
    assert one.reason.startswith("Another insurer has")
    assert own.reason.startswith("Another claim here has")


def test_a_table_of_pairs_is_read_and_a_wrong_line_is_named() -> None:
    text = "# whole ; part ; why\n\nurn:c|W ; urn:c|P ; step\nurn:c|W;urn:c|Q;\n"
    assert read_pairs(text) == (Pair("urn:c|W", "urn:c|P", "step"), Pair("urn:c|W", "urn:c|Q", ""))
    for wrong in ("urn:c|W ; urn:c|P", "W ; urn:c|P ; x", "urn:c|W ; urn:c|W ; x"):
        with pytest.raises(Invalid, match="Line 2"):
            read_pairs(f"# first\n{wrong}\n")


def test_a_pair_says_which_code_includes_which() -> None:
    pair = Pair("urn:c|A", "urn:c|B", "B is a step of A")
    [_, one] = marks_of(
        Seen(claim=claim(item("B")), patient=PATIENT, provider=None),
        persons=PERSONS,
        places=PLACES,
        pairs=(pair,),
    )[:2]
    assert one.mark is Mark.BUNDLE
    assert included(one.detail) == ("A", "B (B is a step of A)")
