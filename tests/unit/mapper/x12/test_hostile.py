"""Damaged, huge and hostile X12 never raises, and costs no other transaction."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.model import Limits
from unit.mapper.x12.samples import NAMES, interchange, one, sample, transaction
from unit.mapper.x12.test_claims import HEAD, PROFESSIONAL

BASES = [sample(name) for name in NAMES if name.startswith("demo/")]


def check(data: bytes) -> None:
    """Whatever it is: valid Bundles or a reason that says nothing of a patient."""
    mapping = map_bytes("x.x12", data, kind="x12")
    for message in mapping.messages:
        errors = [str(p) for p in validate(message.bundle) if p.severity == "error"]
        assert errors == []
    for item in mapping.quarantined:
        assert item.reason_code != "mapper-fault", item.reason
        assert "SMITH" not in item.reason


@settings(derandomize=True, max_examples=120, deadline=None)
@given(st.sampled_from(BASES), st.integers(0, 2**16), st.binary(max_size=4), st.integers(0, 6))
def test_damaged_bytes_never_raise(base: bytes, at: int, put: bytes, out: int) -> None:
    at %= len(base)
    check(base[:at] + put + base[at + out :])


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.sampled_from(BASES), st.integers(0, 2**16), st.integers(0, 2**16), st.booleans())
def test_moved_and_missing_segments_never_raise(base: bytes, a: int, b: int, gone: bool) -> None:
    parts = base.split(b"~")
    inner = list(range(2, len(parts) - 3))
    first, second = inner[a % len(inner)], inner[b % len(inner)]
    if gone:
        del parts[first]
    else:
        parts[first], parts[second] = parts[second], parts[first]
    check(b"~".join(parts))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.sampled_from(BASES),
    st.integers(0, 2**16),
    st.sampled_from(["", ":", "::::", "^^", "\x07", "99999999999999", "-", "20241399", "é", " "]),
)
def test_odd_elements_never_raise(base: bytes, at: int, text: str) -> None:
    head, body = base[:106], base[106:].split(b"*")
    body[at % len(body)] = text.encode()
    check(head + b"*".join(body))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("name", ["demo/demo.835", "demo/demo.837"])
def test_what_is_cut_off_is_quarantined(name: str, share: float) -> None:
    data = sample(name)
    mapping = map_bytes("x", data[: int(len(data) * share)], kind="x12")
    assert [item.reason_code for item in mapping.quarantined][-1] in ("truncated", "empty")


def test_a_hundred_thousand_segments_of_one_patient_are_too_large() -> None:
    text = PROFESSIONAL + "NTE*ADD*more\n" * 100_000
    started = time.monotonic()
    (item,) = map_bytes("x", one("837P", text)).quarantined
    assert item.reason_code == "too-large"
    assert time.monotonic() - started < 20


def test_many_claims_of_one_payment_are_parted_in_time() -> None:
    claims = "".join(
        f"CLP*C{n}*1*10*5**12*ICN{n}\nNM1*QC*1*N{n}*A****MI*M{n}\n" for n in range(400)
    )
    text = f"BPR*I*5*C*CHK\nTRN*1*T*1\nN1*PR*PAYER\nN1*PE*CLINIC*XX*1\nLX*1\n{claims}"
    mapping = map_bytes("x", one("835", text))
    assert len(mapping.messages) == 400
    assert mapping.quarantined == ()


def test_a_unit_larger_than_the_limit_costs_no_other() -> None:
    big = transaction("837P", PROFESSIONAL + "NTE*ADD*more\n" * 200, number="0001")
    small = transaction("837P", PROFESSIONAL, number="0002")
    mapping = map_bytes("x", interchange("837P", big, small), limits=Limits(segments=100))
    assert [item.reason_code for item in mapping.quarantined] == ["too-large"]
    assert [message.index for message in mapping.messages] == [1]


def test_levels_that_name_each_other_end() -> None:
    text = HEAD.replace("HL*1**20*1", "HL*1*2*20*1") + "CLM*C*1***11:B:1\nLX*1\n"
    check(one("837P", text))
    check(one("837P", "".join(f"HL*{n}*{n - 1}*23*1\n" for n in range(1, 3000))))


def test_what_is_shared_too_often_is_refused() -> None:
    head = HEAD[: HEAD.index("HL*2")] + "REF*G2*1\n" * 3000
    members = "".join(f"HL*{n}*1*22*0\nSBR*P*18\n" for n in range(2, 3000))
    (item,) = map_bytes("x", one("837P", head + members)).quarantined
    assert item.reason_code == "too-large"


@pytest.mark.parametrize("kind", ["278", "999", "820", "xyz"])
def test_other_transaction_sets_are_quarantined_with_advice(kind: str) -> None:
    data = one("835", "BPR*I*5").replace(b"ST*835", b"ST*" + kind.encode())
    (item,) = map_bytes("x", data).quarantined
    assert item.reason_code == "unsupported-transaction"
    assert "837" in item.advice


def test_binary_segments_are_kept_out_of_the_way() -> None:
    check(one("837P", PROFESSIONAL + "BIN*5*a~b*c"))
