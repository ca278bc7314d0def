"""Whatever bytes come, a document is mapped or quarantined; never more, never less."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from unit.mapper.cda.samples import sample

SOURCE = sample("ccd-2")
_TEXT = re.compile(rb'(?<==")[^"<]*(?=")|(?<=>)[^<>]+(?=<)')
_ELEMENT = re.compile(rb"<([a-zA-Z]+)[^<>]*/>")


def _checked(data: bytes) -> None:
    mapping = map_bytes("x.xml", data, kind="cda")
    assert len(mapping.messages) + len(mapping.quarantined) == 1
    for mapped in mapping.messages:
        assert [str(p) for p in validate(mapped.bundle) if p.severity == "error"] == []
    for item in mapping.quarantined:
        assert item.reason_code != "mapper-fault", item.reason


@pytest.mark.parametrize("seed", range(12))
def test_documents_with_values_replaced_stay_valid(seed: int) -> None:
    random_ = random.Random(seed)
    strange = [b"", b"x", b"0", b"-1", b"2024-13-45", b"99999999999999999999", b"#a", b"&#228;"]
    strange += [
        b"true",
        b"1.2.3",
        b"urn:x",
        b"a b  c",
        b"UNK",
        b"tel:",
        b"P1D",
        b"1e9",
        b"\xc3\xa9",
    ]

    def replace(match: re.Match[bytes]) -> bytes:
        known = match[0].startswith((b"urn:hl7", b"http", b"2.16.840.1.113883.10"))
        return match[0] if known or random_.random() > 0.1 else random_.choice(strange)

    _checked(_TEXT.sub(replace, SOURCE))


@pytest.mark.parametrize("seed", range(8))
def test_documents_with_elements_left_out_or_said_twice_stay_valid(seed: int) -> None:
    random_ = random.Random(seed)

    _checked(_ELEMENT.sub(lambda match: _changed(random_, match), SOURCE))


def _changed(random_: random.Random, match: re.Match[bytes]) -> bytes:
    chance = random_.random()
    if chance < 0.08:
        return b""
    if chance < 0.16:
        return match[0] * 2
    if chance < 0.24:
        return b"<" + match[1] + b' nullFlavor="UNK"/>'
    return match[0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, len(SOURCE)), st.binary(max_size=6))
def test_cut_and_spoilt_documents_are_mapped_or_quarantined(at: int, junk: bytes) -> None:
    _checked(SOURCE[:at] + junk)
    _checked(SOURCE[:at] + junk + SOURCE[at + len(junk) :])
