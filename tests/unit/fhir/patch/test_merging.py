"""JSON Merge Patch (RFC 7396): the examples of its appendix A, and what FHIR adds."""

from __future__ import annotations

import json

import pytest

from simdes.errors import Invalid, TooLarge
from simdes.fhir.patch import merge_patch
from simdes.fhir.patch.merging import apply

# https://www.rfc-editor.org/rfc/rfc7396#appendix-A: original, patch, result.
APPENDIX = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]


@pytest.mark.parametrize("at", range(len(APPENDIX)))
def test_the_examples_of_the_standard_come_out(at: int) -> None:
    original, patch, result = map(json.loads, APPENDIX[at])
    kept = json.dumps(original)
    assert apply(original, patch) == result
    assert json.dumps(original) == kept


def test_a_merge_never_changes_which_resource_it_is() -> None:
    patient = {"resourceType": "Patient", "id": "a", "gender": "male"}
    assert merge_patch(patient, {"gender": None, "id": "a"}) == {
        "resourceType": "Patient",
        "id": "a",
    }
    for changes in ({"id": "b"}, {"id": None}, {"resourceType": "Group"}, [], "x", None):
        with pytest.raises(Invalid):
            merge_patch(patient, changes)


def test_a_deep_merge_is_refused() -> None:
    deep: object = {}
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(TooLarge):
        merge_patch({"resourceType": "Patient"}, deep)
