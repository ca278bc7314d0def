"""Sheets become resources, and whatever no row takes is kept or reported."""

from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped, Site
from simdes.mapper.documents import finished
from simdes.mapper.draft import Scope
from simdes.mapper.rows import Maps
from simdes.mapper.sheets import BadSheet
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work

SHEET = """
# A small format of our own, for these tests.
@ Chart : choose
source | target | as | codes | when | why
 | | Patient | | person |

@ Patient : Patient
person/number | identifier | Number
person/name | name[+1].text
person/nick | name[+2].text
person/nick | name[+2].use | 'nickname'
person/sex | gender | | Sex
person/born | birthDate
person/phone | telecom[+1].value
person/phone | telecom[+1].system | 'phone'
person/secret | | - | | | not for records
person/kind | | =
visit | | Visit

@ Number : Identifier
. | value
@by | system | system(.)

@ Visit : Encounter
id | identifier | Number
id | | call(.)
start | period.start
end | period.end
 | class.code | 'AMB'
 | class.system | 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
finding | | Finding
test | | Tests

@ Tests : each
 | | Finding
part | | Finding | | !hidden

@ Finding : Observation
code | code.text | shout(., '!')
value | valueQuantity.value | | | unit
value | valueString | | | !unit
unit | valueQuantity.unit
. | encounter | @Visit
sees | hasMember | >.
hears | hasMember | >shout(., '')
tests | hasMember | Tests
within | focus | @outer
name | | call(.)
"""
CODES = """vocabulary | code | target | display | system
Sex | w | female
Sex | m | male
"""


def _shout(work: Work, branch: Branch, text: str, mark: str) -> str:
    del work, branch
    return text.upper() + mark


def _call(work: Work, branch: Branch, name: str) -> bool:
    del branch
    assert work.here is not None
    work.named[name] = work.here
    return True


def _system(work: Work, branch: Branch, by: str) -> str:
    del work, branch
    return f"urn:by:{by}"


FUNCTIONS = {"shout": _shout, "call": _call, "system": _system}


def _maps(sheet: str = SHEET, **more: str) -> Maps:
    return Maps({"test.psv": sheet, **more}, functions=FUNCTIONS, codes={"codes.psv": CODES})


def _grow(branch: Branch, value: Any) -> None:
    for name, part in value.items():
        for one in part if isinstance(part, list) else [part]:
            if isinstance(one, dict):
                _grow(branch.add(name), one)
            else:
                branch.add(name, one)


def _mapped(chart: dict[str, Any], maps: Maps | None = None, *, explain: bool = False) -> Mapped:
    root = Branch("chart")
    _grow(root, chart)
    work = Work(Site(time_zone="+01:00"), explain=explain)
    (maps or _maps()).run("Chart", work, root, Scope())
    return finished(
        work,
        root,
        bundle={"type": "collection"},
        kind="test",
        event="Chart",
        source=b"",
        control="c1",
        ignored={"@layout": "only layout"},
    )


def _resources(mapped: Mapped, kind: str) -> list[dict[str, Any]]:
    assert [p for p in validate(mapped.bundle) if p.severity == "error"] == []
    entries = [entry["resource"] for entry in mapped.bundle["entry"]]
    return [one for one in entries if one["resourceType"] == kind]


def _only(mapped: Mapped, kind: str) -> dict[str, Any]:
    (one,) = _resources(mapped, kind)
    return one


PERSON = {"number": "77", "name": ["Ann Example", "Ann Sample"], "sex": "w", "born": "19800229"}


def test_rows_fill_the_elements_they_name() -> None:
    person = _only(_mapped({"person": PERSON}), "Patient")
    assert person["name"] == [{"text": "Ann Example"}, {"text": "Ann Sample"}]
    assert person["gender"] == "female"
    assert person["birthDate"] == "1980-02-29"


