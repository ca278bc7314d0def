"""References are taken apart and followed as the standard says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.fhir.reference import BundleIndex, contained, parse_reference

URN = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"


@pytest.mark.parametrize(
    ("text", "kind", "type_", "id_", "version", "base"),
    [
        ("Patient/1", "relative", "Patient", "1", "", ""),
        ("Patient/1/_history/2", "relative", "Patient", "1", "2", ""),
        (
            "https://host/fhir/Patient/a.b-c",
            "absolute",
            "Patient",
            "a.b-c",
            "",
            "https://host/fhir/",
        ),
        (
            "http://h:8080/a/b/Patient/1/_history/3",
            "absolute",
            "Patient",
            "1",
            "3",
            "http://h:8080/a/b/",
        ),
        ("#p1", "fragment", "", "p1", "", ""),
        ("#", "fragment", "", "", "", ""),
        (URN, "urn", "", "", "", ""),
        ("urn:oid:1.2.3", "urn", "", "", "", ""),
        ("Patient?identifier=http://x|1", "conditional", "Patient", "", "", ""),
        ("http://example.org/anything", "other", "", "", "", ""),
        ("http://example.org/Nonsense/1", "other", "", "", "", ""),
        ("Nonsense/1", "unreadable", "", "", "", ""),
        ("Patient", "unreadable", "", "", "", ""),
        ("Patient/", "unreadable", "", "", "", ""),
        ("Patient/a_b", "unreadable", "", "", "", ""),
        ("1", "unreadable", "", "", "", ""),
        ("", "unreadable", "", "", "", ""),
    ],
)
def test_a_literal_reference_is_taken_apart(
    text: str, kind: str, type_: str, id_: str, version: str, base: str
) -> None:
    found = parse_reference(text)
    assert (found.kind, found.type, found.id, found.version, found.base) == (
        kind,
        type_,
        id_,
        version,
        base,
    )
    assert found.text == text


def test_without_its_version_a_reference_names_the_resource() -> None:
    assert parse_reference("Patient/1/_history/2").versionless == "Patient/1"
    assert parse_reference("http://h/Patient/1/_history/2").versionless == "http://h/Patient/1"
    assert parse_reference(URN).versionless == URN


@settings(derandomize=True, deadline=None)
@given(st.text() | st.from_regex(r"(https?://[a-z/]*)?[A-Z][a-z]*/[a-z0-9]*(/_history/.*)?"))
def test_any_text_is_some_kind_of_reference(text: str) -> None:
    assert parse_reference(text).text == text


def test_a_fragment_leads_to_a_contained_resource_or_to_the_container() -> None:
    inside = {"resourceType": "Patient", "id": "p"}
    root = {"resourceType": "Observation", "contained": ["x", inside]}
    assert contained(root, "p") is inside
    assert contained(root, "") is root
    assert contained(root, "q") is None
    assert contained({"contained": "x"}, "p") is None


def bundle() -> dict[str, object]:
    old = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "1"}}
    new = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "2"}}
    urn = {"resourceType": "Practitioner"}
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "http://h/fhir/Patient/1", "resource": new},
            {"fullUrl": "http://h/fhir/Patient/1", "resource": old},
            {"fullUrl": URN, "resource": urn},
            {"fullUrl": 5, "resource": {}},
            "rubbish",
        ],
    }


@pytest.mark.parametrize(
    ("text", "full_url", "version"),
    [
        ("Patient/1", "http://h/fhir/Observation/1", "2"),
        ("Patient/1/_history/1", "http://h/fhir/Observation/1", "1"),
        ("http://h/fhir/Patient/1", "", "2"),
        ("http://h/fhir/Patient/1/_history/1", URN, "1"),
        ("Patient/1", "http://other/fhir/Observation/1", None),
        ("Patient/1", URN, None),
        ("Patient/2", "http://h/fhir/Observation/1", None),
        ("urn:uuid:00000000-0000-0000-0000-000000000000", "", None),
    ],
)
def test_in_a_bundle_a_reference_leads_to_the_entry_with_its_full_url(
    text: str, full_url: str, version: str | None
) -> None:
    found = BundleIndex(bundle()).find(parse_reference(text), full_url=full_url)
    assert (found["meta"]["versionId"] if found else None) == version


def test_a_urn_leads_to_the_entry_with_this_full_url() -> None:
    found = BundleIndex(bundle()).find(parse_reference(URN), full_url="")
    assert found == {"resourceType": "Practitioner"}
