"""A resource is the same in both forms, written plainly or prettily."""

from __future__ import annotations

import pytest

from simdes.errors import Invalid, TooLarge
from simdes.fhir.form import Form
from simdes.fhir.json import dumps, indent, loads
from unit.fhir.published import published


@pytest.mark.parametrize("is_pretty", [False, True])
@pytest.mark.parametrize("form", Form)
def test_what_is_written_is_read_again(form: Form, is_pretty: bool) -> None:
    resource = published()["explanationofbenefit-example.json"]
    data = form.write(resource, is_pretty=is_pretty)
    assert dumps(form.read(data)) == dumps(resource)
    assert (data.count(b"\n") > 5) == is_pretty
    with pytest.raises(TooLarge):
        form.read(data, max_bytes=10)


def test_pretty_json_keeps_every_number_and_string() -> None:
    text = rb'{"a":[1.50,0.0000001,1e3,-0,{}],"b":"\u00e9 \" , : {","c":[],"d":null}'
    pretty = indent(dumps(loads(text)))
    assert dumps(loads(pretty)) == dumps(loads(text))
    assert b"\n    1.50,\n    0.0000001,\n    1e3,\n    -0,\n" in pretty


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null"])
def test_json_that_is_no_object_is_no_resource(data: bytes) -> None:
    with pytest.raises(Invalid):
        Form.JSON.read(data)


def test_content_types_name_their_charset() -> None:
    assert Form.XML.content_type == "application/fhir+xml; charset=utf-8"
