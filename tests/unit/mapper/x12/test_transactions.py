"""X12 transactions become valid FHIR, one Bundle for each patient."""

import pytest

from simdes.mapper import map_bytes
from simdes.mapper.model import Site
from simdes.mapper.x12.transactions import maps_of
from unit.mapper.x12.samples import NAMES, mapped_all, resources, sample


def test_every_sheet_can_be_followed() -> None:
    maps_of(Site()).check()


@pytest.mark.parametrize("name", [name for name in NAMES if ".837" in name])
def test_samples_become_valid_claims_of_one_patient_each(name: str) -> None:
    mapping = mapped_all(sample(name))
    assert mapping.quarantined == ()
    for message in mapping.messages:
        assert len(resources(message, "Patient")) == 1
        assert len(resources(message, "Claim")) >= 1


@pytest.mark.parametrize("name", [name for name in NAMES if ".837" in name])
def test_what_was_mapped_can_be_mapped_alone(name: str) -> None:
    for message in mapped_all(sample(name)).messages:
        again = map_bytes("again", message.source)
        assert [one.bundle for one in again.messages] == [message.bundle]