def test_rows_with_one_label_share_an_element_for_each_branch() -> None:
    mapped = _mapped({"person": PERSON | {"nick": ["A", "B"], "phone": ["1", "2"]}})
    person = _only(mapped, "Patient")
    assert person["name"][2:] == [
        {"text": "A", "use": "nickname"},
        {"text": "B", "use": "nickname"},
    ]
    assert person["telecom"] == [
        {"value": "1", "system": "phone"},
        {"value": "2", "system": "phone"},
    ]


def test_a_value_that_fits_no_element_is_kept_beside() -> None:
    person = _only(_mapped({"person": PERSON | {"born": "soon", "sex": "?"}}), "Patient")
    assert "birthDate" not in person
    assert "gender" not in person
    kept = {e["url"]: e["valueString"] for e in person["extension"][0]["extension"]}
    assert person["extension"][0]["url"] == "urn:simdes:test:unmapped"
    assert kept == {"person/born": "soon", "person/sex": "?"}


def test_a_branch_nobody_maps_is_kept_on_the_resource_it_stands_in() -> None:
    chart = {"person": PERSON, "visit": {"id": "v1", "mood": "calm", "bed": ["a", "b"]}}
    visit = _only(_mapped(chart), "Encounter")
    kept = [(e["url"], e["valueString"]) for e in visit["extension"][0]["extension"]]
    assert kept == [("mood", "calm"), ("bed[1]", "a"), ("bed[2]", "b")]


def test_what_is_left_out_is_reported_without_its_value() -> None:
    chart = {"person": PERSON | {"secret": "xyzzy", "@layout": "wide"}}
    mapped = _mapped(chart)
    reported = [(item.path, item.reason) for item in mapped.dropped]
    assert ("chart/person/secret", "not for records") in reported
    assert ("chart/person/@layout", "only layout") in reported
    assert "xyzzy" not in str(mapped.dropped) + str(mapped.bundle)


def test_a_resource_refers_to_the_one_around_it_and_to_its_patient() -> None:
    chart = {"person": PERSON, "visit": {"id": "v1", "finding": {"code": "pulse", "value": "x"}}}
    mapped = _mapped(chart)
    urls = {e["resource"]["resourceType"]: e["fullUrl"] for e in mapped.bundle["entry"]}
    finding = _only(mapped, "Observation")
    assert finding["encounter"] == {"reference": urls["Encounter"]}
    assert finding["subject"] == {"reference": urls["Patient"]}
    assert finding["code"] == {"text": "PULSE!"}
    assert finding["status"] == "unknown"


def test_a_resource_may_be_named_after_it_is_referred_to() -> None:
    findings = [
        {"code": "one", "sees": "later"},
        {"code": "two", "name": "later"},
    ]
    mapped = _mapped({"person": PERSON, "visit": {"id": "v1", "finding": findings}})
    one, two = _resources(mapped, "Observation")
    assert one["hasMember"] == [{"reference": f"urn:uuid:{two['id']}"}]


def test_a_function_may_give_the_name_of_a_resource() -> None:
    findings = [{"code": "one", "hears": "two"}, {"code": "two", "name": "TWO"}]
    mapped = _mapped({"person": PERSON, "visit": {"id": "v1", "finding": findings}})
    one, two = _resources(mapped, "Observation")
    assert one["hasMember"] == [{"reference": f"urn:uuid:{two['id']}"}]


def test_several_maps_of_one_branch_give_several_values() -> None:
    tests = [
        {"code": "a", "part": [{"code": "b"}, {"code": "c"}], "unread": "x"},
        {"code": "d", "hidden": "", "part": {"code": "e"}},
    ]
    mapped = _mapped({"person": PERSON, "visit": {"id": "v", "finding": {"tests": tests}}})
    found = {one["id"]: one for one in _resources(mapped, "Observation")}
    whole = next(one for one in found.values() if "hasMember" in one)
    members = [found[one["reference"][9:]] for one in whole["hasMember"]]
    assert [one["code"]["text"] for one in members] == ["A!", "B!", "C!", "D!"]
    assert "unread" in str(members[0]["extension"])


