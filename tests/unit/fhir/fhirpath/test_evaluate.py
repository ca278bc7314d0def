"""Expressions from outside: exact types, the place of nodes, limits."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.errors import Invalid, TooLarge
from simdes.fhir.fhirpath import Surroundings, evaluate, locate

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
    "name": [{"family": "A", "given": ["b", "c"], "_given": [None, {"id": "g"}]}, {"text": "d"}],
    "birthDate": "1974-12-25",
    "_birthDate": {"extension": [{"url": "http://x", "valueDateTime": "1974-12-25T14:35:45Z"}]},
    "_gender": {"extension": [{"url": "http://x", "valueCode": "unknown"}]},
    "deceasedBoolean": False,
    "managingOrganization": {"reference": "#o"},
}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Patient", [("Patient", "Patient", ())]),
        ("name[0].given[1]", [("string", "Patient.name[0].given[1]", ("name", 0, "given", 1))]),
        ("Patient.deceased", [("boolean", "Patient.deceased", ("deceasedBoolean",))]),
        ("gender", [("code", "Patient.gender", ("gender",))]),
        ("name.given.id",
         [("string", "Patient.name[0].given[1].id", ("name", 0, "given", 1, "id"))]),
        ("birthDate.extension.value",
         [("dateTime", "Patient.birthDate.extension[0].value",
           ("birthDate", "extension", 0, "valueDateTime"))]),
        ("contained.name", [("string", "Patient.contained[0].name", ("contained", 0, "name"))]),
        ("%resource.name.where(family = 'A')", [("HumanName", "Patient.name[0]", ("name", 0))]),
        ("photo", []),
    ],
)  # fmt: skip
def test_a_located_node_knows_its_type_and_its_place(
    expression: str, found: list[tuple[str, str, tuple[str | int, ...]]]
) -> None:
    assert [(n.type, n.path, n.location) for n in locate(expression, PATIENT)] == found


def test_a_located_node_is_the_one_in_the_resource() -> None:
    (given,) = locate("Patient.name.first().given.last()", PATIENT)
    assert given.parent is not None
    assert given.parent.value is PATIENT["name"][0]
    assert given.parent.value[given.key][given.index] == "c"
    (value,) = locate("gender.extension.value", PATIENT)
    assert value.parent is not None
    assert value.parent.value is PATIENT["_gender"]["extension"][0]
    assert value.parent.parent is not None
    assert value.parent.parent.element is PATIENT["_gender"]


@pytest.mark.parametrize("expression", ["1", "name.count()", "managingOrganization.resolve().name"])
def test_what_is_no_element_of_the_resource_has_no_place(expression: str) -> None:
    with pytest.raises(Invalid):
        locate(expression, PATIENT)


def test_variables_come_from_outside() -> None:
    assert evaluate("%a + %b", PATIENT, variables={"a": 1, "b": [2]}) == [3]
    assert evaluate("%other.birthDate", {}, variables={"other": PATIENT}) == ["1974-12-25"]
    assert evaluate("family", PATIENT, context=PATIENT["name"][0]) == ["A"]
    with pytest.raises(Invalid):
        evaluate("%nothing", PATIENT)


def test_the_clock_is_the_callers() -> None:
    at = Surroundings(now_ms=1_700_000_000_000)
    assert [str(v) for v in evaluate("today() | now()", {}, surroundings=at)] == [
        "2023-11-14",
        "2023-11-14T22:13:20.000Z",
    ]


HOSTILE = [
    "(" * 5_000 + "1" + ")" * 5_000,
    "-" * 10_000 + "1",
    "a." * 8_000 + "a",
    "1+" * 8_000 + "1",
    "a" * 20_000,
    "descendants().select(%resource.descendants()).select(%resource.descendants()).count()",
    "descendants().select(%resource.descendants().where($this = %resource)).distinct()",
    "(1|2|3|4|5|6|7|8|9).repeat($this + 1)",
    "(1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|21|22|23|24|25|26|27|28|29|30)"
    ".aggregate($total & $total, 'abcdefgh')",
]


@pytest.mark.parametrize("expression", HOSTILE, ids=range(len(HOSTILE)))
def test_an_expression_that_costs_too_much_is_refused(expression: str) -> None:
    many = {"resourceType": "Patient", "name": [{"given": ["a", "b"]}] * 300}
    with pytest.raises(TooLarge):
        evaluate(expression, many)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')", [False]),
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('(a|aa)+$')", [False]),
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replaceMatches('(a*)*b', 'x').length()", [32]),
    ],
)
def test_a_pattern_takes_time_in_proportion_to_the_text(expression: str, found: list[Any]) -> None:
    assert evaluate(expression, {}) == found
