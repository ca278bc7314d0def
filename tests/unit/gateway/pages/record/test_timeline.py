"""Any resource becomes lines of text, in the order of days, whatever stands in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.definitions import resource_types
from simdes.fhir.json import loads
from simdes.gateway.pages import answering
from simdes.gateway.pages.languages import reader
from simdes.gateway.pages.record.charts import HEIGHT, WIDTH, chart
from simdes.gateway.pages.record.kinds import KINDS, LEFT_OUT, PARTS
from simdes.gateway.pages.record.loading import Record
from simdes.gateway.pages.record.results import series
from simdes.gateway.pages.record.showing import LINES, MORE_SERIES, view
from simdes.gateway.pages.record.timeline import Source, lines
from support.portal import history, measured, pressure

LARGEST = 85_000
"""Bytes of a page's record; its frame, styles and icon have the rest of 100,000."""
ENGLISH = reader(chosen="en", accepted="en-GB", zone="UTC")
FRENCH = reader(chosen="fr", accepted="fr-FR", zone="Europe/Paris")


def written(resource: Any) -> bytes:
    return json.dumps(resource).encode()


def sources(*resources: Any, own: bool = True) -> tuple[Source, ...]:
    return tuple(
        Source(
            resource=loads(written({"id": f"r{at}"} | one)), organisation="Hospital North", own=own
        )
        for at, one in enumerate(resources)
    )


def record(*resources: Any, older: str = "") -> Record:
    return Record(sources=sources(*resources), older=older, warnings=())


def test_a_history_is_read_newest_first_under_its_months() -> None:
    shown = view(record(*history("p")), ENGLISH, base="/record", kept={})
    assert [month for month, _ in shown.months] == [
        "September 2025",
        "March 2025",
        "August 2024",
        "February 2024",
        "May 2021",
        "2019",
    ]
    newest = shown.months[0][1][0]
    assert (newest.kind, newest.title, len(newest.files)) == ("Document", "Letter of discharge", 1)
    assert [(name, [one.title for one in its]) for name, its in shown.current] == [
        ("Problems", ["High blood pressure"]),
        ("Allergies", ["Penicillin"]),
        ("Medicines", ["Lisinopril 10 mg tablet"]),
    ]
    assert [(tab.label, tab.count) for tab in shown.tabs][:3] == [
        ("Overview", 0),
        ("Problems", 1),
        ("Allergies", 1),
    ]


def test_measurements_of_a_kind_stand_together_with_what_is_usual() -> None:
    found = series(sources(*history("p")), ENGLISH)
    by_name = {one.name: one for one in found}
    potassium = by_name["Potassium"]
    assert [point.said for point in potassium.points] == [
        "4.9 mmol/L",
        "5.4 mmol/L",
        "4.6 mmol/L",
        "4.1 mmol/L",
    ]
    assert [point.beyond for point in potassium.points] == ["", "high", "", ""]
    assert potassium.usual == "3.5 – 5.1 mmol/L"
    assert potassium.chart is not None and potassium.chart.band is not None
    assert [point.said for point in by_name["Systolic pressure"].points] == ["131 mmHg", "148 mmHg"]


def test_a_measurement_keeps_its_digits_and_is_written_as_the_reader_writes_it() -> None:
    one = measured("p", "2025-01-02", 0) | {
        "valueQuantity": {"value": 5.40, "unit": "mmol/L"},
        "note": [{"text": "after a meal"}],
    }
    resource = loads(written(one).replace(b"5.4", b"1005.40"))
    for reads, said in ((ENGLISH, "1,005.40 mmol/L"), (FRENCH, "1\u202f005,40 mmol/L")):
        [line] = lines([Source(resource=resource, organisation="x", own=True)], reads)
        assert dict(line.facts)[reads.text("Value")] == said
    assert FRENCH.date("2025-01-02T23:30:00Z").startswith("3 janv. 2025")
    assert (FRENCH.date("2025-01"), FRENCH.date("2025")) == ("janv. 2025", "2025")


