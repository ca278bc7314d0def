"""Mutated real messages: no crash, nothing silently lost, whatever maps is valid."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simdes.fhir.validate import validate
from simdes.mapper import Mapping, map_bytes
from unit.mapper.hl7v2.messages import vectors

SEEDS = [data for name, data in vectors() if "reportstream" not in name or len(data) > 300]
PIECES = [
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\r",
    b"\n",
    b'""',
    b"MSH|",
    b"\x00",
    b"\xff",
    b"OBX|1|NM|",
]
PIECES += [
    b"ZZZ|1",
    b"\\X41\\",
    b"PID|",
    b"^^^^",
    b"~" * 50,
    "é".encode(),
    b"20240231",
    b"1e9",
    b" ",
]

quick = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def mutate(data: bytes, seed: int, times: int) -> bytes:
    """Insert, delete, double and swap pieces of a message."""
    chance = random.Random(seed)
    for _ in range(times):
        at = chance.randrange(len(data) + 1)
        until = min(len(data), at + chance.randrange(1, 40))
        kind = chance.randrange(5)
        if kind == 0:
            data = data[:at] + chance.choice(PIECES) + data[at:]
        elif kind == 1:
            data = data[:at] + data[until:]
        elif kind == 2:
            data = data[:until] + data[at:]
        elif kind == 3:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        else:
            lines = data.split(b"\r")
            chance.shuffle(lines)
            data = b"\r".join(lines) if chance.random() < 0.2 else data
    return data


def check(mapping: Mapping, data: bytes) -> None:
    for item in mapping.quarantined:
        assert item.reason_code != "mapper-fault", item.reason
        assert item.reason and item.advice
        assert item.source in data or not data
    for one in mapping.messages:
        assert one.source in data
        errors = [p for p in validate(one.bundle) if p.is_error]
        assert errors == []
    assert mapping.messages or mapping.quarantined


@quick
@given(st.sampled_from(SEEDS), st.integers(0, 2**32), st.integers(1, 25))
def test_mutated_messages_map_to_valid_fhir_or_are_quarantined(
    data: bytes, seed: int, times: int
) -> None:
    broken = mutate(data, seed, times)
    check(map_bytes("fuzz.hl7", broken, kind="hl7v2"), broken)


@quick
@given(st.sampled_from(SEEDS), st.integers(0, 10_000))
def test_messages_cut_off_anywhere_are_handled(data: bytes, at: int) -> None:
    broken = data[: at % (len(data) + 1)]
    check(map_bytes("cut.hl7", broken, kind="hl7v2"), broken)


@quick
@given(st.binary(max_size=400))
def test_any_bytes_are_answered(data: bytes) -> None:
    mapping = map_bytes("any", data)
    assert mapping.messages or mapping.quarantined


@quick
@given(
    st.lists(
        st.text(alphabet="|^~\\&\r\nMSHPIDOBXRZ0123456789.-+ABCé\x00\u2028", max_size=40),
        max_size=12,
    )
)
def test_text_made_of_separators_is_answered(lines: list[str]) -> None:
    head = "MSH|^~\\&|A|B|C|D|20240101||ORU^R01|1|P|2.5"
    data = "\r".join([head, "PID|1||7", "OBR|1||F", *lines]).encode()
    check(map_bytes("lines.hl7", data), data)
