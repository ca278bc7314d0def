"""JSON is read and written without changing a digit, and refused where it is ambiguous."""

from __future__ import annotations

import json
import math
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes import errors
from simdes.errors import Invalid, TooLarge
from simdes.fhir.json import MAX_DEPTH, dumps, loads
from unit.fhir.published import FOLDER, raw

VECTORS = json.loads((FOLDER.parent / "fhir_json.json").read_text("utf-8"))
SETTINGS = settings(derandomize=True, max_examples=300, deadline=None)


@pytest.mark.parametrize("text", VECTORS["kept"])
def test_text_that_is_already_compact_is_kept_byte_for_byte(text: str) -> None:
    assert dumps(loads(text.encode())) == text.encode()


@pytest.mark.parametrize("case", VECTORS["written"], ids=lambda c: c["becomes"])
def test_only_white_space_and_escapes_change(case: dict[str, str]) -> None:
    assert dumps(loads(case["text"].encode())) == case["becomes"].encode()


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda c: c["why"])
def test_what_could_be_read_in_two_ways_is_refused(case: dict[str, str]) -> None:
    data = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode()
    with pytest.raises(getattr(errors, case.get("error", "Invalid"))):
        loads(data)


def test_integers_are_int_and_everything_else_decimal() -> None:
    value = loads(b"[1, 1.0, 1e0, -0, 12345678901234567890123]")
    assert [type(v) is int for v in value] == [True, False, False, False, True]
    assert all(isinstance(v, int | Decimal) for v in value)
    assert value == [1, Decimal(1), Decimal(1), 0, 12345678901234567890123]


def test_a_decimal_computes_like_its_value_however_it_was_written() -> None:
    value = loads(b"[1e3, 0.0000001]")
    assert value[0] + 1 == 1001
    assert value[1] * 10 == Decimal("0.000001")
    assert hash(value[0]) == hash(1000)


def test_nesting_is_limited_at_the_same_depth_for_reading_and_writing() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert dumps(loads(deepest)) == deepest
    too_deep: list[Any] = []
    for _ in range(MAX_DEPTH):
        too_deep = [too_deep]
    for refused in (b"[" + deepest + b"]", b"[" * 500_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000):
        with pytest.raises((TooLarge, Invalid)):
            loads(refused)
    with pytest.raises(TooLarge):
        dumps(too_deep)


def test_size_is_limited_before_anything_is_parsed() -> None:
    with pytest.raises(TooLarge):
        loads(b"x" * 11, max_bytes=10)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        math.nan,
        Decimal("NaN"),
        Decimal("Infinity"),
        "\ud800",
        {1: 2},
        {"a": (1,)},
        b"x",
        {2, 3},
    ],
    ids=repr,
)
def test_what_json_cannot_hold_exactly_is_not_written(value: Any) -> None:
    for wrapped in (value, [value], {"a": [{"b": value}]}):
        with pytest.raises(Invalid):
            dumps(wrapped)


def test_error_texts_repeat_nothing_of_the_input() -> None:
    for text in (
        b'{"Smith":1,"Smith":2}',
        b'{"name":"Smith" x}',
        b'"Smith',
        b"[Smith]",
        b'"Smith\xff"',
    ):
        with pytest.raises(Invalid) as refused:
            loads(text)
        assert "Smith" not in str(refused.value)


@pytest.mark.parametrize("name", sorted(p.name for p in FOLDER.glob("*.json*")))
def test_published_resources_keep_every_number_and_name_in_order(name: str) -> None:
    text = raw(name)
    kept = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=list)
    again = json.loads(dumps(loads(text)), parse_float=str, parse_int=str, object_pairs_hook=list)
    assert again == kept
    assert dumps(loads(dumps(loads(text)))) == dumps(loads(text))


NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | TEXTS
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@SETTINGS
@given(NUMBERS)
def test_any_number_is_kept_as_written(text: str) -> None:
    assert (
        dumps(loads(f'{{"a": [{text}, "{text}"]}}'.encode()))
        == f'{{"a":[{text},"{text}"]}}'.encode()
    )


@SETTINGS
@given(VALUES)
def test_any_value_comes_back_as_it_went(value: Any) -> None:
    assert loads(dumps(value)) == value


@SETTINGS
@given(st.binary(max_size=60) | st.text('{}[]":,\\ \n\t0-1ae.', max_size=40).map(str.encode))
def test_any_bytes_are_read_as_the_standard_library_reads_them_or_refused(data: bytes) -> None:
    try:
        value = loads(data)
    except (Invalid, TooLarge):
        return
    assert json.loads(data, parse_float=Decimal) == value


def test_no_text_takes_longer_than_its_length_explains() -> None:
    size = 2_000_000
    for text in (
        b'"' + b"\\\\" * size,
        b'{"a" :' * size,
        b'"' * size,
        b"-0," * size,
        b'["\\":' * size,
    ):
        started = time.process_time()
        with pytest.raises((Invalid, TooLarge)):
            loads(text)
        assert time.process_time() - started < 5


def test_the_format_page_names_this_limit() -> None:
    page = (Path(__file__).parents[3] / "docs/formats/json.md").read_text("utf-8")
    assert f"{MAX_DEPTH} levels" in page


def test_a_decimal_that_looks_like_a_mark_of_ours_is_kept_as_written() -> None:
    for text in (b"-0E+00000000000000000000", b"[-0E+00000000000000000000,-0]", b"[-0,0,-0.0]"):
        assert dumps(loads(text)) == text