def test_numbers_in_different_units_are_not_drawn_in_one_chart() -> None:
    mass = measured("p", "2025-01-02", 70) | {
        "valueQuantity": {"value": 97, "unit": "mg/dL"},
        "referenceRange": [{"low": {"value": 3.5, "unit": "mmol/L"}}],
    }
    found = series(sources(measured("p", "2025-01-01", 4), mass), ENGLISH)
    assert [one.chart for one in found] == [None, None]
    assert found[0].newest.beyond == "", "a range in another unit says nothing of the value"


@pytest.mark.parametrize("number", ["9" * 400, "1e399", "-1e399", "1e308", "-1e308"])
def test_numbers_that_measure_nothing_stop_no_page(number: str) -> None:
    """FHIR bounds no number; an author elsewhere may have written any."""
    unit = {"unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
    for strange in (
        {"valueQuantity": {"value": "VAST", **unit}},
        {"referenceRange": [{"low": {"value": 3.5, **unit}, "high": {"value": "VAST", **unit}}]},
        {"referenceRange": [{"low": {"value": "VAST", **unit}, "high": {"value": 5.1, **unit}}]},
        {"referenceRange": [{"high": {"value": "VAST", **unit}}]},
    ):
        found = [
            Source(
                resource=loads(written(one | {"id": str(at)}).replace(b'"VAST"', number.encode())),
                organisation="Hospital North",
                own=False,
            )
            for at, one in enumerate(
                (measured("p", "2025-01-01", 4), measured("p", "2025-01-02", 5) | strange)
            )
        ]
        whole = Record(sources=tuple(found), older="", warnings=())
        for part in ("", "results", "all"):
            assert not view(whole, ENGLISH, base="/x", kept={}, part=part).empty


def test_what_was_entered_in_error_is_no_measurement() -> None:
    wrong = measured("p", "2025-01-02", 40) | {"status": "entered-in-error"}
    [found] = series(sources(measured("p", "2025-01-01", 4), wrong), ENGLISH)
    assert [point.said for point in found.points] == ["4 mmol/L"]


def test_a_medicine_by_reference_has_its_name() -> None:
    drug = {"resourceType": "Medication", "id": "m1", "code": {"text": "Ibuprofen 400 mg"}}
    order = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationReference": {"reference": "Medication/m1"},
    }
    inside = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "contained": [{"resourceType": "Medication", "id": "x", "code": {"text": "Paracetamol"}}],
        "medicationReference": {"reference": "#x"},
    }
    found = {one.title for one in lines(sources(drug, order, inside), ENGLISH)}
    assert found == {"Ibuprofen 400 mg", "Paracetamol"}


def test_a_labelled_record_says_so_and_messages_as_they_came_are_left_out() -> None:
    closed = measured("p", "2025-01-01", 4) | {"meta": {"security": [{"code": "HIV"}]}}
    source = {
        "resourceType": "DocumentReference",
        "status": "current",
        "category": [{"coding": [{"system": "urn:simdes:document", "code": "simdes-source"}]}],
    }
    [only] = lines(sources(closed, source), ENGLISH)
    assert only.closed


def counted(kind: int, number: int) -> dict[str, Any]:
    """A measurement of a kind on a day of its own."""
    day = f"{2010 + number // 336}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
    code = {"coding": [{"system": "urn:test", "code": f"k{kind}"}], "text": f"Kind {kind}"}
    return measured("p", day, 3.5 + number % 9, code=code)


def test_every_kind_of_measurement_is_on_one_page_of_the_results() -> None:
    many = record(*(counted(kind, 0) for kind in range(2 * MORE_SERIES + 1)))
    shown = [
        view(many, ENGLISH, base="/record", kept={}, part="results", page=page)
        for page in range(1, 4)
    ]
    assert [len(one.series) for one in shown] == [MORE_SERIES, MORE_SERIES, 1]
    assert len({its.name for one in shown for its in one.series}) == 2 * MORE_SERIES + 1
    assert [bool(one.after) for one in shown] == [True, True, False]
    assert not shown[2].months and shown[2].before