def test_a_resource_may_refer_to_the_one_around_it_of_whatever_type() -> None:
    chart = {"person": PERSON, "visit": {"id": "v1", "finding": {"code": "a", "within": "."}}}
    mapped = _mapped(chart)
    visit = _only(mapped, "Encounter")
    assert _only(mapped, "Observation")["focus"] == [{"reference": f"urn:uuid:{visit['id']}"}]


def test_a_reference_may_have_an_identifier_as_well() -> None:
    more = "@ Finding : Observation\nsees | hasMember[+m].identifier | Number\n"
    more += "sees | hasMember[+m] | >.\n"
    findings = [{"code": "one", "sees": ["later", "never"]}, {"code": "two", "name": "later"}]
    chart = {"person": PERSON, "visit": {"id": "v1", "finding": findings}}
    sheet = SHEET.replace("sees | hasMember | >.\n", "")
    mapped = _mapped(chart, _maps(sheet, site=more))
    one, two = _resources(mapped, "Observation")
    assert one["hasMember"] == [
        {"identifier": {"value": "later"}, "reference": f"urn:uuid:{two['id']}"},
        {"identifier": {"value": "never"}},
    ]


def test_a_decimal_keeps_its_digits() -> None:
    finding = {"code": "mass", "value": "4.00", "unit": "kg"}
    mapped = _mapped({"person": PERSON, "visit": {"id": "v1", "finding": finding}})
    assert str(_only(mapped, "Observation")["valueQuantity"]["value"]) == "4.00"


def test_an_end_before_its_start_is_kept_apart() -> None:
    chart = {"person": PERSON, "visit": {"id": "v1", "start": "20200102", "end": "20200101"}}
    visit = _only(_mapped(chart), "Encounter")
    assert visit["period"]["start"] == "2020-01-02"
    assert "end" not in visit["period"]
    assert "2020-01-01" in str(visit["period"]["extension"])


def test_the_same_source_gives_the_same_ids_and_another_one_others() -> None:
    chart = {"person": PERSON, "visit": {"id": "v1"}}
    assert _mapped(chart).bundle == _mapped(chart).bundle
    other = _mapped({"person": PERSON | {"number": "78"}, "visit": {"id": "v1"}})
    assert _only(other, "Patient")["id"] != _only(_mapped(chart), "Patient")["id"]


def test_each_element_can_tell_its_source_and_its_row() -> None:
    mapped = _mapped({"person": PERSON}, explain=True)
    found = {(e.element, e.source) for e in mapped.explained}
    assert ("birthDate", "chart/person/born") in found
    assert ("identifier.value", "chart/person/number") in found
    assert all("test.psv:" in e.rule for e in mapped.explained)


def test_rows_of_a_site_go_before_those_that_ship() -> None:
    more = "@ Patient : Patient\nperson/born | deceasedDateTime\nperson/pet | contact.name.text\n"
    person = _only(_mapped({"person": PERSON | {"pet": "Rex"}}, _maps(site=more)), "Patient")
    assert person["deceasedDateTime"] == "1980-02-29"
    assert person["contact"] == [{"name": {"text": "Rex"}}]


def test_a_choice_by_value_may_ask_for_more() -> None:
    more = (
        "@ Chart : choose\n | | Guest | | person/sex=m and person/nick\n@ Guest : RelatedPerson\n"
    )
    more += "person/name | name.text\n"
    person = PERSON | {"sex": "m"}
    assert _resources(_mapped({"person": person}, _maps(site=more)), "RelatedPerson") == []
    chart = {"person": person | {"nick": "A"}}
    assert len(_resources(_mapped(chart, _maps(site=more)), "RelatedPerson")) == 1


