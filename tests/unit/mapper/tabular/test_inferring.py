"""A draft map knows usual columns and how dates and numbers are written, and can be used as is."""

import pytest

from simdes.errors import Invalid
from simdes.fhir.validate import validate
from simdes.mapper import DEFAULT_SITE, LIMITS, Mapping, check_site, map_bytes, site_of
from simdes.mapper.tabular.inferring import Draft, draft

LABS = """MRN;Test Code;Test;Result;Unit;Collected Date;Operator
77;2345-7;Glucose;5,4;mmol/L;03/02/2024;xy
78;2951-2;Sodium;1.140,5;mmol/L;25/12/2023;ab
"""
PEOPLE = """Patient ID,First Name,Last Name,DOB,Sex,Shoe size
1,Ann,Doe,1980-02-03,F,38
2,Bob,Roe,1970-12-31,m,44
"""


def _draft(name: str, text: str) -> Draft:
    return draft(name, text.encode(), site=DEFAULT_SITE, limits=LIMITS)


def _used(name: str, text: str, *others: tuple[str, str]) -> Mapping:
    files: dict[str, bytes] = {}
    for one, table in [(name, text), *others]:
        made = _draft(one, table)
        files[f"csv/{one}.psv"] = made.sheet.encode()
        if made.codes:
            files[f"csv/codes-{one}.psv"] = made.codes.encode()
    site = site_of(files, default=DEFAULT_SITE)
    check_site(site)
    mapping = map_bytes(name, text.encode(), site=site)
    errors = [p for one in mapping.messages for p in validate(one.bundle) if p.severity == "error"]
    assert errors == []
    assert mapping.quarantined == ()
    return mapping


def test_a_draft_maps_results_with_the_numbers_and_dates_as_they_are_written() -> None:
    mapping = _used("labs.csv", LABS)
    first, second = (one.bundle["entry"][0]["resource"] for one in mapping.messages)
    assert first["resourceType"] == "Observation"
    assert first["effectiveDateTime"] == "2024-02-03"
    assert str(first["valueQuantity"]["value"]) == "5.4"
    assert str(second["valueQuantity"]["value"]) == "1140.5"
    assert first["subject"]["identifier"]["value"] == "77"
    assert [one.patient_identifiers[0][1] for one in mapping.messages] == ["77", "78"]


def test_a_draft_maps_people_and_lists_the_codes_that_need_a_look() -> None:
    made = _draft("people.csv", PEOPLE)
    assert made.type == "Patient"
    assert made.unknown == ("Shoe_size",)
    assert "PeopleSex | F | female" in made.codes
    assert "PeopleSex | m | male" in made.codes
    people = [one.bundle["entry"][0]["resource"] for one in _used("people.csv", PEOPLE).messages]
    assert [one["gender"] for one in people] == ["female", "male"]
    assert people[0]["name"] == [{"given": ["Ann"], "family": "Doe"}]


def test_drafts_of_several_tables_stand_side_by_side() -> None:
    first = _used("people.csv", PEOPLE, ("labs.csv", LABS))
    assert first.messages[0].patient_identifiers == (("urn:id:People", "1"),)


def test_a_draft_holds_no_cell() -> None:
    made = _draft("people.csv", PEOPLE)
    for word in ("Ann", "Bob", "Doe", "1980", "44"):
        assert word not in made.sheet + made.codes


def test_days_and_months_that_could_be_either_are_taken_as_day_first() -> None:
    made = _draft("x.csv", "patient,test,result,collected\n1,A,1,01/02/2024\n")
    assert "date(., 'dd/mm/yyyy')" in made.sheet
    made = _draft("x.csv", "patient,test,result,collected\n1,A,1,01/22/2024\n")
    assert "date(., 'mm/dd/yyyy')" in made.sheet


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(Invalid, match="header"):
        _draft("x.csv", "")


def test_columns_nobody_knows_give_a_draft_of_comments() -> None:
    made = _draft("x.csv", "foo,bar\n1,2\n")
    assert made.known == 0
    assert made.unknown == ("foo", "bar")
    check_site(site_of({"csv/x.psv": made.sheet.encode()}, default=DEFAULT_SITE))


def test_many_values_of_a_column_called_sex_are_no_codes_and_stay_where_they_are() -> None:
    rows = "".join(f"{n},Name{n}\n" for n in range(20))
    made = draft("people.csv", f"mrn,sex\n{rows}".encode(), site=DEFAULT_SITE, limits=LIMITS)
    assert "Name1" not in made.codes + made.sheet
