"""FHIR DSTU2 as a kind of input of its own, for senders whose version is known."""

from __future__ import annotations

from simdes.mapper.fhir_input import map_version
from simdes.mapper.model import Limits, Mapping, Site
from simdes.mapper.older import maps


def maps_of(site: Site) -> maps.Maps:
    """Give the maps with a site's in front. Raises Invalid where one can't be followed."""
    return maps.maps_of("dstu2", site)


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Take one resource or Bundle of DSTU2; never raises on bad data."""
    return map_version(name, data, site=site, limits=limits, kind="fhir-dstu2", explain=explain)
