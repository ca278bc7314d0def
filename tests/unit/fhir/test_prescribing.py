"""What a MedicationRequest allows, in whole units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.fhir.prescribing import Terms, day_of, essence, is_order, terms_of
from simdes.proofs.prescriptions import Prescription

DAY = day_of("2026-11-23")


def request(**dispense: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/1"},
        "dispenseRequest": {"quantity": {"value": 30, "unit": "capsule"}} | dispense,
    }


def terms(**dispense: Any) -> Terms:
    return terms_of(request(**dispense), today=DAY, valid_days=90)


def test_days_count_from_1970() -> None:
    assert day_of("1970-01-01") == 0
    assert day_of("2000-03-01T10:00:00Z") == 11_017
    assert day_of("2026") == day_of("2026-01") == day_of("2026-01-01")
    with pytest.raises(Invalid):
        day_of("2026-02-30")


def test_repeats_count_besides_the_first_fill() -> None:
    one = terms(numberOfRepeatsAllowed=2)
    assert (one.total, one.per_fill, one.unit) == (90, 30, 1)
    assert one.amount(45) == {"value": 45, "unit": "capsule"}
    assert (one.first_day, one.last_day) == (DAY, DAY + 90)


@pytest.mark.parametrize(
    ("value", "repeats", "unit", "per_fill"),
    [
        (Decimal("2.5"), 0, "0.1", 25),
        (Decimal("0.25"), 3, "0.01", 25),
        (5_000, 2, "2", 2_500),
        (20_000, 4, "10", 2_000),
        (Decimal("30.0"), 0, "1", 30),
        (7, 1_427, "1", 7),
    ],
)
def test_units_are_the_smallest_that_count_it_exactly(
    value: Decimal | int, repeats: int, unit: str, per_fill: int
) -> None:
    one = terms(quantity={"value": value}, numberOfRepeatsAllowed=repeats)
    assert (one.unit, one.per_fill) == (Decimal(unit), per_fill)
    assert one.total == per_fill * (repeats + 1) <= 10_000
    Prescription(
        key=1,
        salt=1,
        total=one.total,
        per_fill=one.per_fill,
        interval=0,
        first_day=one.first_day,
        last_day=one.last_day,
    )


def test_what_is_no_whole_number_of_units_is_no_quantity() -> None:
    one = terms(quantity={"value": 5_000}, numberOfRepeatsAllowed=2)
    assert one.units(Decimal(5_000)) == 2_500
    for wrong in (Decimal(3), Decimal("0.5"), Decimal(0), Decimal(-2)):
        with pytest.raises(Invalid):
            one.units(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": {"value": -1}},
        {"quantity": {"value": True}},
        {"quantity": {"value": 30, "comparator": "<"}},
        {"quantity": {"value": 12_347}, "numberOfRepeatsAllowed": 10},
        {"quantity": {"value": Decimal("1.00001")}},
        {"numberOfRepeatsAllowed": -1},
        {"numberOfRepeatsAllowed": 10_000},
        {"initialFill": {"quantity": {"value": 10}}},
        {"dispenseInterval": {"value": 3, "unit": "moons"}},
        {"dispenseInterval": {"value": 50, "code": "a"}},
        {"validityPeriod": {"start": "2026-12-01", "end": "2026-11-01"}},
        {"validityPeriod": {"end": "later"}},
        {"performer": {"identifier": {"system": "urn:simdes:organisation", "value": "0x12"}}},
    ],
    ids=", ".join,
)
def test_what_cant_be_dispensed_in_whole_units_is_refused_with_a_reason(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(Invalid):
        terms(**wrong)


def test_interval_window_pharmacy_and_mark_are_read() -> None:
    organisation = "0x" + "ab" * 32
    resource = request(
        dispenseInterval={"value": 4, "code": "wk"},
        validityPeriod={"start": "2026-12-01", "end": "2027-12-01"},
        performer={"identifier": {"system": "urn:simdes:organisation", "value": organisation}},
    )
    resource["category"] = [
        {"coding": [{"system": "urn:simdes:prescription", "code": "controlled"}]}
    ]
    one = terms_of(resource, today=DAY, valid_days=90)
    assert one.interval_days == 28
    assert (one.first_day, one.last_day) == (day_of("2026-12-01"), day_of("2027-12-01"))
    assert (one.performer, one.controlled) == (bytes.fromhex("ab" * 32), True)


def test_the_essence_is_what_a_pharmacist_hands_out_and_nothing_else() -> None:
    one = request() | {"medicationCodeableConcept": {"text": "A"}}
    assert essence(one) == essence(dict(reversed(one.items())) | {"note": [{"text": "hello"}]})
    assert essence(one) != essence(one | {"medicationCodeableConcept": {"text": "B"}})
    decimal = request(quantity={"value": Decimal("1.0")})
    text = request(quantity={"value": "1.0"})
    assert essence(decimal) != essence(text)
    assert is_order(one)