@pytest.mark.parametrize("part", ["", "results", "all"])
@pytest.mark.parametrize(("kinds", "each"), [(MORE_SERIES, 80), (50, 20)])
def test_the_page_of_a_long_record_is_small(kinds: int, each: int, part: str) -> None:
    long = record(*(counted(kind, at) for kind in range(kinds) for at in range(each)))
    shown = view(long, ENGLISH, base="/record", kept={}, part=part, files="/record/file?")
    parts = answering._environment("en").globals["records"]
    text = str(parts.record(shown, ENGLISH, own=True, correct="/corrections/new?about="))  # type: ignore[attr-defined]
    assert shown.person is None and shown.tabs
    assert len(text.encode()) < LARGEST


def test_long_parts_are_read_in_pages_and_addresses_lead_on() -> None:
    many = [
        measured("p", f"2024-{1 + at % 12:02}-{1 + at % 28:02}", 4) | {"id": f"o{at}"}
        for at in range(LINES + 7)
    ]
    first = view(record(*many, older="c"), ENGLISH, base="/x", kept={"patient": "a&b"}, part="all")
    assert sum(len(its) for _, its in first.months) == LINES
    assert (first.before, first.after) == ("", "/x?patient=a%26b&part=all&page=2")
    assert first.older == "/x?patient=a%26b&part=all&older=c"
    second = view(record(*many), ENGLISH, base="/x", kept={}, part="all", page=99)
    assert sum(len(its) for _, its in second.months) == 7
    assert (second.before, second.after, second.older) == ("/x?part=all", "", "")
    assert view(record(*many), ENGLISH, base="/x", kept={}, part="nonsense").part == ""


def test_an_empty_record_is_said_to_be_empty() -> None:
    assert view(record(), ENGLISH, base="/x", kept={}).empty


@pytest.mark.parametrize("type_", sorted(KINDS))
def test_every_kind_names_a_type_of_r4_and_a_part(type_: str) -> None:
    assert type_ in resource_types() - LEFT_OUT
    assert KINDS[type_].part in PARTS


def test_charts_stay_within_their_frame() -> None:
    drawn = chart([(0.0, 4.0), (5.0, 9.0), (10.0, -2.0)], low=3.5, high=None)
    assert drawn is not None and drawn.band is not None
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn.dots)
    assert drawn.dots[0][0] < drawn.dots[1][0] < drawn.dots[2][0]
    assert drawn.dots[1][1] < drawn.dots[0][1] < drawn.dots[2][1], "higher values stand higher"
    assert chart([(0.0, 4.0)], low=None, high=None) is None
    flat = chart([(1.0, 4.0), (1.0, 4.0)], low=None, high=None)
    assert flat is not None and len(set(flat.dots)) == 1


NAMES = sorted(
    {name for kind in KINDS.values() for _, path in kind.facts for name in path.split(".")}
    | {"code", "status", "text", "coding", "display", "value", "valueQuantity", "unit", "low"}
    | {"component", "referenceRange", "effectiveDateTime", "period", "start", "meta", "security"}
)
LEAVES = st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=12)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.sampled_from([*sorted(KINDS), "Basic"]), st.dictionaries(st.sampled_from(NAMES), TREES))
def test_no_resource_stops_a_page(type_: str, tree: dict[str, Any]) -> None:
    one = Source(resource={**tree, "resourceType": type_}, organisation="x", own=True)
    shown = view(
        Record(sources=(one,), older="", warnings=()), FRENCH, base="/x", kept={}, part="results"
    )
    assert not shown.empty


def test_a_pressure_is_said_with_both_values() -> None:
    [line] = lines(sources(pressure("p", "2025-03-11", 148, 92)), ENGLISH)
    assert line.facts == (("Systolic pressure", "148 mmHg"), ("Diastolic pressure", "92 mmHg"))
