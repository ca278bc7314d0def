"""HL7's own validator finds no error in anything the mapper makes of the published inputs."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from simdes.mapper import map_bytes
from support import validator

pytestmark = pytest.mark.accept

VECTORS = Path(__file__).parents[2] / "vectors"
FORMATS = {"hl7v2": 300, "cda": 15, "older": 3, "x12": 42}
"""How many Bundles there are at least."""


@pytest.mark.parametrize("folder", FORMATS)
def test_every_bundle_is_valid_for_hl7s_own_validator(folder: str) -> None:
    made = []
    for path in sorted((VECTORS / folder).rglob("*")):
        if path.is_file() and path.suffix != ".md":
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            mapping = map_bytes(path.name, data)
            made += [(f"{path.name}#{one.index}", one.bundle) for one in mapping.messages]
    assert len(made) >= FORMATS[folder]
    found = validator.errors(made)
    assert {name: errors for name, errors in found.items() if errors} == {}


def test_the_validator_would_find_a_fault() -> None:
    wrong = {"resourceType": "Patient", "gender": "?", "nickname": "x"}
    assert len(validator.errors([("wrong", wrong)])["wrong"]) >= 2
