"""Which of two statements holds: every rule, and what decides where one is silent."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from simdes.exchange.precedence import (
    OPENING,
    Moment,
    Statement,
    carries,
    holds,
    milliseconds,
    moment_of,
    reopens,
    statement,
)
from simdes.fhir.json import dumps

EVENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "A01"}]}
OTHER = {"coding": [{"system": "urn:x", "code": "A01"}]}


def said(
    sent: int | None = None,
    event: int | None = None,
    *,
    issued: int | None = None,
    rank: int | None = None,
) -> Statement:
    return Statement(Moment(event, sent), issued, rank)


@pytest.mark.parametrize(
    ("new", "standing", "expected"),
    [
        (said(2), said(1), True),
        (said(1), said(2), False),
        (said(1), said(1), True),
        (said(), said(9), True),
        (said(9), said(), True),
        (said(1, 5), said(2, 4), True),
        (said(2, 4), said(1, 5), False),
        (said(2, 4), said(1), True),
        (said(1, 4), said(2), False),
        (said(1, 4), said(2, 4), True),
        (said(1, issued=2), said(2, issued=1), True),
        (said(2, issued=1), said(1, issued=2), False),
        (said(2, issued=1), said(1, issued=1), True),
        (said(2, issued=1), said(1), True),
        (said(2, rank=1), said(1, rank=2), False),
        (said(2, rank=1), said(1, rank=1), True),
        (said(1, rank=3), said(2, rank=2), False),
        (said(1, rank=3), said(1, rank=2), True),
        (said(1, rank=2), said(1, rank=3), False),
        (said(1, rank=2), said(1), True),
        (said(1, issued=3, rank=1), said(2, issued=1, rank=2), True),
    ],
)
def test_the_later_statement_holds_and_nothing_settled_becomes_unsettled(
    new: Statement, standing: Statement, *, expected: bool
) -> None:
    assert holds(new, standing) is expected


@pytest.mark.parametrize(
    ("one", "other", "later"),
    [
        (Moment(1, 4), Moment(2, 3), Moment(2, 4)),
        (Moment(None, 4), Moment(2, None), Moment(2, 4)),
        (Moment(), Moment(), Moment()),
    ],
)
def test_the_later_of_two_moments(one: Moment, other: Moment, later: Moment) -> None:
    assert one.later(other) == other.later(one) == later


def test_the_future_counts_as_now() -> None:
    assert Moment(9, None).not_after(5) == Moment(5, None)
    assert Moment(4, 5).not_after(5) == Moment(4, 5)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T01:00:01.5+01:00", 1500),
        ("1970-01-01T00:00:01", 1000),
        ("1970-01-01", None),
        ("1970-01-01T25:00:00Z", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_unix_milliseconds_of_an_instant(text: Any, found: int | None) -> None:
    assert milliseconds(text) == found


@pytest.mark.parametrize(
    ("type_", "content", "expected"),
    [
        (
            "Observation",
            {"status": "final", "issued": "1970-01-01T00:00:01Z"},
            said(issued=1000, rank=2),
        ),
        ("DiagnosticReport", {"status": "unknown"}, said()),
        ("DiagnosticReport", {"status": ["final"]}, said()),
        ("Observation", {}, said()),
        ("Patient", {"status": "final"}, said()),
        ("Observation", None, said()),
    ],
)
def test_only_results_are_looked_into(type_: str, content: Any, expected: Statement) -> None:
    data = None if content is None else json.dumps(content).encode()
    assert statement(type_, data, Moment()) == expected


@pytest.mark.parametrize(
    ("activities", "event_ms"),
    [
        ([], None),
        ([EVENT], 1000),
        ([OTHER], None),
        ([{"text": "x"}], None),
        (["nonsense"], None),
        ([{"coding": "nonsense"}], None),
        ([{"coding": ["nonsense"]}], None),
        ([EVENT, EVENT], 1000),
    ],
)
def test_the_events_time_is_the_earliest_of_its_provenances(
    activities: list[Any], event_ms: int | None
) -> None:
    entries: list[dict[str, Any]] = [
        {"resource": {"resourceType": "Provenance", "recorded": at, "activity": one}}
        for one, at in zip(
            activities, ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"), strict=False
        )
    ]
    entries += [{"resource": {"resourceType": "Patient"}}, {"fullUrl": "urn:uuid:x"}]
    entries.append({"resource": {"resourceType": "Provenance", "activity": EVENT}})
    bundle = {"timestamp": "1970-01-01T00:00:03Z", "entry": entries}
    assert moment_of(bundle) == Moment(event_ms, 3000)
    assert moment_of({}) == Moment()
    assert dumps(bundle)


@pytest.mark.parametrize(
    ("event", "type_", "expected"),
    [
        ("ADT^A08", "Encounter", False),
        ("DFT^P03", "Encounter", True),
        ("DFT^P03", "Patient", True),
        ("DFT^P03", "Coverage", False),
        ("BAR^P01", "Account", False),
        ("BAR^P01", "RelatedPerson", True),
        ("MDM^T02", "Encounter", True),
        ("ORU^R01", "Coverage", True),
        ("ORU^R01", "Observation", False),
        ("", "Patient", True),
    ],
)
def test_who_speaks_of_a_visit_and_who_carries_it_along(
    event: str, type_: str, *, expected: bool
) -> None:
    assert carries(event, type_) is expected


@pytest.mark.parametrize(
    ("event", "standing", "new", "expected"),
    [
        ("DFT^P03", "finished", "in-progress", True),
        ("ADT^A08", "finished", "in-progress", True),
        ("ADT^A08", "cancelled", "planned", True),
        ("ADT^A08", "finished", "cancelled", False),
        ("ADT^A08", "in-progress", "planned", False),
        ("ADT^A13", "finished", "in-progress", False),
        ("ADT^A08", None, "in-progress", False),
    ],
)
def test_only_who_says_so_reopens_a_visit(
    event: str, standing: str | None, new: str, *, expected: bool
) -> None:
    before = None if standing is None else json.dumps({"status": standing}).encode()
    after = json.dumps({"status": new}).encode()
    assert reopens(event, "Encounter", after, before) is expected
    assert not reopens(event, "Account", after, before)


def test_events_that_open_a_visit_are_those_of_hl7s_map() -> None:
    over = ("finished", "cancelled", "entered-in-error", "unknown")
    table = json.loads((files("simdes.mapper.hl7v2") / "table.json").read_text())
    codes = table["codes"]["event[encounterstatus]"]["codes"]
    assert {
        f"ADT^{code}" for code, found in codes.items() if code[0] == "A" and found[0] not in over
    } == OPENING
