"""Declared maps make R4 of tables; Synthea's export (tests/vectors/csv) is the example."""

import json
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.validate import validate
from simdes.mapper import (
    DEFAULT_SITE,
    LIMITS,
    Limits,
    Mapping,
    Site,
    detect,
    map_bytes,
    site_of,
)
from simdes.mapper.tabular.mapping import maps_of
from simdes.mapper.tabular.reader import read

VECTORS = sorted((Path(__file__).parents[3] / "vectors/csv").glob("*.csv"))
PEOPLE = "id,name,born,pet\n1,Ann,1980-02-03,Rex\n2,Bob,soon,\n1,Ann,1980-02-03,Tom\n"
SHEET = """@ Table : choose
source | target | as | codes | when | why
 | | People | | @table=people and columns/born |

@ People : Patient
id | identifier | Number
name | name.text
born | birthDate

@ Number : Identifier
. | value
 | system | 'urn:id:people'
"""


def _mapped(text: str, name: str = "people.csv", site: Site | None = None) -> Mapping:
    own = site_of({"csv/people.psv": SHEET.encode()}, default=DEFAULT_SITE)
    return map_bytes(name, text.encode(), site=site or own)


def _resources(mapping: Mapping) -> list[dict[str, Any]]:
    return [entry["resource"] for one in mapping.messages for entry in one.bundle["entry"]]


def test_every_shipped_map_can_be_followed() -> None:
    maps_of(DEFAULT_SITE).check()  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_every_row_of_synthea_becomes_valid_r4_with_all_its_cells(path: Path) -> None:
    mapping = map_bytes(path.name, path.read_bytes())
    assert mapping.quarantined == ()
    assert [
        problem
        for one in mapping.messages
        for problem in validate(one.bundle)
        if problem.severity == "error"
    ] == []
    made = json.dumps([one.bundle for one in mapping.messages], default=str, ensure_ascii=False)
    made = made.replace(" ", "").lower()
    table = read(path.name, path.read_bytes(), site=DEFAULT_SITE, limits=LIMITS)
    translated = {"SYSTEM", "GENDER", "TYPE", "ENCOUNTERCLASS"}
    missing = {
        (column, cell)
        for row in table.rows(LIMITS.messages)
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.strip() and column not in translated
        if cell.strip().replace(" ", "").lower().rstrip("z") not in made
    }
    assert missing == set()


def test_rows_of_one_patient_become_one_bundle() -> None:
    mapping = _mapped(PEOPLE)
    assert [one.patient_identifiers for one in mapping.messages] == [
        (("urn:id:people", "1"),),
        (("urn:id:people", "2"),),
    ]
    first = mapping.messages[0]
    assert first.source == b"id,name,born,pet\n1,Ann,1980-02-03,Rex\n1,Ann,1980-02-03,Tom\n"
    assert len(first.bundle["entry"]) == 1
    assert "Rex" in str(first.bundle) and "Tom" in str(first.bundle)


def test_a_bad_cell_is_kept_beside() -> None:
    bob = _resources(_mapped(PEOPLE))[1]
    assert "birthDate" not in bob
    assert bob["extension"] == [
        {
            "url": "urn:simdes:csv:unmapped",
            "extension": [{"url": "born", "valueString": "soon"}],
        }
    ]


def test_a_bad_row_costs_only_itself_and_comes_with_its_header() -> None:
    mapping = _mapped("id,name,born,pet\n1,Ann,1980-02-03,Rex\n2,Bob\n")
    assert len(mapping.messages) == 1
    (refused,) = mapping.quarantined
    assert refused.reason_code == "bad-row"
    assert refused.source == b"id,name,born,pet\n2,Bob\n"
    assert "Bob" not in refused.reason + refused.advice


def test_a_table_nobody_declared_is_quarantined_with_the_way_out() -> None:
    mapping = map_bytes("shoes.csv", b"size,colour\n38,red\n39,blue\n")
    assert mapping.messages == ()
    assert {one.reason_code for one in mapping.quarantined} == {"no-map"}
    assert "simdes infer" in mapping.quarantined[0].advice


def test_the_same_table_twice_gives_the_same_bundles() -> None:
    assert _mapped(PEOPLE) == _mapped(PEOPLE)