def test_a_resource_of_a_type_that_may_not_be_referred_to_stands_for_itself() -> None:
    more = "@ Visit : Encounter\nfinding | diagnosis.condition | Finding\n"
    chart = {"person": PERSON, "visit": {"id": "v1", "finding": {"code": "pulse", "name": "f"}}}
    mapped = _mapped(chart, _maps(site=more))
    assert "diagnosis" not in _only(mapped, "Encounter")
    assert {one["code"]["text"] for one in _resources(mapped, "Observation")} == {"PULSE!"}


def test_a_name_leads_only_to_types_that_may_be_referred_to() -> None:
    more = "@ Finding : Observation\nvisit | hasMember | >.\n"
    finding = {"code": "one", "visit": "v1"}
    mapped = _mapped(
        {"person": PERSON, "visit": {"id": "v1", "finding": finding}}, _maps(site=more)
    )
    found = _only(mapped, "Observation")
    assert "hasMember" not in found
    assert "v1" in str(found["extension"])


def test_rows_of_two_sheets_never_share_a_list_element() -> None:
    one = "@ Named : rows\nperson/pet | name.text\n"
    two = "@ Patient : Patient + Named\nperson/friend | name.given\n"
    chart = {"person": PERSON | {"pet": "Rex", "friend": "Bo"}}
    sheet = SHEET.replace("@ Patient : Patient\n", "@ Patient : Patient + Named\n")
    maps = _maps(sheet, one=one, two=two)
    names = _only(_mapped(chart, maps), "Patient")["name"]
    assert {"given": ["Bo"]} in names
    assert {"text": "Rex"} in names


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("x | nothing", "Patient.nothing"),
        ("x | name | Unknown", "Unknown"),
        ("x | gender | | Unknown", "Unknown"),
        ("x | name", "HumanName"),
        ("x | gender | missing(.)", "missing"),
        ("x | managingOrganization | >missing(.)", "missing"),
        ("x[ | gender", "brackets"),
        ("x | gender | 'a b  c'", "a b  c"),
        ("x", "target"),
        ("x | | -", "reason"),
        ("x | gender | | | | | | ", "fields"),
    ],
)
def test_a_row_that_cannot_be_followed_is_named(row: str, told: str) -> None:
    with pytest.raises(BadSheet, match=r"bad.psv:2.*" + told.replace(".", r"\.")):
        Maps({"bad.psv": f"@ P : Patient\n{row}\n"}, functions=FUNCTIONS).check()


def test_the_sheet_of_these_tests_can_be_followed() -> None:
    _maps().check()


def test_of_several_resources_for_one_place_the_others_stand_for_themselves() -> None:
    sheet = """
@ Chart : choose
 | | Visit | | visit |
@ Visit : Encounter
visit | serviceProvider | Both
 | class.code | 'AMB'
@ Both : each
one | | House
two | | House
@ House : Organization
. | name
"""
    chart = {"visit": {"one": "North", "two": "South"}}
    mapped = _mapped(chart, Maps({"own.psv": sheet}, functions={}))
    north, south = _resources(mapped, "Organization")
    assert (north["name"], south["name"]) == ("North", "South")
    assert _only(mapped, "Encounter")["serviceProvider"]["reference"].endswith(north["id"])


def test_people_and_houses_of_one_name_are_one_only_where_all_else_is_the_same() -> None:
    sheet = """
@ Chart : choose
 | | Staff | | doctor |
@ Staff : each
doctor | | Doctor
@ Doctor : Practitioner
name | name.text
phone | telecom.value
"""
    doctors = [{"name": "A. Smith", "phone": phone} for phone in ("1", "2", "1")]
    mapped = _mapped({"doctor": doctors}, Maps({"own.psv": sheet}, functions={}))
    found = _resources(mapped, "Practitioner")
    assert [one["telecom"][0]["value"] for one in found] == ["1", "2"]


def test_maps_that_have_the_rows_of_one_another_are_refused() -> None:
    sheet = "@ A : Patient + B\n@ B : Patient + A\n"
    with pytest.raises(BadSheet, match="own rows again"):
        Maps({"own.psv": sheet}, functions={}).check()
