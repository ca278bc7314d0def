"""FHIR packages in the organisation's folder: their profiles and terminology are asked, too."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from simdes import app
from simdes.errors import Invalid
from simdes.gateway.app import create_gateway
from support.consortium import Consortium
from support.fhir_api import Api, Json

PROFILE = "http://north.example/StructureDefinition/pulse-with-method"
WARDS = "http://north.example/packaged-wards"
CONTENT: dict[str, Json] = {
    "package.json": {"name": "north.example", "version": "1.0.0", "fhirVersions": ["4.0.1"]},
    "StructureDefinition-pulse.json": {
        "resourceType": "StructureDefinition",
        "url": PROFILE,
        "name": "Pulse",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Observation",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
        "derivation": "constraint",
        "differential": {
            "element": [
                {"id": "Observation", "path": "Observation"},
                {"id": "Observation.method", "path": "Observation.method", "min": 1},
            ]
        },
    },
    "CodeSystem-wards.json": {
        "resourceType": "CodeSystem",
        "url": WARDS,
        "status": "active",
        "content": "complete",
        "concept": [{"code": "icu", "display": "Intensive care"}],
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "packages").mkdir()
    with tarfile.open(tmp_path / "packages" / "north.tgz", "w:gz") as archive:
        for name, value in CONTENT.items():
            data = json.dumps(value).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return tmp_path


@pytest.fixture
def reader(network: Consortium, folder: Path) -> Api:
    """A doctor at north, where the package is loaded."""
    one = network["north"]
    node = replace(one.node, profiles=app._profiles(folder))
    return Api.of(one, "dr.north", app=create_gateway(one.custody, node=node))


def test_a_profile_of_a_package_is_checked(reader: Api, pulse: Callable[..., Json]) -> None:
    claiming = pulse(meta={"profile": [PROFILE]})
    for path, body in (
        ("Observation/$validate", claiming),
        (f"Observation/$validate?profile={PROFILE}", pulse()),
    ):
        told = reader.send("POST", path, body).json()
        wrong = [one for one in told["issue"] if one["severity"] == "error"]
        assert any("method" in str(one.get("expression", one)) for one in wrong), told
        fine = reader.send("POST", path, {**body, "method": {"text": "by hand"}}).json()
        assert all(one["severity"] != "error" for one in fine["issue"])


def test_a_code_system_of_a_package_is_asked(reader: Api, doctor: Api) -> None:
    path = f"CodeSystem/$lookup?system={WARDS}&code=icu"
    assert "Intensive care" in reader.get(path).text
    assert doctor.get(path).status_code == 404


def test_a_package_that_is_none_is_named_at_the_start(folder: Path) -> None:
    (folder / "packages" / "broken.tgz").write_bytes(b"no archive")
    with pytest.raises(Invalid, match=r"broken\.tgz"):
        app._profiles(folder)
