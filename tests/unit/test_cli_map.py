"""`simdes map` with a site's folder and with `--explain`, as real commands."""

import json
from pathlib import Path

import pytest

from simdes.commands.mapping import SourceKind
from simdes.mapper.api import FORMATS
from support.gateways import simdes

BAD_INPUT = 5
MESSAGE = (
    "MSH|^~\\&|APP|HOSP|||20240101120000||ADT^A01|1|P|2.5.1\r"
    "EVN|A01|20240101\rPID|1||77^^^HOSP^MR||Doe^Ann||1980|F\rPV1|1|I\rZPD|gold\r"
)
HEADER = "verb | map | source | target | when | datatype | vocabulary | assign | why\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.hl7").write_text(MESSAGE)
    site = tmp_path / "site/hl7v2"
    site.mkdir(parents=True)
    (site.parent / "site.toml").write_text('[systems]\nHOSP = "https://hospital.example/mrn"\n')
    return tmp_path


def test_a_sites_folder_changes_what_map_writes(folder: Path) -> None:
    (folder / "site/hl7v2/z.psv").write_text(HEADER + "add | ZPD[Patient] | ZPD-1 | name[9].text\n")
    done = simdes("map", folder / "in.hl7", "--out", folder / "out", "--site", folder / "site")
    assert done.returncode == 0, done.stderr
    text = (folder / "out/in.hl7.1.json").read_text()
    assert '"https://hospital.example/mrn"' in text
    assert '{"text":"gold"}' in text


def test_a_fault_in_a_site_is_told_with_its_line_before_anything_is_mapped(folder: Path) -> None:
    (folder / "site/hl7v2/z.psv").write_text(HEADER + "add | ZPD[Patient] | ZPD-1 | colour\n")
    done = simdes("map", folder / "in.hl7", "--out", folder / "out", "--site", folder / "site")
    assert done.returncode == BAD_INPUT
    assert "hl7v2/z.psv:2" in done.stderr
    assert "colour" in done.stderr
    assert not (folder / "out").exists()


def test_a_site_that_is_not_there_is_named(folder: Path) -> None:
    done = simdes("map", folder / "in.hl7", "--out", folder / "out", "--site", folder / "nowhere")
    assert done.returncode != 0
    assert "nowhere" in done.stderr


def test_explain_writes_source_and_row_of_each_element(folder: Path) -> None:
    done = simdes("map", folder / "in.hl7", "--out", folder / "out", "--explain")
    assert done.returncode == 0, done.stderr
    rows = json.loads((folder / "out/in.hl7.1.explained.json").read_text())
    assert {"element": "gender", "source": "PID-8", "rule": "PID[Patient] 8"} in [
        {name: row[name] for name in ("element", "source", "rule")} for row in rows
    ]
    bundle = json.loads((folder / "out/in.hl7.1.json").read_text())
    made = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]}
    assert {row["resource"] for row in rows} <= made


def test_infer_drafts_a_map_that_map_can_use_and_never_overwrites_one(folder: Path) -> None:
    table = folder / "labs.csv"
    table.write_text("mrn,test,result,unit\n7,Glucose,5.4,mmol/L\n8,Sodium,140,mmol/L\n")
    done = simdes("infer", table, "--out", folder / "site", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["type"] == "Observation"
    done = simdes("map", table, "--out", folder / "out", "--site", folder / "site")
    assert done.returncode == 0, done.stderr
    assert '"value":5.4' in (folder / "out/labs.csv.1.json").read_text()
    again = simdes("infer", table, "--out", folder / "site")
    assert again.returncode != 0
    assert "there already" in again.stderr


def test_map_takes_every_kind_of_input_that_the_mapper_has() -> None:
    assert {str(kind) for kind in SourceKind} == {"auto", *FORMATS}


def test_a_name_at_the_file_systems_limit_is_cut_and_stays_its_own(folder: Path) -> None:
    for last in "ab":
        (folder / ("y" * 250 + last)).write_text(MESSAGE)
    done = simdes("map", *folder.glob("yyy*"), "--out", folder / "out", "--explain")
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "out").iterdir())) == 4
