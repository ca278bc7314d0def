"""HL7 v2 messages about made-up patients, with just what a test is about."""

from __future__ import annotations

from collections.abc import Sequence


def message(event: str, *segments: str, control: str, sent: str, sender: str = "HOSP") -> bytes:
    """A message of v2.5.1 sent at ``sent`` (YYYYMMDDHHMMSS)."""
    header = rf"MSH|^~\&|APP|{sender}|||{sent}||{event}|{control}|P|2.5.1"
    return "\r".join([header, *segments]).encode()


def pid(number: str, name: str = "Doe^Ann", *, city: str = "") -> str:
    """A PID of one medical record number of the hospital."""
    return (
        f"PID|1||{number}^^^HOSP^MR||{name}||19700101|F|||1 Road^^{city}"
        if city
        else (f"PID|1||{number}^^^HOSP^MR||{name}||19700101|F")
    )


def result(
    status: str,
    value: str,
    *,
    sent: str,
    issued: str = "",
    control: str = "r1",
    number: str = "100",
    name: str = "Doe^Ann",
) -> bytes:
    """A glucose result of one order; ``status`` is OBR-25 and OBX-11."""
    return message(
        "ORU^R01^ORU_R01",
        pid(number, name),
        f"OBR|1|P1^LAB|F1^LAB|2345-7^Glucose^LN|||20260101080000|||||||||||||||{issued}|||{status}",
        f"OBX|1|NM|2345-7^Glucose^LN||{value}|mmol/L^^UCUM|||||{status}|||20260101080000",
        control=control,
        sent=sent,
    )


def admission(
    event: str,
    *,
    sent: str,
    recorded: str = "",
    control: str = "a1",
    number: str = "100",
    city: str = "Paris",
    more: Sequence[str] = (),
) -> bytes:
    """An ADT of a patient in a city."""
    return message(
        f"ADT^{event}^ADT_A01",
        f"EVN|{event}|{recorded or sent}",
        pid(number, city=city),
        "PV1|1|I|W^1^2",
        *more,
        control=control,
        sent=sent,
    )
