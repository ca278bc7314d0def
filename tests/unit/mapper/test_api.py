"""The verbs: detect, map_bytes, report, and what becomes of bad input."""

import json
import time
from time import process_time

import pytest

from simdes.mapper import Limits, Quarantined, Site, detect, map_bytes, report
from unit.mapper.hl7v2.messages import NOT_SUPPORTED_YET, VECTORS, WITHOUT_PATIENT, message

SECRET = "Zebedee"


def refused(data: bytes, name: str = "x.hl7", **options: object) -> Quarantined:
    mapping = map_bytes(name, data, **options)  # type: ignore[arg-type]
    assert mapping.messages == ()
    (item,) = mapping.quarantined
    assert item.reason
    assert item.advice
    assert SECRET not in item.reason + item.advice
    return item


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b" \r\n\x00", "empty"),
        (b"MSH|^~\\&|", "hl7v2"),
        (b"\xef\xbb\xbfMSH|^~\\&|", "hl7v2"),
        (b"\x0bMSH$%*!:$", "hl7v2"),
        (b"FHS|^~\\&|", "hl7v2"),
        (b"log line\rMSH|^~\\&|", "hl7v2"),
        ("MSH|^~\\&|".encode("utf-16"), "hl7v2"),
        (b'{"resourceType":"Patient"}', "fhir"),
        (b"{}", "json"),
        (b"[1]", "json"),
        (b"<ClinicalDocument/>", "cda"),
        (b"<?xml version='1.0'?><!-- x --><n1:ClinicalDocument xmlns:n1='urn:hl7-org:v3'>", "cda"),
        ("<ClinicalDocument>".encode("utf-16"), "cda"),
        (b"<section/>", "xml"),
        (b"ISA*00*", "x12"),
        (b"PK\x03\x04rest", "zip"),
        (b"%PDF-1.7", "pdf"),
        (b"\x1f\x8bxyz", "gzip"),
        (b"\x00" * 128 + b"DICM", "dicom"),
        (b"hello", "text"),
        (b"\x01\x02\x03hello", "binary"),
        (b"MSHA is a word", "text"),
    ],
)
def test_inputs_are_recognised(data: bytes, kind: str) -> None:
    assert detect("input", data) == kind


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\r\n", "empty"),
        (b"hello", "outside-message"),
        (b"<xml/>", "unsupported-format"),
        (b"PK\x03\x04", "unsupported-format"),
        (b"{}", "unsupported-format"),
        (b'{"resourceType":', "invalid-fhir"),
        (bytes(range(256)) * 10, "outside-message"),
        (b"MSH", "outside-message"),
        (b"MSH|", "wrong-separators"),
        (b"MSH|^~\\&", "truncated-header"),
        (b"MSH|^~\\&|A|B|C|D|2024", "truncated-header"),
        (b"MSH|^~\\&|A|B|C|D|2024|||1|P|2.5", "no-message-type"),
        (b"MSH|^~\\&|A|B|C|D|2024||QQQ^Z99|1|P|2.5", "unsupported-message"),
        (b"MSH|^~\\&|A|B|C|D|2024||ADT^A01|1|P|2.5", "no-patient"),
        (b"MSH|^^^^|A|B|C|D|2024||ADT^A01|1|P|2.5", "no-patient"),
        (message("PID|1||7||Zebedee\xff".encode("latin-1").decode("latin-1"))[:-2] + b"\xff",
         "wrong-encoding"),
    ],
)  # fmt: skip
def test_bad_input_is_quarantined_with_a_reason(data: bytes, code: str) -> None:
    item = refused(data)
    assert item.reason_code == code
    assert item.source == data.strip(b"\r\n") or item.source == data


@pytest.mark.parametrize("name", NOT_SUPPORTED_YET)
def test_other_message_types_wait_for_an_upgrade(name: str) -> None:
    data = (VECTORS / name).read_bytes()
    item = refused(data)
    assert item.reason_code == "unsupported-message"
    assert "not supported yet" in item.reason
    assert item.source.startswith(b"MSH")


@pytest.mark.parametrize("name", WITHOUT_PATIENT)
def test_an_adt_without_a_patient_is_quarantined(name: str) -> None:
    assert refused((VECTORS / name).read_bytes()).reason_code == "no-patient"


def test_a_bad_message_never_loses_the_file() -> None:
    good = message("PID|1||7")
    feed = b"\r".join((good, b"MSH|^~\\&|broken", b"MSH|^~\\&|||||||QQQ^Z99|1", good))
    mapping = map_bytes("feed", feed)
    assert [one.index for one in mapping.messages] == [0, 3]
    assert [one.index for one in mapping.quarantined] == [1, 2]
    assert mapping.messages[1].source == good


def test_a_fault_of_the_mapper_costs_only_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    from simdes.mapper.hl7v2 import engine

    real = engine.Engine.run

    def failing(self: engine.Engine, *arguments: object) -> object:
        if any(s.field(3) == "boom" for s in self.message.segments):
            raise KeyError(SECRET)
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.Engine, "run", failing)
    feed = message("PID|1||boom") + b"\r" + message("PID|1||fine")
    mapping = map_bytes("feed", feed)
    assert len(mapping.messages) == 1
    assert mapping.quarantined[0].reason_code == "mapper-fault"
    assert SECRET not in mapping.quarantined[0].reason


