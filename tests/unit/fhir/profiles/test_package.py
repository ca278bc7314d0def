"""Packages are read in memory, within limits; what is none is refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tools import compile_profiles as compiler

from simdes.errors import Invalid, TooLarge
from simdes.fhir.profiles import load_package
from simdes.fhir.profiles import package as packages
from unit.fhir.profiles.us_core import BASE, PACKAGE

MANIFEST = {"name": "own.example", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
PROFILE = {"resourceType": "StructureDefinition", "url": "http://a.example/p", "type": "Patient"}


def archive(folder: Path, **files: Any) -> Path:
    """A .tgz; keys are paths with `__` for a slash, values JSON or TarInfo for what is no file."""
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name, value in files.items():
            if isinstance(value, tarfile.TarInfo):
                tar.addfile(value)
                continue
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_us_core_is_read_with_its_definitions() -> None:
    package = load_package(PACKAGE)
    assert (package.name, package.version) == ("hl7.fhir.us.core", "6.1.0")
    assert len([*package.urls("StructureDefinition")]) == 59
    assert len([*package.urls("ValueSet")]) == 36
    found = package.find("StructureDefinition", BASE + "us-core-patient")
    assert found is not None
    assert found["type"] == "Patient"
    assert package.find("StructureDefinition", BASE + "none") is None


def test_only_definitions_directly_in_the_package_are_kept(tmp_path: Path) -> None:
    link = tarfile.TarInfo("package/link.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path = archive(
        tmp_path,
        package__package__json={},
        **{"package/package.json": MANIFEST, "package/p.json": PROFILE},
        **{"package/example/q.json": {**PROFILE, "url": "http://a.example/q"}},
        **{"package/../../etc/r.json": {**PROFILE, "url": "http://a.example/r"}},
        **{"/package/s.json": {**PROFILE, "url": "http://a.example/s"}},
        **{"package/t.json": {"resourceType": "Patient"}, "package/u.json": b"{"},
        **{"package/v.json": [1], "link": link},
    )
    package = load_package(path)
    assert [*package.urls("StructureDefinition")] == ["http://a.example/p"]
    assert [p.name for p in tmp_path.iterdir()] == ["package.tgz"]


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"not a tar", gzip.compress(b"x" * 1000), PACKAGE.read_bytes()[:5000]):
        path = tmp_path / "broken.tgz"
        path.write_bytes(data)
        with pytest.raises(Invalid):
            load_package(path)
    with pytest.raises(Invalid, match=r"package.json"):
        load_package(archive(tmp_path, **{"package/p.json": PROFILE}))
    with pytest.raises(Invalid):
        load_package(archive(tmp_path, **{"package/package.json": {"name": 7}}))
    with pytest.raises(Invalid, match="another version"):
        load_package(
            archive(tmp_path, **{"package/package.json": {**MANIFEST, "fhirVersions": ["5.0.0"]}})
        )
    with pytest.raises(Invalid):
        load_package(tmp_path / "none.tgz")


def test_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path, **{"package/package.json": MANIFEST, "package/p.json": PROFILE})
    for name, most in (("MOST_FILES", 1), ("MOST_BYTES", 100), ("MOST_BYTES_OF_A_FILE", 20)):
        with monkeypatch.context() as limited:
            limited.setattr(packages, name, most)
            with pytest.raises(TooLarge):
                load_package(path)
    assert load_package(path).name == "own.example"


def test_a_bomb_does_not_go_off(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tgz"
    info = tarfile.TarInfo("package/package.json")
    info.size = packages.MOST_BYTES + 1
    with gzip.open(path, "wb") as packed:
        packed.write(info.tobuf())
    with pytest.raises(TooLarge):
        load_package(path)


def test_the_shipped_profiles_are_what_their_source_compiles_to() -> None:
    assert gzip.decompress(compiler.TARGET.read_bytes()) == compiler.compile_profiles(
        compiler.SOURCE
    )
