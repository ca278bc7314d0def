"""SIU: appointments with their status, times and participants (chapter 10)."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped
from unit.mapper.hl7v2.messages import mapped, resource, resources, segment

PID = "PID|1||M1^^^HOSP^MR||Doe^Jane"
START = "20240305100000+0100"


def sch(**more: str) -> str:
    fields = {1: "P1^PLACER", 2: "F1^FILLER", 11: f"^^^{START}^20240305103000+0100"}
    return segment("SCH", {**fields, **{int(name[1:]): value for name, value in more.items()}})


def valid(one: Mapped) -> Mapped:
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return one


def actors(one: Mapped) -> dict[str, dict[str, Any]]:
    """Participants by the type of resource they are."""
    types = {e["fullUrl"]: e["resource"]["resourceType"] for e in one.bundle["entry"]}
    return {
        types.get(p["actor"].get("reference", ""), "named"): p
        for p in resource(one, "Appointment")["participant"]
    }


@pytest.mark.parametrize(
    ("event", "sent", "status"),
    [
        ("S12", "", "booked"),
        ("S12", "Pending", "pending"),
        ("S12", "PENDING", "pending"),
        ("S12", "anything", "booked"),
        ("S13", "", "booked"),
        ("S14", "Complete", "fulfilled"),
        ("S14", "Started", "checked-in"),
        ("S15", "Booked", "cancelled"),
        ("S16", "", "cancelled"),
        ("S17", "", "entered-in-error"),
        ("S18", "", "booked"),
        ("S26", "Booked", "noshow"),
    ],
)
def test_the_status_follows_event_and_filler(event: str, sent: str, status: str) -> None:
    one = valid(mapped(sch(f25=sent), PID, event=f"SIU^{event}"))
    assert resource(one, "Appointment")["status"] == status


def test_an_appointment_is_the_same_through_its_changes() -> None:
    booked = mapped(sch(), PID, event="SIU^S12", control="1")
    cancelled = mapped(sch(f6="ILL^Patient is ill"), PID, event="SIU^S15", control="2")
    one, other = resource(booked, "Appointment"), resource(cancelled, "Appointment")
    assert one["id"] == other["id"]
    assert [i["type"]["coding"][0]["code"] for i in one["identifier"]] == ["PLAC", "FILL"]
    assert other["cancelationReason"]["coding"][0]["code"] == "ILL"
    assert "cancelationReason" not in one


def test_everybody_and_everything_that_takes_part_is_a_participant() -> None:
    one = valid(
        mapped(
            sch(f7="CHECKUP^A check-up^HL70276", f8="Normal^^HL70277", f9="30", f10="MIN"),
            PID,
            "PV1|1|O|CLINIC^1",
            "RGS|1|A",
            segment("AIS", {1: "1", 3: "76164006^Biopsy of colon^SCT", 4: START}),
            segment("AIG", {1: "1", 3: "D7^Colonoscope^L", 4: "EQ^Equipment"}),
            segment("AIL", {1: "1", 3: "ENDO^R2", 6: START, 9: "20", 10: "MIN"}),
            segment("AIP", {1: "1", 3: "77^Osler^William", 4: "GI", 6: START, 12: "Pending"}),
            event="SIU^S12",
        )
    )
    appointment, found = resource(one, "Appointment"), actors(one)
    assert found.keys() == {"Patient", "Location", "Practitioner", "named"}
    assert found["Patient"]["status"] == "accepted"
    assert found["named"]["actor"]["display"] == "Colonoscope"
    assert found["Practitioner"]["status"] == "tentative"
    assert found["Location"]["period"] == {
        "start": "2024-03-05T10:00:00+01:00",
        "end": "2024-03-05T10:20:00+01:00",
    }
    assert appointment["serviceType"][0]["coding"][0]["display"] == "Biopsy of colon"
    assert appointment["minutesDuration"] == 30
    assert appointment["start"] == "2024-03-05T10:00:00+01:00"
    assert appointment["end"] == "2024-03-05T10:30:00+01:00"
    (url,) = (e["fullUrl"] for e in one.bundle["entry"] if e["resource"] is appointment)
    encounter = resource(one, "Encounter")
    assert encounter["appointment"] == [{"reference": url}]
    assert encounter["status"] == "planned"


def test_tq1_counts_more_than_the_field_it_replaces() -> None:
    tq1 = segment("TQ1", {7: "20240401090000+0200", 8: "20240401093000+0200"})
    one = valid(mapped(sch(), tq1, PID, event="SIU^S12"))
    assert resource(one, "Appointment")["start"] == "2024-04-01T09:00:00+02:00"


def test_the_end_follows_from_the_duration() -> None:
    one = valid(mapped(sch(f11=f"^^^{START}", f9="90", f10="min"), PID, event="SIU^S12"))
    assert resource(one, "Appointment")["end"] == "2024-03-05T11:30:00+01:00"


@pytest.mark.parametrize("event", ["S12", "S15", "S17", "S26"])
@pytest.mark.parametrize("times", ["", f"^^^{START}", "^^^^20240305103000+0100", "^^^20240305"])
def test_a_time_nobody_sent_is_absent_and_never_invented(event: str, times: str) -> None:
    one = valid(mapped(sch(f11=times), PID, event=f"SIU^{event}"))
    appointment = resource(one, "Appointment")
    assert ("start" in appointment) == (START in times)


def test_an_appointment_without_patient_or_resources_is_valid() -> None:
    one = valid(mapped(sch(), event="SIU^S12"))
    assert resources(one, "Patient") == []
    assert len(resource(one, "Appointment")["participant"]) == 1


def test_the_orders_it_is_for_and_whom_to_ask() -> None:
    one = valid(
        mapped(sch(f16="88^Nurse^Ann", f17="^PRN^PH^^^1^5551234", f26="O1^PL"), event="SIU^S12")
    )
    appointment = resource(one, "Appointment")
    assert appointment["basedOn"][0]["identifier"]["value"] == "O1"
    (contact,) = appointment["participant"]
    assert contact["type"][0]["coding"][0]["code"] == "CALLBCK"
    assert contact["required"] == "information-only"
    assert "5551234" in resource(one, "Practitioner")["telecom"][0]["value"]
