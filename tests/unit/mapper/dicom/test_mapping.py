"""DICOM studies become ImagingStudies; pydicom's own test files and QIDO-RS answers as examples."""

import io
import json
import zlib
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.validate import validate
from simdes.mapper import DEFAULT_SITE, Limits, Mapping, Site, detect, map_bytes
from simdes.mapper.dicom.mapping import maps_of

FILES = Path(pydicom.data.__file__).parent / "test_files"
STUDY = "1.2.840.113619.2.1"
WHOLE = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_truncated.dcm",
    "ExplVR_BigEndNoMeta.dcm",
    "badVR.dcm",
    "examples_rgb_color.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
    "reportsi.dcm",
    "rtdose_1frame.dcm",
    "rtplan.dcm",
    "rtstruct.dcm",
    "test-SR.dcm",
    "test1.json",
    "waveform_ecg.dcm",
]


def _element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def _instance(number: int, series: str = "1.2.3.1", **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "00080016": _element("UI", "1.2.840.10008.5.1.4.1.1.2"),
        "00080018": _element("UI", f"{series}.{number}"),
        "0020000D": _element("UI", STUDY),
        "0020000E": _element("UI", series),
        "00200013": _element("IS", number),
        "00080060": _element("CS", "CT"),
        "00080020": _element("DA", "20240229"),
        "00080030": _element("TM", "101500"),
        "00080201": _element("SH", "+0530"),
        "00080050": _element("SH", "ACC1"),
        "00100020": _element("LO", "77"),
        "00100021": _element("LO", "HOSP"),
        "00100010": _element("PN", {"Alphabetic": "Doe^Ann^M^Dr", "Ideographic": "山田^花子"}),
        "00100030": _element("DA", "19800203"),
        "00100040": _element("CS", "F"),
        "00101030": _element("DS", 61.50),
        **more,
    }


def _mapped(datasets: Any, site: Site = DEFAULT_SITE) -> Mapping:
    mapping = map_bytes("qido.json", json.dumps(datasets).encode(), site=site)
    errors = [p for one in mapping.messages for p in validate(one.bundle) if p.severity == "error"]
    assert errors == []
    return mapping


def _only(mapping: Mapping, kind: str) -> dict[str, Any]:
    assert mapping.quarantined == ()
    found = [e["resource"] for one in mapping.messages for e in one.bundle["entry"]]
    (one,) = [resource for resource in found if resource["resourceType"] == kind]
    result: dict[str, Any] = one
    return result


@pytest.mark.parametrize("name", WHOLE)
def test_pydicoms_files_become_valid_r4(name: str) -> None:
    mapping = map_bytes(name, (FILES / name).read_bytes())
    assert mapping.kind == "dicom"  # without a preamble, by the name
    assert mapping.quarantined == ()
    (study,) = mapping.messages
    assert [p for p in validate(study.bundle) if p.severity == "error"] == []


def test_every_text_of_a_header_is_in_the_output_or_reported() -> None:
    data = (FILES / "CT_small.dcm").read_bytes()
    (study,) = map_bytes("ct", data).messages
    made = json.dumps(study.bundle, default=str, ensure_ascii=False)
    header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    reported = {one.path for one in study.dropped}
    spread = {"StudyTime", "SeriesTime", "StudyDate", "SeriesDate", "TimezoneOffsetFromUTC"}
    missing = [
        (element.keyword, part)
        for element in header.iterall()
        if element.VR != "SQ" and f"Tag_{int(element.tag):08X}" not in reported
        for part in str(element.value).strip("[]").replace("'", "").split(", ")
        if part.strip() and element.keyword not in spread and element.VR not in ("PN", "FD", "FL")
        if part.strip() not in made and element.keyword != "PatientSex"
    ]
    assert missing == []
    assert "2004-01-19T07:27:30-05:00" in made
    assert "1997-04-30T11:27:49-05:00" in made


def test_instances_of_a_study_are_gathered_in_its_series() -> None:
    study = _only(
        _mapped([_instance(1), _instance(2), _instance(1, "1.2.3.2")]),
        "ImagingStudy",
    )
    assert [len(one["instance"]) for one in study["series"]] == [2, 1]
    assert study["identifier"][0] == {
        "use": "official",
        "system": "urn:dicom:uid",
        "value": f"urn:oid:{STUDY}",
    }
    assert study["started"] == "2024-02-29T10:15:00+05:30"
    assert study["modality"] == [
        {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}
    ]


def test_each_study_of_an_answer_is_a_message_of_its_own() -> None:
    other = _instance(1) | {"0020000D": _element("UI", "1.2.9"), "00100020": _element("LO", "78")}
    mapping = _mapped([_instance(1), other])
    assert [one.patient_identifiers for one in mapping.messages] == [
        (("urn:id:HOSP", "77"),),
        (("urn:id:HOSP", "78"),),
    ]


def test_the_patient_has_names_in_every_writing_and_the_issuers_number() -> None:
    site = Site(systems={"HOSP": "https://hospital.example/mrn"})
    patient = _only(_mapped([_instance(1)], site), "Patient")
    assert patient["identifier"] == [{"value": "77", "system": "https://hospital.example/mrn"}]
    names = [(one["family"], one["given"]) for one in patient["name"]]
    assert names == [("Doe", ["Ann", "M"]), ("山田", ["花子"])]
    assert patient["name"][0]["prefix"] == ["Dr"]
    assert patient["birthDate"] == "1980-02-03"
    assert patient["gender"] == "female"


