"""Profiles and resources that somebody spoilt: problems or a plain refusal, never a crash."""

from __future__ import annotations

import time
from random import Random
from typing import Any

from simdes.errors import SimdesError
from simdes.fhir.json import dumps
from simdes.fhir.profiles import Profiles
from simdes.fhir.profiles.package import Package
from simdes.fhir.validate import validate
from unit.fhir.profiles.test_slicing import OWN, loaded, profile
from unit.fhir.profiles.us_core import BASE, example, us_core
from unit.fhir.terminology.test_hostile import spoil

EXAMPLES = ("Patient-example", "Observation-blood-pressure", "Observation-serum-sodium")


def test_a_spoilt_resource_is_checked_all_the_same() -> None:
    random, found = Random("resources"), 0
    for name in EXAMPLES:
        for _ in range(100):
            resource = spoil(example(name), random)
            found += any(p.is_error for p in validate(resource, us_core()))
    assert found > 50


def test_a_spoilt_profile_is_refused_or_used() -> None:
    random, refused = Random("profiles"), 0
    sound = us_core().find("StructureDefinition", BASE + "us-core-blood-pressure")
    assert sound is not None
    sound = {**sound, "differential": sound["differential"]}
    sound.pop("snapshot")
    sound["baseDefinition"] = "http://hl7.org/fhir/StructureDefinition/Observation"
    resource = example("Observation-blood-pressure")
    for _ in range(150):
        spoilt = {**spoil({"differential": sound["differential"]}, random)}
        structure = {**sound, **spoilt}
        key = ("StructureDefinition", sound["url"])
        try:
            Profiles([Package("x", "1", {key: bytes(dumps(structure))})]).validate(
                resource, sound["url"]
            )
        except SimdesError:
            refused += 1
    assert 0 < refused < 150


def test_references_that_fan_out_are_checked_once_each() -> None:
    target = [{"code": "Reference", "targetProfile": [OWN + "p"]}]
    known = loaded(profile("Patient", {"path": "Patient.link.other", "type": target}))

    def patient(number: int) -> dict[str, Any]:
        other = {"reference": f"#p{number + 1}"}
        links = [{"other": other, "type": "seealso"}] * 3 if number < 40 else []
        return {"resourceType": "Patient", "id": f"p{number}", "link": links}

    resource = {**patient(0), "contained": [patient(n) for n in range(1, 41)]}
    started = time.perf_counter()
    assert known.validate(resource, OWN + "p") == []
    assert time.perf_counter() - started < 2