def test_a_sender_is_the_table_so_that_its_times_may_have_a_zone() -> None:
    files = {
        "csv/people.psv": SHEET.replace("birthDate", "deceasedDateTime").encode(),
        "site.toml": b'[senders.people]\ntime_zone = "+05:30"\n',
    }
    site = site_of(files, default=DEFAULT_SITE)
    (person,) = _resources(_mapped("id,name,born\n1,Ann,2020-01-01 10:00:00\n", site=site))
    assert person["deceasedDateTime"] == "2020-01-01T10:00:00+05:30"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("x.csv", b"a\n1\n", "csv"),
        ("x.tsv", b"a\tb\n1\t2\n", "csv"),
        ("feed", b"a,b,c\n1,2,3\n4,5,6\n", "csv"),
        ("letter", b"Dear Ann,\nhow are you, and Bob, and Tim?\nYours, C.\n", "text"),
    ],
)
def test_tables_are_recognised(name: str, data: bytes, kind: str) -> None:
    assert detect(name, data) == kind


def test_rows_beyond_the_limit_are_kept_in_quarantine_all_of_them() -> None:
    own = site_of({"csv/people.psv": SHEET.encode()}, default=DEFAULT_SITE)
    mapping = map_bytes("people.csv", PEOPLE.encode(), site=own, limits=Limits(messages=1))
    assert len(mapping.messages) == 1
    (over,) = mapping.quarantined
    assert over.reason_code == "too-large"
    assert over.source == b"id,name,born,pet\n2,Bob,soon,\n1,Ann,1980-02-03,Tom\n"


def test_what_two_rows_say_differently_of_one_patient_is_both_kept() -> None:
    mapping = _mapped("id,name,born\n1,Ann,1980-02-03\n1,Ann,1981-02-03\n")
    (person,) = _resources(mapping)
    assert person["birthDate"] == "1980-02-03"
    assert "1981-02-03" in str(person["extension"])


def test_a_choice_is_made_once_and_the_other_is_kept_beside() -> None:
    sheet = SHEET + "\n@ People : Patient\ndead | deceasedBoolean\ndied | deceasedDateTime\n"
    site = site_of({"csv/people.psv": sheet.encode()}, default=DEFAULT_SITE)
    text = "id,born,dead,died\n1,1980-02-03,true,\n1,1980-02-03,,2020-01-02\n"
    mapping = _mapped(text, site=site)
    assert [p for one in mapping.messages for p in validate(one.bundle) if p.is_error] == []
    (person,) = _resources(mapping)
    assert person["deceasedBoolean"] is True
    assert "2020-01-02" in str(person["extension"])


def test_patients_without_identifier_never_share_a_bundle() -> None:
    mapping = _mapped("id,name,born\n,Ann,1980-02-03\n,Bob,1980-02-03\n,Ann,1980-02-03\n")
    assert [len(one.bundle["entry"]) for one in mapping.messages] == [1, 1, 1]


def test_a_table_without_a_map_is_one_document_of_the_quarantine() -> None:
    data = b"size,colour\n38,red\n39,blue\n"
    (refused,) = map_bytes("shoes.csv", data).quarantined
    assert refused.source == data


def test_a_table_with_a_message_in_a_cell_is_still_a_table() -> None:
    data = b'id,note,x\n1,"he sent\nMSH|^~\\&|A|B\nPID|1",2\n'
    assert detect("notes.csv", data) == "csv"
    assert detect("notes", data) == "hl7v2"


def test_thousands_of_rows_of_one_patient_are_gathered_in_linear_time() -> None:
    rows = "".join(f"1,Ann{n},1980-02-03,Rex{n}\n" for n in range(8_000))
    start = process_time()
    (person,) = _resources(_mapped(f"id,name,born,pet\n{rows}"))
    assert len(person["name"]) == len(person["extension"]) == 8_000
    assert process_time() - start < 20


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
def test_rubbish_in_a_table_never_raises_and_is_all_accounted_for(
    tail: bytes, at: int, byte: int
) -> None:
    data = bytearray((VECTORS[0]).read_bytes()[:400] + tail)
    data[at % len(data)] = byte
    mapping = map_bytes(VECTORS[0].name, bytes(data), kind="csv")
    assert mapping.messages or mapping.quarantined
    for one in mapping.messages:
        assert [p for p in validate(one.bundle) if p.severity == "error"] == []
    for refused in mapping.quarantined:
        assert refused.source