def test_weight_is_an_observation_with_the_precision_it_was_sent_with() -> None:
    text = json.dumps([_instance(1)]).replace("61.5", "61.50")
    mapping = map_bytes("qido.json", text.encode())
    weight = _only(mapping, "Observation")
    assert str(weight["valueQuantity"]["value"]) == "61.50"
    assert weight["subject"]["reference"].startswith("urn:uuid:")


def test_all_items_of_a_sequence_are_kept_and_equal_ones_of_other_instances_said_once() -> None:
    others = {
        "00101002": _element(
            "SQ", {"00100020": _element("LO", "A")}, {"00100020": _element("LO", "B")}
        )
    }
    mapping = _mapped([_instance(1, **others), _instance(2, **others)])
    values = [one["value"] for one in _only(mapping, "Patient")["identifier"]]
    assert values == ["77", "A", "B"]


def test_binary_values_are_reported_and_bulk_data_keeps_its_address() -> None:
    data = {
        "00420011": {"vr": "OB", "InlineBinary": "AAAA"},
        "00287FE0": {"vr": "OW", "BulkDataURI": "https://pacs.example/bulk/1"},
    }
    (study,) = _mapped([_instance(1, **data)]).messages
    assert [one.path for one in study.dropped] == ["EncapsulatedDocument"]
    assert "https://pacs.example/bulk/1" in str(study.bundle)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([{"00100020": _element("LO", "77")}], "no-study"),
        ([{"00100020": "77"}], "invalid-dicom"),
        (["text"], "invalid-dicom"),
        ([{"notatag": _element("LO", "77")}], "invalid-dicom"),
    ],
)
def test_json_that_is_no_study_is_quarantined_without_a_value(value: Any, code: str) -> None:
    mapping = map_bytes("x", json.dumps(value).encode(), kind="dicom")
    (refused,) = mapping.quarantined
    assert refused.reason_code == code
    assert "77" not in refused.reason + refused.advice


def test_a_deeply_nested_dataset_is_refused() -> None:
    inner: dict[str, Any] = {}
    for _ in range(40):
        inner = {"00081140": _element("SQ", inner)}
    mapping = map_bytes("x", json.dumps([inner]).encode(), kind="dicom")
    assert [one.reason_code for one in mapping.quarantined] == ["too-large"]


def test_a_deflated_bomb_is_refused_with_bounded_memory() -> None:
    data = (FILES / "image_dfl.dcm").read_bytes()
    start = data.index(b"1.2.840.10008.1.2.1.99")
    head = data[: start + 22 + 40]
    plain = zlib.decompressobj(-zlib.MAX_WBITS)
    meta_end = next(
        at for at in range(start + 22, len(head) + 400) if _inflates(data[at:], plain.copy())
    )
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(b"\0" * 32_000_000) + packer.flush()
    mapping = map_bytes("x", data[:meta_end] + bomb, limits=Limits(file_bytes=1_000_000))
    assert [one.reason_code for one in mapping.quarantined] == ["too-large"]


def _inflates(data: bytes, inflater: Any) -> bool:
    try:
        return bytes(inflater.decompress(data, 200))[:2] == b"\x08\x00"
    except zlib.error:
        return False


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, 4_000), st.integers(0, 255), st.integers(200, 5_000))
def test_damaged_files_never_raise(at: int, byte: int, length: int) -> None:
    data = bytearray((FILES / "CT_small.dcm").read_bytes()[:length])
    if at < len(data):
        data[at] = byte
    mapping = map_bytes("x", bytes(data), kind="dicom")
    assert len(mapping.messages) + len(mapping.quarantined) == 1


def test_dicom_json_is_recognised() -> None:
    assert detect("x", json.dumps([_instance(1)], indent=1).encode()) == "dicom"
    assert detect("x", b'[{"vr": 1}]') == "json"


def test_the_same_study_twice_gives_the_same_bundle() -> None:
    assert _mapped([_instance(1)]) == _mapped([_instance(1)])


def test_every_shipped_map_can_be_followed() -> None:
    maps_of(DEFAULT_SITE).check()


def test_a_studys_document_holds_nothing_about_another_patient() -> None:
    named = {
        "00100010": _element("PN", {"Alphabetic": "Roe^Bob"}),
        "0020000D": _element("UI", "1.2.9"),
        "00100020": _element("LO", "78"),
    }
    mapping = _mapped([_instance(1), _instance(1) | named, _instance(2)])
    ann, bob = (one.source for one in mapping.messages)
    assert b"Roe" in bob and b"Doe" not in bob
    assert b"Roe" not in ann and ann != bob
    again = map_bytes("again", ann)
    assert [one.bundle for one in again.messages] == [mapping.messages[0].bundle]


def test_a_study_under_two_patient_ids_is_refused_without_telling_them() -> None:
    mapping = _mapped([_instance(1), _instance(2) | {"00100020": _element("LO", "78")}])
    (refused,) = mapping.quarantined
    assert refused.reason_code == "several-patients"
    assert "77" not in refused.reason + refused.advice


def test_an_attribute_of_endless_values_is_refused() -> None:
    names = {"00101001": _element("PN", *({"Alphabetic": f"a{n}"} for n in range(2_001)))}
    (refused,) = _mapped([_instance(1) | names]).quarantined
    assert refused.reason_code == "too-large"
