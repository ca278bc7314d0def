"""Types, dates and quantities, beyond what the published tests ask."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid, SimdesError, Unsupported
from simdes.fhir.fhirpath import Scope, Surroundings, compile_path, evaluate
from simdes.fhir.fhirpath.temporal import (
    Temporal,
    boundary,
    compare_temporal,
    key_of,
    parse_date_time,
    shift,
)

UCUM = "http://unitsofmeasure.org"
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "1-8"}]},
    "valueQuantity": {"value": Decimal("1.50"), "unit": "g", "system": UCUM, "code": "g"},
    "effectiveDateTime": "2020-02-29T10:00:00+02:00",
    "component": [
        {"code": {"text": "a"}, "valueQuantity": {"value": 1500, "system": UCUM, "code": "mg"}},
        {"code": {"text": "b"}, "valueString": "x"},
        {"code": {"text": "c"}, "valueQuantity": {"value": 2, "comparator": "<", "code": "g"}},
    ],
    "extension": [{"url": "http://x", "valueAge": {"value": 1, "system": UCUM, "code": "a"}}],
}


def texts(expression: str, resource: Any = OBSERVATION) -> list[Any]:
    found = evaluate(expression, resource)
    return [v if isinstance(v, str | bool | int | dict) else str(v) for v in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # types
        ("value is Quantity and value is FHIR.Quantity and (value is System.Quantity).not()",
         [True]),
        ("value is Element", [True]),
        ("value is SimpleQuantity", [True]),
        ("extension.value is Quantity", [True]),
        ("extension.value.ofType(Quantity).value", [1]),
        ("component.value.ofType(string)", ["x"]),
        ("component.value.where($this is Quantity).count()", [2]),
        ("status is code and status is string and (status is id).not()", [True]),
        ("status.ofType(string)", []),
        ("component.first().type().name", ["BackboneElement"]),
        ("$this is DomainResource and $this is Resource", [True]),
        ("effective is dateTime and (effective is date).not()", [True]),
        ("effective.value is System.String", [True]),
        ("1 is Any", [True]),
        # quantities
        ("value = component[0].value", [True]),
        ("value ~ component[0].value", [True]),
        ("value > 1499 'mg' and value < 1501 'mg'", [True]),
        ("value = 1.5 'mL'", []),
        ("value + 500 'mg'", ["2.00 'g'"]),
        ("value * 2", ["3.00 'g'"]),
        ("value / 3 'mL'", ["0.50 'g/mL'"]),
        ("value / 500 'mg'", ["3 '1'"]),
        ("10 'mm[Hg]' - 1 'm'", []),
        ("component[2].value = 2 'g'", [False]),
        ("37 'Cel' = 310.15 'K'", [True]),
        ("98.6 '[degF]'.toQuantity('Cel')", ["37 'Cel'"]),
        ("1 year = 12 months", [True]),
        ("1 year = 1 'a'", []),
        ("1 year ~ 1 'a'", [True]),
        ("1 day = 24 hours and 1 'd' = 1 day", [True]),
        ("1 'zorkmid' = 1 'zorkmid'", [True]),
        ("1 'zorkmid' = 1 'florin'", []),
        ("-(4 days)", ["-4 days"]),
        # dates
        ("effective > @2020-02-29T07:59:59Z", [True]),
        ("effective = @2020-02-29T08:00:00Z", [True]),
        ("effective > @2020", []),
        ("effective > @2019", [True]),
        ("@2020-02-29 + 1 year", ["2021-02-28"]),
        ("@2020-01-31 + 1 month", ["2020-02-29"]),
        ("@2020-03-31 - 1 month", ["2020-02-29"]),
        ("@2020-02 + 30 days", ["2020-03"]),
        ("@2020 + 24 months", ["2022"]),
        ("@2020 + 11 months", ["2020"]),
        ("@2020-12-31T23:59:59.500Z + 500 milliseconds", ["2021-01-01T00:00:00.000Z"]),
        ("@T23:30 + 45 minutes", ["00:15"]),
        ("@9999-12-31 + 1 day", []),
        ("@0001-01-01 - 1 day", []),
        ("@2020-01-01T10:00Z = @2020-01-01T12:00+02:00", [True]),
        ("@2020-01-01T10:00Z < @2020-01-02T12:00", [True]),
        ("@2020-01-01T10:00Z < @2020-01-01T12:00", []),
        ("@2020-01-01 = @T10:00", [False]),
        ("@2020-01-01.toDateTime()", ["2020-01-01"]),
        ("'2020-01-01T10:00:00Z'.toDate()", ["2020-01-01"]),
        ("@2020-02.highBoundary(8)", ["2020-02-29"]),
        # numbers
        ("2147483647 + 1", []),
        ("2147483647 * 1.0", ["2147483647.0"]),
        ("5 div 2 = 2 and -5 div 2 = -2 and 5.5 mod 2 = 1.5", [True]),
        ("0.1 + 0.2 = 0.3", [True]),
        ("2.power(-1)", ["0.5"]),
        ("8.log(2)", ["3"]),
        ("1.5.round()", ["2"]),
        ("1000.exp()", ["1.970071114017046993888879352E+434"]),
        # strings
        ("'a,b'.split(',').join(';')", ["a;b"]),
        ("'abc'.substring(1, 0)", [""]),
        ("'\\u00e9'.encode('hex')", ["c3a9"]),
        ("'zz'.decode('hex')", []),
        ("'x' in {}", [False]),
        # environment
        ("%`vs-observation-status`", ["http://hl7.org/fhir/ValueSet/observation-status"]),
        ("%vs-observation-status", ["http://hl7.org/fhir/ValueSet/observation-status"]),
        ("status.memberOf(%`vs-observation-status`)", [True]),
        ("component.code.text.select($index)", [0, 1, 2]),
        ("component.select(code.text & $index.toString())", ["a0", "b1", "c2"]),
        ("(1|2|3).select((4|5).select($index).count() + $index)", [2, 3, 4]),
        ("component.elementDefinition().path", ["Observation.component"] * 3),
        ("value.elementDefinition().path", ["Observation.value[x]"]),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", [False]),
        ("value.conformsTo('http://hl7.org/fhir/StructureDefinition/Quantity|4.0.1')", [True]),
        ("checkModifiers('http://x').status", ["final"]),
    ],
)  # fmt: skip
def test_an_expression_has_the_value_the_specification_gives(
    expression: str, expected: list[Any]
) -> None:
    assert texts(expression) == expected


@pytest.mark.parametrize(
    "expression",
    ["value < 'a'", "@2020 < @T10:00", "@2020 + 1 'g'", "@2020-01-01 + 1 'mo'", "'a' * 2", "-'a'",
     "component[code]", "status[-1 | 1]", "1.log('x')", "component.value.as(Quantity)",
     "status.memberOf('http://nowhere')", "conformsTo('http://nowhere')", "'a'.matches('(')",
     "(1|2) + 1", "1 + true", "component.sort(extension | code).count()", "status.round()",
     "status.subsumes('x')", "1.5.round(-1)", "'a'.substring('b')", "component.take('1')"],
)  # fmt: skip
def test_what_has_no_value_is_refused(expression: str) -> None:
    with pytest.raises(Invalid):
        evaluate(expression, OBSERVATION)


@pytest.mark.parametrize("expression", ["now()", "today()", "timeOfDay()", "slice('u', 'n')"])
def test_what_the_caller_does_not_offer_is_said(expression: str) -> None:
    with pytest.raises(Unsupported):
        evaluate(expression, OBSERVATION)


def test_a_modifier_that_is_not_known_stops_the_expression() -> None:
    changed = {**OBSERVATION, "modifierExtension": [{"url": "http://m", "valueCode": "x"}]}
    assert evaluate("checkModifiers('http://m').status", changed) == ["final"]
    with pytest.raises(Invalid):
        evaluate("checkModifiers('http://x').status", changed)


def test_terminology_profiles_and_traces_are_the_callers() -> None:
    seen: list[tuple[str, int]] = []
    around = Surroundings(
        member_of=lambda value, url: value == "final" and url == "http://v",
        conforms_to=lambda value, url: url == "http://p",
        subsumes=lambda above, below: (above, below) == ("final", "x"),
        trace=lambda name, items: seen.append((name, len(items))),
    )

    def ask(expression: str) -> list[Any]:
        return evaluate(expression, OBSERVATION, surroundings=around)

    assert ask("status.memberOf('http://v')") == [True]
    assert ask("conformsTo('http://p')") == [True]
    assert ask("status.subsumes('x') and 'x'.subsumedBy(status)") == [True]
    assert ask("component.trace('c').trace('d', code.text | 1).count()") == [3]
    assert seen == [("c", 3), ("d", 6)]


# --- what the compiler chooses ---------------------------------------------------------------


def run(expression: str, node: Any, focus_type: str = "") -> list[Any]:
    scope = Scope(OBSERVATION, OBSERVATION, node, lambda _: None)
    return compile_path(expression, focus_type=focus_type)([node], scope)


def test_a_choice_is_told_apart_without_nodes() -> None:
    assert run("(Observation.value as Quantity)", OBSERVATION) == [OBSERVATION["valueQuantity"]]
    assert run("Observation.value.ofType(string)", OBSERVATION) == []
    values = [c["valueQuantity"] for c in OBSERVATION["component"] if "valueQuantity" in c]
    assert run("(Observation.component.value as Quantity)", OBSERVATION) == values
    assert run("Observation.component.value.as(string)", OBSERVATION) == ["x"]
    assert run("Patient.deceased.as(dateTime)", OBSERVATION) == []


def test_a_type_of_the_focus_can_be_given() -> None:
    component = OBSERVATION["component"][0]
    assert run("value is Quantity", component, "Observation.component") == [True]
    assert run("start is dateTime", {"start": "2020"}, "Period") == [True]


# --- properties ------------------------------------------------------------------------------

DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(DAYS, st.integers(-4_000_000, 4_000_000))
def test_days_are_added_as_the_calendar_has_them(day: date, days: int) -> None:
    found = shift(Temporal("Date", (day.year, day.month, day.day)), Decimal(days), "day")
    try:
        expected = day + timedelta(days=days)
    except OverflowError:
        assert found is None
        return
    assert str(found) == expected.isoformat()


STAMPS = st.from_regex(
    r"20[012][0-9](-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8])"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,3})?)?"
    r"(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])?)?)?)?",
    fullmatch=True,
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(STAMPS, STAMPS)
def test_order_has_two_sides_and_agrees_with_equality(left: str, right: str) -> None:
    first, second = parse_date_time(left), parse_date_time(right)
    assert first is not None
    assert second is not None
    order, back = compare_temporal(first, second), compare_temporal(second, first)
    assert order == (None if back is None else -back)
    assert compare_temporal(first, first) == 0
    if order == 0:
        assert key_of(first) == key_of(second)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(STAMPS)
def test_a_moment_lies_between_its_boundaries(text: str) -> None:
    moment = parse_date_time(text)
    assert moment is not None
    low, high = boundary(moment, None, high=False), boundary(moment, None, high=True)
    assert low is not None
    assert high is not None
    assert compare_temporal(low, high) in (-1, 0)
    assert compare_temporal(low, moment) in (-1, 0, None)
    assert compare_temporal(high, moment) in (1, 0, None)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text("0123456789@T:-+Z.' ()$%abcis|,=<>&[]", max_size=20))
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        evaluate(text, OBSERVATION)
    except SimdesError as error:
        assert error.message
