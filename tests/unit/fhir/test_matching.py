"""Patient/$match: a table of people who are one, may be one, and are not."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid
from simdes.fhir.matching import CAPS, WEIGHTS, candidate_queries, match, score, search_of
from simdes.fhir.validate import validate

MRN = "http://hospital.example/mrn"

ANNA: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "anna",
    "identifier": [{"system": MRN, "value": "A-12345"}],
    "name": [{"family": "Müller-Dubois", "given": ["Elizabeth", "Marie"]}],
    "gender": "female",
    "birthDate": "1984-03-07",
    "address": [{"line": ["12 Rue de la Paix"], "city": "Lyon", "postalCode": "69002"}],
    "telecom": [{"system": "phone", "value": "+33 6 12 34 56 78"}],
}


def anna(**changes: Any) -> dict[str, Any]:
    """Anna with other values; None takes one away."""
    changed = copy.deepcopy(ANNA) | changes
    return {k: v for k, v in changed.items() if v is not None}


def named(family: str, *names: str) -> list[dict[str, Any]]:
    return [{"family": family, "given": list(names)}]


NO_NUMBER = {"identifier": None}
NO_CONTACT = {"identifier": None, "address": None, "telecom": None}

GRADES: dict[str, tuple[dict[str, Any], str]] = {
    "herself": ({}, "certain"),
    "without number": (NO_NUMBER, "certain"),
    "only number, name and date": ({"address": None, "telecom": None}, "certain"),
    "name, date, gender": (NO_CONTACT, "probable"),
    "in capitals, no accent": (
        {**NO_NUMBER, "name": named("MULLER DUBOIS", "ELIZABETH")},
        "certain",
    ),
    "name and date elsewhere": (
        {**NO_CONTACT, "identifier": [{"system": "http://other.example", "value": "9"}]},
        "probable",
    ),
    "nickname": ({**NO_NUMBER, "name": named("Müller-Dubois", "Betty")}, "probable"),
    "second name first": ({**NO_NUMBER, "name": named("Müller-Dubois", "Marie")}, "probable"),
    "one part of the name": ({**NO_NUMBER, "name": named("Müller", "Elizabeth")}, "probable"),
    "typing error": ({**NO_NUMBER, "name": named("Müller-Dubios", "Elizabeth")}, "probable"),
    "names swapped": ({**NO_NUMBER, "name": named("Elizabeth", "Müller", "Dubois")}, "probable"),
    "day and month swapped": ({**NO_NUMBER, "birthDate": "1984-07-03"}, "probable"),
    "digits swapped": ({**NO_NUMBER, "birthDate": "1948-03-07"}, "probable"),
    "year only": ({**NO_NUMBER, "birthDate": "1984"}, "probable"),
    "married name": ({"name": named("Lefèvre", "Elizabeth")}, "probable"),
    "other number of the same hospital": (
        {"identifier": [{"system": MRN, "value": "B-999"}]},
        "probable",
    ),
    "initial": ({**NO_CONTACT, "name": named("Müller-Dubois", "E.")}, "probable"),
    "number reused, name and date not hers": (
        {"name": named("Okafor", "Chidi"), "birthDate": "1950-01-31", "gender": "male"}
        | {"address": None, "telecom": None},
        "certainly-not",
    ),
    "twin": (
        {**NO_NUMBER, "name": named("Müller-Dubois", "Claire"), "multipleBirthInteger": 2},
        "possible",
    ),
    "twin with the same name": ({**NO_NUMBER, "multipleBirthInteger": 2}, "possible"),
    "mother at the same address": (
        {**NO_NUMBER, "birthDate": "1955-11-20"},
        "possible",
    ),
    "namesake": ({**NO_CONTACT, "birthDate": "1991-12-24"}, "certainly-not"),
    "born the same day": (
        {**NO_CONTACT, "name": named("Okafor", "Adaeze")},
        "certainly-not",
    ),
    "flat mate": (
        {**NO_NUMBER, "name": named("Okafor", "Adaeze"), "birthDate": "1990-01-01"},
        "certainly-not",
    ),
    "nothing in common": (
        {k: None for k in ANNA if k not in ("resourceType", "id")},
        "certainly-not",
    ),
}


@pytest.mark.parametrize("name", GRADES)
def test_each_pair_gets_its_grade_both_ways(name: str) -> None:
    changes, grade = GRADES[name]
    other = anna(**changes)
    patient = anna(multipleBirthInteger=1) if "twin" in name else ANNA
    assert score(patient, other).grade == grade
    assert score(other, patient) == score(patient, other)


@pytest.mark.parametrize("field", [f for f in CAPS if f in WEIGHTS])
def test_a_contradiction_is_never_certain(field: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "identifier": {"identifier": [{"system": MRN, "value": "other"}]},
        "family": {"name": named("Lefèvre", "Elizabeth")},
        "given": {"name": named("Müller-Dubois", "Claire")},
        "birthDate": {"birthDate": "2001-11-30"},
        "gender": {"gender": "male"},
        "birthOrder": {"multipleBirthInteger": 2},
    }
    found = score(anna(multipleBirthInteger=1), anna(**changes[field]))
    assert found.levels[field] == "different"
    assert found.grade != "certain"


def test_scores_fall_with_the_grade() -> None:
    order = ["certain", "probable", "possible", "certainly-not"]
    found = [score(ANNA, anna(**changes)) for changes, _ in GRADES.values()]
    for one in found:
        for other in found:
            if order.index(one.grade) < order.index(other.grade):
                assert one.value > other.value
    assert all(0 <= one.value <= 1 for one in found)


def test_matches_come_likeliest_first_and_no_more_than_asked_for() -> None:
    twin = anna(id="twin", name=named("Müller-Dubois", "Claire"), **NO_NUMBER)
    other = anna(id="other", **{**NO_CONTACT, "birthDate": "1950-01-01", "name": named("A", "B")})
    typo = anna(id="typo", birthDate="1984-03-08")
    found = match(ANNA, [twin, other, typo, ANNA])
    assert [m.candidate["id"] for m in found] == ["anna", "typo", "twin"]
    assert len(match(ANNA, [twin, other, typo, ANNA], count=2)) == 2
    assert match(ANNA, [twin, ANNA], count=0) == []


def test_only_certain_matches_are_one_or_none() -> None:
    typo = anna(birthDate="1984-03-08")
    assert [m.candidate for m in match(ANNA, [typo, ANNA], only_certain=True)] == [ANNA]
    assert match(ANNA, [typo], only_certain=True) == []
    assert match(ANNA, [ANNA, anna(id="double")], only_certain=True) == []


def test_a_match_is_told_as_r4_has_it() -> None:
    (found,) = match(ANNA, [ANNA])
    entry = {
        "fullUrl": "http://a.example/Patient/anna",
        "resource": ANNA,
        "search": search_of(found),
    }
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [entry]}
    assert [p for p in validate(bundle) if p.is_error] == []
    assert entry["search"]["extension"][0]["valueCode"] == "certain"


def test_candidates_are_searched_by_all_that_may_find_them() -> None:
    queries = candidate_queries(ANNA)
    assert (("identifier", f"{MRN}|A-12345"),) in queries
    assert (("family", "muller,dubois"), ("birthdate", "1984-03-07,1984-07-03")) in queries
    assert (("given", "elizabeth,marie"), ("birthdate", "1984-03-07,1984-07-03")) in queries
    assert (("family", "elizabeth,marie"), ("given", "muller,dubois")) in queries


def test_what_a_value_holds_does_not_change_the_search() -> None:
    hostile = {
        "resourceType": "Patient",
        "identifier": [{"system": "http://a.example/x|y", "value": "1,2$3\\4"}],
    }
    assert candidate_queries(hostile) == (
        (("identifier", "http://a.example/x\\|y|1\\,2\\$3\\\\4"),),
    )


def test_too_little_to_search_by_is_refused() -> None:
    for patient in (
        {"resourceType": "Patient"},
        {"resourceType": "Patient", "gender": "male", "birthDate": "1980-01-01"},
        {"resourceType": "Patient", "name": [{"family": "'"}]},
    ):
        with pytest.raises(Invalid):
            candidate_queries(patient)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("1984-03-07"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["family", "given", "system", "value", "line"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from([*ANNA, "multipleBirthInteger"]), JSON))
def test_whatever_a_patient_holds_it_is_scored(patient: dict[str, Any]) -> None:
    assert score(patient, ANNA).grade in {"certain", "probable", "possible", "certainly-not"}
    assert score(ANNA, patient) == score(patient, ANNA)
