"""The source document and the Provenance of mapping, for every kind of input."""

from __future__ import annotations

import base64
from importlib import metadata
from unittest import mock

import pytest

from simdes.access.categories import Category, Label, mask
from simdes.exchange import provenance
from simdes.exchange.bundle import Submitted
from simdes.exchange.provenance import (
    OLDER,
    UNMAPPED_KINDS,
    Mapper,
    Origin,
    content_type,
    mapping_provenance,
    source_document,
)
from simdes.fhir.json import loads
from simdes.fhir.validate import validate
from simdes.mapper.api import FORMATS

MAPPER = Mapper(organisation=bytes(32), name="Hospital North", recorded_ms=1)
SAMPLES = {
    "{": b' {"00080016": {}}',
    "[": b"[]",
    "<": b"\xef\xbb\xbf<?xml version='1.0'?><x/>",
    "": b"\x00" * 128 + b"DICM",
}


def origin(**changed: object) -> Origin:
    values = {"kind": "hl7v2", "event": "ADT^A01", "source": b"MSH|", "labels": 0, "subject": ""}
    return Origin(**values | changed)  # type: ignore[arg-type]


def valid(one: Submitted) -> dict[str, object]:
    found: dict[str, object] = loads(one.content)
    assert [problem for problem in validate(found) if problem.severity == "error"] == []
    return found


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - UNMAPPED_KINDS))
def test_every_kind_of_input_that_is_mapped_has_a_media_type(kind: str) -> None:
    found = {content_type(kind, sample) for sample in SAMPLES.values()}
    assert found - {"application/octet-stream"}, f"{kind} needs one in exchange/provenance.py"


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("hl7v2", b"MSH|", "x-application/hl7-v2+er7"),
        ("cda", SAMPLES["<"], "text/xml"),
        ("x12", b"ISA*", "application/EDI-X12"),
        ("csv", b"a,b", "text/csv"),
        ("dicom", SAMPLES[""], "application/dicom"),
        ("dicom", SAMPLES["["], "application/dicom+json"),
        ("fhir-dstu2", SAMPLES["{"], "application/fhir+json"),
        ("fhir-stu3", SAMPLES["<"], "application/fhir+xml"),
        ("fhir-stu3", b"?", "application/octet-stream"),
        ("never-heard-of", b"x", "application/octet-stream"),
    ],
)
def test_the_media_type_is_that_of_the_kind_and_its_syntax(
    kind: str, source: bytes, expected: str
) -> None:
    assert content_type(kind, source) == expected


def test_a_source_document_holds_the_bytes_and_the_labels_of_all_it_made() -> None:
    one = source_document(origin(labels=mask((Label.HIV, Label.R)), subject="Patient/p"), MAPPER)
    found = valid(one)
    assert (one.category, one.labels) == (Category.SOURCES, mask((Label.HIV, Label.R)))
    assert found["subject"] == {"reference": "Patient/p"}
    [content] = found["content"]  # type: ignore[misc]
    assert base64.b64decode(content["attachment"]["data"]) == b"MSH|"


def test_the_same_bytes_give_the_same_document_and_others_another() -> None:
    same = source_document(origin(), MAPPER).logical_id
    assert source_document(origin(labels=1), MAPPER).logical_id == same
    assert source_document(origin(source=b"MSH"), MAPPER).logical_id != same
    assert "subject" not in valid(source_document(origin(), MAPPER))


def test_provenance_names_what_was_made_what_stood_and_the_document() -> None:
    document = source_document(origin(), MAPPER)
    one = mapping_provenance(
        origin(),
        MAPPER,
        targets=["Patient/p/_history/1"],
        older=["Observation/o/_history/2"],
        document=document,
    )
    found = valid(one)
    assert found["target"] == [{"reference": "Patient/p/_history/1"}]
    assert found["extension"] == [
        {"url": OLDER, "valueReference": {"reference": "Observation/o/_history/2"}}
    ]
    [entity] = found["entity"]  # type: ignore[misc]
    assert entity["what"] == {"reference": f"DocumentReference/{document.logical_id}"}


def test_parts_of_one_message_have_provenances_of_their_own() -> None:
    parts = [
        mapping_provenance(
            origin(subject=subject), MAPPER, targets=[subject], older=[], document=None
        )
        for subject in ("Patient/a", "Patient/b")
    ]
    assert len({one.logical_id for one in parts}) == 2
    assert all("display" in str(valid(one)["entity"]) for one in parts)


def test_a_program_that_is_not_installed_has_version_0() -> None:
    provenance.version.cache_clear()
    with mock.patch.object(metadata, "version", side_effect=metadata.PackageNotFoundError):
        assert provenance.version() == "0"
    provenance.version.cache_clear()
    assert provenance.version()