@pytest.mark.parametrize(
    "data",
    [
        message("PID|1||7||" + "x" * 3_000_000),
        message("PID|1||7", "OBX|1|ED|1^x||a^b^c^Base64^" + "QUJD" * 500_000),
        message("PID|1||7", "OBX|1|FT|1^x||" + "\\.br\\" * 200_000),
        message("PID|1||7", "OBX|1|FT|1^x||" + "\\" * 1_000_000),
        message("PID|1||7", "NTE|1||" + "^" * 500_000),
        message("PID|1||7", *["OBX|1|ST|1^x||v||||||F"] * 3_000, event="ORU^R01"),
        message("PID" + "|" * 200_000),
        message("PID|1||7", "Z" * 1_000_000),
    ],
    ids=["name", "base64", "escapes", "backslashes", "components", "segments", "fields", "line"],
)
def test_huge_input_takes_bounded_time(data: bytes) -> None:
    began = time.process_time()
    mapping = map_bytes("x.hl7", data)
    assert time.process_time() - began < 10
    assert len(mapping.messages) + len(mapping.quarantined) == 1


def test_a_field_longer_than_fhir_allows_is_reported_with_its_length() -> None:
    mapping = map_bytes("x", message("PID|1||7||" + "x" * 2_000_000))
    (one,) = mapping.messages
    assert ("PID-5.1" in {d.path for d in one.dropped}) or (
        "PID-5" in {d.path for d in one.dropped}
    )
    assert any("2000000 characters" in d.reason for d in one.dropped)


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (Limits(file_bytes=10), message("PID|1||7")),
        (Limits(message_bytes=10), message("PID|1||7")),
        (Limits(segments=2), message("PID|1||7", "PV1|1", "PV2|1")),
        (Limits(repetitions=100), message("PID|1||" + "~".join(["7"] * 200))),
        (Limits(resources=3), message("PID|1||7", "PV1|1", "AL1|1", "AL1|2")),
        (Limits(messages=0), message("PID|1||7")),
    ],
)
def test_every_limit_quarantines(limits: Limits, data: bytes) -> None:
    assert refused(data, limits=limits).reason_code == "too-large"


def test_utf_16_is_read() -> None:
    text = message("PID|1||7||Łódź").decode()
    mapping = map_bytes("x", text.encode("utf-16"))
    (one,) = mapping.messages
    patient = next(
        e["resource"] for e in one.bundle["entry"] if e["resource"]["resourceType"] == "Patient"
    )
    assert patient["name"][0]["family"] == "Łódź"


def test_the_sites_time_zone_counts_where_the_message_names_none() -> None:
    data = message("PID|1||7", "PV1|1|I" + "|" * 42 + "20240701080000")
    mapping = map_bytes("x", data, site=Site(time_zone="Europe/Paris"))
    encounter = next(
        e["resource"]
        for e in mapping.messages[0].bundle["entry"]
        if e["resource"]["resourceType"] == "Encounter"
    )
    assert encounter["period"]["start"] == "2024-07-01T08:00:00+02:00"


def test_the_report_counts_everything_and_is_json() -> None:
    mappings = [
        map_bytes("good", message("PID|1||7", "ZZZ|local")),
        map_bytes("bad", b"\x01\x02"),
        map_bytes("other", message(event="QQQ^Z99")),
    ]
    made = report(mappings)
    assert json.loads(json.dumps(made)) == made
    assert made["inputs"] == 3
    assert made["events"] == {"ADT^A01": 1}
    assert made["resources"]["Patient"] == 1
    assert {"path": "ZZZ-1", "reason": "locally defined segment (5 characters)", "count": 1} in (
        made["dropped"]
    )
    assert [item["input"] for item in made["quarantined"]] == ["bad", "other"]
    assert "local" not in json.dumps(made["dropped"]).replace("locally", "")


def test_a_directory_of_mixed_rubbish_is_all_accounted_for() -> None:
    rubbish = {
        "empty": b"",
        "photo.jpg": b"\xff\xd8\xff\xe0" + bytes(1000),
        "notes.txt": b"buy milk",
        "old.hl7": b"MSH|^~\\&|",
        "data.json": b'{"a": 1}',
        "cda.xml": b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>",
        "good.hl7": message("PID|1||7"),
    }
    mappings = [map_bytes(name, data) for name, data in rubbish.items()]
    assert all(len(m.messages) + len(m.quarantined) == 1 for m in mappings)
    assert report(mappings)["messages"] == 1
    assert len(report(mappings)["quarantined"]) == len(rubbish) - 1


@pytest.mark.parametrize("piece", [b"<A ", b"<A '", b'["00000000":{"vr" ', b"<a:", b"\nMS"])
def test_a_kind_is_found_in_linear_time(piece: bytes) -> None:
    start = process_time()
    detect("x", piece * (65_536 // len(piece)))
    assert process_time() - start < 1
