"""JSON Patch: HL7's tests, RFC 6902 and 6901 rule by rule, and what would hurt.

tests/vectors/patch/json-patch-tests.json is run whole; none of it fails.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Conflict, Invalid, SimdesError, TooLarge
from simdes.fhir.json import dumps, loads
from simdes.fhir.patch import json_patch
from simdes.fhir.patch.pointers import apply

CASES = loads((Path(__file__).parents[3] / "vectors/patch/json-patch-tests.json").read_bytes())
PATIENT = loads(
    b'{"resourceType":"Patient","id":"p","name":[{"family":"A","given":["x","y"]},{"text":"B"}],'
    b'"extension":[{"url":"u:d","valueDecimal":1.500},{"url":"u:e","valueDecimal":1e3}]}'
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_hl7s_cases(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises((Invalid, Conflict)):
            apply(case["doc"], case["patch"])
    else:
        assert apply(case["doc"], case["patch"]) == case["expected"]


def test_all_of_hl7s_cases_are_there() -> None:
    assert len(CASES) == 16
    assert sum("error" in case for case in CASES) == 4


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **{key.removesuffix("_"): v for key, v in more.items()}}


DONE: dict[str, tuple[Any, list[dict[str, Any]], Any]] = {
    "add replaces a member": ({"a": 1}, [op("add", "/a", value=2)], {"a": 2}),
    "add null": ({}, [op("add", "/a", value=None)], {"a": None}),
    "add at the end by index": ({"a": [1]}, [op("add", "/a/1", value=2)], {"a": [1, 2]}),
    "add at the end": ({"a": [1]}, [op("add", "/a/-", value=2)], {"a": [1, 2]}),
    "add at the start": ({"a": [1]}, [op("add", "/a/0", value=2)], {"a": [2, 1]}),
    "add under an empty name": ({}, [op("add", "/", value=1)], {"": 1}),
    "add under a number in an object": ({"a": {}}, [op("add", "/a/0", value=1)], {"a": {"0": 1}}),
    "add the whole": ({"a": 1}, [op("add", "", value={"b": 2})], {"b": 2}),
    "replace the whole": ({"a": 1}, [op("replace", "", value=[1])], [1]),
    "replace an item": ({"a": [1, 2]}, [op("replace", "/a/1", value=3)], {"a": [1, 3]}),
    "remove null": ({"a": None, "b": 1}, [op("remove", "/a")], {"b": 1}),
    "escapes": ({"a/b": 1, "m~n": 2}, [op("remove", "/a~1b"), op("remove", "/m~0n")], {}),
    "copy": ({"a": [1]}, [op("copy", "/b", from_="/a"), op("add", "/b/-", value=2)],
             {"a": [1], "b": [1, 2]}),
    "copy into itself": ({"a": {}}, [op("copy", "/a/b", from_="/a")], {"a": {"b": {}}}),
    "move onto itself": ({"a": 1}, [op("move", "/a", from_="/a")], {"a": 1}),
    "move over": ({"a": 1, "b": 2}, [op("move", "/b", from_="/a")], {"b": 1}),
    "move up": ({"a": {"b": 1}}, [op("move", "/a", from_="/a/b")], {"a": 1}),
    "move to a name that begins alike": ({"a": 1}, [op("move", "/ab", from_="/a")], {"ab": 1}),
    "the last item takes its array along": ({"a": [1], "b": 1}, [op("remove", "/a/0")], {"b": 1}),
    "unless another comes": ({"a": [1]}, [op("remove", "/a/0"), op("add", "/a/-", value=2)],
                             {"a": [2]}),
    "an empty array that was there stays": ({"a": [], "b": [1]}, [op("remove", "/b/0")], {"a": []}),
    "members that nobody knows": ({}, [op("add", "/a", value=1, x=2)], {"a": 1}),
    "nothing": ({"a": 1}, [], {"a": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", DONE)
def test_what_an_operation_does(name: str) -> None:
    document, operations, expected = DONE[name]
    before = copy.deepcopy((document, operations))
    assert dumps(apply(document, operations)) == dumps(expected)
    assert (document, operations) == before


REFUSED: dict[str, tuple[Any, Any]] = {
    "no array": ({}, {"op": "add"}),
    "no object": ({}, ["add"]),
    "no op": ({}, [{"path": ""}]),
    "unknown op": ({}, [op("merge", "", value=1)]),
    "op of another type": ({}, [{"op": ["add"], "path": ""}]),
    "no path": ({}, [{"op": "add", "value": 1}]),
    "path of another type": ({}, [{"op": "add", "path": 1, "value": 1}]),
    "path without slash": ({"a": 1}, [op("remove", "a")]),
    "bad escape": ({"~2": 1}, [op("remove", "/~2")]),
    "escape at the end": ({"~": 1}, [op("remove", "/~")]),
    "no value": ({}, [op("add", "/a")]),
    "no value to test": ({"a": None}, [op("test", "/a")]),
    "no from": ({}, [op("copy", "/a")]),
    "from nowhere": ({}, [op("move", "/a", from_="/b")]),
    "remove nothing": ({}, [op("remove", "/a")]),
    "remove the whole": ({}, [op("remove", "")]),
    "replace nothing": ({}, [op("replace", "/a", value=1)]),
    "index beyond": ({"a": [1]}, [op("add", "/a/2", value=1)]),
    "index beyond for replace": ({"a": [1]}, [op("replace", "/a/1", value=1)]),
    "leading zero": ({"a": [1, 2]}, [op("remove", "/a/01")]),
    "negative": ({"a": [1]}, [op("remove", "/a/-1")]),
    "plus": ({"a": [1, 2]}, [op("remove", "/a/+1")]),
    "other digits": ({"a": [1, 2]}, [op("remove", "/a/\u0661")]),
    "huge index": ({"a": [1]}, [op("remove", "/a/" + "9" * 5000)]),
    "name of an item": ({"a": [1]}, [op("add", "/a/b", value=1)]),
    "end, to remove": ({"a": [1]}, [op("remove", "/a/-")]),
    "through the end": ({"a": [{}]}, [op("add", "/a/-/b", value=1)]),
    "through a string": ({"a": "xyz"}, [op("add", "/a/0", value=1)]),
    "below a number": ({"a": 1}, [op("add", "/a/b", value=1)]),
    "into itself": ({"a": {"b": {}}}, [op("move", "/a/b/c", from_="/a")]),
    "the whole into itself": ({"a": {}}, [op("move", "/a/b", from_="")]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_patch_or_leads_nowhere_is_refused_and_changes_nothing(name: str) -> None:
    document, operations = REFUSED[name]
    before = copy.deepcopy(document)
    with pytest.raises(Invalid):
        apply(document, operations)
    if isinstance(operations, list):
        with pytest.raises(Invalid, match=r"^operation 1: "):
            apply(document, [op("add", "/zz", value=1), *operations][:2])
    assert document == before


EQUAL = [(1, Decimal("1.0")), (Decimal("1e2"), 100), ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
         ([1, None], [1, None]), ("é", "é"), (True, True), (None, None)]  # fmt: skip
DIFFERENT = [(1, True), (0, False), (0, None), ("1", 1), ([1, 2], [2, 1]), ([1], [1, 1]),
             ({"a": 1}, {"a": 1, "b": None}), ({}, []), ("a", "A"), (Decimal("1.0"), Decimal("1.01"))]  # fmt: skip # noqa: E501


@pytest.mark.parametrize(("left", "right"), EQUAL, ids=str)
def test_equal_values_pass_a_test(left: Any, right: Any) -> None:
    assert apply({"a": left}, [op("test", "/a", value=right)]) == {"a": left}


@pytest.mark.parametrize(("left", "right"), DIFFERENT, ids=str)
def test_different_values_fail_it_with_a_conflict(left: Any, right: Any) -> None:
    with pytest.raises(Conflict):
        apply({"a": left}, [op("test", "/a", value=right)])


def test_decimals_keep_their_text() -> None:
    made = json_patch(
        PATIENT,
        [
            op("copy", "/extension/-", from_="/extension/1"),
            op("add", "/extension/-", value={"url": "u:n", "valueDecimal": Decimal("2.00")}),
            op("move", "/extension/0", from_="/extension/3"),
        ],
    )
    found = [str(one["valueDecimal"]) for one in made["extension"]]
    assert found == ["2.00", "1.500", "1e3", "1e3"]
    assert b"1e3" in dumps(made)


@pytest.mark.parametrize(
    "operations",
    [
        [op("replace", "/id", value="q")],
        [op("remove", "/id")],
        [op("replace", "/resourceType", value="Basic")],
        [op("remove", "/resourceType")],
        [op("replace", "", value={"resourceType": "Patient", "id": "q"})],
        [op("replace", "", value=[])],
        [op("replace", "", value=None)],
        [op("move", "/x", from_="/id")],
    ],
    ids=str,
)
def test_a_patch_cant_make_it_another_resource(operations: list[dict[str, Any]]) -> None:
    with pytest.raises(Invalid):
        json_patch(PATIENT, operations)
    with pytest.raises(Invalid):
        json_patch({"resourceType": "Basic"}, [op("add", "/id", value="new")])


def test_a_patch_may_say_again_which_resource_it_is() -> None:
    whole = {"resourceType": "Patient", "id": "p", "active": True}
    operations = [op("test", "/resourceType", value="Patient"), op("replace", "", value=whole)]
    assert json_patch(PATIENT, operations) == whole


def test_faults_name_no_value() -> None:
    for operations in ([op("test", "/name/0/family", value="SECRET")],
                       [op("add", "/SECRET/x", value="SECRET")],
                       [{"op": "SECRET", "path": "/SECRET"}]):  # fmt: skip
        with pytest.raises(SimdesError) as caught:
            json_patch(PATIENT, operations)
        assert "SECRET" not in caught.value.message


def test_copies_of_copies_are_stopped() -> None:
    doubling = [op("copy", f"/a{n + 1}", from_="") for n in range(60)]
    with pytest.raises(TooLarge):
        apply({"a0": "x" * 1000}, doubling)
    wide = [op("add", "/a/-", value=0), *[op("copy", "/a/-", from_="/a")] * 40]
    with pytest.raises(TooLarge):
        apply({"a": []}, wide)
    with pytest.raises(TooLarge):
        apply({"a": []}, [op("add", "/a/-", value=0)] * 1001)
    with pytest.raises(TooLarge):
        apply({}, [op("add", "/a" * 101, value=0)])
    nested: Any = 1
    for _ in range(2000):
        nested = [nested]
    with pytest.raises(TooLarge):
        apply({}, [op("add", "/a", value=nested)])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "0", "~", "/"]), inner, max_size=3)
    ),
    max_leaves=8,
)
POINTERS = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "~0", "~1", "~", ""])).map(
    lambda steps: "".join("/" + step for step in steps[:4])
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
            "path": POINTERS,
        },
        optional={"from": POINTERS, "value": VALUES},
    ),
    max_size=6,
)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(VALUES, OPERATIONS)
def test_any_patch_succeeds_or_is_refused_and_never_changes_what_it_was_given(
    document: Any, operations: Any
) -> None:
    before = copy.deepcopy((document, operations))
    try:
        made = apply(document, operations)
    except (Invalid, Conflict):
        pass
    else:
        assert loads(dumps(made)) == made
    assert (document, operations) == before


@settings(derandomize=True, max_examples=200, deadline=None)
@given(VALUES, VALUES)
def test_a_move_there_and_back_changes_nothing(value: Any, other: Any) -> None:
    document = {"x": value, "y": [other, 1]}
    there = [op("move", "/y/1", from_="/x"), op("move", "/x", from_="/y/1")]
    assert apply(document, there) == document
