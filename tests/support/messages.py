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
    stay: str = "PV1|1|I|W^1^2",
    more: Sequence[str] = (),
) -> bytes:
    """An ADT of a patient in a city; ``stay`` is its PV1."""
    return message(
        f"ADT^{event}^ADT_A01",
        f"EVN|{event}|{recorded or sent}",
        pid(number, city=city),
        stay,
        *more,
        control=control,
        sent=sent,
    )


def pv1(number: str, *, ended: str = "") -> str:
    """A PV1 of the inpatient visit with this number, with the time of its discharge if it ended."""
    fields = {2: "I", 3: "W^1^2", 19: f"{number}^^^HOSP^VN", 45: ended}
    return "|".join(["PV1", *(fields.get(at, "") for at in range(1, 46))]).rstrip("|")


def charges(
    number: str,
    stay: str,
    *,
    sent: str,
    control: str = "c1",
    day: str = "20260101",
    amount: str = "100&USD",
) -> bytes:
    """A DFT with a charge for two films of a visit (``stay``: its PV1) on a day."""
    return message(
        "DFT^P03^DFT_P03",
        f"EVN|P03|{sent}",
        pid(number, city="Nowhere"),
        stay,
        f"FT1|1|T-{number}||{day}|{day}|CG|71045^Chest x-ray^C4|||2|{amount}",
        control=control,
        sent=sent,
    )
