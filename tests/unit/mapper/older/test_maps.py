"""The sheets of older versions: checked against the definitions, changed by a site."""

import json

import pytest

from simdes.errors import Invalid
from simdes.mapper import DEFAULT_SITE, map_bytes, site_of
from simdes.mapper.api import check_site
from simdes.mapper.older.maps import maps_of


@pytest.mark.parametrize("version", ["dstu2", "stu3"])
def test_the_shipped_sheets_can_be_followed(version: str) -> None:
    maps = maps_of(version, DEFAULT_SITE)
    assert sum(len(block.rows) for block in maps.blocks.values()) > 300


def test_a_sites_rows_go_before_the_shipped_ones() -> None:
    sheet = "@ Observation : Observation\ncomments | valueString\n"
    site = site_of({"fhir-dstu2/ours.psv": sheet.encode()}, default=DEFAULT_SITE)
    check_site(site)
    value = {"resourceType": "Observation", "status": "final", "comments": "x"}
    mapping = map_bytes("x", json.dumps(value).encode(), kind="fhir-dstu2", site=site)
    made = mapping.messages[0].bundle["entry"][0]["resource"]
    assert made["valueString"] == "x"


@pytest.mark.parametrize(
    "row",
    [
        "@ Nothing : Observation\ncode | code",
        "@ Observation : Nothing\ncode | code",
        "@ Observation : Observation\nnothing | code",
        "@ Observation : Observation\ncode | nothing",
        "@ Observation : Observation\ncode | code | magic",
        "@ Observation : Observation\ncode | code | | no-such-codes",
        "@ Observation : Observation\ncode | | -",
        "@ Observation : Observation\ncode[ | code",
    ],
)
def test_a_row_that_cannot_be_followed_is_named(row: str) -> None:
    site = site_of({"fhir-stu3/ours.psv": row.encode()}, default=DEFAULT_SITE)
    with pytest.raises(Invalid, match=r"ours\.psv"):
        check_site(site)


def test_an_unknown_version_of_a_site_is_refused() -> None:
    with pytest.raises(Invalid, match="fhir_version"):
        site_of({"site.toml": b'fhir_version = "r5"'}, default=DEFAULT_SITE)
