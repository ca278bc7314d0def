"""A value of its own in every place of every resource type of DSTU2 and STU3 is found again."""

import json

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.older.shapes import resource_names
from unit.mapper.older.planting import Planter, leaves

# A Bundle and Parameters take no extension: what has no place in them is reported.
TYPES = [
    (version, kind)
    for version in ("dstu2", "stu3")
    for kind in sorted(resource_names(version) - {"Bundle", "Parameters"})
]


@pytest.mark.parametrize(("version", "kind"), TYPES, ids=str)
def test_nothing_of_a_resource_is_lost_and_all_of_it_is_valid(version: str, kind: str) -> None:
    for variant in range(2):
        planter = Planter(version)
        source = planter.resource(kind, variant)
        mapping = map_bytes("x.json", json.dumps(source).encode(), kind=f"fhir-{version}")
        assert mapping.quarantined == ()
        one = mapping.messages[0]
        assert [p for p in validate(one.bundle) if p.is_error] == []
        found = "\n".join(leaves(one.bundle))
        lost = [path for path, text in planter.planted.items() if _core(text) not in found]
        assert lost == []


def _core(text: str) -> str:
    """The part of a planted text that every R4 form of it has (a DICOM UID loses its prefix)."""
    return text.removeprefix("urn:oid:")[:10] if text[4:5] == "-" else text.removeprefix("urn:oid:")
