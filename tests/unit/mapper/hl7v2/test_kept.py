"""What two places of a message say differently, and what an element can't take whole, is kept."""

from __future__ import annotations

from typing import Any

from simdes.mapper import map_bytes

UNMAPPED = "urn:simdes:hl7v2:unmapped"


def resources(*segments: str) -> dict[str, dict[str, Any]]:
    (message,) = map_bytes("x.hl7", "\r".join(segments).encode()).messages
    return {e["resource"]["resourceType"]: e["resource"] for e in message.bundle["entry"]}


def beside(resource: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (inner["url"], inner["valueString"])
        for one in resource.get("extension", ())
        if one["url"] == UNMAPPED
        for inner in one["extension"]
    ]


def test_the_time_of_a_birth_date_that_takes_a_day_stays_beside() -> None:
    found = resources(
        "MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5",
        "PID|1||7||A^B",
        "NK1|1|C^D|MTH|||||||||||||19620110045504",
    )
    assert found["RelatedPerson"]["birthDate"] == "1962-01-10"
    assert ("NK1-16", "19620110045504") in beside(found["RelatedPerson"])


def test_a_birth_time_that_has_its_own_extension_is_not_kept_twice() -> None:
    found = resources("MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5", "PID|1||7||A^B||196201100455")
    assert found["Patient"]["birthDate"] == "1962-01-10"
    assert "PID-7" not in dict(beside(found["Patient"]))


def test_the_second_name_of_one_organisation_is_kept() -> None:
    """MSH-22 and MSH-23 with the same identifier are one Organization."""
    found = resources(
        "MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5||||||||||"
        "One^^^^^N&2.16.840.1.5&ISO^^^^77|Other^^^^^N&2.16.840.1.5&ISO^^^^77",
        "PID|1||7||A^B",
    )
    organization = found["Organization"]
    assert organization["name"] == "One"
    assert ("name", "Other") in beside(organization)
