"""X12 transactions become valid FHIR, one Bundle for each patient."""

import pytest

from simdes.mapper import map_bytes
from simdes.mapper.model import Site
from simdes.mapper.x12.transactions import maps_of
from unit.mapper.x12.samples import NAMES, mapped_all, resources, sample

KINDS = {
    "270": ["CoverageEligibilityRequest", "Coverage"],
    "271": ["CoverageEligibilityResponse", "Coverage"],
    "276": ["Task"],
    "277": ["Task", "ClaimResponse"],
    "834": ["Coverage"],
    "835": ["ExplanationOfBenefit", "PaymentReconciliation", "Coverage"],
    "837": ["Claim", "Coverage"],
    "837i": ["Claim", "Coverage"],
}


def test_every_sheet_can_be_followed() -> None:
    maps_of(Site()).check()


@pytest.mark.parametrize("name", NAMES)
def test_samples_become_valid_bundles_of_one_patient_each(name: str) -> None:
    mapping = mapped_all(sample(name))
    assert mapping.quarantined == ()
    kinds = KINDS[name.rpartition(".")[2]]
    for message in mapping.messages:
        is_summary = name == "demo/demo.835" and message.index == 2
        assert len(resources(message, "Patient")) == (0 if is_summary else 1)
        assert is_summary or all(resources(message, kind) for kind in kinds)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_mapped_can_be_mapped_alone(name: str) -> None:
    for message in mapped_all(sample(name)).messages:
        again = map_bytes("again", message.source)
        assert [one.bundle for one in again.messages] == [message.bundle]
