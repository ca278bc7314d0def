"""FHIRPath as the specification has it, in the part that invariants use."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.fhir.definitions import definition, type_names
from simdes.fhir.fhirpath import PathError, Scope, compile_path
from simdes.fhir.fhirpath.nodes import bare, choice_names
from simdes.fhir.invariants import NATIVE

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
    "active": True,
    "name": [{"family": "A", "given": ["b", "c"]}, {"given": ["d"]}],
    "gender": "female",
    "_birthDate": {"extension": [{"url": "http://x", "valueCode": "unknown"}]},
    "deceasedBoolean": False,
    "multipleBirthInteger": 2,
    "managingOrganization": {"reference": "#o"},
    "_language": {"id": "l"},
    "language": "en",
}


def evaluate(text: str, node: Any = PATIENT) -> list[Any]:
    resource = node if isinstance(node, dict) else {}
    found = {"#o": PATIENT["contained"][0]}
    return [bare(n) for n in compile_path(text)([node], Scope(resource, resource, node, found.get))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # paths
        ("active", [True]),
        ("Patient.active", [True]),
        ("Observation.active", []),
        ("name.given", ["b", "c", "d"]),
        ("name.given.first()", ["b"]),
        ("name.first().given.tail()", ["c"]),
        ("nothing.at.all", []),
        ("active.nothing", []),
        ("deceased", [False]),
        ("multipleBirth", [2]),
        ("`name`.count()", [2]),
        ("birthDate.exists()", [True]),
        ("birthDate.hasValue()", [False]),
        ("birthDate.extension.url", ["http://x"]),
        ("birthDate.extension.value", ["unknown"]),
        ("birthDate = '2020'", [False]),
        ("language.exists() and language.hasValue()", [True]),
        ("language = 'en'", [True]),
        ("language.id", ["l"]),
        ("%resource.gender", ["female"]),
        ("%context.gender = %rootResource.gender", [True]),
        ("%ucum", ["http://unitsofmeasure.org"]),
        # functions
        ("name.exists(family = 'A')", [True]),
        ("name.exists(family = 'B')", [False]),
        ("name.where(family.empty()).given", ["d"]),
        ("name.all(given.exists())", [True]),
        ("name.all(family.exists())", [False]),
        ("nothing.all(false)", [True]),
        ("name.select(given.count())", [2, 1]),
        ("name.given.isDistinct()", [True]),
        ("name.given.combine(name.given).isDistinct()", [False]),
        ("name.given.combine(name.given).distinct().count()", [3]),
        ("(name.given | name.given).count()", [3]),
        ("name.given.intersect('c' | 'x')", ["c"]),
        ("nothing.isDistinct()", [True]),
        ("(1 | 1.0).count()", [1]),
        ("(true | 1).count()", [2]),
        ("gender.startsWith('fem')", [True]),
        ("gender.contains('mal')", [True]),
        ("gender.matches('^f.*e$')", [True]),
        ("gender.matches('mal')", [True]),
        ("gender.substring(2)", ["male"]),
        ("gender.replaceMatches('e', 'E')", ["fEmalE"]),
        ("nothing.startsWith('a')", []),
        ("'12'.toInteger()", [12]),
        ("'-3'.toInteger()", [-3]),
        ("'x'.toInteger()", []),
        ("nothing.toInteger()", []),
        ("true.toInteger()", [1]),
        ("1.50.toString()", ["1.50"]),
        ("true.toString()", ["true"]),
        ("iif(active, 'yes', 'no')", ["yes"]),
        ("iif(nothing, 'yes', 'no')", ["no"]),
        ("iif(false, 'yes')", []),
        ("gender.trace('g')", ["female"]),
        ("children().where($this = 'en')", ["en"]),
        ("descendants().where($this = 'd')", ["d"]),
        ("descendants().url", ["http://x"]),
        ("managingOrganization.resolve().name", ["x"]),
        ("managingOrganization.resolve().ofType(Organization).exists()", [True]),
        ("managingOrganization.resolve().ofType(Practitioner).exists()", [False]),
        ("(false | {}).allFalse()", [True]),
        ("(false | true).allFalse()", [False]),
        # types
        ("active is Boolean", [True]),
        ("gender is Boolean", [False]),
        ("nothing is Boolean", []),
        ("multipleBirth is integer", [True]),
        ("(multipleBirth as decimal) <= 100", [True]),
        ("$this is Patient", [True]),
        ("$this.is(Observation)", [False]),
        ("$this is FHIR.Patient and active is System.Boolean", [True]),
        # operators
        ("1 + 2", [3]),
        ("'a' + 'b'", ["ab"]),
        ("1 + nothing", []),
        ("'a' & nothing & 'b'", ["ab"]),
        ("1 = 1.0", [True]),
        ("'a' != 'b'", [True]),
        ("nothing = nothing", []),
        ("nothing != 'a'", []),
        ("name.given = name.given", [True]),
        ("name.given = 'b'", [False]),
        ("2 > 1.5", [True]),
        ("'a' < 'b'", [True]),
        ("nothing < 1", []),
        ("gender in ('male' | 'female')", [True]),
        ("('male' | 'female') contains gender", [True]),
        ("nothing in ('a')", []),
        ("'a' in nothing", [False]),
        ("1 + 1 = 2 and 3 > 2 or false", [True]),
        ("false and nothing = 1 implies false", [True]),
        ("'it\\'s' = 'it' & '\\'s'", [True]),
    ],
)  # fmt: skip
def test_an_expression_has_the_value_the_specification_gives(
    text: str, expected: list[Any]
) -> None:
    assert evaluate(text) == expected


TRUTH = {True: "true", False: "false", None: "{}"}


@pytest.mark.parametrize(
    ("operator", "table"),
    [  # rows: left true, false, empty; columns: right true, false, empty
        ("and", ((True, False, None), (False, False, False), (None, False, None))),
        ("or", ((True, True, True), (True, False, None), (True, None, None))),
        ("xor", ((False, True, None), (True, False, None), (None, None, None))),
        ("implies", ((True, False, None), (True, True, True), (True, None, None))),
    ],
)
def test_logic_has_three_values(operator: str, table: tuple[tuple[bool | None, ...], ...]) -> None:
    for left, row in zip((True, False, None), table, strict=True):
        for right, expected in zip((True, False, None), row, strict=True):
            found = evaluate(f"{TRUTH[left]} {operator} {TRUTH[right]}")
            assert found == ([] if expected is None else [expected]), (left, operator, right)


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("2020", "2021", -1),
        ("2020-02", "2020-01", 1),
        ("2020-02-01", "2020-02-01", 0),
        ("2020", "2020-01", None),
        ("2020-01-01", "2020-01-01T10:00:00Z", None),
        ("2020-01-01", "2020-01-02T10:00:00Z", -1),
        ("2020-01-01T00:30:00+01:00", "2019-12-31T23:30:00Z", 0),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.001Z", -1),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z", 0),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", 1),
        ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", 1),
    ],
)
def test_times_are_compared_as_far_as_both_are_known(
    left: str, right: str, order: int | None
) -> None:
    node = {"a": left, "b": right}
    expected = [] if order is None else [order < 0, order <= 0, order > 0, order >= 0]
    found = [v for op in ("<", "<=", ">", ">=") for v in evaluate(f"a {op} b", node)]
    assert found == expected


def test_quantities_are_compared_in_one_measure() -> None:
    def quantity(value: str, code: str) -> dict[str, Any]:
        return {"value": Decimal(value), "system": "http://unitsofmeasure.org", "code": code}

    assert evaluate("a <= b", {"a": quantity("1", "mg"), "b": quantity("2.0", "mg")}) == [True]
    assert evaluate("a <= b", {"a": quantity("999", "mg"), "b": quantity("1", "g")}) == [True]
    assert evaluate("a <= b", {"a": quantity("1001", "mg"), "b": quantity("1", "g")}) == [False]
    assert evaluate("a <= b", {"a": quantity("1", "mg"), "b": quantity("1", "mL")}) == []
    assert evaluate("a <= b", {"a": {"value": 1, "unit": "x"}, "b": {"value": 0, "unit": "x"}}) == [
        False
    ]


@pytest.mark.parametrize(
    "text",
    ["name.family + 1", "name.given < 'a'", "gender < 1", "active.startsWith('t')",
     "name.given and true", "name.given in ('a')", "name.given is Boolean"],
)  # fmt: skip
def test_what_has_no_value_is_an_error_and_not_a_guess(text: str) -> None:
    with pytest.raises(PathError):
        evaluate(text)


@pytest.mark.parametrize(
    "text",
    ["", "a.", "a b", "(a", "a)", "a = ", "unknown()", "a.where()", "a[", "a[0", "@2020-13",
     "@2020-02-30", "is(a.b.c)", "a is", "'open", "a.ofType()", "a; b", "$other", "a.$this",
     "a is Nothing", "1 /", "/* open", "``", "a..b", ".a", "@T25", "@T10Z", "a.toString(1)"],
)  # fmt: skip
def test_what_is_not_understood_does_not_compile(text: str) -> None:
    with pytest.raises(Invalid):
        compile_path(text)


def test_every_invariant_of_the_standard_compiles_or_is_decided_natively() -> None:
    seen = set()
    for name in type_names():
        type_ = definition(name)
        for constraint in (
            *type_.constraints,
            *(c for e in type_.elements.values() for c in e.constraints),
        ):
            seen.add(constraint.key)
            if constraint.key not in NATIVE:
                compile_path(constraint.expression)
    assert len(seen) > 225


def test_no_invariant_follows_a_choice_where_a_plain_element_has_one_of_its_names() -> None:
    choices = choice_names()
    for name in type_names():
        type_ = definition(name)
        own = {n: e.name for e in type_.elements.values() for n in e.json_names}
        mistaken = {c for c, names in choices.items() for n in names if n in own and own[n] != c}
        expressions = " ".join(c.expression for c in type_.constraints)
        for choice in mistaken:
            assert choice not in expressions.replace("(", " ").replace(".", " ").split(), (
                name,
                choice,
            )
